//! Line charts as SVG: a line a group, its mean over seeds, with a band of one standard deviation where there
//! are several. Colours are classes of the page's style, so that they follow light and dark.

use super::html::escape;
use super::statistics::Figure;
use std::fmt::Write as _;

/// Points that a line has at most; longer ones are means over as many equal parts.
const POINTS: usize = 120;

/// Colours of the style; lines beyond take them again.
const COLORS: usize = 8;
/// Dashes, which tell neighbours apart where colours do not.
const DASHES: [&str; 4] = ["none", "7 3", "2 3", "9 3 2 3"];

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 38.0;

/// The attributes by which the line of the `index`th group is told from others.
pub(super) fn stroke(index: usize) -> String {
    format!("class=\"line c{}\" stroke-dasharray=\"{}\"", index % COLORS, DASHES[index % DASHES.len()])
}

/// A chart: the same quantity of several groups over the same axis.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x_label: &'static str,
    pub(super) y_label: &'static str,
    pub(super) lines: Vec<Line>,
}

/// The line of a group.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The group's place in the legend.
    pub(super) index: usize,
    pub(super) label: String,
    /// In order of x.
    pub(super) points: Vec<(f64, Figure)>,
}

impl Line {
    /// The mean line of several runs; `None` where none has a point. Runs are taken together in parts of the
    /// x axis.
    pub(super) fn of_runs(index: usize, label: &str, runs: &[&[(f64, f64)]]) -> Option<Self> {
        let last = runs.iter().flat_map(|run| run.iter()).map(|(x, _)| *x).fold(0.0, f64::max);
        let most = runs.iter().map(|run| run.len()).max().unwrap_or(0);
        let parts = most.min(POINTS);
        if parts == 0 || last <= 0.0 {
            return None;
        }
        let part = |x: f64| ((x / last * parts as f64).ceil() as usize).clamp(1, parts) - 1;
        let mut values = vec![(0.0, Vec::new()); parts];
        for run in runs {
            let mut own: Vec<Vec<(f64, f64)>> = vec![Vec::new(); parts];
            for (x, y) in run.iter().filter(|(_, y)| y.is_finite()) {
                own[part(*x)].push((*x, *y));
            }
            for (points, (x, ys)) in own.iter().zip(&mut values) {
                let count = points.len() as f64;
                if let Some((last, _)) = points.last() {
                    *x = f64::max(*x, *last);
                    ys.push(points.iter().map(|(_, y)| y).sum::<f64>() / count);
                }
            }
        }
        let points: Vec<(f64, Figure)> =
            values.into_iter().filter_map(|(x, ys)| Some((x, Figure::of(ys)?))).collect();
        (!points.is_empty()).then(|| Self { index, label: label.to_owned(), points })
    }
}

/// Round numbers between `low` and `high`, about five.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let raw = (high - low).max(1e-9) / 4.0;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= raw).unwrap_or(raw);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.01 {
        format!("{value:.0e}")
    } else {
        format!("{}", (value * 1e4).round() / 1e4)
    }
}

impl Chart {
    /// The chart as an SVG element with its text alternative.
    pub(super) fn svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let spread = |figure: &Figure| figure.spread.unwrap_or(0.0);
        let x_end = all().map(|(x, _)| *x).fold(f64::MIN, f64::max).max(1e-9);
        let low = all().map(|(_, y)| y.mean - spread(y)).fold(f64::MAX, f64::min);
        let high = all().map(|(_, y)| y.mean + spread(y)).fold(f64::MIN, f64::max);
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let (low, high) = (low - 0.04 * (high - low), high + 0.04 * (high - low));
        let x = |value: f64| LEFT + value / x_end * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
        let mut text = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.alternative())
        );
        for tick in ticks(low, high) {
            let at = y(tick);
            let _ = write!(
                text,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 5.0,
                at + 4.0,
                number(tick)
            );
        }
        for tick in ticks(0.0, x_end) {
            let _ = write!(
                text,
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x(tick),
                HEIGHT - BOTTOM + 15.0,
                number(tick)
            );
        }
        let _ = write!(
            text,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{:.1}H{:.1}\"/><text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{}</text><text class=\"tick\" transform=\"translate(12 {:.1}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM,
            WIDTH - RIGHT,
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 5.0,
            escape(self.x_label),
            (TOP + HEIGHT - BOTTOM) / 2.0,
            escape(self.y_label)
        );
        for line in &self.lines {
            let edge = |sign: f64| {
                line.points.iter().map(move |(at, f)| (x(*at), y(f.mean + sign * f.spread.unwrap_or(0.0))))
            };
            let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
                let points: Vec<String> = points.map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
                points.join("L")
            };
            if line.points.iter().any(|(_, figure)| figure.spread.is_some()) {
                let outline = path(&mut edge(1.0).chain(edge(-1.0).collect::<Vec<_>>().into_iter().rev()));
                let _ = write!(text, "<path class=\"band b{}\" d=\"M{outline}Z\"/>", line.index % COLORS);
            }
        }
        for line in &self.lines {
            let mut middle = line.points.iter().map(|(at, figure)| (x(*at), y(figure.mean)));
            if let ([(at, figure)], index) = (&line.points[..], line.index % COLORS) {
                let _ = write!(
                    text,
                    "<circle class=\"dot b{index}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{}</title></circle>",
                    x(*at),
                    y(figure.mean),
                    escape(&line.label)
                );
                continue;
            }
            let points: Vec<String> = middle.by_ref().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
            let _ = write!(
                text,
                "<path {} d=\"M{}\"><title>{}</title></path>",
                stroke(line.index),
                points.join("L"),
                escape(&line.label)
            );
        }
        text + "</svg>"
    }

    /// What the chart shows in words: where every line ends.
    fn alternative(&self) -> String {
        let end = |line: &Line| {
            let (x, figure) = line.points.last()?;
            Some(format!("{} {} at {}", line.label, number(figure.mean), number(*x)))
        };
        let ends: Vec<String> = self.lines.iter().filter_map(end).collect();
        format!("{}, {} over {}: {}", self.title, self.y_label, self.x_label, ends.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_seeds_are_means_with_a_spread() {
        let (a, b) = ([(1.0, 2.0), (2.0, 4.0)], [(1.0, 4.0), (2.0, 4.0)]);
        let line = Line::of_runs(0, "two", &[&a, &b]).expect("points");
        assert_eq!(line.points.len(), 2);
        assert_eq!((line.points[0].0, line.points[0].1.mean, line.points[0].1.n), (1.0, 3.0, 2));
        assert!((line.points[0].1.spread.expect("two") - 2f64.sqrt()).abs() < 1e-12);
        assert!(Line::of_runs(0, "none", &[&[]]).is_none());
        // A long line is binned, and its last point stays where the run ended.
        let long: Vec<(f64, f64)> = (1..=1000).map(|x| (f64::from(x), 1.0)).collect();
        let line = Line::of_runs(0, "long", &[&long]).expect("points");
        assert_eq!((line.points.len(), line.points.last().map(|p| p.0)), (POINTS, Some(1000.0)));
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(0.0, 100.0), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(0.9, 2.1), [1.0, 1.5, 2.0]);
    }
}
