//! Gradient of a dense layer's bias.

/// Adds the column sums of `dy` [rows, channels] to `db`.
pub fn column_sum(dy: &[f32], db: &mut [f32]) {
    let channels = db.len();
    for (k, db) in db.iter_mut().enumerate() {
        let sum: f64 = dy.iter().skip(k).step_by(channels).map(|v| f64::from(*v)).sum();
        *db += sum as f32;
    }
}
