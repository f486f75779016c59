//! Numbers in sentences, and sentences on a line.

/// The noun for so many: `step` for one, `steps` for any other number. It takes an s.
pub fn plural(count: u64, noun: &str) -> String {
    format!("{noun}{}", if count == 1 { "" } else { "s" })
}

/// A count with its noun: `1 step`, `2 steps`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {}", plural(count as u64, noun))
}

/// Most characters of a sentence that is shown.
const LONGEST: usize = 2000;

/// A text as one line that a terminal shows as it is: lines are joined, control characters are escaped, and
/// of a text beyond 2000 characters the middle is left out. What a file says of itself may stand in it.
pub fn one_line(text: &str) -> String {
    let joined = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let mut shown = String::with_capacity(joined.len());
    for character in joined.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    let count = shown.chars().count();
    if count <= LONGEST {
        return shown;
    }
    let start = shown.chars().take(LONGEST / 2);
    start.chain(" … ".chars()).chain(shown.chars().skip(count - LONGEST / 2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_thing_has_no_s() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "image")), ["0 images", "1 image", "2 images"]);
    }

    #[test]
    fn whatever_a_text_holds_it_becomes_one_line() {
        assert_eq!(one_line(" a\r\n\n b\u{1b}[2J\tc\u{9b} "), "a b\\u{1b}[2J\\tc\\u{9b}");
        let long = one_line(&("first ".to_owned() + &"ü".repeat(100_000) + " last"));
        assert!(long.starts_with("first ü") && long.ends_with("ü last") && long.contains(" … "));
        assert_eq!(long.chars().count(), LONGEST + 3);
        assert_eq!(one_line("short"), "short");
    }
}
