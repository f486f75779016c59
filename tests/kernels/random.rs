//! The draws on the GPU are those of the CPU twin, bit by bit.

use crate::support::{Buffers, assert_same_bits};
use dualprop::gpu::StepUniform;
use dualprop::kernels::dropout::{self, DropoutShape};
use dualprop::kernels::reference;

#[test]
fn draws_are_bit_equal_to_the_reference() {
    // With input 1 and a rate of u, dropout shows whether a draw is below u: many rates pin the draws down.
    for (seed, step, micro, stream) in [(0, 0, 0, 0), (1, 2, 3, 4), (0xdead_beef, 12_345, 7, 0x8000_0001)] {
        let at = StepUniform { seed, step, micro, ..Default::default() };
        for rate in [0.001, 0.1, 0.25, 0.5, 0.9, 0.999] {
            let shape = DropoutShape { images: 3, features: 68, rate, stream, image_offset: 5 };
            let input = vec![1.0; 3 * 68];
            let mut buffers = Buffers::default();
            let (x, y) = (buffers.add(&input), buffers.scratch(3 * 68));
            buffers.run_at(&[dropout::forward(&shape, x, y)], &at);
            assert_same_bits(buffers.get(y), &reference::dropout::apply(&shape, &at, &input), "mask");
        }
    }
}
