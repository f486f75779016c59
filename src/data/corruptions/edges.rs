//! Canny's edge detector and the distance to the nearest edge, as OpenCV computes them for spatter.

use super::raster::Border;

/// Gradients above this begin an edge.
const STRONG: i32 = 150;
/// Gradients above this continue one.
const WEAK: i32 = 50;

/// Where the edges of grey bytes `[height, width]` are (Canny 1986): Sobel gradients whose length, the sum of
/// both absolute values, is the largest across the edge, and which lead to a strong one.
pub(super) fn edges(grey: &[u8], width: usize, height: usize) -> Vec<bool> {
    let mut gradients = Vec::with_capacity(grey.len());
    for y in 0..height {
        for x in 0..width {
            gradients.push(sobel(grey, width, height, x, y));
        }
    }
    // Beyond the borders there is no gradient.
    let length = |x: isize, y: isize| {
        let inside = (0..width as isize).contains(&x) && (0..height as isize).contains(&y);
        if !inside {
            return 0;
        }
        let (dx, dy) = gradients[y as usize * width + x as usize];
        dx.abs() + dy.abs()
    };
    let mut candidates = vec![false; grey.len()];
    let mut found = vec![false; grey.len()];
    let mut open = Vec::new();
    for y in 0..height as isize {
        for x in 0..width as isize {
            let here = length(x, y);
            let index = y as usize * width + x as usize;
            if here > WEAK && is_ridge(gradients[index], here, |dx, dy| length(x + dx, y + dy)) {
                candidates[index] = true;
                if here > STRONG {
                    found[index] = true;
                    open.push(index);
                }
            }
        }
    }
    while let Some(index) = open.pop() {
        let (x, y) = (index % width, index / width);
        for y in y.saturating_sub(1)..(y + 2).min(height) {
            for x in x.saturating_sub(1)..(x + 2).min(width) {
                let near = y * width + x;
                if candidates[near] && !found[near] {
                    found[near] = true;
                    open.push(near);
                }
            }
        }
    }
    found
}

/// Sobel's gradient, (across, down).
fn sobel(grey: &[u8], width: usize, height: usize, x: usize, y: usize) -> (i32, i32) {
    let at = |right: isize, down: isize| {
        let column = Border::Nearest.index(x as isize + right, width);
        i32::from(grey[Border::Nearest.index(y as isize + down, height) * width + column])
    };
    let across = |down| at(1, down) - at(-1, down);
    let down = |right| at(right, 1) - at(right, -1);
    (across(-1) + 2 * across(0) + across(1), down(-1) + 2 * down(0) + down(1))
}

/// Whether a gradient is no shorter than its neighbours along its own direction, one of four. Of two equal
/// ones the latter counts.
fn is_ridge((dx, dy): (i32, i32), here: i32, length: impl Fn(isize, isize) -> i32) -> bool {
    // tan 22.5° in 15 bits, as OpenCV has it, so that ties fall alike.
    const TAN: i64 = 13573;
    let (across, down) = (i64::from(dx.abs()), i64::from(dy.abs()) << 15);
    let flat = across * TAN;
    if down < flat {
        here > length(-1, 0) && here >= length(1, 0)
    } else if down > flat + (across << 16) {
        here > length(0, -1) && here >= length(0, 1)
    } else {
        let side = if (dx ^ dy) < 0 { -1 } else { 1 };
        here > length(-side, -1) && here > length(side, 1)
    }
}

/// The distance of every pixel to the nearest edge, pixels, as a path of steps to neighbours and knight's
/// moves (Borgefors 1986, with OpenCV's lengths: the mask of 5 by 5). Without any edge all are far.
pub(super) fn distance_to_edges(edges: &[bool], width: usize, height: usize) -> Vec<f32> {
    const FAR: f32 = 8192.0;
    /// The neighbours before a pixel in the order of reading, and how far they are.
    const BEFORE: [(isize, isize, f32); 8] = [
        (-1, -2, 2.1969),
        (1, -2, 2.1969),
        (-2, -1, 2.1969),
        (-1, -1, 1.4),
        (0, -1, 1.0),
        (1, -1, 1.4),
        (2, -1, 2.1969),
        (-1, 0, 1.0),
    ];
    let mut distances: Vec<f32> = edges.iter().map(|edge| if *edge { 0.0 } else { FAR }).collect();
    let mut settle = |x: usize, y: usize, side: isize| {
        let mut nearest = distances[y * width + x];
        for (dx, dy, length) in BEFORE {
            let (x, y) = (x as isize + side * dx, y as isize + side * dy);
            if (0..width as isize).contains(&x) && (0..height as isize).contains(&y) {
                nearest = nearest.min(distances[y as usize * width + x as usize] + length);
            }
        }
        distances[y * width + x] = nearest;
    };
    for y in 0..height {
        for x in 0..width {
            settle(x, y, 1);
        }
    }
    for y in (0..height).rev() {
        for x in (0..width).rev() {
            settle(x, y, -1);
        }
    }
    distances
}
