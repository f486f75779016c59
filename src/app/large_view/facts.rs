//! What is known of the shown image now: what its pane knew, or what the opened model has answered since.

use super::subject::{Known, Subject, SubjectList};
use crate::app::model::study::Study;
use crate::app::panes::Names;
use crate::session::inspect::{Change, Examine, Examined};
use crate::training::events::GalleryItem;

/// What there is to draw of an image.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) subject: &'a Subject,
    /// The image as it is and changed, with guesses and maps as far as they are known.
    pub(super) pair: Option<&'a GalleryItem>,
    /// The opened model's answer, where what is shown is from it.
    pub(super) examined: Option<&'a Examined>,
    /// Of classes, and of what the image is seen through.
    pub(super) names: Names<'a>,
}

impl<'a> Facts<'a> {
    /// `examined` is the answer to the question that the view has of the image.
    pub(super) fn of(list: &'a SubjectList, examined: Option<&'a Examined>, study: &'a Study) -> Self {
        let subject = &list.subjects[list.at];
        let own = Names { classes: &list.classes, domains: &list.domains };
        let names = match (&study.info, examined) {
            (Some(info), Some(_)) => Names { classes: &info.classes, domains: &info.views },
            _ => own,
        };
        let known = match &subject.known {
            Known::Pair(item) => Some(&**item),
            Known::Pixels { .. } => None,
        };
        Self { subject, pair: examined.map(|examined| &examined.item).or(known), examined, names }
    }

    /// The side of the pictures, pixels.
    pub(super) fn size(&self) -> usize {
        match (self.pair, &self.subject.known) {
            (Some(pair), _) => pair.size,
            (None, Known::Pixels { size, .. }) => *size,
            (None, Known::Pair(item)) => item.size,
        }
    }

    /// The true class, where it is known.
    pub(super) fn label(&self) -> Option<usize> {
        match self.examined {
            Some(examined) => examined.label_known.then_some(examined.item.label),
            None => self.subject.label,
        }
    }

    /// Maps by what the image is seen through, of the image as it is and changed: of its class, or of what
    /// it is taken for. `None` where they are not known.
    pub(super) fn maps(&self, of: MapOf) -> Option<Vec<[&'a [f32]; 2]>> {
        let area = self.size().pow(2);
        let maps: Vec<[&'a [f32]; 2]> = match of {
            MapOf::Nothing => return None,
            MapOf::Label => {
                let views = self.pair?.views.iter();
                views.map(|view| [view.cam.as_slice(), view.cam_adversarial.as_slice()]).collect()
            }
            MapOf::Prediction => {
                let maps = self.examined?.of_prediction.iter();
                maps.map(|[before, after]| [before.as_slice(), after.as_slice()]).collect()
            }
        };
        let is_whole = |pair: &[&[f32]; 2]| pair.iter().all(|map| map.len() == area);
        (!maps.is_empty() && maps.iter().all(is_whole)).then_some(maps)
    }

    /// The word for what was done to the image.
    pub(super) fn changed_word(&self) -> &'static str {
        match &self.subject.question {
            Ok((_, Change::Corruption { .. })) => "corrupted",
            _ => "attacked",
        }
    }
}

/// Which class the map over the image speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum MapOf {
    #[default]
    Nothing,
    Label,
    Prediction,
}

/// What a model does to an image, in words.
pub(super) fn change_text(request: &Examine) -> String {
    match &request.change {
        Change::Attack(call) => format!("{} through {}", call.attack.spec(), call.domain.name()),
        Change::Corruption { corruption, severity, .. } => format!("{corruption}, severity {severity}"),
    }
}

/// The lowest and highest finite score of `maps`, which one colour scale spans.
pub(super) fn range(maps: &[[&[f32]; 2]]) -> (f32, f32) {
    let scores = maps.iter().flatten().flat_map(|map| map.iter().copied());
    let finite = scores.filter(|score| score.is_finite()).map(|score| (score, score));
    finite.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((0.0, 1.0))
}
