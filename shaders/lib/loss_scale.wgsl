// The state of dynamic loss scaling. Host side: `LossScale` in src/kernels/loss_scale.rs, without the last
// word.
struct LossScale {
    // A power of two: scaling and unscaling round nothing.
    scale: f32,
    // Updates in a row without an overflow.
    good_steps: u32,
    // 1 when the gradients of this step are not all finite: its update is left out.
    overflow: u32,
    // Updates left out so far.
    skipped: u32,
    // 1 once a gradient that is not finite was met; 0 between steps. An `or` gives the same in any order.
    found: atomic<u32>,
}
