//! What TensorBoard gets of a snapshot beside the curves: its pictures as contact sheets, and histograms of
//! every domain's running statistics.

use crate::config::Domain;
use crate::training::events::{DomainView, GalleryItem, Snapshot};
use image::{Rgb, RgbImage};
use std::borrow::Cow;

/// Pictures in a row of a sheet.
const COLUMNS: usize = 8;

/// A snapshot is added when the run is so much longer than at the last one: some 24 of them from step to
/// tenfold step, however often a run validates.
const LONGER: f64 = 1.1;

/// Whether the snapshot of `step` is to be added after that of `last`.
pub(super) fn is_due(step: u64, last: Option<u64>) -> bool {
    last.is_none_or(|last| step as f64 >= last as f64 * LONGER)
}

/// The sheets by name: clean and attacked images, and for each domain where it looks on them, white where it
/// looks most.
pub(super) fn sheets(snapshot: &Snapshot) -> Vec<(String, RgbImage)> {
    let gallery = &snapshot.gallery;
    let Some(size) = gallery.first().map(|item| item.size) else { return Vec::new() };
    let images = |of: fn(&GalleryItem) -> &[u8]| {
        sheet(size, &gallery.iter().map(|item| Cow::Borrowed(of(item))).collect::<Vec<_>>())
    };
    let maps = |domain: usize, of: fn(&DomainView) -> &[f32]| {
        let tile = |item: &GalleryItem| Cow::Owned(grey(of(&item.views[domain]), size));
        sheet(size, &gallery.iter().map(tile).collect::<Vec<_>>())
    };
    let mut sheets = vec![
        ("gallery/clean".to_owned(), images(|item| &item.clean)),
        ("gallery/attacked".to_owned(), images(|item| &item.adversarial)),
    ];
    let domains = gallery.iter().map(|item| item.views.len()).min().unwrap_or(0);
    for domain in 0..domains {
        let name = Domain::name_of(domain);
        sheets.push((format!("gallery/attention {name}"), maps(domain, |view| &view.cam)));
        sheets
            .push((format!("gallery/attention {name} attacked"), maps(domain, |view| &view.cam_adversarial)));
    }
    sheets
}

/// The running statistics of each BN layer in each domain by name.
pub(super) fn statistics(snapshot: &Snapshot) -> Vec<(String, &[f32])> {
    let layers = snapshot.bn_layers.iter();
    let of_domains = layers.flat_map(|layer| {
        layer.domains.iter().enumerate().flat_map(move |(number, domain)| {
            let name = |what: &str| format!("bn {}/{}/{what}", Domain::name_of(number), layer.name);
            [
                (name("running_mean"), domain.running_mean.as_slice()),
                (name("running_var"), domain.running_var.as_slice()),
            ]
        })
    });
    of_domains.filter(|(_, values)| values.iter().all(|value| value.is_finite())).collect()
}

/// Pictures `[size, size, 3]` beside each other.
fn sheet(size: usize, tiles: &[Cow<'_, [u8]>]) -> RgbImage {
    let columns = COLUMNS.min(tiles.len());
    let rows = tiles.len().div_ceil(columns);
    RgbImage::from_fn((columns * size) as u32, (rows * size) as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let at = ((y % size) * size + x % size) * 3;
        Rgb(tiles
            .get(y / size * columns + x / size)
            .map_or([0; 3], |tile| [tile[at], tile[at + 1], tile[at + 2]]))
    })
}

/// A square map as a picture `[size, size, 3]`, from its smallest value, black, to its largest, white.
fn grey(map: &[f32], size: usize) -> Vec<u8> {
    let side = map.len().isqrt();
    let (min, max) = map.iter().fold((f32::MAX, f32::MIN), |(min, max), v| (min.min(*v), max.max(*v)));
    let scale = 255.0 / (max - min).max(f32::MIN_POSITIVE);
    let place = |at: usize| at / size * side / size * side + at % size * side / size;
    let value = |at: usize| map.get(place(at)).map_or(0, |value| ((value - min) * scale).round() as u8);
    (0..size * size).flat_map(|at| [value(at); 3]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::events::{BnDomain, BnLayer};

    #[test]
    fn pictures_stand_beside_each_other_and_maps_are_stretched() {
        let item = |value: u8| GalleryItem {
            name: String::new(),
            label: 0,
            size: 2,
            clean: vec![value; 12],
            adversarial: vec![value + 1; 12],
            perturbation: vec![1.0; 12],
            views: vec![DomainView {
                clean: Vec::new(),
                adversarial: Vec::new(),
                cam: vec![-1.0, 0.0, 0.0, 3.0],
                cam_adversarial: vec![5.0],
            }],
        };
        let snapshot = Snapshot { gallery: (0..9).map(|i| item(10 * i)).collect(), ..Snapshot::default() };
        let sheets = sheets(&snapshot);
        let names: Vec<&str> = sheets.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "gallery/clean",
                "gallery/attacked",
                "gallery/attention main",
                "gallery/attention main attacked"
            ]
        );
        let at = |sheet: usize, x: u32, y: u32| sheets[sheet].1.get_pixel(x, y).0[0];
        assert_eq!(sheets[0].1.dimensions(), (16, 4));
        assert_eq!([at(0, 0, 0), at(0, 15, 1), at(0, 1, 2), at(0, 2, 2), at(1, 3, 0)], [0, 70, 80, 0, 11]);
        assert_eq!([at(2, 0, 0), at(2, 1, 0), at(2, 1, 1), at(3, 0, 0)], [0, 64, 255, 0]);
        assert!(super::sheets(&Snapshot::default()).is_empty());
    }

    #[test]
    fn statistics_are_named_by_domain_and_layer() {
        let domain = |mean: f32| BnDomain {
            running_mean: vec![mean; 2],
            running_var: vec![1.0; 2],
            gamma: vec![1.0; 2],
            beta: vec![0.0; 2],
        };
        let layer = BnLayer { name: "bn1".into(), domains: vec![domain(0.5), domain(f32::NAN)] };
        let snapshot = Snapshot { bn_layers: vec![layer], ..Snapshot::default() };
        let found: Vec<(String, Vec<f32>)> =
            statistics(&snapshot).into_iter().map(|(name, values)| (name, values.to_vec())).collect();
        let expected = [
            ("bn main/bn1/running_mean", 0.5),
            ("bn main/bn1/running_var", 1.0),
            ("bn aux/bn1/running_var", 1.0),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), vec![value; 2])));
    }

    #[test]
    fn snapshots_become_rarer() {
        let mut kept = Vec::new();
        for step in 1..=10_000 {
            if is_due(step, kept.last().copied()) {
                kept.push(step);
            }
        }
        assert!(kept.starts_with(&[1, 2, 3]) && kept.len() < 90, "{}", kept.len());
    }
}
