//! The tile shapes that the shaders of `conv` are made for, and the rules that choose one. The constants in the rules
//! are measured for the subgroup form on llvmpipe, and estimates for the tile form.

use super::combinations;
use super::fusion::{Role, unfused, with_fusion};
use crate::gpu::{Element, Form, Kernel};

/// One way to cut a matrix product of `rows` × `columns` results into tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Variant {
    /// Subgroup form, forward and data gradient: 8·rows × 4·columns.
    Lanes { rows: usize, columns: usize },
    /// Subgroup form, weight gradient: 32 channels of one side × 4·columns of the other. The lanes own input channels
    /// with `wide_input`, else output channels.
    WeightLanes { wide_input: bool, columns: usize },
    /// Workgroup-memory form, forward and data gradient.
    Tile(Tile),
    /// Workgroup-memory form, weight gradient.
    WeightTile(Tile),
}

/// `m` × `n` results a workgroup, `tm` × `tn` a thread, `kc` of the reduction a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    m: usize,
    n: usize,
    tm: usize,
    tn: usize,
    kc: usize,
}

const fn tile(m: usize, n: usize, tm: usize, tn: usize, kc: usize) -> Tile {
    Tile { m, n, tm, tn, kc }
}

/// m pixels, n channels: wide tiles for narrow layers read their pixels once.
const PRODUCT_TILES: [Tile; 5] = [
    tile(128, 64, 8, 8, 16),
    tile(64, 64, 8, 4, 16),
    tile(128, 32, 8, 4, 16),
    tile(256, 16, 8, 4, 8),
    tile(32, 32, 4, 4, 16),
];

/// m (tap, input channel), n output channels.
const WEIGHT_TILES: [Tile; 6] = [
    tile(64, 64, 8, 4, 16),
    tile(128, 32, 8, 4, 16),
    tile(32, 128, 4, 8, 16),
    tile(128, 16, 4, 4, 16),
    tile(16, 128, 4, 4, 16),
    tile(32, 32, 4, 4, 16),
];

/// Rows a lane.
const LANE_ROWS: [usize; 3] = [1, 2, 4];

/// `vec4` columns of a subgroup tile; more than ten spill too much.
const LANE_COLUMNS: [usize; 6] = [1, 2, 4, 6, 8, 10];

/// Threads that keep a large GPU busy; fewer leave a part of it idle.
const BUSY_THREADS: usize = 32_768;

impl Tile {
    fn threads(&self) -> usize {
        self.m / self.tm * (self.n / self.tn)
    }

    fn count(&self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.m) * columns.div_ceil(self.n)
    }

    /// Estimated time: products, reads from workgroup memory (a value serves `tn` or `tm` products) and from global
    /// memory (`n` or `m`), divided by how busy the threads keep a GPU.
    fn time(&self, rows: usize, columns: usize, slices: usize) -> f64 {
        let reads = |scale: f64, a: usize, b: usize| scale * (1.0 / a as f64 + 1.0 / b as f64);
        let per_product = 1.0 + reads(2.0, self.tm, self.tn) + reads(8.0, self.m, self.n);
        let count = self.count(rows, columns);
        let busy = ((count * slices * self.threads()) as f64 / BUSY_THREADS as f64).min(1.0);
        (count * self.m * self.n) as f64 * per_product / busy
    }

    /// `tiles` by estimated time, where the reduction can be cut into `slices`.
    fn ranked(tiles: &[Tile], rows: usize, columns: usize, slices: usize) -> Vec<Tile> {
        let mut ranked = tiles.to_vec();
        let time = |t: &Tile| t.time(rows, columns, slices);
        ranked.sort_by(|a, b| time(a).total_cmp(&time(b)));
        ranked
    }
}

/// [`LANE_COLUMNS`] by their time for one row of tiles, with that time, for so many `vec4` columns: the time of a tile
/// is its columns, and two more for the loads that every tile repeats.
fn lane_columns(columns4: usize) -> [(usize, usize); LANE_COLUMNS.len()] {
    let mut ranked = LANE_COLUMNS.map(|c| (c, columns4.div_ceil(c) * (c + 2)));
    ranked.sort_by_key(|(_, time)| *time);
    ranked
}

impl Variant {
    /// For the forward pass or the data gradient, `rows` pixels × `columns` channels: best estimate first.
    pub(super) fn ranked_products(form: Form, rows: usize, columns: usize) -> Vec<Self> {
        match form {
            Form::Subgroups => {
                let lane_rows = LANE_ROWS.into_iter().find(|r| rows <= 8 * r).unwrap_or(LANE_ROWS[2]);
                let lanes = |(columns, _)| Self::Lanes { rows: lane_rows, columns };
                lane_columns(columns / 4).map(lanes).to_vec()
            }
            Form::Tiles => {
                Tile::ranked(&PRODUCT_TILES, rows, columns, 1).into_iter().map(Self::Tile).collect()
            }
        }
    }

    /// For the weight gradient, `inputs` (tap, channel) × `outputs` channels in up to `slices` slices: best estimate
    /// first.
    pub(super) fn ranked_weights(
        form: Form,
        pointwise: bool,
        inputs: usize,
        outputs: usize,
        slices: usize,
    ) -> Vec<Self> {
        match form {
            Form::Subgroups => {
                let ways = |wide_input: bool, wide: usize, narrow: usize| {
                    lane_columns(narrow / 4).map(|(columns, time)| {
                        (wide.div_ceil(32) * time, Self::WeightLanes { wide_input, columns })
                    })
                };
                let mut ranked = ways(false, outputs, inputs).to_vec();
                if pointwise {
                    ranked.extend(ways(true, inputs, outputs));
                }
                ranked.sort_by_key(|(time, _)| *time);
                ranked.into_iter().map(|(_, variant)| variant).collect()
            }
            Form::Tiles => Tile::ranked(&WEIGHT_TILES, inputs, outputs, slices)
                .into_iter()
                .map(Self::WeightTile)
                .collect(),
        }
    }

    /// All that [`Self::ranked_products`] can choose from.
    pub(super) fn products(form: Form) -> Vec<Self> {
        match form {
            Form::Subgroups => LANE_ROWS
                .into_iter()
                .flat_map(|rows| LANE_COLUMNS.map(|columns| Self::Lanes { rows, columns }))
                .collect(),
            Form::Tiles => PRODUCT_TILES.map(Self::Tile).to_vec(),
        }
    }

    /// All that [`Self::ranked_weights`] can choose from.
    pub(super) fn weights(form: Form, pointwise: bool) -> Vec<Self> {
        match form {
            Form::Subgroups => [false, true][..=usize::from(pointwise)]
                .iter()
                .flat_map(|wide_input| {
                    LANE_COLUMNS.map(|columns| Self::WeightLanes { wide_input: *wide_input, columns })
                })
                .collect(),
            Form::Tiles => WEIGHT_TILES.map(Self::WeightTile).to_vec(),
        }
    }

    /// Tiles of `rows` × `columns` results; for the weight gradient these are inputs × outputs.
    pub(super) fn count(&self, rows: usize, columns: usize) -> usize {
        match *self {
            Self::Lanes { rows: r, columns: c } => rows.div_ceil(8 * r) * columns.div_ceil(4 * c),
            Self::WeightLanes { wide_input: true, columns: c } => rows.div_ceil(32) * columns.div_ceil(4 * c),
            Self::WeightLanes { wide_input: false, columns: c } => {
                columns.div_ceil(32) * rows.div_ceil(4 * c)
            }
            Self::Tile(tile) | Self::WeightTile(tile) => tile.count(rows, columns),
        }
    }

    /// Rows of a tile of the forward pass or the data gradient.
    pub(super) fn tile_rows(&self) -> usize {
        match *self {
            Self::Lanes { rows, .. } => 8 * rows,
            Self::Tile(tile) => tile.m,
            Self::WeightLanes { .. } | Self::WeightTile(_) => unreachable!("a weight gradient has no rows"),
        }
    }

    /// Tiles side by side over so many channels.
    pub(super) fn column_tiles(&self, columns: usize) -> usize {
        self.count(1, columns)
    }

    /// Workgroups that the forward pass and the data gradient want where each takes a strip of tiles.
    pub(super) fn enough_strips(&self) -> usize {
        match self {
            Self::Lanes { .. } | Self::WeightLanes { .. } => 32,
            Self::Tile(_) | Self::WeightTile(_) => 2048,
        }
    }

    /// Tallies that a strip leaves: each lane's, or one.
    pub(super) fn slices_of_strip(&self) -> usize {
        match self {
            Self::Lanes { .. } | Self::WeightLanes { .. } => 8,
            Self::Tile(_) | Self::WeightTile(_) => 1,
        }
    }

    /// Workgroups that share a weight gradient well: many for a GPU, a few for each core of a software adapter.
    pub(super) fn enough_workgroups(&self) -> usize {
        match self {
            Self::Lanes { .. } | Self::WeightLanes { .. } => 32,
            Self::Tile(_) | Self::WeightTile(_) => 512,
        }
    }

    /// The shader, specialised to this variant and `constants`.
    pub(super) fn kernel(&self, constants: &[(&'static str, u32)]) -> Kernel {
        let (shader, own) = match *self {
            Self::Lanes { rows, columns } => ("conv_subgroups", vec![("ROWS", rows), ("COLUMNS", columns)]),
            Self::WeightLanes { wide_input, columns } => (
                "conv_weights_subgroups",
                vec![("WIDE_INPUT", usize::from(wide_input)), ("COLUMNS", columns)],
            ),
            Self::Tile(tile) => ("conv_tiles", tile.constants()),
            Self::WeightTile(tile) => ("conv_weights_tiles", tile.constants()),
        };
        let mut kernel = Kernel::new(shader, constants);
        kernel.constants.extend(own.into_iter().map(|(name, value)| (name, value as u32)));
        kernel
    }
}

/// The word for a variant in kept choices.
impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Lanes { rows, columns } => write!(f, "lanes {}x{}", 8 * rows, 4 * columns),
            Self::WeightLanes { wide_input, columns } => {
                write!(f, "lanes over {} x{}", if wide_input { "inputs" } else { "outputs" }, 4 * columns)
            }
            Self::Tile(t) | Self::WeightTile(t) => {
                write!(f, "tile {}x{} by {}x{}, {} deep", t.m, t.n, t.tm, t.tn, t.kc)
            }
        }
    }
}

impl Tile {
    fn constants(&self) -> Vec<(&'static str, usize)> {
        let Self { m, n, tm, tn, kc } = *self;
        let threads = self.threads();
        vec![("TILE_M", m), ("TILE_N", n), ("TM", tm), ("TN", tn), ("KC", kc), ("THREADS", threads)]
    }
}

/// Every kernel of `conv` with every combination of its constants.
pub(super) fn permutations() -> Vec<Kernel> {
    let mut all = combinations("sum_slices", &[]);
    for form in [Form::Subgroups, Form::Tiles] {
        for (pointwise, element) in
            [0, 1].into_iter().flat_map(|p| [Element::F32, Element::F16].map(|element| (p, element)))
        {
            let (half, gate) = (element.constant(), pointwise == 1);
            for (gradient, bias) in [(0, 0), (0, 1), (1, 0)] {
                let constants = [("POINTWISE", pointwise), ("GRADIENT", gradient), ("BIAS", bias), half];
                let kernels: Vec<Kernel> =
                    Variant::products(form).iter().map(|v| v.kernel(&constants)).collect();
                let role = if gradient == 1 { Role::DataGradient } else { Role::Forward { gate } };
                // A layer with a bias has no batch norm.
                let fused = if bias == 0 { ends(&kernels) } else { Vec::new() };
                all.extend(kernels.into_iter().map(|kernel| unfused(kernel, 3 + bias)));
                all.extend(with_fusion(fused, 3, role));
            }
            let constants = [("POINTWISE", pointwise), ("GRADIENT", 0), half];
            let kernels: Vec<Kernel> =
                Variant::weights(form, pointwise == 1).iter().map(|v| v.kernel(&constants)).collect();
            all.extend(with_fusion(ends(&kernels), 3, Role::WeightGradient { gate }));
            all.extend(kernels.into_iter().map(|kernel| unfused(kernel, 3)));
        }
    }
    all
}

/// The first and the last: what is fused does not depend on the shape of a tile.
fn ends(kernels: &[Kernel]) -> Vec<Kernel> {
    kernels.iter().take(1).chain(kernels.last()).cloned().collect()
}
