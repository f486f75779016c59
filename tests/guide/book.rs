//! The book and the page: every chapter is listed, every link leads to a heading or a file.

use super::{chapters, documents, parse, read, root};
use dualprop::guide::{CHAPTERS, anchor, page};
use pulldown_cmark::{Event, Tag, TagEnd};
use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use std::collections::{BTreeMap, BTreeSet};

fn links(text: &str) -> Vec<String> {
    let links = parse(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    });
    links.collect()
}

/// The anchors of a document's headings, as mdBook makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut found, mut words) = (Vec::new(), None);
    for event in parse(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => words = Some(String::new()),
            Event::Text(text) | Event::Code(text) => words.iter_mut().for_each(|words| words.push_str(&text)),
            Event::End(TagEnd::Heading(_)) => found.extend(words.take().map(|words| anchor(&words))),
            _ => {}
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let numbered = found.into_iter().map(|anchor| {
        let count = counts.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    });
    numbered.collect()
}

#[test]
fn the_program_carries_the_chapters_of_the_summary_in_its_order() {
    let listed = links(&read(&chapters().join("SUMMARY.md")));
    let carried: Vec<&str> = CHAPTERS.iter().map(|chapter| chapter.file).collect();
    assert_eq!(listed, carried);
    let files = std::fs::read_dir(chapters()).expect("the chapters");
    let files: BTreeSet<String> =
        files.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    let expected: BTreeSet<String> =
        carried.iter().copied().chain(["SUMMARY.md"]).map(str::to_owned).collect();
    assert_eq!(files, expected, "a file that no chapter is, or a chapter without a file");
}

#[test]
fn the_titles_of_the_summary_are_those_of_the_chapters() {
    for event in read(&chapters().join("SUMMARY.md")).lines().filter(|line| line.starts_with("- [")) {
        let (title, file) = event[3..].split_once("](").expect("a link");
        let text = read(&chapters().join(file.trim_end_matches(')')));
        assert_eq!(text.lines().next(), Some(format!("# {title}").as_str()), "{file}");
    }
}

#[test]
fn every_link_leads_to_a_heading_or_a_file() {
    let documents = documents();
    let anchors: BTreeMap<&str, _> =
        documents.iter().map(|(name, text)| (name.as_str(), anchors(text))).collect();
    let mut wrong = Vec::new();
    let mut followed = 0;
    for (name, text) in &documents {
        for link in links(text).iter().filter(|link| !link.contains("://")) {
            followed += 1;
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(f, a)| (f, Some(a)));
            let known = match (name.as_str(), file) {
                (_, "") => anchors.get(name.as_str()),
                ("README.md", file) => anchors.get(file.trim_start_matches("docs/guide/src/")),
                (_, file) => anchors.get(file),
            };
            let leads = match (known, anchor) {
                (Some(known), Some(anchor)) => known.contains(anchor),
                (Some(_), None) => true,
                (None, _) => name == "README.md" && root().join(file).exists(),
            };
            if !leads {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(followed > 20, "{followed} links were found");
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn the_page_is_well_formed_and_its_links_lead_to_places_on_it() {
    let page = page();
    let (mut ids, mut links) = (Vec::new(), Vec::new());
    let mut reader = Reader::from_str(&page);
    loop {
        let event = reader.read_event();
        let before = &page[page.floor_char_boundary(reader.error_position() as usize)..];
        let near: String = before.chars().take(80).collect();
        match event.unwrap_or_else(|error| panic!("{error}: {near}")) {
            Xml::Start(tag) | Xml::Empty(tag) => {
                let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                assert!(!["script", "img", "link", "iframe"].contains(&name.as_str()), "<{name}>");
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("well-formed");
                    let value = String::from_utf8_lossy(&attribute.value).into_owned();
                    match attribute.key.as_ref() {
                        b"id" => ids.push(value),
                        b"href" => links.push(value),
                        _ => {}
                    }
                }
            }
            Xml::Eof => break,
            _ => {}
        }
    }
    let places: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(places.len(), ids.len(), "two headings have one place");
    assert!(links.len() > 80, "{} links", links.len());
    for link in links.iter().filter(|link| !link.contains("://")) {
        let place = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads out of the page"));
        assert!(ids.iter().any(|id| id == place), "{link} leads nowhere");
    }
    for chapter in CHAPTERS {
        assert!(ids.iter().any(|id| id == chapter.name()), "{} is not on the page", chapter.file);
    }
    assert!(!page.contains("<!--"), "marks of generated parts are not for readers");
}
