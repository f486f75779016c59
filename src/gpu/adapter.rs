//! Which adapters there are, what they can do, and which one a user's `--device` means.

use super::caps::{Caps, Form, Matrices};
use super::error::GpuError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// `--device`: `auto`, `cpu`, a number of `dualprop devices`, or a part of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// Discrete before integrated before software.
    #[default]
    Auto,
    /// The first software adapter.
    Cpu,
    /// The adapter of that number in `dualprop devices`.
    Index(usize),
    /// Case-insensitive part of the adapter's name.
    Name(String),
}

impl FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        Ok(match text.to_lowercase().as_str() {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            _ => text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index),
        })
    }
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// One adapter as `dualprop devices` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterReport {
    /// The number that `--device` takes.
    pub index: usize,
    /// The adapter's name, as its driver gives it.
    pub name: String,
    /// `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub device_type: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Limits that decide what fits, in bytes or counts.
    pub limits: BTreeMap<String, u64>,
    /// Optional features that the program uses where offered.
    pub features: Vec<String>,
    /// Family of the GEMM-like kernels that runs here: `tiles` or `subgroups`.
    pub form: String,
}

/// All adapters, best first; their order is what `--device N` counts.
pub fn adapters() -> Vec<AdapterReport> {
    enumerate().iter().enumerate().map(|(index, adapter)| report(index, adapter)).collect()
}

fn enumerate() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.sort_by_key(|adapter| {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        };
        // Vulkan before DX12 where a GPU offers both: larger buffers, subgroups without a shader compiler
        // DLL.
        (kind, info.backend != wgpu::Backend::Vulkan)
    });
    adapters
}

pub(super) fn pick(choice: &DeviceChoice) -> Result<(wgpu::Adapter, AdapterReport), GpuError> {
    let mut adapters = enumerate();
    if adapters.is_empty() {
        return Err(GpuError::NoAdapter);
    }
    let index = match choice {
        DeviceChoice::Auto => Some(0),
        DeviceChoice::Cpu => adapters.iter().position(|a| a.get_info().device_type == wgpu::DeviceType::Cpu),
        DeviceChoice::Index(index) => (*index < adapters.len()).then_some(*index),
        DeviceChoice::Name(part) => {
            let part = part.to_lowercase();
            adapters.iter().position(|a| a.get_info().name.to_lowercase().contains(&part))
        }
    };
    let Some(index) = index else {
        let available: Vec<String> =
            adapters.iter().enumerate().map(|(i, a)| format!("{i}: {}", a.get_info().name)).collect();
        return Err(GpuError::NoSuchAdapter { choice: choice.to_string(), available: available.join(", ") });
    };
    let report = report(index, &adapters[index]);
    Ok((adapters.swap_remove(index), report))
}

fn report(index: usize, adapter: &wgpu::Adapter) -> AdapterReport {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let features = adapter.features();
    let used = [
        ("subgroup", wgpu::Features::SUBGROUP),
        ("shader_f16", wgpu::Features::SHADER_F16),
        ("timestamp_query", wgpu::Features::TIMESTAMP_QUERY),
        ("pipeline_cache", wgpu::Features::PIPELINE_CACHE),
        ("cooperative_matrix", wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
    ];
    AdapterReport {
        index,
        name: info.name.clone(),
        backend: info.backend.to_string(),
        device_type: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        }
        .to_owned(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        limits: BTreeMap::from([
            ("max_buffer_size".to_owned(), limits.max_buffer_size),
            ("max_storage_buffer_binding_size".to_owned(), limits.max_storage_buffer_binding_size),
            (
                "max_compute_workgroup_storage_size".to_owned(),
                limits.max_compute_workgroup_storage_size.into(),
            ),
            (
                "max_compute_invocations_per_workgroup".to_owned(),
                limits.max_compute_invocations_per_workgroup.into(),
            ),
            (
                "max_storage_buffers_per_shader_stage".to_owned(),
                limits.max_storage_buffers_per_shader_stage.into(),
            ),
            ("subgroup_min_size".to_owned(), info.subgroup_min_size.into()),
            ("subgroup_max_size".to_owned(), info.subgroup_max_size.into()),
        ]),
        features: used.iter().filter(|(_, f)| features.contains(*f)).map(|(n, _)| (*n).to_owned()).collect(),
        form: match caps(adapter).form {
            Form::Tiles => "tiles",
            Form::Subgroups => "subgroups",
        }
        .to_owned(),
    }
}

/// A software adapter gets the kernels without workgroup memory, if its subgroups are wide enough for them.
pub(super) fn caps(adapter: &wgpu::Adapter) -> Caps {
    let software = adapter.get_info().device_type == wgpu::DeviceType::Cpu;
    Caps::plain(if software && runs(adapter, Form::Subgroups) { Form::Subgroups } else { Form::Tiles })
}

/// Whether the kernels of `form` compute what they should on the adapter.
pub(super) fn runs(adapter: &wgpu::Adapter, form: Form) -> bool {
    match form {
        Form::Tiles => true,
        Form::Subgroups => {
            adapter.features().contains(wgpu::Features::SUBGROUP) && adapter.get_info().subgroup_min_size >= 8
        }
    }
}

/// Workgroup memory of a kernel with cooperative matrices, at most.
const MATRIX_KERNEL_BYTES: u32 = 32 * 1024;

/// The square f16 matrices with f32 sums that shaders can use, the largest there are.
pub(super) fn matrices(adapter: &wgpu::Adapter) -> Option<Matrices> {
    let needed = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX
        | wgpu::Features::SHADER_F16
        | wgpu::Features::SUBGROUP;
    let enough = adapter.limits().max_compute_workgroup_storage_size >= MATRIX_KERNEL_BYTES;
    if !adapter.features().contains(needed) || !enough {
        return None;
    }
    let info = adapter.get_info();
    let metal = info.backend == wgpu::Backend::Metal;
    // Subgroups share a tile by number, so there must be as many in every launch. wgpu knows no size on
    // Metal, where those of every GPU with these matrices have 32 lanes.
    let lanes = match (info.subgroup_min_size, info.subgroup_max_size) {
        _ if metal => 32,
        (least, most) if least == most => least,
        _ => return None,
    };
    let f16 = wgpu::CooperativeScalarType::F16;
    let f32 = wgpu::CooperativeScalarType::F32;
    let side = |p: &wgpu::CooperativeMatrixProperties| {
        let square = p.m_size == p.n_size && p.n_size == p.k_size && [8, 16].contains(&p.m_size);
        (square && (p.ab_type, p.cr_type) == (f16, f32)).then_some(p.m_size)
    };
    let side = adapter.cooperative_matrix_properties().iter().filter_map(side).max()?;
    // naga hands Metal's load the pointer as it is, and that takes one to scalars alone.
    Some(Matrices { side, lanes, vectors: !metal })
}
