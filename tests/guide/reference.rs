//! The page of every command and every key, made of the command line's definition and of the schema.

use super::generated::{code, prose};
use clap::{Arg, Command};
use dualprop::config::schema::{Field, branch_fields, fields, sections};
use std::fmt::Write as _;

const HEAD: &str = "# Every command and every key

This page is made by the program itself, of the same tables as `--help`; a test holds it up to date.

";

pub(super) fn page() -> String {
    let mut text = HEAD.to_owned();
    text += "## Commands\n\nEvery command has `--help`, and ends with 0 on success, 1 where its work failed and 2 where the \
             command line was wrong.\n\n";
    let mut program = dualprop::cli::command();
    program.build();
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        describe(&mut text, command, "dualprop");
    }
    keys(&mut text);
    text
}

fn describe(text: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
    let paragraphs: Vec<String> = about.unwrap_or_default().split("\n\n").map(prose).collect();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = write!(text, "### {name}\n\n{}\n\n```text\n{usage}\n```\n\n", paragraphs.join("\n\n"));
    let arguments: Vec<&Arg> = command.get_arguments().filter(|arg| arg.get_id() != "help").collect();
    if !arguments.is_empty() {
        text.push_str("| argument | what it means |\n| --- | --- |\n");
        arguments.into_iter().for_each(|argument| row(text, argument));
        text.push('\n');
    }
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples: Vec<&str> = examples
        .lines()
        .map(|line| line.trim().trim_start_matches("Example: "))
        .filter(|line| line.starts_with("dualprop "))
        .collect();
    if !examples.is_empty() {
        let _ = write!(text, "```sh,parsed\n{}\n```\n\n", examples.join("\n"));
    }
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        describe(text, part, &name);
    }
}

fn row(text: &mut String, argument: &Arg) {
    let takes = argument.get_action().takes_values();
    let values: Vec<&str> =
        argument.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
    let value = format!("<{}>", values.join("> <"));
    let name = match argument.get_long() {
        Some(long) if takes => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    };
    let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string);
    let mut means = prose(&help.unwrap_or_default());
    let listed = |values: Vec<String>| values.iter().map(|value| code(value)).collect::<Vec<_>>().join(", ");
    if takes && !argument.is_hide_possible_values_set() {
        let possible: Vec<String> =
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if !possible.is_empty() {
            let _ = write!(means, ". One of {}", listed(possible));
        }
    }
    let defaults: Vec<String> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if takes && !defaults.is_empty() {
        let _ = write!(means, ". Default: {}", listed(defaults));
    }
    let _ = writeln!(text, "| {} | {means} |", code(&name));
}

fn keys(text: &mut String) {
    text.push_str(
        "## Keys of a configuration\n\nA configuration is a TOML file with these tables. Every key may be left out. \
         Where the default is *absent*, the program decides as the text says. The source is where the key or its default \
         comes from.\n\n",
    );
    for section in sections() {
        let _ = write!(text, "### `[{section}]`\n\n");
        text.push_str(
            "| key | default | what it means | values | source |\n| --- | --- | --- | --- | --- |\n",
        );
        fields().iter().filter(|field| field.section() == section).for_each(|field| {
            let default =
                field.default_value().map_or_else(|| "*absent*".to_owned(), |v| code(&v.to_string()));
            key(text, field, Some(&default));
        });
        text.push('\n');
        if section == "method" {
            text.push_str("### `[[method.branch]]`\n\n| key | what it means | values | source |\n");
            text.push_str("| --- | --- | --- | --- |\n");
            branch_fields().iter().for_each(|field| key(text, field, None));
            text.push('\n');
        }
    }
}

fn key(text: &mut String, field: &Field, default: Option<&str>) {
    let unit = if field.unit.is_empty() { String::new() } else { format!(", {}", prose(field.unit)) };
    let default = default.map_or_else(String::new, |default| format!(" {default}{unit} |"));
    let (help, values) = (prose(field.help), prose(&field.kind.to_string()));
    let _ =
        writeln!(text, "| {} |{default} {help} | {values} | {} |", code(field.key()), prose(field.source));
}
