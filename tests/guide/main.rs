//! The guide and `README.md` say what is so: their commands and configurations run, their links lead
//! somewhere, the sentences that they quote are the program's, and what is made from the program's tables is
//! up to date. `UPDATE_GUIDE=1 cargo test --test guide` writes the generated parts anew.

mod blocks;
mod book;
mod generated;
mod reference;
mod run;
mod sentences;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn chapters() -> PathBuf {
    root().join("docs/guide/src")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The chapters as they are on the disk, and the README: name and text of each.
fn documents() -> Vec<(String, String)> {
    let files = dualprop::guide::CHAPTERS.iter().map(|chapter| chapter.file.to_owned());
    let mut documents: Vec<_> = files.map(|file| (file.clone(), read(&chapters().join(&file)))).collect();
    documents.push(("README.md".to_owned(), read(&root().join("README.md"))));
    documents
}

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// A fenced block: what stands behind its fence, and its text.
struct Block {
    info: String,
    text: String,
}

fn fenced(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for event in parse(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                open = Some(Block { info: info.to_string(), text: String::new() });
            }
            Event::Text(text) => open.iter_mut().for_each(|block| block.text.push_str(&text)),
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    blocks
}
