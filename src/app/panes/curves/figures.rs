//! The curves as figures for print: the lines that are shown, with all of their points.

use super::{CurvesView, Drawn};
use crate::app::format;
use crate::app::model::kinds::{LineKey, MAIN_SPLIT};
use crate::app::model::run::{RunView, SplitCurves};
use crate::app::widgets::axis::{full_line_name, placed};
use crate::app::widgets::figure::{Axis, Body, Figure, Lines, Series, points};

/// The title of the loss plot's vertical axis, and that of the accuracy plot.
pub(super) const LOSS: &str = "Training loss (nats)";
pub(super) const ACCURACY: &str = "Top-1 accuracy (%)";

/// The training losses as they are shown: smoothed ones over what they were measured as.
pub(super) fn loss(run: &RunView, view: &CurvesView) -> Figure {
    let mut drawn = Drawn::default();
    drawn.refresh(run, view.smoothing, view.log_loss, view.axis);
    let shown = || drawn.lines.iter().filter(|(key, _)| !view.hidden_loss.contains(key));
    let raw = shown().map(|(key, [raw, _])| Series::faint(key.data(), points(raw)));
    let smoothed = shown().map(|(key, [_, line])| {
        Series::of_domain(full_line_name(run, key), key.data(), key.domain, points(line))
    });
    let is_smoothed = view.smoothing > 0.0;
    let series = raw.filter(|_| is_smoothed).chain(smoothed).collect();
    let note = match is_smoothed {
        true => format!(", smoothed by a factor of {}", view.smoothing),
        false => String::new(),
    };
    Figure {
        title: "Training loss".to_owned(),
        subject: format!("{}, {}{note}", run.caption(), run.method),
        body: Body::Lines(Lines {
            x: Axis::new(view.axis.title()).spanning([0.0]),
            y: Axis::new(LOSS).log(view.log_loss),
            series,
            marks: Vec::new(),
        }),
    }
}

/// The validation accuracies of a split, with the step of the best one.
pub(super) fn accuracy(run: &RunView, view: &CurvesView, split: &str, curves: &SplitCurves) -> Figure {
    let axis = view.axis;
    let shown = curves.iter().filter(|(key, _)| !view.hidden_accuracy.contains(key));
    let series = shown.map(|(key, series)| {
        let line = points(&placed(run, axis, series.raw(false)));
        Series::of_domain(full_line_name(run, key), key.data(), key.domain, line).marked(key.domain)
    });
    let is_shown = split == MAIN_SPLIT && !view.hidden_accuracy.contains(&LineKey::of_validation(0, false));
    let best = run.best.filter(|_| is_shown);
    let marks =
        best.map(|(step, best)| (run.place(axis, step as f64), format!("best {}", format::percent(best))));
    Figure {
        title: format!("Validation accuracy on {split}"),
        subject: format!("{}, {}", run.caption(), run.method),
        body: Body::Lines(Lines {
            x: Axis::new(axis.title()).spanning([0.0]),
            y: Axis::new(ACCURACY).spanning([0.0]),
            series: series.collect(),
            marks: marks.into_iter().collect(),
        }),
    }
}
