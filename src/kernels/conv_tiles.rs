//! The tiles of the convolutions' workgroup-memory form: the shapes that the shaders are made for, multiplied
//! by the threads themselves or by cooperative matrices, and the rule that ranks them. Its constants are
//! estimates.

use crate::gpu::{Element, MATRIX, Matrices};

/// `m` × `n` results a workgroup, `tm` × `tn` a thread, `kc` of the reduction a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    pub(super) m: usize,
    n: usize,
    tm: usize,
    tn: usize,
    kc: usize,
    /// What multiplies f16 activations; f32 ones are multiplied by the threads in any case.
    matrices: Option<Matrices>,
}

const fn tile(m: usize, n: usize, tm: usize, tn: usize, kc: usize) -> Tile {
    Tile { m, n, tm, tn, kc, matrices: None }
}

/// m pixels, n channels: wide tiles for narrow layers read their pixels once.
const PRODUCTS: [Tile; 5] = [
    tile(128, 64, 8, 8, 16),
    tile(64, 64, 8, 4, 16),
    tile(128, 32, 8, 4, 16),
    tile(256, 16, 8, 4, 8),
    tile(32, 32, 4, 4, 16),
];

/// As [`PRODUCTS`], for cooperative matrices: steps are deeper, since f16 takes half the memory.
const MATRIX_PRODUCTS: [Tile; 4] =
    [tile(128, 64, 16, 4, 32), tile(64, 64, 8, 4, 32), tile(128, 32, 8, 4, 32), tile(64, 32, 8, 4, 32)];

/// m (tap, input channel), n output channels.
const WEIGHTS: [Tile; 6] = [
    tile(64, 64, 8, 4, 16),
    tile(128, 32, 8, 4, 16),
    tile(32, 128, 4, 8, 16),
    tile(128, 16, 4, 4, 16),
    tile(16, 128, 4, 4, 16),
    tile(32, 32, 4, 4, 16),
];

/// As [`WEIGHTS`], for cooperative matrices.
const MATRIX_WEIGHTS: [Tile; 4] =
    [tile(64, 64, 8, 4, 32), tile(128, 32, 8, 4, 32), tile(32, 128, 8, 4, 32), tile(32, 32, 4, 4, 32)];

/// Threads that keep a large GPU busy; fewer leave a part of it idle.
const BUSY_THREADS: usize = 32_768;

impl Tile {
    /// For the forward pass and the data gradient.
    pub(super) fn products(matrices: Option<Matrices>) -> Vec<Self> {
        Self::multiplied_by(matrices, &PRODUCTS, &MATRIX_PRODUCTS)
    }

    /// For the weight gradient.
    pub(super) fn weights(matrices: Option<Matrices>) -> Vec<Self> {
        Self::multiplied_by(matrices, &WEIGHTS, &MATRIX_WEIGHTS)
    }

    fn multiplied_by(matrices: Option<Matrices>, by_threads: &[Self], by_matrices: &[Self]) -> Vec<Self> {
        match matrices {
            None => by_threads.to_vec(),
            Some(kind) => by_matrices
                .iter()
                .filter(|tile| tile.subgroups(kind).is_some())
                .map(|tile| Self { matrices, ..*tile })
                .collect(),
        }
    }

    /// `tiles` by estimated time, where the reduction can be cut into `slices`.
    pub(super) fn ranked(mut tiles: Vec<Self>, rows: usize, columns: usize, slices: usize) -> Vec<Self> {
        let time = |t: &Tile| t.time(rows, columns, slices);
        tiles.sort_by(|a, b| time(a).total_cmp(&time(b)));
        tiles
    }

    fn threads(&self) -> usize {
        self.m / self.tm * (self.n / self.tn)
    }

    pub(super) fn count(&self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.m) * columns.div_ceil(self.n)
    }

    /// Estimated time: products, reads from workgroup memory (a value serves `tn` or `tm` products) and from
    /// global memory (`n` or `m`), divided by how busy the threads keep a GPU.
    fn time(&self, rows: usize, columns: usize, slices: usize) -> f64 {
        let reads = |scale: f64, a: usize, b: usize| scale * (1.0 / a as f64 + 1.0 / b as f64);
        let products = match self.matrices {
            None => 1.0 + reads(2.0, self.tm, self.tn),
            Some(_) => 0.125,
        };
        let per_product = products + reads(8.0, self.m, self.n);
        let count = self.count(rows, columns);
        let busy = ((count * slices * self.threads()) as f64 / BUSY_THREADS as f64).min(1.0);
        (count * self.m * self.n) as f64 * per_product / busy
    }

    /// Rows of a part of the tile: results go from the matrices to the threads part by part.
    fn part(&self) -> usize {
        self.m * 4 / self.tm
    }

    /// Rows and columns of subgroups, as square a share of the tile for each as its matrices allow.
    fn subgroups(&self, Matrices { side, lanes, .. }: Matrices) -> Option<[usize; 2]> {
        let (side, lanes) = (side as usize, lanes as usize);
        let subgroups = self.threads() / lanes;
        let fits = |&[rows, columns]: &[usize; 2]| {
            self.part().is_multiple_of(rows * side) && self.n.is_multiple_of(columns * side)
        };
        (1..=subgroups)
            .filter(|rows| subgroups.is_multiple_of(*rows))
            .map(|rows| [rows, subgroups / rows])
            .filter(fits)
            .min_by_key(|[rows, columns]| (self.m / rows).abs_diff(self.n / columns))
    }

    /// Those of `shaders/lib/conv_tile*.wgsl` and `conv_matrix*.wgsl`. `deep`: whether A and B lie along the
    /// reduction.
    pub(super) fn constants(&self, element: Element, deep: [bool; 2]) -> Vec<(&'static str, u32)> {
        let Self { m, n, tm, tn, kc, .. } = *self;
        let shape = [m, n, tm, tn, kc, self.threads()].map(|number| number as u32);
        let names = ["TILE_M", "TILE_N", "TM", "TN", "KC", "THREADS"];
        let mut constants: Vec<(&'static str, u32)> = names.into_iter().zip(shape).collect();
        let matrices = self.matrices.filter(|_| element == Element::F16);
        constants.push((MATRIX, u32::from(matrices.is_some())));
        if let Some((kind, [rows, columns])) = matrices.and_then(|kind| Some((kind, self.subgroups(kind)?))) {
            constants.extend([
                ("SIDE", kind.side),
                ("VECTORS", u32::from(kind.vectors)),
                ("SUBGROUP_ROWS", rows as u32),
                ("SUBGROUP_COLUMNS", columns as u32),
                ("A_DEEP", u32::from(deep[0])),
                ("B_DEEP", u32::from(deep[1])),
            ]);
        }
        constants
    }
}

/// The word for a tile in kept choices.
impl std::fmt::Display for Tile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { m, n, tm, tn, kc, matrices } = *self;
        write!(f, "tile {m}x{n} by {tm}x{tn}, {kc} deep")?;
        match matrices {
            None => Ok(()),
            Some(Matrices { side, .. }) => write!(f, ", in matrices of {side}"),
        }
    }
}
