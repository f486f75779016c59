//! The guide that the program carries: the chapters of `docs/guide`, which mdBook makes a book of, and one
//! page of them all that needs neither a network nor another program than a browser.

#![warn(missing_docs)]

mod page;

pub use page::{anchor, page};

/// A chapter of the guide.
#[derive(Clone, Copy, Debug)]
pub struct Chapter {
    /// The name of its file in `docs/guide/src`, by which links between chapters go.
    pub file: &'static str,
    /// Its text, Markdown that begins with its title as a heading of the first level.
    pub text: &'static str,
}

/// The files of these names in `docs/guide/src`.
macro_rules! chapters {
    ($($file:literal,)*) => {
        &[$(Chapter { file: $file, text: include_str!(concat!("../../docs/guide/src/", $file)) },)*]
    };
}

/// All chapters, in the order of `SUMMARY.md`.
pub const CHAPTERS: &[Chapter] = chapters![
    "first-run.md",
    "your-photos.md",
    "panes.md",
    "method.md",
    "recipes.md",
    "evaluation.md",
    "models-in-and-out.md",
    "troubleshooting.md",
    "performance.md",
    "comparison.md",
    "reference.md",
];

impl Chapter {
    /// The file's name without its ending: the chapter's place on the page.
    pub fn name(&self) -> &'static str {
        self.file.trim_end_matches(".md")
    }
}
