//! Auto-PGD (Croce & Hein 2020, algorithm 1), image by image.

use super::attack::into_ball;
use crate::kernels::apgd::Checkpoints;

/// Share of the passes between two checkpoints that must raise the loss for the step to stay.
const RHO: f32 = 0.75;

/// One image under attack. Pixels are `[rows_per_image, 4]` in 0..255 with a zero fourth channel.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Length of a step, pixel units.
    pub step: f32,
    /// The loss of each pass so far.
    pub losses: Vec<f32>,
    /// Whether a pass found the network wrong.
    pub fooled: bool,
    /// The point before the current one.
    pub previous: Vec<f32>,
    /// The point with the highest loss.
    pub best: Vec<f32>,
    /// What the attack returns.
    pub result: Vec<f32>,
    best_loss: f32,
    best_direction: Vec<f32>,
    best_loss_at_check: f32,
    halved_at_check: bool,
    since_check: u32,
    window: u32,
}

impl Search {
    /// Takes the loss, the hit and the gradient at `x_adv` and moves it on. See [`crate::kernels::apgd`].
    pub fn pass(
        &mut self,
        checkpoints: &Checkpoints,
        epsilon: f32,
        x: &[f32],
        (loss, right): (f32, bool),
        gradient: &[f32],
        x_adv: &mut [f32],
    ) {
        let first = self.losses.is_empty();
        let mut direction: Vec<f32> =
            gradient.iter().map(|g| f32::from(*g > 0.0) - f32::from(*g < 0.0)).collect();
        let higher = first || loss > self.best_loss;
        self.fooled |= !right;
        if higher {
            self.best_loss = loss;
            self.best = x_adv.to_vec();
            self.best_direction.clone_from(&direction);
        }
        if !right || (higher && !self.fooled) {
            self.result = x_adv.to_vec();
        }
        self.losses.push(loss);
        let mut point = x_adv.to_vec();
        if first {
            self.step = 2.0 * epsilon;
            self.best_loss_at_check = loss;
            self.halved_at_check = true;
            self.window = checkpoints.first;
        } else {
            self.since_check += 1;
            if self.since_check == self.window && self.is_to_be_halved() {
                self.step /= 2.0;
                point.clone_from(&self.best);
                direction.clone_from(&self.best_direction);
            }
            if self.since_check == self.window {
                self.best_loss_at_check = self.best_loss;
                self.since_check = 0;
                self.window = self.window.saturating_sub(checkpoints.shrink).max(checkpoints.least);
            }
        }
        for i in 0..x.len() {
            if i % 4 == 3 {
                x_adv[i] = 0.0;
                continue;
            }
            let goal = into_ball(point[i] + self.step * direction[i], x[i], epsilon);
            x_adv[i] = if first {
                goal
            } else {
                let moved = point[i] + 0.75 * (goal - point[i]) + 0.25 * (point[i] - self.previous[i]);
                into_ball(moved, x[i], epsilon)
            };
        }
        self.previous = point;
    }

    /// The two conditions of section 3.2.
    fn is_to_be_halved(&mut self) -> bool {
        // The authors' code compares the second loss with 0, not with the first one.
        let loss = |pass: usize| if pass == 0 { 0.0 } else { self.losses[pass] };
        let last = self.losses.len();
        let rises =
            (last - self.window as usize..last).filter(|pass| self.losses[*pass] > loss(pass - 1)).count();
        let stands_still = !self.halved_at_check && self.best_loss_at_check >= self.best_loss;
        self.halved_at_check = rises as f32 <= RHO * self.window as f32 || stands_still;
        self.halved_at_check
    }
}
