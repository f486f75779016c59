//! Changes inputs as a fuzzer does, by a seed: the same seed gives the same input.

use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Longest input, bytes.
const LONGEST: usize = 1 << 17;

/// Texts that people's files do not have.
const WORDS: [&str; 24] = [
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "-1e999",
    "0.5",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "NaN",
    "\"\"",
    "[]",
    "{}",
    "[[[[[[[[[[[[[[[[",
    "\n",
    "\u{1b}[2J",
    "\\u0000",
    "\u{feff}",
    "../../..",
    ",",
    "=",
];

/// Numbers that a length or a shape has in no sound file, or nearly.
const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// Input number `seed` of a target: one of its `corpus` with one to six changes, now and then with a part of
/// another, seldom nothing but noise.
pub(crate) fn input(corpus: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    if random.random_ratio(1, 64) {
        let length = random.random_range(0..200);
        return (0..length).map(|_| random.random()).collect();
    }
    let mut bytes = corpus.choose(&mut random).cloned().unwrap_or_default();
    for _ in 0..random.random_range(1..=6) {
        change(&mut bytes, corpus, &mut random);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut ChaCha8Rng) {
    let length = bytes.len();
    // Headers are at the start and footers at the end: half of the changes are there.
    let at = match random.random_range(0..4) {
        0 => random.random_range(0..length.min(64) + 1),
        1 => length - random.random_range(0..length.min(64) + 1),
        _ => random.random_range(0..=length),
    };
    let some = |random: &mut ChaCha8Rng| {
        let most = 1 << random.random_range(0..12);
        random.random_range(0..=(length - at).min(most))
    };
    match random.random_range(0..10) {
        0 => replace(bytes, at, 1, &[random.random()]),
        1 => {
            let bit = 1 << random.random_range(0..8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bit;
            }
        }
        2 | 3 => {
            let number = *NUMBERS.choose(random).unwrap_or(&0);
            let number = number.wrapping_add(random.random_range(0..3)).wrapping_sub(1);
            let width = 1 << random.random_range(0..4);
            let written = if random.random() {
                number.to_le_bytes()[..width].to_vec()
            } else {
                number.to_be_bytes()[8 - width..].to_vec()
            };
            replace(bytes, at, width, &written);
        }
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..at + some(random))),
        6 => {
            let again = bytes[at..at + some(random)].to_vec();
            let times = random.random_range(1..4);
            replace(bytes, at, 0, &again.repeat(times));
        }
        7 => {
            let other = corpus.choose(random).map_or(&[][..], Vec::as_slice);
            let from = random.random_range(0..=other.len());
            let to = random.random_range(from..=other.len().min(from + 4096));
            let over = some(random);
            replace(bytes, at, over, &other[from..to]);
        }
        _ => {
            let word = WORDS.choose(random).unwrap_or(&"").as_bytes();
            // In place of a whole number or word, where there is one, so that the text around it stays sound.
            let (from, to) = word_around(bytes, at);
            replace(bytes, from, to - from, word);
        }
    }
}

/// Puts `new` in place of `old` bytes at `at`, or of as many as there are.
fn replace(bytes: &mut Vec<u8>, at: usize, old: usize, new: &[u8]) {
    let end = (at + old).min(bytes.len());
    drop(bytes.splice(at..end, new.iter().copied()));
}

/// Where the number or word begins and ends that lies at or behind `at`.
fn word_around(bytes: &[u8], at: usize) -> (usize, usize) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-+".contains(byte);
    let skipped = bytes[at..].iter().position(is_word).unwrap_or(0);
    let from =
        at + skipped - bytes[..at + skipped].iter().rev().take_while(|b| skipped == 0 && is_word(b)).count();
    let to = from + bytes[from..].iter().take_while(|byte| is_word(byte)).count();
    (from, to)
}
