//! What can be shown large: an image that was clicked in a pane, with its neighbours there and what the pane
//! knew of each.

use crate::app::panes::Names;
use crate::app::panes::look::LookView;
use crate::config::AttackConfig;
use crate::evaluation::auto_domain::Through;
use crate::evaluation::confusion::Example;
use crate::session::inspect::{
    AttackCall, Change, CorruptedImage, CorruptedVersion, ImageChoice, Looked, ModelInfo,
};
use crate::training::events::{DomainView, GalleryItem, Guess, Snapshot};
use egui::{Id, Response};
use std::sync::Arc;

/// The images of the list that one was clicked in.
#[derive(Clone, Debug)]
pub struct SubjectList {
    pub(super) subjects: Vec<Subject>,
    /// Which of them is shown.
    pub(super) at: usize,
    pub(super) classes: Vec<String>,
    /// Names of what the known pictures were seen through.
    pub(super) domains: Vec<String>,
    /// Whose pictures they are and of which step, where something made them.
    pub(super) source: String,
    /// The pictures are those of the opened model, which can be asked for more without another word.
    pub(super) of_opened_model: bool,
    /// The picture that gets the keyboard back.
    pub(super) opener: Option<Id>,
}

/// An image that can be shown large.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) name: String,
    /// The true class, where it is known.
    pub(super) label: Option<usize>,
    /// Where an opened model finds the image, and what it is to do to it; or why no model has it.
    pub(super) question: Result<(ImageChoice, Change), &'static str>,
    pub(super) known: Known,
}

/// What a pane knew of an image.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// Pixels `[size, size, 3]`, as the pane showed them.
    Pixels { size: usize, rgb: Arc<Vec<u8>> },
    /// The image as it is and changed. Guesses and maps may be missing.
    Pair(Arc<GalleryItem>),
}

/// Said of the images that a preflight shows.
const NOT_SEEN: &str = "No model has seen this image yet: it is what the first step will train on. Probabilities, \
                        maps and attacks are there for the images of a run that is at work or trained.";

impl SubjectList {
    fn new(subjects: Vec<Subject>, at: usize, names: Names<'_>) -> Self {
        Self {
            subjects,
            at,
            classes: names.classes.to_vec(),
            domains: names.domains.to_vec(),
            source: String::new(),
            of_opened_model: false,
            opener: None,
        }
    }

    /// The same list, which gives the keyboard back to the picture that was chosen by it.
    pub fn opened_by(mut self, response: &Response) -> Self {
        self.opener = response.has_focus().then_some(response.id);
        self
    }

    /// Pictures that a run made of `split`, with image `at` shown.
    pub fn of_run(snapshot: &Snapshot, split: &str, names: Names<'_>, at: usize) -> Self {
        let domain = names.domains.iter().position(|name| *name == snapshot.attack_domain).unwrap_or(0);
        // What trained with another program's attack is shown, and cannot be made again.
        let attack = AttackConfig::parse_spec(&snapshot.attack).ok();
        let subject = |item: &GalleryItem| {
            let image = ImageChoice::Named { split: split.to_owned(), name: item.name.clone() };
            let call = |attack| AttackCall { attack, domain: Through::Domain(domain), seed: 0 };
            let question = attack.clone().map(|attack| (image, Change::Attack(call(attack))));
            Subject {
                name: item.name.clone(),
                label: Some(item.label),
                question: question.ok_or("The attack of these pictures is not known here."),
                known: Known::Pair(Arc::new(item.clone())),
            }
        };
        let subjects = snapshot.gallery.iter().map(subject).collect();
        let source = format!(
            "The run's pictures, step {}: {} through {}",
            snapshot.step, snapshot.attack, snapshot.attack_domain
        );
        Self { source, ..Self::new(subjects, at, names) }
    }

    /// Images of a look at the opened model.
    pub fn of_look(looked: &Looked, info: &ModelInfo, at: usize) -> Self {
        let request = &looked.request;
        let call = AttackCall { attack: request.attack.clone(), domain: request.domain, seed: request.seed };
        let subjects = looked.items.iter().enumerate().map(|(index, looked)| {
            let name = looked.item.name.clone();
            let image = match &request.images {
                ImageChoice::Data { split, .. } | ImageChoice::Named { split, .. } => {
                    ImageChoice::Named { split: split.clone(), name: name.clone() }
                }
                ImageChoice::Files(files) => {
                    ImageChoice::Files(files.get(index).cloned().into_iter().collect())
                }
            };
            Subject {
                name,
                label: looked.label_known.then_some(looked.item.label),
                question: Ok((image, Change::Attack(call.clone()))),
                known: Known::Pair(Arc::new(looked.item.clone())),
            }
        });
        let source =
            format!("Step {}: {} through {}", looked.step, request.attack.spec(), request.domain.name());
        Self { source, of_opened_model: true, ..Self::new(subjects.collect(), at, view_names(info)) }
    }

    /// Images of the set `split` that the opened model was measured on, seen through `domain`. `call` is the
    /// attack that they underwent, or that Lab has chosen where they were seen as they are.
    pub fn of_examples(
        examples: &[&Example],
        split: &str,
        call: &AttackCall,
        info: &ModelInfo,
        at: usize,
    ) -> Self {
        let subject = |example: &&Example| {
            let image = ImageChoice::Named { split: split.to_owned(), name: example.name.clone() };
            Subject {
                name: example.name.clone(),
                label: Some(example.label),
                question: Ok((image, Change::Attack(call.clone()))),
                known: Known::Pixels { size: info.image_size, rgb: Arc::new(example.pixels.clone()) },
            }
        };
        let subjects = examples.iter().map(subject).collect();
        Self { of_opened_model: true, ..Self::new(subjects, at, view_names(info)) }
    }

    /// An image of the opened model's set as it is and at each severity of a corruption. What is done to the
    /// image as it is says Lab.
    pub fn of_corrupted(image: &CorruptedImage, info: &ModelInfo, look: &LookView, at: usize) -> Self {
        let choice = ImageChoice::Named { split: image.request.split.clone(), name: image.name.clone() };
        let clean = image.versions.first();
        let subject = |(severity, version): (usize, &CorruptedVersion)| match (severity, clean) {
            (1.., Some(clean)) => {
                let change = Change::Corruption {
                    corruption: image.request.corruption,
                    severity: severity as u8,
                    parameters: image.request.parameters,
                };
                let known = Known::Pair(Arc::new(corrupted(image, clean, version)));
                (image.name.clone(), change, known)
            }
            _ => {
                let known = Known::Pixels { size: image.size, rgb: Arc::new(version.pixels.clone()) };
                (image.name.clone(), Change::Attack(look.attack_call(info)), known)
            }
        };
        let subjects = image.versions.iter().enumerate().map(subject).map(|(name, change, known)| Subject {
            name,
            label: Some(image.label),
            question: Ok((choice.clone(), change)),
            known,
        });
        let source = format!("Step {}", image.step);
        let names = Names { classes: &info.classes, domains: &info.domains };
        Self { source, of_opened_model: true, ..Self::new(subjects.collect(), at, names) }
    }

    /// Images `[size, size, 3]` that the first step of a run trains on, each with its name.
    pub fn of_preview(images: Vec<(String, Vec<u8>)>, size: usize, at: usize) -> Self {
        let subject = |(name, rgb)| Subject {
            name,
            label: None,
            question: Err(NOT_SEEN),
            known: Known::Pixels { size, rgb: Arc::new(rgb) },
        };
        let subjects = images.into_iter().map(subject).collect();
        Self::new(subjects, at, Names { classes: &[], domains: &[] })
    }

    /// Shows the neighbour `by` places on, around the ends of the list.
    pub(super) fn go(&mut self, by: isize) {
        let count = self.subjects.len().max(1) as isize;
        self.at = (self.at as isize + by).rem_euclid(count) as usize;
    }
}

fn view_names(info: &ModelInfo) -> Names<'_> {
    Names { classes: &info.classes, domains: &info.views }
}

/// The image as it is beside one of its versions, with the domains' first guesses.
fn corrupted(image: &CorruptedImage, clean: &CorruptedVersion, version: &CorruptedVersion) -> GalleryItem {
    let change = |(a, b): (&u8, &u8)| f32::from(*b) - f32::from(*a);
    let view = |(before, after): (&Guess, &Guess)| DomainView {
        clean: vec![*before],
        adversarial: vec![*after],
        cam: Vec::new(),
        cam_adversarial: Vec::new(),
    };
    GalleryItem {
        name: image.name.clone(),
        label: image.label,
        size: image.size,
        clean: clean.pixels.clone(),
        adversarial: version.pixels.clone(),
        perturbation: clean.pixels.iter().zip(&version.pixels).map(change).collect(),
        views: clean.guesses.iter().zip(&version.guesses).map(view).collect(),
    }
}
