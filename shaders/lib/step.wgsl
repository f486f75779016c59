// What changes from one replay of a plan to the next. Host side: `StepUniform` in src/gpu.
struct Step {
    seed: u32,
    step: u32,
    micro: u32,
    // 1 at the first update.
    first_step: u32,
    lr: f32,
    grad_scale: f32,
    ema_rate: f32,
    bias_correction1: f32,
    bias_correction2: f32,
}

@group(1) @binding(1) var<uniform> step: Step;

// One number for (step, micro-batch), for the random draws: micro-batches of one step must differ.
fn step_key() -> u32 {
    return step.step + step.micro * 0x9e3779b1u;
}
