//! Numbers as people read them. Every figure of the window goes through here.

use crate::words;

/// `1h 02m`, `3m 05s`, `12 s`; a dash where there is no number.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".into();
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes}m {rest:02}s"),
        _ if hours >= 48 => format!("{} days {}h", hours / 24, hours % 24),
        _ => format!("{hours}h {minutes:02}m"),
    }
}

/// A short wait: `84 ms`, `2.6 s`.
pub fn wait(wait: std::time::Duration) -> String {
    match wait.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", wait.as_secs_f64()),
    }
}

/// Bytes in binary units.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// A count with thin spaces between thousands.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, which takes an s: `1 step`, `2 steps`.
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {}", count(value), words::plural(value, noun))
}

/// The head of an attack's SPEC, kind and ε, for where the whole has no room: `pgd:eps=4`.
pub fn attack(spec: &str) -> &str {
    spec.split(',').next().unwrap_or(spec)
}

/// About three significant digits: `0.00123`, `1.23`, `12.3`, `1230`; a dash where there is no number.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let size = value.abs();
    if size == 0.0 {
        "0".into()
    } else if !(1e-4..1e6).contains(&size) {
        format!("{value:.2e}")
    } else {
        let decimals = (2 - size.log10().floor() as i32).max(0) as usize;
        format!("{value:.decimals$}")
    }
}

/// Three significant digits without the zeros behind them: marks of an axis.
pub fn plain(value: f64) -> String {
    let text = significant(value);
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A figure in percent with one decimal, as everywhere in the window: `82.1%`; what would read as nothing or
/// as all and is not, as `<0.1%` and `>99.9%`; a dash where there is no number. Marks of an axis alone are
/// shorter.
pub fn percent(percent: f64) -> String {
    match percent {
        _ if !percent.is_finite() => "–".into(),
        _ if 0.0 < percent && percent < 0.05 => "<0.1%".into(),
        // Above by more than what an f32 share of exactly 1 may be off.
        _ if (99.95..99.9999).contains(&percent) => ">99.9%".into(),
        _ => format!("{percent:.1}%"),
    }
}

/// A share of 0..1 as [`percent`].
pub fn share(share: f32) -> String {
    percent(100.0 * f64::from(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let durations = [(0.4, "0 s"), (59.6, "1m 00s"), (3725.0, "1h 02m"), (f64::NAN, "–")];
        for (seconds, text) in durations {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(
            [84, 999, 2612].map(|ms| wait(std::time::Duration::from_millis(ms))),
            ["84 ms", "999 ms", "2.6 s"]
        );
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!([0, 1, 1000].map(|n| counted(n, "step")), ["0 steps", "1 step", "1\u{202f}000 steps"]);
        for (value, text) in [(0.001234, "0.00123"), (1.234, "1.23"), (123.4, "123"), (0.0, "0")] {
            assert_eq!(significant(value), text);
        }
        assert_eq!([2.0, 0.5, 100.0, 1.2589].map(plain), ["2", "0.5", "100", "1.26"]);
    }

    #[test]
    fn percent_has_one_decimal_and_hides_neither_the_first_nor_the_last_miss() {
        for (value, text) in [
            (0.0, "0.0%"),
            (0.04, "<0.1%"),
            (0.05, "0.1%"),
            (82.06, "82.1%"),
            (99.96, ">99.9%"),
            (100.0, "100.0%"),
        ] {
            assert_eq!(percent(value), text);
        }
        assert_eq!([0.5, 1.0, f32::NAN].map(share), ["50.0%", "100.0%", "–"]);
    }
}
