//! How much room words take. The reader's font is not known, so the widths are rather too large than too
//! small.

/// The width of `words` in units of their size.
pub(in crate::app::widgets) fn width(words: &str) -> f64 {
    words.chars().map(letter).sum()
}

fn letter(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' => 0.32,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '/' | '-' | '\u{202f}' => 0.4,
        'm' | 'w' | 'M' | 'W' | '%' | '–' | '→' => 0.9,
        c if c.is_uppercase() => 0.72,
        _ => 0.62,
    }
}

/// `words` in lines of at most `room` units of their size; a longer word has a line of its own.
pub(super) fn wrap(words: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + width(" ") + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `words`, cut with an ellipsis where they are wider than `room` units of their size.
pub(super) fn cut(words: &str, room: f64) -> String {
    if width(words) <= room {
        return words.to_owned();
    }
    let mut left = room - 1.0;
    let kept: String = words
        .chars()
        .take_while(|c| {
            left -= letter(*c);
            left >= 0.0
        })
        .collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_to_their_room() {
        let lines = wrap("accuracy of the images under an attack", 10.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line) <= 10.0), "{lines:?}");
        assert_eq!(lines.join(" "), "accuracy of the images under an attack");
        assert_eq!(cut("short", 10.0), "short");
        let long = cut("a rather long name of a class", 6.0);
        assert!(long.ends_with('…') && width(&long) <= 6.6, "{long}");
    }
}
