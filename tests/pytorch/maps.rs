//! Class activation maps and Grad-CAM of every architecture against PyTorch's, and what must hold of them on
//! clean, attacked and corrupted images through every domain.

use crate::fixture::folder;
use crate::nets::Case;
use dualprop::config::{AttackConfig, Domain};
use dualprop::data::corruptions::{Corruption, Corruptor, ParameterSet};
use dualprop::evaluation::Model;
use dualprop::evaluation::activation_map::CamMethod;
use dualprop::evaluation::cam::{min_max, resize_bilinear};
use dualprop::gpu::DeviceChoice;
use dualprop::training::checkpoint::{FORMAT_VERSION, Meta};
use dualprop::training::events::RunWeights;

/// Largest difference from PyTorch's maps of 0..1; its float32 lies up to 2e-5 off its float64.
const TOLERANCE: f32 = 1e-3;

/// The class that the fixtures explain.
const CLASS: usize = 1;

impl Case {
    /// The network as a checkpoint brings it.
    fn model(&self) -> Model {
        let fixture = &self.fixture;
        let (arch, stem_stride) = (fixture.text("arch"), fixture.number("stem_stride") as usize);
        let (width, depth) = (fixture.number("width"), fixture.number("depth"));
        let meta = Meta {
            format_version: FORMAT_VERSION,
            classes: (0..self.network.classes).map(|class| class.to_string()).collect(),
            domains: Domain::names_of(3),
            image_size: self.network.image_size,
            mean: self.normalization.mean,
            std: self.normalization.std,
            config: format!(
                "[model]\narch = \"{arch}\"\nwidth = {width:?}\ndepth = {depth:?}\nstem_stride = {stem_stride}\n"
            ),
            arch,
            step: 0,
            epoch: 0.0,
        };
        let arenas = self.arenas.clone();
        Model::of_run(RunWeights { meta, arenas }, &DeviceChoice::Cpu, 3).unwrap()
    }

    /// The fixture's first image: clean, attacked through `domain`, corrupted.
    fn conditions(&self, model: &mut Model, domain: usize) -> Vec<f32> {
        let size = self.network.image_size;
        let clean = &self.fixture.get("images").data[..size * size * 3];
        let attack = AttackConfig::parse_spec("ifgsm:eps=4,step=2,iters=2").unwrap();
        let attacked = model.attack(clean, &[CLASS], &attack, domain, 0, &[0]).unwrap();
        assert!(clean != attacked, "the attack moved nothing");
        let bytes: Vec<u8> = clean.iter().map(|value| *value as u8).collect();
        let corruptor = Corruptor::new(ParameterSet::of_size(size), 0);
        let corrupted = corruptor.apply(Corruption::Contrast, 3, &bytes, size, size, 0);
        let corrupted: Vec<f32> = corrupted.into_iter().map(f32::from).collect();
        [clean, &attacked, &corrupted].concat()
    }
}

fn check(name: &str) {
    let case = Case::open(name);
    let mut model = case.model();
    let size = case.network.image_size;
    for (domain, called) in Domain::names_of(3).iter().enumerate() {
        let images = case.conditions(&mut model, domain);
        let seen = model.see(&images, domain).unwrap();
        let cams = model.maps(&seen, &[CLASS; 3], CamMethod::Cam);
        let grad_cams = model.maps(&seen, &[CLASS; 3], CamMethod::GradCam);
        // The fixtures have maps of two domains.
        let fixtures = [("cam", &cams[0]), ("gradcam", &grad_cams[0])];
        for (kind, map) in fixtures.into_iter().filter(|_| domain < 2) {
            let expected = &case.fixture.get(&format!("{kind}.{called}")).data;
            let found = min_max(&resize_bilinear(map, map.len().isqrt(), size));
            assert_eq!(found.len(), expected.len());
            let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far <= TOLERANCE, "{name}, {called}: {kind} lies {far} off PyTorch's");
        }
        for (condition, (cam, grad_cam)) in cams.iter().zip(&grad_cams).enumerate() {
            let largest = cam.iter().fold(0.0_f32, |most, score| most.max(score.abs()));
            assert!(largest > 0.0 && largest.is_finite(), "{name}, {called}, {condition}: {largest}");
            for (score, positive) in cam.iter().zip(grad_cam) {
                let expected = score.max(0.0) / cam.len() as f32;
                assert!((positive - expected).abs() <= 1e-6 * largest, "{positive} instead of {expected}");
            }
        }
        if case.network.hidden.is_none() {
            means_are_logits(&format!("{name}, {called}"), &seen.logits, &cams);
        }
    }
}

/// With pooling and a linear head, the mean of a class activation map is the logit without its bias, which
/// the difference between two images does not have.
fn means_are_logits(name: &str, logits: &[f32], cams: &[Vec<f32>]) {
    let classes = logits.len() / cams.len();
    let mean = |cam: &[f32]| cam.iter().map(|score| f64::from(*score)).sum::<f64>() / cam.len() as f64;
    let logit = |image: usize| f64::from(logits[image * classes + CLASS]);
    for image in 1..cams.len() {
        let (by_maps, by_logits) = (mean(&cams[image]) - mean(&cams[0]), logit(image) - logit(0));
        let scale = mean(&cams[0]).abs().max(logit(0).abs()).max(logit(image).abs());
        assert!(
            (by_maps - by_logits).abs() <= 1e-4 * scale,
            "{name}: {by_maps} by maps, {by_logits} by logits"
        );
    }
}

#[test]
fn maps_of_every_architecture_equal_pytorchs_in_every_condition_and_domain() {
    let files = std::fs::read_dir(folder().join("nets")).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    assert!(names.len() > 10, "{names:?}");
    names.iter().for_each(|name| check(name));
}
