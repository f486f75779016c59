//! In which ways the shaders of `conv` cut a product, and the rules that choose one. The constants in the
//! subgroup form's rules are measured on llvmpipe; the other form's are in `conv_tiles`.

use super::conv::ConvParams;
use super::conv_tiles::Tile;
use super::fusion::{Role, unfused, with_fusion};
use super::{Permutation, SumSlices, combinations, permuted};
use crate::gpu::{Caps, Element, Form, Kernel, Matrices};

/// One way to cut a matrix product of `rows` × `columns` results into tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Variant {
    /// Subgroup form, forward and data gradient: 8·rows × 4·columns.
    Lanes { rows: usize, columns: usize },
    /// Subgroup form, weight gradient: 32 channels of one side × 4·columns of the other. The lanes own input
    /// channels with `wide_input`, else output channels.
    WeightLanes { wide_input: bool, columns: usize },
    /// Workgroup-memory form, forward and data gradient.
    Tile(Tile),
    /// Workgroup-memory form, weight gradient.
    WeightTile(Tile),
}

/// Rows a lane.
const LANE_ROWS: [usize; 3] = [1, 2, 4];

/// `vec4` columns of a subgroup tile; more than ten spill too much. Eight would be a few per cent faster for
/// some layers, and make ten more kernels of B0 to compile, which takes a second each without a GPU.
const LANE_COLUMNS: [usize; 5] = [1, 2, 4, 6, 10];

/// [`LANE_COLUMNS`] by their time for one row of tiles, with that time, for so many `vec4` columns: the time
/// of a tile is its columns, and two more for the loads that every tile repeats.
fn lane_columns(columns4: usize) -> [(usize, usize); LANE_COLUMNS.len()] {
    let mut ranked = LANE_COLUMNS.map(|c| (c, columns4.div_ceil(c) * (c + 2)));
    ranked.sort_by_key(|(_, time)| *time);
    ranked
}

impl Variant {
    /// For the forward pass or the data gradient, `rows` pixels × `columns` channels: best estimate first.
    pub(super) fn ranked_products(caps: &Caps, rows: usize, columns: usize) -> Vec<Self> {
        match caps.form {
            Form::Subgroups => {
                let lane_rows = LANE_ROWS.into_iter().find(|r| rows <= 8 * r).unwrap_or(LANE_ROWS[2]);
                // The columns do not follow the rows: the slices of statistics follow the columns, and a pass
                // of few images would have other last bits than one of many.
                let lanes = |(columns, _)| Self::Lanes { rows: lane_rows, columns };
                lane_columns(columns / 4).map(lanes).to_vec()
            }
            Form::Tiles => Tile::ranked(Tile::products(caps.matrices), rows, columns, 1)
                .into_iter()
                .map(Self::Tile)
                .collect(),
        }
    }

    /// For the weight gradient, `inputs` (tap, channel) × `outputs` channels in up to `slices` slices: best
    /// estimate first.
    pub(super) fn ranked_weights(
        caps: &Caps,
        pointwise: bool,
        inputs: usize,
        outputs: usize,
        slices: usize,
    ) -> Vec<Self> {
        match caps.form {
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
            Form::Tiles => Tile::ranked(Tile::weights(caps.matrices), inputs, outputs, slices)
                .into_iter()
                .map(Self::WeightTile)
                .collect(),
        }
    }

    /// All that [`Self::ranked_products`] can choose from.
    pub(super) fn products(caps: &Caps) -> Vec<Self> {
        match caps.form {
            Form::Subgroups => LANE_ROWS
                .into_iter()
                .flat_map(|rows| LANE_COLUMNS.map(|columns| Self::Lanes { rows, columns }))
                .collect(),
            Form::Tiles => Tile::products(caps.matrices).into_iter().map(Self::Tile).collect(),
        }
    }

    /// All that [`Self::ranked_weights`] can choose from.
    pub(super) fn weights(caps: &Caps, pointwise: bool) -> Vec<Self> {
        match caps.form {
            Form::Subgroups => [false, true][..=usize::from(pointwise)]
                .iter()
                .flat_map(|wide_input| {
                    LANE_COLUMNS.map(|columns| Self::WeightLanes { wide_input: *wide_input, columns })
                })
                .collect(),
            Form::Tiles => Tile::weights(caps.matrices).into_iter().map(Self::WeightTile).collect(),
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

    /// Workgroups that share a weight gradient well: many for a GPU, a few for each core of a software
    /// adapter.
    pub(super) fn enough_workgroups(&self) -> usize {
        match self {
            Self::Lanes { .. } | Self::WeightLanes { .. } => 32,
            Self::Tile(_) | Self::WeightTile(_) => 512,
        }
    }

    /// The shader for a product, whose data gradient is one with `gradient`, or for a weight gradient.
    pub(super) fn kernel(&self, element: Element, pointwise: bool, gradient: bool) -> Kernel {
        let lanes = |names: [&'static str; 2], numbers: [usize; 2]| {
            names.into_iter().zip(numbers.map(|number| number as u32)).collect::<Vec<_>>()
        };
        let (shader, own) = match *self {
            Self::Lanes { rows, columns } => ("conv_subgroups", lanes(["ROWS", "COLUMNS"], [rows, columns])),
            Self::WeightLanes { wide_input, columns } => (
                "conv_weights_subgroups",
                lanes(["WIDE_INPUT", "COLUMNS"], [usize::from(wide_input), columns]),
            ),
            Self::Tile(tile) => ("conv_tiles", tile.constants(element, [true, gradient])),
            Self::WeightTile(tile) => ("conv_weights_tiles", tile.constants(element, [false, false])),
        };
        let constants =
            [("POINTWISE", u32::from(pointwise)), ("GRADIENT", u32::from(gradient)), element.constant()];
        let mut kernel = Kernel::new(shader, &constants);
        kernel.constants.extend(own);
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
            Self::Tile(tile) | Self::WeightTile(tile) => tile.fmt(f),
        }
    }
}

/// Matrices as adapters have them, for [`permutations`]: NVIDIA's, Apple's, Mesa's.
const MATRICES: [Matrices; 3] = [
    Matrices { side: 16, lanes: 32, vectors: true },
    Matrices { side: 8, lanes: 32, vectors: false },
    Matrices { side: 8, lanes: 8, vectors: true },
];

/// Every kernel of `conv` with every combination of its constants.
pub(super) fn permutations() -> Vec<Permutation> {
    let mut all = permuted::<SumSlices>(combinations("sum_slices", &[]), |_| 2);
    for element in [Element::F32, Element::F16] {
        for form in [Form::Subgroups, Form::Tiles] {
            all.extend(permutations_of(&Caps::plain(form), element));
        }
    }
    for matrices in MATRICES {
        let caps = Caps { matrices: Some(matrices), ..Caps::plain(Form::Tiles) };
        // Of the layers that stay f32 in an f16 pass the tiles are the same, whatever the matrices.
        let elements =
            if matrices == MATRICES[0] { &[Element::F16, Element::F32][..] } else { &[Element::F16] };
        let of = elements.iter().flat_map(|element| permutations_of(&caps, *element));
        all.extend(of.map(|permutation| Permutation { for_matrices: true, ..permutation }));
    }
    all
}

fn permutations_of(caps: &Caps, element: Element) -> Vec<Permutation> {
    let mut all = Vec::new();
    for pointwise in [false, true] {
        let gate = pointwise;
        for (gradient, bias) in [(false, false), (false, true), (true, false)] {
            let product = |v: &Variant| {
                let mut kernel = v.kernel(element, pointwise, gradient);
                kernel.constants.set(("BIAS", u32::from(bias)));
                kernel
            };
            let kernels: Vec<Kernel> = Variant::products(caps).iter().map(product).collect();
            let role = if gradient { Role::DataGradient } else { Role::Forward { gate } };
            // A layer with a bias has no batch norm.
            let fused = if bias { Vec::new() } else { ends(&kernels) };
            all.extend(unfused::<ConvParams>(kernels, 3 + u32::from(bias)));
            all.extend(with_fusion::<ConvParams>(fused, 3, role));
        }
        let weights = Variant::weights(caps, pointwise);
        let kernels: Vec<Kernel> = weights.iter().map(|v| v.kernel(element, pointwise, false)).collect();
        all.extend(with_fusion::<ConvParams>(ends(&kernels), 3, Role::WeightGradient { gate }));
        all.extend(unfused::<ConvParams>(kernels, 3));
    }
    all
}

/// The first and the last: what is fused does not depend on the shape of a tile.
fn ends(kernels: &[Kernel]) -> Vec<Kernel> {
    kernels.iter().take(1).chain(kernels.last()).cloned().collect()
}
