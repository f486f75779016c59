// How activations and their gradients are stored: f32, or f16 with HALF. Loads go through vec4<f32>(...),
// stores through Stored(...), and everything in between is f32. A value beyond f16's 65504 becomes infinite:
// the loss scale relies on that. Host side: `Element` in src/gpu/launch.rs, which also enables f16.
#if HALF
alias Stored = vec4<f16>;
#else
alias Stored = vec4<f32>;
#endif
