//! The compared runs for print, and what is said of a line beside its name.

use super::RunsView;
use super::plot::Drawn;
use crate::app::model::kinds::LineKey;
use crate::app::model::runs::ListedRun;
use crate::app::theme::tokens;
use crate::app::widgets::axis::line_name;
use crate::app::widgets::figure::{self, Axis, Body, Figure, Lines};

/// What is said of a line beside its name.
pub(super) struct Words {
    /// Of how many runs it is the mean.
    pub(super) of: String,
    /// What attacked the images.
    pub(super) under: String,
}

impl Drawn {
    pub(super) fn words(&self) -> Words {
        Words {
            of: if self.runs > 1 { format!(" (mean of {})", self.runs) } else { String::new() },
            under: self.attack.as_ref().map_or_else(String::new, |attack| format!(" under {attack}")),
        }
    }
}

impl RunsView {
    /// The drawn lines for print. `named`: a run with names for all domains.
    pub(super) fn figure(&self, named: Option<&ListedRun>) -> Figure {
        let series = self.drawn.lines.iter().enumerate().map(|(index, line)| {
            let Words { of, under } = line.words();
            let [xs, low, high] = &line.band;
            let look = tokens::LIGHT.run(index);
            let marker = (line.points.len() == 1).then(|| look.marker());
            figure::Series {
                name: format!("{}{of}{under}", line.name),
                colour: look.colour,
                drawn: figure::Drawn::Line { dash: look.dash(), marker },
                points: figure::points(&line.points),
                band: xs.iter().zip(low.iter().zip(high)).map(|(x, (low, high))| [*x, *low, *high]).collect(),
            }
        });
        let of = if self.loss { "training".to_owned() } else { self.split.clone() };
        let key = LineKey::of_validation(self.domain, self.attacked);
        let images = named.map_or_else(String::new, |run| format!(", images: {}", line_name(&run.run, &key)));
        Figure {
            title: if self.loss { "Training loss of runs" } else { "Accuracy of runs" }.to_owned(),
            subject: format!("{of}{images}; bands from the lowest to the highest seed"),
            body: Body::Lines(Lines {
                x: Axis::new(self.axis.title()).spanning([0.0]),
                y: Axis::new(self.quantity()),
                series: series.collect(),
                marks: Vec::new(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::model::runs::Runs;
    use crate::app::model::runs::tests::run;
    use crate::app::widgets::figure::Size;
    use crate::app::widgets::figure::svg;

    /// The seventh line has the first one's colour and another dash, in the file too.
    #[test]
    fn lines_beyond_the_colours_differ_in_their_dash() {
        let listed: Vec<_> =
            (0..8).map(|n| run(&format!("run-{n}"), "advprop", n, 0.1, &[0.5, 0.6])).collect();
        let mut view = RunsView { grouped: false, ..RunsView::default() };
        let chosen = listed.iter().map(|run| run.dir.clone()).collect();
        view.refresh(&Runs { chosen, ..Runs::default() }, &listed);
        let figure = view.figure(None);
        let Body::Lines(lines) = &figure.body else { panic!("no lines") };
        let [first, seventh] = [0, 6].map(|index| &lines.series[index]);
        assert_eq!(first.colour, seventh.colour);
        assert_ne!(first.drawn, seventh.drawn);
        let dashed = svg::write(&figure, Size::Column, false).matches("stroke-dasharray").count();
        assert_eq!(dashed, 4, "two lines and their samples");
    }
}
