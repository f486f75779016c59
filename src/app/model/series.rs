//! Curves: the points of a line over steps, and how they become what is drawn (smoothing, logarithm,
//! thinning).

use egui_plot::PlotPoint;

/// Drawn points a line at most; more than a plot has pixels would only cost time.
const DRAWN_POINTS: usize = 1600;
/// The largest smoothing factor. At 1 the curve would never move.
pub const MAX_SMOOTHING: f64 = 0.999;

/// A line's values over finished steps, in rising order of steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(Vec<(u64, f64)>);

impl Series {
    /// Adds a point. A step that is not newer than the last one takes its place, so steps stay unique.
    pub fn push(&mut self, step: u64, value: f64) {
        while self.0.last().is_some_and(|&(last, _)| last >= step) {
            self.0.pop();
        }
        self.0.push((step, value));
    }

    /// Drops the points after `step`.
    pub fn truncate_after(&mut self, step: u64) {
        self.0.truncate(self.0.partition_point(|&(at, _)| at <= step));
    }

    /// Leaves about `most` points: those of steps that a power of two divides, so that lines of several runs
    /// keep steps in common, and the last.
    pub fn thin_out(&mut self, most: usize) {
        let stride = (self.0.len().div_ceil(most.max(1)) as u64).next_power_of_two();
        if stride > 1 {
            let last = self.0.last().map(|&(step, _)| step);
            self.0.retain(|&(step, _)| step % stride == 0 || Some(step) == last);
            self.0.shrink_to_fit();
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest value.
    pub fn last(&self) -> Option<f64> {
        self.0.last().map(|&(_, value)| value)
    }

    /// All points: step and value.
    pub fn points(&self) -> &[(u64, f64)] {
        &self.0
    }

    /// The value at `step`, between two points on their line, beyond the ends that of the end.
    pub fn at(&self, step: f64) -> Option<f64> {
        let after = self.0.partition_point(|&(at, _)| (at as f64) < step);
        match (after.checked_sub(1).map(|before| self.0[before]), self.0.get(after)) {
            (Some((x0, y0)), Some(&(x1, y1))) => {
                Some(y0 + (y1 - y0) * (step - x0 as f64) / (x1 as f64 - x0 as f64))
            }
            (Some((_, y)), None) | (None, Some(&(_, y))) => Some(y),
            (None, None) => None,
        }
    }

    /// The step at which rising values reach `value`; 0 without points.
    pub fn step_of(&self, value: f64) -> f64 {
        let after = self.0.partition_point(|&(_, at)| at < value);
        match (after.checked_sub(1).map(|before| self.0[before]), self.0.get(after)) {
            (Some((x0, y0)), Some(&(x1, y1))) if y1 > y0 => {
                x0 as f64 + (x1 as f64 - x0 as f64) * (value - y0) / (y1 - y0)
            }
            (Some((x, _)), _) | (None, Some(&(x, _))) => x as f64,
            (None, None) => 0.0,
        }
    }

    /// The point nearest to `step`.
    pub fn nearest(&self, step: f64) -> Option<(u64, f64)> {
        let after = self.0.partition_point(|&(at, _)| (at as f64) < step);
        let around = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let points = around.filter_map(|index| self.0.get(index)).copied();
        points.min_by(|a, b| (a.0 as f64 - step).abs().total_cmp(&(b.0 as f64 - step).abs()))
    }

    /// The first highest value with its step; NaN never is one.
    pub fn highest(&self) -> Option<(u64, f64)> {
        let finite = self.0.iter().filter(|(_, value)| !value.is_nan());
        finite.copied().reduce(|best, point| if point.1 > best.1 { point } else { best })
    }

    /// The points as measured, thinned so that peaks stay.
    pub fn raw(&self, log: bool) -> Vec<PlotPoint> {
        let points: Vec<PlotPoint> = self.0.iter().filter_map(|&(x, y)| plot_point(x, y, log)).collect();
        keep_extremes(points)
    }

    /// The exponential moving average with factor `smoothing` in 0..=[`MAX_SMOOTHING`], freed of the pull
    /// towards zero that its start has, thinned evenly. The average is taken of the values, never of their
    /// logarithms.
    pub fn smoothed(&self, smoothing: f64, log: bool) -> Vec<PlotPoint> {
        let a = smoothing.clamp(0.0, MAX_SMOOTHING);
        let (mut sum, mut weight) = (0.0, 0.0);
        let averaged = self.0.iter().filter(|(_, y)| y.is_finite()).filter_map(|&(x, y)| {
            sum = a * sum + (1.0 - a) * y;
            weight = a * weight + (1.0 - a);
            plot_point(x, sum / weight, log)
        });
        let points: Vec<PlotPoint> = averaged.collect();
        let stride = points.len().div_ceil(DRAWN_POINTS).max(1);
        let last = points.last().copied();
        let mut drawn: Vec<PlotPoint> = points.into_iter().step_by(stride).collect();
        if let Some(last) = last.filter(|last| drawn.last().is_none_or(|drawn| drawn.x < last.x)) {
            drawn.push(last);
        }
        drawn
    }
}

fn plot_point(step: u64, value: f64, log: bool) -> Option<PlotPoint> {
    let value = if log { value.log10() } else { value };
    value.is_finite().then(|| PlotPoint::new(step as f64, value))
}

/// The lowest and the highest point of each of the buckets that the points fall into, in order.
fn keep_extremes(points: Vec<PlotPoint>) -> Vec<PlotPoint> {
    if points.len() <= DRAWN_POINTS {
        return points;
    }
    let size = points.len().div_ceil(DRAWN_POINTS / 2);
    let mut drawn = Vec::with_capacity(DRAWN_POINTS);
    for bucket in points.chunks(size) {
        let order = |a: &&PlotPoint, b: &&PlotPoint| a.y.total_cmp(&b.y);
        let ends = [bucket.iter().min_by(order), bucket.iter().max_by(order)];
        let mut ends: Vec<PlotPoint> = ends.into_iter().flatten().copied().collect();
        ends.sort_by(|a, b| a.x.total_cmp(&b.x));
        ends.dedup();
        drawn.extend(ends);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: impl IntoIterator<Item = f64>) -> Series {
        let mut series = Series::default();
        for (index, value) in values.into_iter().enumerate() {
            series.push(index as u64 + 1, value);
        }
        series
    }

    #[test]
    fn smoothing_of_a_constant_is_that_constant_from_the_first_point_on() {
        for point in series([3.0; 50]).smoothed(0.95, false) {
            assert!((point.y - 3.0).abs() < 1e-12, "{point:?}");
        }
    }

    #[test]
    fn no_smoothing_gives_the_points_back() {
        let points = series([1.0, 5.0, 2.0]).smoothed(0.0, false);
        assert_eq!(points.iter().map(|p| p.y).collect::<Vec<_>>(), [1.0, 5.0, 2.0]);
    }

    #[test]
    fn thinning_keeps_the_peak_and_the_ends() {
        let mut values = vec![1.0; 100_000];
        values[41_417] = 9.0;
        let series = series(values);
        let drawn = series.raw(false);
        assert!(drawn.len() <= DRAWN_POINTS, "{}", drawn.len());
        assert!(drawn.iter().any(|p| p.y == 9.0 && p.x == 41_418.0));
        assert_eq!(series.smoothed(0.5, false).last().map(|p| p.x), Some(100_000.0));
    }

    #[test]
    fn lines_that_were_thinned_keep_steps_in_common_and_their_ends() {
        let [mut long, mut short] = [7001, 3000].map(|count| series(vec![1.0; count]));
        long.thin_out(1000);
        short.thin_out(1000);
        let steps = |series: &Series| series.points().iter().map(|(step, _)| *step).collect::<Vec<_>>();
        assert!(long.len() <= 1001 && short.len() <= 1001, "{} and {}", long.len(), short.len());
        assert_eq!((steps(&long)[0], steps(&long).last().copied()), (8, Some(7001)));
        assert_eq!((steps(&short)[1], steps(&short).last().copied()), (8, Some(3000)));
        let mut whole = series(vec![1.0; 1000]);
        whole.thin_out(1000);
        assert_eq!(whole.len(), 1000);
    }

    #[test]
    fn a_logarithm_leaves_out_what_has_none() {
        let points = series([0.0, 10.0, -1.0, 100.0, f64::NAN]).raw(true);
        assert_eq!(points.iter().map(|p| p.y).collect::<Vec<_>>(), [1.0, 2.0]);
    }

    #[test]
    fn the_nearest_point_is_found_beyond_the_ends_too() {
        let series = series([1.0, 2.0, 3.0]);
        let found = [-5.0, 1.4, 1.6, 9.0].map(|step| series.nearest(step).map(|(at, _)| at));
        assert_eq!(found, [Some(1), Some(1), Some(2), Some(3)]);
        assert_eq!(Series::default().nearest(1.0), None);
    }

    #[test]
    fn a_repeated_step_takes_the_place_of_what_followed() {
        let mut series = series([1.0, 2.0, 3.0]);
        series.push(2, 7.0);
        assert_eq!(series.0, [(1, 1.0), (2, 7.0)]);
    }
}
