//! All chapters as one page: well-formed, with its style inside, no script, and nothing that a browser would
//! have to fetch.

use super::{CHAPTERS, Chapter};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");

/// A heading that the table of contents lists: its level below the chapter's (0 for the chapter itself), its
/// place on the page, its words as HTML.
struct Entry {
    depth: usize,
    id: String,
    words: String,
}

/// The whole guide as one HTML page.
pub fn page() -> String {
    let mut entries = Vec::new();
    let chapters: Vec<String> = CHAPTERS.iter().map(|chapter| render(chapter, &mut entries)).collect();
    let title = format!("DualProp {}: the guide", env!("CARGO_PKG_VERSION"));
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"/>\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<meta name=\"color-scheme\" content=\"light \
         dark\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header><h1>{title}</h1></header>\n\
         <nav aria-label=\"Contents\">\n"
    );
    contents(&mut text, &entries);
    text += "</nav>\n<main>\n";
    for chapter in chapters {
        let _ = writeln!(text, "<section>\n{chapter}</section>");
    }
    text += "</main>\n</body>\n</html>\n";
    text
}

/// The nested list of chapters and their sections.
fn contents(text: &mut String, entries: &[Entry]) {
    let link = |entry: &Entry| format!("<a href=\"#{}\">{}</a>", entry.id, entry.words);
    text.push_str("<ol>\n");
    for chapter in entries.chunk_by(|_, next| next.depth > 0) {
        let [first, sections @ ..] = chapter else { continue };
        let _ = write!(text, "<li>{}", link(first));
        if !sections.is_empty() {
            text.push_str("<ul>");
            sections.iter().for_each(|entry| {
                let _ = write!(text, "<li>{}</li>", link(entry));
            });
            text.push_str("</ul>");
        }
        text.push_str("</li>\n");
    }
    text.push_str("</ol>\n");
}

fn render(chapter: &Chapter, entries: &mut Vec<Entry>) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(chapter.text, Options::ENABLE_TABLES).collect();
    let mut anchors = Anchors::default();
    for at in 0..events.len() {
        if let Event::Start(Tag::Heading { level, .. }) = events[at] {
            let end = events[at..].iter().position(|event| matches!(event, Event::End(TagEnd::Heading(_))));
            let heading = &events[at + 1..at + end.unwrap_or(1)];
            let words = words_of(heading);
            let id = match level {
                HeadingLevel::H1 => chapter.name().to_owned(),
                _ => format!("{}-{}", chapter.name(), anchors.next(&words)),
            };
            if level <= HeadingLevel::H2 {
                let mut html = String::new();
                html::push_html(&mut html, heading.iter().cloned());
                let depth = usize::from(level == HeadingLevel::H2);
                entries.push(Entry { depth, id: id.clone(), words: html });
            }
            if let Event::Start(Tag::Heading { id: place, .. }) = &mut events[at] {
                *place = Some(id.into());
            }
        }
    }
    let mut html = String::new();
    html::push_html(&mut html, events.into_iter().filter_map(|event| placed(chapter, event)));
    html
}

/// An event as the page has it: headings one level lower, links to places on the page, tables that scroll by
/// themselves; `None` for marks of generated parts.
fn placed<'a>(chapter: &Chapter, event: Event<'a>) -> Option<Event<'a>> {
    Some(match event {
        Event::Start(Tag::Heading { level, id, classes, attrs }) => {
            Event::Start(Tag::Heading { level: lower(level), id, classes, attrs })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = place_of(chapter, &dest_url).map_or(dest_url, CowStr::from);
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Html(text) if text.starts_with("<!--") => return None,
        other => other,
    })
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    HeadingLevel::try_from(level as usize + 1).unwrap_or(HeadingLevel::H6)
}

/// Where a link between chapters leads on the page; `None` for a link out of the guide.
fn place_of(chapter: &Chapter, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let of = if file.is_empty() { Some(chapter) } else { CHAPTERS.iter().find(|c| c.file == file) };
    let name = of?.name();
    Some(anchor.map_or_else(|| format!("#{name}"), |anchor| format!("#{name}-{anchor}")))
}

/// The words of a heading without their marks.
fn words_of(heading: &[Event<'_>]) -> String {
    let words = heading.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    words.collect()
}

/// The anchor that mdBook gives a heading of these words: small letters, digits, `-` and `_`, with `-` for
/// spaces.
pub fn anchor(words: &str) -> String {
    let kept = words.trim().chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || "-_".contains(c) => Some(c),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// The anchors of a chapter; of equal ones the later have a number, as in mdBook.
#[derive(Default)]
struct Anchors {
    given: BTreeMap<String, usize>,
}

impl Anchors {
    fn next(&mut self, words: &str) -> String {
        let anchor = anchor(words);
        let count = self.given.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    }
}
