//! Dense convolution as an implicit matrix product, in all three directions, without an im2col buffer. A dense layer
//! is a 1×1 convolution on images of one pixel.
//!
//! Rows of the product are pixels, its reduction runs over (tap, channel). The data gradient is the forward
//! computation with the roles of x and y exchanged; the weight gradient reduces over pixels and is cut into slices of
//! them, summed by a second pass in fixed order. Two families of shaders compute the same: see [`Form`].

use super::{combinations, quads};
use crate::gpu::{Caps, Cost, Form, Kernel, Launch, View, linear_grid};

/// x `[images, in_h, in_w, in_c]`, y `[images, out_h, out_w, out_c]`, weights `[kernel²][in_c][out_c]`; the padding at
/// the bottom and right follows from the sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    pub images: usize,
    pub in_h: usize,
    pub in_w: usize,
    /// Padded: a multiple of 4, as `out_c`.
    pub in_c: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub out_c: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad_top: usize,
    pub pad_left: usize,
}

impl ConvShape {
    /// A dense layer on `rows` vectors.
    pub fn dense(rows: usize, in_c: usize, out_c: usize) -> Self {
        Self {
            images: rows,
            in_h: 1,
            in_w: 1,
            in_c,
            out_h: 1,
            out_w: 1,
            out_c,
            kernel: 1,
            stride: 1,
            pad_top: 0,
            pad_left: 0,
        }
    }

    /// Whether pixel i of y is made of pixel i of x alone.
    fn pointwise(&self) -> bool {
        self.kernel == 1
            && self.stride == 1
            && (self.pad_top, self.pad_left) == (0, 0)
            && (self.in_h, self.in_w) == (self.out_h, self.out_w)
    }

    fn in_pixels(&self) -> usize {
        self.images * self.in_h * self.in_w
    }

    fn out_pixels(&self) -> usize {
        self.images * self.out_h * self.out_w
    }

    /// Floats of the weights.
    fn weights(&self) -> usize {
        self.kernel * self.kernel * self.in_c * self.out_c
    }

    fn cost(&self) -> Cost {
        let floats = self.in_pixels() * self.in_c + self.out_pixels() * self.out_c + self.weights();
        Cost { flops: 2 * (self.out_pixels() * self.weights()) as u64, bytes: 4 * floats as u64 }
    }

    /// `struct Params` of `shaders/lib/conv_rows.wgsl`.
    fn params(&self, direction: Direction, accumulate: bool, slice_rows: usize) -> Vec<u32> {
        let x = [self.in_h, self.in_w, self.in_c / 4];
        let y = [self.out_h, self.out_w, self.out_c / 4];
        let (output, source) = if direction == Direction::DataGradient { (x, y) } else { (y, x) };
        let rest =
            [self.kernel, self.stride, self.pad_top, self.pad_left, usize::from(accumulate), slice_rows];
        [self.images].iter().chain(&output).chain(&source).chain(&rest).map(|n| *n as u32).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    DataGradient,
    WeightGradient,
}

/// y = x ∗ w, plus `bias` `[out_c]` where there is one.
pub fn forward(caps: &Caps, shape: &ConvShape, x: View, w: View, bias: Option<View>, y: View) -> Launch {
    let views = [x, w, y].into_iter().chain(bias).collect();
    product(caps, shape, Direction::Forward, views, false)
}

/// dx = dy ∗ wᵀ, or dx += with `accumulate`.
pub fn data_gradient(
    caps: &Caps,
    shape: &ConvShape,
    dy: View,
    w: View,
    dx: View,
    accumulate: bool,
) -> Launch {
    product(caps, shape, Direction::DataGradient, vec![dy, w, dx], accumulate)
}

fn product(
    caps: &Caps,
    shape: &ConvShape,
    direction: Direction,
    views: Vec<View>,
    accumulate: bool,
) -> Launch {
    let gradient = direction == Direction::DataGradient;
    // A strided data gradient runs in stride² phases; the first has the most pixels.
    let (stride, channels) = if gradient { (shape.stride, shape.in_c) } else { (1, shape.out_c) };
    let (height, width) = if gradient { (shape.in_h, shape.in_w) } else { (shape.out_h, shape.out_w) };
    let rows = shape.images * height.div_ceil(stride) * width.div_ceil(stride);
    let columns = quads(channels) as usize;
    let mut constants = vec![
        ("POINTWISE", u32::from(shape.pointwise())),
        ("GRADIENT", u32::from(gradient)),
        ("BIAS", u32::from(views.len() == 4)),
    ];
    let (shader, tiles) = match caps.form {
        Form::Subgroups => {
            let lane_rows = lane_rows(rows);
            let lane_columns = lane_columns(columns);
            constants.extend([("ROWS", lane_rows as u32), ("COLUMNS", lane_columns as u32)]);
            ("conv_subgroups", rows.div_ceil(8 * lane_rows) * columns.div_ceil(lane_columns))
        }
        Form::Tiles => {
            let tile = Tile::choose(&PRODUCT_TILES, rows, columns * 4);
            constants.extend(tile.constants());
            ("conv_tiles", tile.count(rows, columns * 4))
        }
    };
    let [x, y, _] = linear_grid(tiles as u64, 1);
    Launch {
        kernel: Kernel::new(shader, &constants),
        views,
        params: shape.params(direction, accumulate, 0),
        grid: [x, y, (stride * stride) as u32],
        cost: shape.cost(),
    }
}

/// How a weight gradient is cut.
struct WeightPlan {
    shader: &'static str,
    constants: Vec<(&'static str, u32)>,
    tiles: usize,
    /// A multiple of 4, so that slices start where a step starts.
    slice_rows: usize,
    slices: usize,
}

/// Fewest rows of a slice: below, writing and summing the slices costs more than it brings.
const SLICE_ROWS: usize = 512;
const MAX_SLICES: usize = 64;

impl WeightPlan {
    fn new(form: Form, shape: &ConvShape) -> Self {
        let inputs = shape.kernel * shape.kernel * shape.in_c;
        let mut constants = vec![("POINTWISE", u32::from(shape.pointwise())), ("GRADIENT", 0)];
        // Enough workgroups for the largest GPUs, or for the cores of a software adapter to share evenly.
        let (shader, tiles, workgroups): (_, _, usize) = match form {
            Form::Subgroups => {
                let (input4, output4) = (quads(inputs) as usize, quads(shape.out_c) as usize);
                let work = |wide: usize, narrow: usize| {
                    let columns = lane_columns(narrow);
                    let tiles = wide.div_ceil(8) * narrow.div_ceil(columns);
                    (tiles * lane_work(columns), columns, tiles)
                };
                let (wide_output, wide_input) = (work(output4, input4), work(input4, output4));
                let by_input = shape.pointwise() && wide_input.0 < wide_output.0;
                let (_, columns, tiles) = if by_input { wide_input } else { wide_output };
                constants.extend([("WIDE_INPUT", u32::from(by_input)), ("COLUMNS", columns as u32)]);
                ("conv_weights_subgroups", tiles, 32)
            }
            Form::Tiles => {
                let tile = Tile::choose(&WEIGHT_TILES, inputs, shape.out_c);
                constants.extend(tile.constants());
                ("conv_weights_tiles", tile.count(inputs, shape.out_c), 512)
            }
        };
        let rows = shape.out_pixels();
        let wanted = workgroups.div_ceil(tiles).min(rows.div_ceil(SLICE_ROWS)).clamp(1, MAX_SLICES);
        let slice_rows = rows.div_ceil(wanted).next_multiple_of(4);
        Self { shader, constants, tiles, slice_rows, slices: rows.div_ceil(slice_rows) }
    }
}

/// Floats of the partial sums that [`weight_gradient`] needs; 0 if it writes directly.
pub fn weight_gradient_partials(caps: &Caps, shape: &ConvShape) -> u64 {
    match WeightPlan::new(caps.form, shape).slices {
        1 => 0,
        slices => (slices * shape.weights()) as u64,
    }
}

/// dw += Σ x · dy over all pixels. `partials` is not used where [`weight_gradient_partials`] is 0.
pub fn weight_gradient(
    caps: &Caps,
    shape: &ConvShape,
    x: View,
    dy: View,
    partials: View,
    dw: View,
) -> Vec<Launch> {
    let plan = WeightPlan::new(caps.form, shape);
    let direct = plan.slices == 1;
    let [grid_x, grid_y, _] = linear_grid(plan.tiles as u64, 1);
    let mut launches = vec![Launch {
        kernel: Kernel::new(plan.shader, &plan.constants),
        views: vec![x, dy, if direct { dw } else { partials }],
        params: shape.params(Direction::WeightGradient, direct, plan.slice_rows),
        grid: [grid_x, grid_y, plan.slices as u32],
        cost: shape.cost(),
    }];
    if !direct {
        launches.push(super::sum_slices(partials, dw, shape.weights(), plan.slices));
    }
    launches
}

/// Rows a lane of the subgroup form, of which a tile has eight times as many.
fn lane_rows(rows: usize) -> usize {
    match rows {
        ..=8 => 1,
        9..=16 => 2,
        _ => 4,
    }
}

/// `vec4` columns of a subgroup tile that the shaders are made for. More than ten spill too much.
const LANE_COLUMNS: [usize; 5] = [2, 4, 6, 8, 10];

/// Time of a subgroup tile by its columns: the products, and the loads that every tile repeats (measured on llvmpipe).
fn lane_work(columns: usize) -> usize {
    columns + 2
}

fn lane_columns(columns: usize) -> usize {
    let work = |c: usize| columns.div_ceil(c) * lane_work(c);
    LANE_COLUMNS.into_iter().min_by_key(|c| work(*c)).unwrap_or(LANE_COLUMNS[0])
}

/// A tile of the workgroup-memory form: `m` × `n` results, `tm` × `tn` a thread, `kc` of the reduction a step.
#[derive(Clone, Copy)]
struct Tile {
    m: usize,
    n: usize,
    tm: usize,
    tn: usize,
    kc: usize,
}

const fn tile(m: usize, n: usize, tm: usize, tn: usize, kc: usize) -> Tile {
    Tile { m, n, tm, tn, kc }
}

/// Forward and data gradient: m pixels, n channels. Wide tiles for narrow layers read their pixels once.
const PRODUCT_TILES: [Tile; 5] = [
    tile(128, 64, 8, 8, 16),
    tile(64, 64, 8, 4, 16),
    tile(128, 32, 8, 4, 16),
    tile(256, 16, 8, 4, 8),
    tile(32, 32, 4, 4, 16),
];

/// Weight gradient: m (tap, input channel), n output channels.
const WEIGHT_TILES: [Tile; 6] = [
    tile(64, 64, 8, 4, 16),
    tile(128, 32, 8, 4, 16),
    tile(32, 128, 4, 8, 16),
    tile(128, 16, 4, 4, 16),
    tile(16, 128, 4, 4, 16),
    tile(32, 32, 4, 4, 16),
];

/// Threads that keep a large GPU busy; fewer leave a part of it idle.
const BUSY_THREADS: usize = 32_768;

impl Tile {
    fn threads(&self) -> usize {
        self.m / self.tm * (self.n / self.tn)
    }

    fn count(&self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.m) * columns.div_ceil(self.n)
    }

    fn constants(&self) -> [(&'static str, u32); 6] {
        let Self { m, n, tm, tn, kc } = *self;
        let values = [m, n, tm, tn, kc, self.threads()].map(|v| v as u32);
        let names = ["TILE_M", "TILE_N", "TM", "TN", "KC", "THREADS"];
        std::array::from_fn(|i| (names[i], values[i]))
    }

    /// The tile with the least estimated time: products, reads from workgroup memory (each value read serves `tn` or
    /// `tm` products) and global memory (`n` or `m`), divided by how busy its threads keep a GPU.
    fn choose(tiles: &[Tile], rows: usize, columns: usize) -> Tile {
        let time = |t: &Tile| {
            let per_product = 1.0
                + 2.0 * (1.0 / t.tm as f64 + 1.0 / t.tn as f64)
                + 8.0 * (1.0 / t.m as f64 + 1.0 / t.n as f64);
            let count = t.count(rows, columns);
            let busy = ((count * t.threads()) as f64 / BUSY_THREADS as f64).min(1.0);
            (count * t.m * t.n) as f64 * per_product / busy
        };
        let mut best = tiles[0];
        for tile in &tiles[1..] {
            if time(tile) < time(&best) {
                best = *tile;
            }
        }
        best
    }
}

/// Every kernel of this file with every combination of its constants.
pub fn permutations() -> Vec<Kernel> {
    const SWITCH: &[u32] = &[0, 1];
    let columns = LANE_COLUMNS.map(|c| c as u32);
    let with_tiles = |kernels: Vec<Kernel>, tiles: &[Tile]| -> Vec<Kernel> {
        let with = |kernel: &Kernel, tile: &Tile| {
            let mut kernel = kernel.clone();
            kernel.constants.extend(tile.constants());
            kernel
        };
        kernels.iter().flat_map(|kernel| tiles.iter().map(move |tile| with(kernel, tile))).collect()
    };
    let product = |shader, extra: &[(&'static str, &[u32])]| {
        [(0, SWITCH), (1, &SWITCH[..1])]
            .into_iter()
            .flat_map(|(gradient, bias)| {
                let mut constants: Vec<(&'static str, &[u32])> = vec![("POINTWISE", SWITCH)];
                constants.extend([("GRADIENT", &SWITCH[gradient..=gradient]), ("BIAS", bias)]);
                constants.extend_from_slice(extra);
                combinations(shader, &constants)
            })
            .collect::<Vec<_>>()
    };
    let weights = |shader, pointwise: usize, extra: &[(&'static str, &[u32])]| {
        let mut constants: Vec<(&'static str, &[u32])> =
            vec![("POINTWISE", &SWITCH[pointwise..=pointwise]), ("GRADIENT", &SWITCH[..1])];
        constants.extend_from_slice(extra);
        combinations(shader, &constants)
    };
    [
        product("conv_subgroups", &[("ROWS", &[1, 2, 4]), ("COLUMNS", &columns)]),
        with_tiles(product("conv_tiles", &[]), &PRODUCT_TILES),
        weights("conv_weights_subgroups", 0, &[("WIDE_INPUT", &SWITCH[..1]), ("COLUMNS", &columns)]),
        weights("conv_weights_subgroups", 1, &[("WIDE_INPUT", SWITCH), ("COLUMNS", &columns)]),
        with_tiles(weights("conv_weights_tiles", 0, &[]), &WEIGHT_TILES),
        with_tiles(weights("conv_weights_tiles", 1, &[]), &WEIGHT_TILES),
        combinations("sum_slices", &[]),
    ]
    .concat()
}
