// What apgd_check asks of apgd_step for an image. Host side: src/kernels/apgd.rs.

// The pass is the first one: there is no point before it.
const FIRST: u32 = 1u;
// The point has the highest loss so far.
const KEEP_BEST: u32 = 2u;
// The point is what the attack would return.
const KEEP_RESULT: u32 = 4u;
// Go on from the best point.
const RETURN_TO_BEST: u32 = 8u;
