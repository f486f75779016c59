//! Fenced blocks: TOML is read by the program's own parser, shell lines by its own arguments. Those of blocks
//! marked `sh` run as well (`run.rs`); of `sh,parsed` the arguments alone are read.

use super::{Block, documents, fenced, root};
use dualprop::config::sweep::Sweep;
use dualprop::config::{Config, presets};
use std::collections::BTreeMap;

/// Blocks of shell lines that no test runs, by document: they train for long, open a window, measure this
/// machine, or need weights and data that are not in the repository. The reference holds the examples of
/// `--help`.
const ONLY_PARSED: [(&str, usize); 8] = [
    ("README.md", 1),
    ("evaluation.md", 2),
    ("first-run.md", 4),
    ("models-in-and-out.md", 2),
    ("performance.md", 2),
    ("recipes.md", 2),
    ("troubleshooting.md", 1),
    ("your-photos.md", 3),
];
const REFERENCE: &str = "reference.md";

/// What a shell does with a line: words, quotes, a comment at the end.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "an open quote: {line}");
    words.extend(word);
    words
}

/// The lines of a block that call the program, as words without its name. Others may call what the repository
/// or TensorBoard has.
pub(super) fn calls(block: &Block) -> Vec<Vec<String>> {
    let mut calls = Vec::new();
    for line in block.text.lines() {
        let words = words(line);
        match words.first().map(String::as_str) {
            Some("dualprop") => {
                // What goes to a file is no matter of the program's.
                let own = words[1..].iter().take_while(|word| *word != ">");
                calls.push(own.cloned().collect());
            }
            Some("cargo" | "tensorboard") | None => {}
            Some(script) => assert!(root().join(script).is_file(), "nobody knows what {line} calls"),
        }
    }
    calls
}

/// Fails where the program would refuse the arguments, or a preset the keys that are set over it.
fn check(document: &str, words: &[String]) {
    for word in words {
        assert!(!word.contains(['*', '…', '$']), "{document}: {word} stands for something else");
    }
    let all = std::iter::once("dualprop").chain(words.iter().map(String::as_str));
    if let Err(error) = dualprop::cli::command().try_get_matches_from(all) {
        panic!("{document}: dualprop {}: {error}", words.join(" "));
    }
    if let [command, name, rest @ ..] = words
        && command == "train"
        && let Some(preset) = presets::find(name)
    {
        let sets = rest.windows(2).filter(|pair| pair[0] == "--set").map(|pair| pair[1].clone());
        let read = Config::parse(preset.text, name, &sets.collect::<Vec<_>>());
        assert!(read.is_ok(), "{document}: dualprop {}: {}", words.join(" "), read.expect_err("a fault"));
    }
}

#[test]
fn every_command_is_one_that_the_program_has() {
    let mut seen = 0;
    for (document, text) in documents() {
        for block in fenced(&text).iter().filter(|block| block.info.starts_with("sh")) {
            let calls = calls(block);
            seen += calls.len();
            calls.iter().for_each(|words| check(&document, words));
        }
    }
    assert!(seen > 50, "{seen} commands were found");
}

#[test]
fn blocks_that_no_test_runs_are_known_and_few() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for (document, text) in documents().iter().filter(|(document, _)| document != REFERENCE) {
        let parsed = fenced(text).iter().filter(|block| block.info == "sh,parsed").count();
        if parsed > 0 {
            found.insert(document.clone(), parsed);
        }
    }
    let known: BTreeMap<String, usize> =
        ONLY_PARSED.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, known);
}

#[test]
fn every_fence_says_what_its_block_is() {
    const KNOWN: [&str; 8] =
        ["sh", "sh,parsed", "toml", "toml,sweep", "text", "text,said", "python", "rust,ignore"];
    for (document, text) in documents() {
        for block in fenced(&text) {
            assert!(KNOWN.contains(&block.info.as_str()), "{document}: ```{}\n{}", block.info, block.text);
        }
    }
}

#[test]
fn every_configuration_is_read_without_a_warning() {
    let (mut runs, mut sweeps) = (0, 0);
    for (document, text) in documents() {
        for Block { info, text } in fenced(&text) {
            let warnings = match info.as_str() {
                "toml" => {
                    runs += 1;
                    let read = Config::parse_warning(&text, &document, &[]);
                    read.unwrap_or_else(|error| panic!("{error}\n{text}")).1
                }
                "toml,sweep" => {
                    sweeps += 1;
                    let read = Sweep::parse(&text, &document, root());
                    read.unwrap_or_else(|error| panic!("{error}\n{text}")).warnings
                }
                _ => continue,
            };
            assert!(warnings.is_empty(), "{document}: {}\n{text}", warnings.join("; "));
        }
    }
    assert!(runs >= 7 && sweeps >= 1, "{runs} configurations and {sweeps} sweeps were found");
}

#[test]
fn lines_are_cut_as_a_shell_cuts_them() {
    assert_eq!(words("a 'b c'  d=\"e f\" # g"), ["a", "b c", "d=e f"]);
    assert_eq!(words("a#b ''"), ["a#b", ""]);
    assert!(words("# only a remark").is_empty());
}
