//! What it costs to store weights as f16: half of the bytes, and digits.

use anyhow::ensure;
use half::f16;

/// What storing weights as f16 changed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rounding {
    /// Numbers that are stored as f16.
    pub values: usize,
    /// Those of them that were not 0 and now are.
    pub vanished: usize,
    squared_error: f64,
    squared_sum: f64,
}

impl Rounding {
    /// The values rounded to f16, little endian. Fails where one is beyond the largest number of f16; `name`
    /// is for that sentence.
    pub fn round(&mut self, name: &str, values: &[f32]) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(2 * values.len());
        for value in values {
            let rounded = f16::from_f32(*value);
            ensure!(
                rounded.is_finite(),
                "the weight {value} of \"{name}\" is beyond f16, which ends at 65504; store the weights as f32"
            );
            let (exact, stored) = (f64::from(*value), f64::from(rounded.to_f32()));
            self.vanished += usize::from(stored == 0.0 && exact != 0.0);
            self.squared_error += (stored - exact).powi(2);
            self.squared_sum += exact.powi(2);
            bytes.extend(rounded.to_le_bytes());
        }
        self.values += values.len();
        Ok(bytes)
    }

    /// The length of the change over the length of all rounded numbers, as vectors.
    pub fn relative_error(&self) -> f64 {
        if self.squared_sum == 0.0 { 0.0 } else { (self.squared_error / self.squared_sum).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_counts_what_vanishes_and_refuses_what_overflows() {
        let mut rounding = Rounding::default();
        let bytes = rounding.round("w", &[1.0, 1e-9, 0.0, 1.0 + 2.0_f32.powi(-11)]).expect("small enough");
        assert_eq!(bytes, [0x00, 0x3c, 0, 0, 0, 0, 0x00, 0x3c]);
        assert_eq!((rounding.values, rounding.vanished), (4, 1));
        let expected = 2.0_f64.powi(-11) / (1.0 + (1.0 + 2.0_f64.powi(-11)).powi(2)).sqrt();
        assert!((rounding.relative_error() / expected - 1.0).abs() < 1e-6, "{}", rounding.relative_error());
        let said = rounding.round("conv1.weight", &[7e4]).expect_err("beyond f16").to_string();
        assert!(said.contains("conv1.weight") && said.contains("70000"), "{said}");
    }
}
