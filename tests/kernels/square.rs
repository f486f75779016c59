//! Proposals of the Square attack.

use crate::attack::{assert_in_ball, pixels};
use crate::support::{Buffers, assert_same_bits};
use dualprop::kernels::attack::AttackShape;
use dualprop::kernels::reference::random::random_u32;
use dualprop::kernels::reference::square as reference;
use dualprop::kernels::square::{self, Proposal, SquareState};

fn proposal(size: u32, image: u32, query: u32) -> Proposal {
    let draw = |stream| random_u32(1, query, stream, image);
    let side = draw(0) % (size + 1);
    Proposal {
        row: draw(1) % (size - side + 1),
        column: draw(2) % (size - side + 1),
        side,
        up: [3, 4, 5].map(|stream| draw(stream) % 2 == 0),
        keep: query == 0 || draw(6) % 2 == 0,
    }
}

#[test]
fn proposals_match_the_reference_bit_by_bit() {
    for (images, size, epsilon) in [(1, 1, 4.0), (65, 3, 0.3), (3, 9, 8.0)] {
        let shape = AttackShape { images, rows_per_image: size * size };
        let image = size * size * 4;
        let x = pixels(images * size * size, 1);
        let mut buffers = Buffers::default();
        let (clean, x_adv) = (buffers.add(&x), buffers.add(&x));
        let made = buffers.scratch(SquareState::bytes(&shape) as usize / 4);
        let state = SquareState::new(&shape, made.buffer);
        let (mut best, mut expected) = (vec![Vec::new(); images], x.clone());
        for query in 0..6 {
            let all: Vec<Proposal> = (0..images as u32).map(|i| proposal(size as u32, i, query)).collect();
            let words: Vec<u32> = all.iter().flat_map(Proposal::words).collect();
            buffers.set_words(state.table, &words);
            buffers.run(&[square::propose(&shape, size, epsilon, clean, &state, x_adv)]);
            for (number, proposal) in all.iter().enumerate() {
                let of = number * image..(number + 1) * image;
                let (x, moved) = (&x[of.clone()], &mut expected[of]);
                reference::propose(proposal, size, epsilon, x, &mut best[number], moved);
            }
            let what = format!("{images} images of {size} pixels, query {query}");
            assert_same_bits(buffers.get(x_adv), &expected, &what);
            assert_in_ball(buffers.get(x_adv), &x, epsilon);
        }
        assert!(size == 1 || expected != x, "nothing moved");
    }
}
