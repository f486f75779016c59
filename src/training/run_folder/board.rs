//! What TensorBoard gets of a snapshot beside the curves: its pictures as contact sheets, and histograms of
//! every domain's running statistics.

use crate::config::Domain;
use crate::training::events::{GalleryItem, Snapshot};
use image::{Rgb, RgbImage};

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
    let mut sheets = Vec::new();
    let mut add = |name: String, tile: &dyn Fn(&GalleryItem, usize, usize) -> [u8; 3]| {
        sheets.extend(sheet(gallery, tile).map(|sheet| (name, sheet)));
    };
    let pixel = |of: &[u8], item: &GalleryItem, x: usize, y: usize| {
        let at = (y * item.size + x) * 3;
        [of[at], of[at + 1], of[at + 2]]
    };
    add("gallery/clean".into(), &|item, x, y| pixel(&item.clean, item, x, y));
    add("gallery/attacked".into(), &|item, x, y| pixel(&item.adversarial, item, x, y));
    let domains = gallery.iter().map(|item| item.views.len()).min().unwrap_or(0);
    for domain in 0..domains {
        let name = Domain::name_of(domain);
        add(format!("gallery/attention {name}"), &|item, x, y| {
            grey(&item.views[domain].cam, item.size, x, y)
        });
        add(format!("gallery/attention {name} attacked"), &|item, x, y| {
            grey(&item.views[domain].cam_adversarial, item.size, x, y)
        });
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

/// All pictures beside each other; `None` where there are none.
fn sheet(gallery: &[GalleryItem], tile: &dyn Fn(&GalleryItem, usize, usize) -> [u8; 3]) -> Option<RgbImage> {
    let size = gallery.first()?.size;
    let columns = COLUMNS.min(gallery.len());
    let rows = gallery.len().div_ceil(columns);
    Some(RgbImage::from_fn((columns * size) as u32, (rows * size) as u32, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let item = gallery.get(y / size * columns + x / size);
        Rgb(item.map_or([0; 3], |item| tile(item, x % size, y % size)))
    }))
}

/// The map's value there, from its smallest, black, to its largest, white.
fn grey(map: &[f32], size: usize, x: usize, y: usize) -> [u8; 3] {
    let side = map.len().isqrt();
    if side == 0 {
        return [0; 3];
    }
    let (min, max) = map.iter().fold((f32::MAX, f32::MIN), |(min, max), v| (min.min(*v), max.max(*v)));
    let value = map[y * side / size * side + x * side / size];
    [((value - min) / (max - min).max(f32::MIN_POSITIVE) * 255.0).round() as u8; 3]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::events::{BnDomain, BnLayer, DomainView};

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
