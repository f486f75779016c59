//! The kinds of files that exports become.

/// What kind of file an export becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Svg,
    Png,
    Csv,
    Markdown,
    Latex,
    Json,
}

impl FileKind {
    /// The ending of its names.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Csv => "csv",
            Self::Markdown => "md",
            Self::Latex => "tex",
            Self::Json => "json",
        }
    }

    /// Its name in the system's dialog.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Svg => "SVG",
            Self::Png => "PNG",
            Self::Csv => "CSV",
            Self::Markdown => "Markdown",
            Self::Latex => "LaTeX",
            Self::Json => "JSON",
        }
    }

    /// What the dialog asks for.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Svg => "An SVG file; an old one is replaced",
            Self::Png => "A PNG file; an old one is replaced",
            Self::Csv => "A CSV file; an old one is replaced",
            Self::Markdown => "A Markdown file; an old one is replaced",
            Self::Latex => "A LaTeX file to be included; an old one is replaced",
            Self::Json => "A JSON file; an old one is replaced",
        }
    }
}
