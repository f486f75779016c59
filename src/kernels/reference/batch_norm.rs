//! Batch norm over row segments. Parameters and running statistics are laid out as in `kernels::batch_norm`.

use super::activation::{activate, slope};
use crate::kernels::activation::Activation;
use crate::kernels::batch_norm::{BnShape, Segment};

/// Per segment and channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// `[C]`
    pub mean: Vec<f64>,
    /// Biased.
    pub variance: Vec<f64>,
}

fn rows(segment: &Segment) -> std::ops::Range<usize> {
    segment.first_row as usize..(segment.first_row + segment.rows) as usize
}

fn block(shape: &BnShape, segment: &Segment) -> usize {
    segment.domain as usize * shape.domain_stride as usize
}

/// Mean and biased variance of each segment of x `[rows, C]`.
pub fn batch_moments(shape: &BnShape, x: &[f32]) -> Vec<Moments> {
    let c = shape.channels;
    let column = |segment: &Segment, k: usize| rows(segment).map(move |row| f64::from(x[row * c + k]));
    let moments = |segment: &Segment| {
        let n = f64::from(segment.rows);
        let mean: Vec<f64> = (0..c).map(|k| column(segment, k).sum::<f64>() / n).collect();
        let variance =
            (0..c).map(|k| column(segment, k).map(|v| (v - mean[k]).powi(2)).sum::<f64>() / n).collect();
        Moments { mean, variance }
    };
    shape.segments.iter().map(moments).collect()
}

/// Mean and variance of each segment's domain, from `running` `[domain][mean C | variance C]`.
pub fn running_moments(shape: &BnShape, running: &[f32]) -> Vec<Moments> {
    let c = shape.channels;
    let moments = |segment: &Segment| {
        let at = block(shape, segment);
        let take = |from: usize| running[from..from + c].iter().map(|v| f64::from(*v)).collect();
        Moments { mean: take(at), variance: take(at + c) }
    };
    shape.segments.iter().map(moments).collect()
}

/// Moves the running statistics of the segments' domains, the variance by its unbiased estimate.
pub fn update_running(shape: &BnShape, moments: &[Moments], running: &mut [f32]) {
    let c = shape.channels;
    let momentum = f64::from(shape.momentum);
    for (segment, moments) in shape.segments.iter().zip(moments) {
        let at = block(shape, segment);
        let n = f64::from(segment.rows);
        for k in 0..c {
            let unbiased =
                if segment.rows > 1 { moments.variance[k] * n / (n - 1.0) } else { moments.variance[k] };
            for (place, new) in [(at + k, moments.mean[k]), (at + c + k, unbiased)] {
                running[place] = ((1.0 - momentum) * f64::from(running[place]) + momentum * new) as f32;
            }
        }
    }
}

/// y `[rows, C]`: x `[rows, C]` normalised by its segment's moments, scaled, shifted and activated.
/// `parameters` is `[domain][gamma C | beta C]`.
pub fn forward(
    shape: &BnShape,
    activation: Activation,
    moments: &[Moments],
    parameters: &[f32],
    x: &[f32],
) -> Vec<f32> {
    let c = shape.channels;
    let mut y = vec![0.0; x.len()];
    for (segment, moments) in shape.segments.iter().zip(moments) {
        let at = block(shape, segment);
        for row in rows(segment) {
            for k in 0..c {
                let xhat = (f64::from(x[row * c + k]) - moments.mean[k])
                    / (moments.variance[k] + f64::from(shape.eps)).sqrt();
                let u = f64::from(parameters[at + k]) * xhat + f64::from(parameters[at + c + k]);
                y[row * c + k] = activate(activation, u) as f32;
            }
        }
    }
    y
}

/// What the backward pass of a layer reads.
#[derive(Clone, Copy, Debug)]
pub struct BackwardInput<'a> {
    /// The layer's gamma and beta by domain.
    pub parameters: &'a [f32],
    /// The layer's input `[rows, channels]`.
    pub x: &'a [f32],
    /// The gradient of the activated output `[rows, channels]`.
    pub dy: &'a [f32],
}

/// Returns dx `[rows, channels]`; adds the gradients of gamma and beta to `gradient`. Without
/// `batch_statistics` the moments do not depend on x.
pub fn backward(
    shape: &BnShape,
    activation: Activation,
    moments: &[Moments],
    input: BackwardInput<'_>,
    gradient: &mut [f32],
    batch_statistics: bool,
) -> Vec<f32> {
    let BackwardInput { parameters, x, dy } = input;
    let c = shape.channels;
    let mut dx = vec![0.0; x.len()];
    for (segment, moments) in shape.segments.iter().zip(moments) {
        let at = block(shape, segment);
        let n = f64::from(segment.rows);
        for k in 0..c {
            let (gamma, beta) = (f64::from(parameters[at + k]), f64::from(parameters[at + c + k]));
            let rstd = 1.0 / (moments.variance[k] + f64::from(shape.eps)).sqrt();
            let xhat = |row: usize| (f64::from(x[row * c + k]) - moments.mean[k]) * rstd;
            let du = |row: usize| f64::from(dy[row * c + k]) * slope(activation, gamma * xhat(row) + beta);
            let sum: f64 = rows(segment).map(du).sum();
            let product: f64 = rows(segment).map(|row| du(row) * xhat(row)).sum();
            gradient[at + k] += product as f32;
            gradient[at + c + k] += sum as f32;
            let (mean_du, mean_product) = if batch_statistics { (sum / n, product / n) } else { (0.0, 0.0) };
            for row in rows(segment) {
                dx[row * c + k] = (gamma * rstd * (du(row) - mean_du - xhat(row) * mean_product)) as f32;
            }
        }
    }
    dx
}
