//! Finds copies among many images: files of the same bytes, and pictures that look alike.
//!
//! Each of the 16 parts of a hash is looked up for itself (Norouzi, Punjani and Fleet 2012, "Fast Search in
//! Hamming Space with Multi-Index Hashing"): hashes that differ in up to 15 bits have one in common, those
//! that differ in up to 24 nearly always. A table is 6 bytes an image, and one is kept at a
//! time.

use super::fingerprint::{Fingerprint, PARTS};
use std::collections::BTreeMap;

/// Hashes that one is compared with in a bucket of a table, its successors in their order. Buckets of natural
/// pictures are much smaller; the limit keeps a million blank ones from taking a day.
const MOST_COMPARED: usize = 2000;

/// The first bytes of a file's SHA-256, which tell files apart.
pub(super) type Digest = [u8; 16];

/// Sets that grow together: each image knows a smaller one of its set, or is the first.
struct Sets(Vec<u32>);

impl Sets {
    fn first(&mut self, image: u32) -> u32 {
        let mut at = image;
        while self.0[at as usize] != at {
            let next = self.0[at as usize];
            self.0[at as usize] = self.0[next as usize];
            at = next;
        }
        at
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b) as usize] = a.min(b);
    }

    /// The sets of several images, each in ascending order, by their first images.
    fn groups(mut self) -> Vec<Vec<u32>> {
        let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for image in 0..self.0.len() as u32 {
            let first = self.first(image);
            if first != image {
                groups.entry(first).or_insert_with(|| vec![first]).push(image);
            }
        }
        groups.into_values().collect()
    }
}

/// Groups of images whose files have the same bytes. An image without a digest is in none.
pub(super) fn of_bytes(digests: &[Option<Digest>]) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> =
        (0..digests.len() as u32).filter(|image| digests[*image as usize].is_some()).collect();
    order.sort_unstable_by_key(|image| (digests[*image as usize], *image));
    let mut groups: Vec<Vec<u32>> = order
        .chunk_by(|a, b| digests[*a as usize] == digests[*b as usize])
        .filter(|group| group.len() > 1)
        .map(<[u32]>::to_vec)
        .collect();
    groups.sort_unstable();
    groups
}

/// Groups of images that look alike. Of each of the groups `same`, whose files are the same, only the first
/// is compared, and a group of none but those is left out. Returns nothing where `goes_on`, which is asked
/// now and then, says no.
pub(super) fn of_looks(
    prints: &[Option<Fingerprint>],
    same: &[Vec<u32>],
    goes_on: &mut dyn FnMut() -> bool,
) -> Vec<Vec<u32>> {
    let mut compared: Vec<bool> = prints.iter().map(Option::is_some).collect();
    same.iter().flat_map(|group| &group[1..]).for_each(|image| compared[*image as usize] = false);
    let images: Vec<(u32, &Fingerprint)> = (0..)
        .zip(prints)
        .filter(|(image, _)| compared[*image as usize])
        .filter_map(|(image, print)| Some((image, print.as_ref()?)))
        .collect();
    let mut sets = Sets((0..images.len() as u32).collect());
    for number in 0..PARTS {
        let parts: Vec<u16> = images.iter().map(|(_, print)| print.part(number)).collect();
        let mut table: Vec<u32> = (0..images.len() as u32).collect();
        table.sort_unstable_by_key(|&at| (parts[at as usize], images[at as usize].1.hash));
        for (place, &at) in table.iter().enumerate() {
            if place % 1024 == 0 && !goes_on() {
                return Vec::new();
            }
            let print = images[at as usize].1;
            let behind = table[place + 1..].iter().take(MOST_COMPARED);
            for &other in behind.take_while(|other| parts[**other as usize] == parts[at as usize]) {
                if print.is_alike(images[other as usize].1) {
                    sets.join(at, other);
                }
            }
        }
    }
    let rest: BTreeMap<u32, &[u32]> = same.iter().map(|group| (group[0], &group[1..])).collect();
    let whole = |group: Vec<u32>| {
        let firsts = group.into_iter().map(|at| images[at as usize].0);
        let with_rest = |image: u32| {
            let rest = rest.get(&image).copied().unwrap_or_default();
            std::iter::once(image).chain(rest.iter().copied())
        };
        let mut all: Vec<u32> = firsts.flat_map(with_rest).collect();
        all.sort_unstable();
        all
    };
    sets.groups().into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_same_bytes_are_grouped_in_order() {
        let digest = |byte: u8| Some([byte; 16]);
        let digests = [digest(9), digest(1), None, digest(1), None, digest(9), digest(1), digest(4)];
        assert_eq!(of_bytes(&digests), [vec![0, 5], vec![1, 3, 6]]);
    }
}
