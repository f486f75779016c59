//! What the guide quotes the program with is what the program says: each line of a block marked `text,said`
//! stands in one file of the source, piece by piece, with `…` for what is filled in.

use super::{documents, fenced, read, root};
use std::path::{Path, PathBuf};

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// A file of the source with its strings as they are printed: lines joined, quotes without their backslash.
fn printed(text: &str) -> String {
    let mut joined = String::new();
    let mut goes_on = false;
    for line in text.lines() {
        joined.push_str(if goes_on { line.trim_start() } else { line });
        goes_on = line.ends_with('\\');
        if goes_on {
            joined.pop();
        } else {
            joined.push('\n');
        }
    }
    joined.replace("\\\"", "\"")
}

/// Whether the pieces of `quote` stand in `text`, in their order and no further apart than in a sentence.
fn holds(text: &str, quote: &str) -> bool {
    const REACH: usize = 160;
    let pieces: Vec<&str> = quote.split('…').map(str::trim).filter(|piece| !piece.is_empty()).collect();
    let Some((first, rest)) = pieces.split_first() else { return false };
    text.match_indices(first).any(|(at, _)| {
        let mut end = at + first.len();
        rest.iter().all(|piece| {
            let reach = text.floor_char_boundary((end + REACH + piece.len()).min(text.len()));
            let found = text[end..reach].find(piece);
            end += found.unwrap_or_default() + piece.len();
            found.is_some()
        })
    })
}

#[test]
fn every_quoted_sentence_is_one_that_the_program_prints() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    let source: Vec<String> = files.iter().map(|file| printed(&read(file))).collect();
    let (mut quoted, mut unknown) = (0, Vec::new());
    for (document, text) in documents() {
        for block in fenced(&text).iter().filter(|block| block.info == "text,said") {
            for line in block.text.lines() {
                quoted += 1;
                if !source.iter().any(|text| holds(text, line)) {
                    unknown.push(format!("{document}: {line}"));
                }
            }
        }
    }
    assert!(quoted >= 25, "{quoted} sentences were found");
    assert!(unknown.is_empty(), "sentences that the program does not have:\n{}", unknown.join("\n"));
}

#[test]
fn a_sentence_is_found_with_what_is_filled_in_and_no_other_one() {
    let source =
        printed("bail!(\n    \"the file \\\"{name}\\\" has {count} \\\n     lines; expected {}\"\n);");
    assert!(holds(&source, "the file \"…\" has … lines; expected …"));
    assert!(!holds(&source, "the file \"…\" has … words; expected …"));
    assert!(!holds(&source, "lines; expected … the file"));
}
