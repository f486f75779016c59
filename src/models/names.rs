//! Which tensors a checkpoint of a network holds, under timm's names, and how they move in and out of the
//! arenas.

use super::init::Arenas;
use super::options::ModelOptions;
use super::registry::build;
use crate::graph::pad4;
use crate::graph::params::{ParamLayout, bn_name};

/// Where a file tensor's values lie.
enum Slot {
    Parameter(usize),
    /// A part of a BN block: offset in the arena and whether that is the running arena.
    Vector {
        running: bool,
        offset: usize,
        channels: usize,
    },
}

impl Slot {
    fn file_shape(&self, layout: &ParamLayout) -> Vec<usize> {
        match *self {
            Self::Parameter(index) => layout.parameters[index].kind.file_shape(),
            Self::Vector { channels, .. } => vec![channels],
        }
    }

    fn is_running(&self) -> bool {
        matches!(self, Self::Vector { running: true, .. })
    }

    /// The slot's values in an arena, in file order.
    fn read(&self, layout: &ParamLayout, arena: &[f32]) -> Vec<f32> {
        match *self {
            Self::Parameter(index) => {
                let parameter = &layout.parameters[index];
                let place = parameter.offset..parameter.offset + parameter.kind.padded_len();
                parameter.kind.unpack(&arena[place])
            }
            Self::Vector { offset, channels, .. } => arena[offset..offset + channels].to_vec(),
        }
    }

    fn write(&self, layout: &ParamLayout, values: &[f32], arena: &mut [f32]) {
        match *self {
            Self::Parameter(index) => {
                let parameter = &layout.parameters[index];
                let place = parameter.offset..parameter.offset + parameter.kind.padded_len();
                parameter.kind.pack(values, &mut arena[place]);
            }
            Self::Vector { offset, channels, .. } => {
                arena[offset..offset + channels].copy_from_slice(values);
            }
        }
    }
}

fn slots(layout: &ParamLayout) -> Vec<(String, Slot)> {
    let mut slots: Vec<(String, Slot)> = layout
        .parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| (parameter.name.clone(), Slot::Parameter(index)))
        .collect();
    for bn in &layout.bn {
        let channels = bn.channels;
        for domain in 0..layout.domains {
            let block = domain * bn.domain_stride;
            let parts = [
                ("weight", false, bn.param_offset + block),
                ("bias", false, bn.param_offset + block + pad4(channels)),
                ("running_mean", true, bn.running_offset + block),
                ("running_var", true, bn.running_offset + block + pad4(channels)),
            ];
            for (tensor, running, offset) in parts {
                slots.push((bn_name(&bn.name, domain, tensor), Slot::Vector { running, offset, channels }));
            }
        }
    }
    slots
}

/// Names and file shapes of all tensors of an architecture with its width and depth multipliers.
pub fn expected(
    arch: &str,
    classes: usize,
    width: f64,
    depth: f64,
    domains: usize,
) -> anyhow::Result<Vec<(String, Vec<usize>)>> {
    // Weights do not depend on the image size; any size that every stage survives will do.
    let options = ModelOptions { width, depth, domains, ..ModelOptions::plain(classes, 64) };
    let layout = build(arch, &options)?.layout;
    Ok(slots(&layout).into_iter().map(|(name, slot)| (name, slot.file_shape(&layout))).collect())
}

/// The arenas as named tensors (name, file shape, values) in layout order.
pub fn export(layout: &ParamLayout, arenas: &Arenas) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let named = slots(layout).into_iter().map(|(name, slot)| {
        let arena = if slot.is_running() { &arenas.running } else { &arenas.params };
        (name, slot.file_shape(layout), slot.read(layout, arena))
    });
    named.collect()
}

/// One arena of the parameters' layout (optimizer state) as named tensors, running statistics left out.
pub fn export_params(layout: &ParamLayout, params: &[f32]) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let named = slots(layout)
        .into_iter()
        .filter(|(_, slot)| !slot.is_running())
        .map(|(name, slot)| (name, slot.file_shape(layout), slot.read(layout, params)));
    named.collect()
}

/// Fills `arenas` from named tensors. `find` returns a tensor's shape and values. A missing auxiliary tensor
/// copies the main domain's; anything else missing or of another shape is an error that names it.
pub fn import<'a>(
    layout: &ParamLayout,
    arenas: &mut Arenas,
    find: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
) -> anyhow::Result<()> {
    for (name, slot) in slots(layout) {
        let values = lookup(layout, &name, &slot, &find)?;
        slot.write(layout, values, if slot.is_running() { &mut arenas.running } else { &mut arenas.params });
    }
    Ok(())
}

/// Fills one arena of the parameters' layout from what [`export_params`] made; padding stays as it is.
pub fn import_params<'a>(
    layout: &ParamLayout,
    params: &mut [f32],
    find: impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
) -> anyhow::Result<()> {
    for (name, slot) in slots(layout) {
        if !slot.is_running() {
            slot.write(layout, lookup(layout, &name, &slot, &find)?, params);
        }
    }
    Ok(())
}

fn lookup<'a>(
    layout: &ParamLayout,
    name: &str,
    slot: &Slot,
    find: &impl Fn(&str) -> Option<(&'a [usize], &'a [f32])>,
) -> anyhow::Result<&'a [f32]> {
    let found = find(name).or_else(|| main_of(name).and_then(|main| find(&main)));
    let Some((shape, values)) = found else {
        anyhow::bail!("tensor {name} is missing");
    };
    let expected = slot.file_shape(layout);
    anyhow::ensure!(shape == expected, "tensor {name} has shape {shape:?}, expected {expected:?}");
    Ok(values)
}

/// `bn1.aux_bn.0.weight` → `bn1.weight`.
fn main_of(name: &str) -> Option<String> {
    let (layer, rest) = name.split_once(".aux_bn.")?;
    let (_, tensor) = rest.split_once('.')?;
    Some(format!("{layer}.{tensor}"))
}
