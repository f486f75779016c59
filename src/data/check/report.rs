//! What was found in an image folder.

use super::form::Form;
use super::survey::{Role, Survey};

/// Images of the largest class for one of the smallest from which on that is worth a word.
pub(super) const NOTABLE_IMBALANCE: usize = 10;

/// Where the images of a group of copies lie. The worst that holds of a group counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spread {
    /// In the training part and in an evaluation part.
    TrainAndEvaluation,
    /// In folders of different classes.
    Classes,
    /// In several evaluation parts.
    EvaluationParts,
    /// In one class of one part.
    Class,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Images that cannot be decoded.
    Damaged,
    /// Files that are called images and hold none.
    NotAnImage,
    /// Classes that one part lacks.
    MissingClass,
    /// Files of the same bytes.
    Same(Spread),
    /// Pictures that look alike though their files differ.
    Alike(Spread),
    /// Images in no class folder.
    Stray,
    /// Files of other kinds in class folders.
    OtherFile,
    /// Images in an odd form.
    Form(Form),
    /// Classes of very different sizes.
    Imbalance,
    /// Images smaller than the network's input.
    Small,
}

impl Matter {
    /// Whether it makes training stop or its figures wrong beyond doubt; the rest is for a person to judge.
    pub fn is_fault(self) -> bool {
        match self {
            Self::Damaged | Self::NotAnImage | Self::MissingClass => true,
            Self::Same(spread) => matches!(spread, Spread::TrainAndEvaluation | Spread::Classes),
            _ => false,
        }
    }

    /// Whether a clean copy is without it.
    pub fn is_mended_by_a_copy(self) -> bool {
        matches!(self, Self::Damaged | Self::NotAnImage | Self::Same(Spread::TrainAndEvaluation))
    }

    /// The word in a report's data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::NotAnImage => "not_an_image",
            Self::MissingClass => "missing_class",
            Self::Same(Spread::TrainAndEvaluation) => "same_bytes_across_train_and_evaluation",
            Self::Same(Spread::Classes) => "same_bytes_across_classes",
            Self::Same(Spread::EvaluationParts) => "same_bytes_across_evaluation_parts",
            Self::Same(Spread::Class) => "same_bytes_in_a_class",
            Self::Alike(Spread::TrainAndEvaluation) => "alike_across_train_and_evaluation",
            Self::Alike(Spread::Classes) => "alike_across_classes",
            Self::Alike(Spread::EvaluationParts) => "alike_across_evaluation_parts",
            Self::Alike(Spread::Class) => "alike_in_a_class",
            Self::Stray => "outside_class_folders",
            Self::OtherFile => "other_file",
            Self::Form(form) => form.name(),
            Self::Imbalance => "imbalance",
            Self::Small => "small",
        }
    }

    /// What it is, and what follows.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Damaged => {
                "damaged images: training leaves them out, and stops where they are more than 1% of a part"
            }
            Self::NotAnImage => "files that are called images and hold none: training leaves them out",
            Self::MissingClass => "classes that a part lacks",
            Self::Same(Spread::TrainAndEvaluation) => {
                "groups of files of the same bytes in the training part and an evaluation part: the network is examined \
                 on what it learned by heart, and its accuracy comes out too high"
            }
            Self::Same(Spread::Classes) => {
                "groups of files of the same bytes in different classes: one of the labels is wrong"
            }
            Self::Same(Spread::EvaluationParts) => {
                "groups of files of the same bytes in several evaluation parts"
            }
            Self::Same(Spread::Class) => "groups of files of the same bytes in one class",
            Self::Alike(Spread::TrainAndEvaluation) => {
                "groups of pictures that look alike in the training part and an evaluation part: where they are copies, the \
                 accuracy comes out too high"
            }
            Self::Alike(Spread::Classes) => {
                "groups of pictures that look alike in different classes: where they are copies, a label is wrong"
            }
            Self::Alike(Spread::EvaluationParts) => {
                "groups of pictures that look alike in several evaluation parts"
            }
            Self::Alike(Spread::Class) => "groups of pictures that look alike in one class",
            Self::Stray => "images in no class folder: the program does not read them",
            Self::OtherFile => "files of other kinds in class folders: the program does not read them",
            Self::Form(form) => form.sentence(),
            Self::Imbalance => "classes of very different sizes, the largest and the smallest of a part",
            Self::Small => "images whose shorter side is smaller than the network's input: they are enlarged",
        }
    }
}

/// What a finding lists. Images are numbers; [`Report::path`] has their paths.
#[derive(Clone, Debug, PartialEq)]
pub enum Items {
    Images(Vec<u32>),
    /// Groups of copies.
    Groups(Vec<Vec<u32>>),
    /// Paths below the root, each with what is said of it, which may be nothing.
    Paths(Vec<(String, String)>),
}

impl Items {
    /// Number of images, groups or paths.
    pub fn len(&self) -> usize {
        match self {
            Self::Images(images) => images.len(),
            Self::Groups(groups) => groups.len(),
            Self::Paths(paths) => paths.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All that is of one [`Matter`].
#[derive(Clone, Debug)]
pub struct Finding {
    pub matter: Matter,
    pub items: Items,
}

/// A part of the folder and how many images each of its classes holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartCounts {
    /// Empty where the class folders lie in the root.
    pub name: String,
    /// In the classes' order, with their names.
    pub classes: Vec<(String, usize)>,
}

impl PartCounts {
    /// Images of all classes.
    pub fn images(&self) -> usize {
        self.classes.iter().map(|(_, images)| images).sum()
    }
}

/// The smallest, the median and the largest of many lengths, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spectrum {
    pub smallest: u32,
    pub median: u32,
    pub largest: u32,
}

impl Spectrum {
    /// Of any numbers; the lower median. `None` of none.
    pub(super) fn of(mut lengths: Vec<u32>) -> Option<Self> {
        lengths.sort_unstable();
        let (smallest, largest) = (*lengths.first()?, *lengths.last()?);
        Some(Self { smallest, median: lengths[(lengths.len() - 1) / 2], largest })
    }
}

/// What [`check`](super::check) found. Findings stand with faults first.
pub struct Report {
    pub(super) survey: Survey,
    pub findings: Vec<Finding>,
    pub parts: Vec<PartCounts>,
    /// Of the images that can be decoded; upright.
    pub shorter_sides: Option<Spectrum>,
    pub longer_sides: Option<Spectrum>,
    /// Why training on the folder would stop, each a sentence.
    pub stops: Vec<String>,
    /// Whether there is one part alone, of which training holds images out by chance.
    pub is_divided_by_chance: bool,
    /// Images that a clean copy holds as RGB PNGs, in order.
    pub(super) normalised: Vec<u32>,
}

impl Report {
    /// Path of an image below the root, with slashes.
    pub fn path(&self, image: u32) -> String {
        self.survey.path(image as usize)
    }

    /// Number of images, those that cannot be decoded among them.
    pub fn images(&self) -> usize {
        self.survey.len()
    }

    /// The items of a matter.
    pub(super) fn items(&self, matter: Matter) -> Option<&Items> {
        self.findings.iter().find(|finding| finding.matter == matter).map(|finding| &finding.items)
    }

    /// The faults, or those that a clean copy still has.
    pub fn faults(&self, in_copy: bool) -> impl Iterator<Item = &Finding> {
        let counts = move |finding: &&Finding| {
            finding.matter.is_fault() && !(in_copy && finding.matter.is_mended_by_a_copy())
        };
        self.findings.iter().filter(counts)
    }
}

/// Where the images of a group lie.
pub(super) fn spread(survey: &Survey, group: &[u32]) -> Spread {
    let in_train = |image: &u32| survey.role_of(*image as usize) == Role::Train;
    let class = |image: &u32| &survey.classes[survey.class_of(*image as usize)];
    let differs = |value: fn(&super::survey::ClassFolder) -> String| {
        let first = value(class(&group[0]));
        group.iter().any(|image| value(class(image)) != first)
    };
    if group.iter().any(in_train) && !group.iter().all(in_train) {
        Spread::TrainAndEvaluation
    } else if differs(|class| crate::data::comparable(&class.name)) {
        Spread::Classes
    } else if differs(|class| class.part.to_string()) {
        Spread::EvaluationParts
    } else {
        Spread::Class
    }
}
