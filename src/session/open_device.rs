//! Opens the adapter that a run takes. Where it multiplies f16 by cooperative matrices, which drivers have
//! got wrong, they are tried out first: a wrong result costs the speed, never the run.

use super::compare_variants::{difference, results, tolerance};
use crate::config::Precision;
use crate::gpu::{Caps, Device, DeviceChoice, Element, Form, GpuError};
use crate::kernels::conv::ConvShape;
use crate::kernels::conv_case::{ConvCase, Direction, Trial};
use std::sync::Arc;

/// Opens the chosen adapter for a run of this precision.
pub(super) fn open(choice: &DeviceChoice, precision: Precision) -> Result<Arc<Device>, GpuError> {
    let mut device = Device::open(choice)?;
    if let (Precision::F16, Form::Tiles, Some(matrices)) =
        (precision, device.caps().form, device.offered_matrices())
    {
        let name = device.report().name.clone();
        match wrong_matrices(&device)? {
            None => {
                tracing::info!("{name} multiplies f16 by cooperative matrices of {0} x {0}", matrices.side);
                device.use_matrices();
            }
            Some(why) => {
                tracing::warn!(
                    "the cooperative matrices of {name} are not used, they compute wrongly: {why}"
                );
            }
        }
    }
    Ok(Arc::new(device))
}

/// Compares the kernels with the offered matrices with those without, on a pointwise and a strided 3×3
/// convolution of odd sizes; `None` if they agree. An error only if the device is lost.
fn wrong_matrices(device: &Device) -> Result<Option<String>, GpuError> {
    let plain = Caps::plain(Form::Tiles);
    let caps = Caps { matrices: device.offered_matrices(), ..plain.clone() };
    let pointwise = ConvShape::dense(300, 68, 132);
    let strided = ConvShape {
        images: 2,
        in_h: 13,
        in_w: 9,
        in_c: 20,
        out_h: 7,
        out_w: 5,
        out_c: 36,
        kernel: 3,
        stride: 2,
        pad_top: 1,
        pad_left: 1,
    };
    let directions = [Direction::Forward, Direction::DataGradient, Direction::WeightGradient];
    let cases = [pointwise, strided].into_iter().flat_map(|shape| directions.map(|d| (shape, d)));
    let comparisons: Vec<(ConvCase, Trial, Vec<Trial>)> = cases
        .map(|(shape, direction)| {
            let case = ConvCase { direction, shape };
            let trials = |caps| case.trials(caps, Element::F16, usize::MAX);
            (case, trials(&plain).swap_remove(0), trials(&caps))
        })
        .collect();
    let all = comparisons.iter().flat_map(|(_, rule, trials)| std::iter::once(rule).chain(trials));
    if let Err(error) = device.prepare(all.flat_map(|trial| &trial.compared.launches), |_, _| {}) {
        return refusal(error).map(Some);
    }
    for (case, rule, trials) in comparisons {
        let expected = results(device, &rule.compared)?;
        for trial in trials {
            if let Some(why) = wrong(device, &trial, &expected)? {
                return Ok(Some(format!("{}, {}: {why}", case.class(&caps), trial.variant)));
            }
        }
    }
    Ok(None)
}

/// What is wrong with a trial's results, if anything.
fn wrong(device: &Device, trial: &Trial, expected: &[f32]) -> Result<Option<String>, GpuError> {
    match results(device, &trial.compared) {
        Ok(found) => Ok(difference(&found, expected, tolerance(&trial.compared))),
        Err(error) => refusal(error).map(Some),
    }
}

/// A kernel that the driver refuses is no error of the run; a lost device is.
fn refusal(error: GpuError) -> Result<String, GpuError> {
    match error {
        lost @ GpuError::Lost(_) => Err(lost),
        other => Ok(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_leaves_work_undone_is_found_wrong() {
        let device = Device::for_tests();
        assert_eq!(wrong_matrices(&device).unwrap(), None);
        let case = ConvCase { direction: Direction::Forward, shape: ConvShape::dense(300, 68, 132) };
        let mut trial = case.trials(&Caps::plain(Form::Tiles), Element::F16, 1).remove(0);
        let expected = results(&device, &trial.compared).unwrap();
        assert_eq!(wrong(&device, &trial, &expected).unwrap(), None);
        trial.compared.launches[0].grid = [1, 1, 1];
        let why = wrong(&device, &trial, &expected).unwrap();
        assert!(why.as_ref().is_some_and(|why| why.starts_with("result ")), "{why:?}");
    }
}
