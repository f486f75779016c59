//! Proposals of the Square attack.

use super::attack::into_ball;
use crate::kernels::square::Proposal;

/// The best point and the proposal of one image of `width` pixels a line, `[rows, 4]`; see
/// [`crate::kernels::square::propose`].
pub fn propose(
    proposal: &Proposal,
    width: usize,
    epsilon: f32,
    x: &[f32],
    best: &mut Vec<f32>,
    x_adv: &mut [f32],
) {
    if proposal.keep {
        *best = x_adv.to_vec();
    }
    let within = |at: usize, first: u32| (first..first + proposal.side).contains(&(at as u32));
    for i in 0..x.len() {
        let (pixel, channel) = (i / 4, i % 4);
        let inside = within(pixel / width, proposal.row) && within(pixel % width, proposal.column);
        x_adv[i] = if inside && channel < 3 {
            let sign = if proposal.up[channel] { 1.0 } else { -1.0 };
            into_ball(best[i] + 2.0 * epsilon * sign, x[i], epsilon)
        } else {
            best[i]
        };
    }
}
