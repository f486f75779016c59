//! One GPU dispatch as plain data: which shader with which constants, over which buffer ranges, with which
//! numbers, how many workgroups. Everything above this module is made of these, so a plan can be printed,
//! costed and tested without a GPU. `replay.rs` turns them into wgpu calls.

use super::convolution::ConvCase;
use super::params::{ParamField, Params};
use std::collections::BTreeMap;

/// A buffer in a plan; what it is backed by is the plan's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// How a tensor's numbers are stored. Arithmetic and sums are in f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Element {
    /// Four bytes a number.
    #[default]
    F32,
    /// Two bytes a number: activations and their gradients of half-precision plans; needs the adapter's
    /// `shader_f16`.
    F16,
}

impl Element {
    /// Name of the constant that makes a kernel's activations f16.
    pub const CONSTANT: &'static str = "HALF";

    /// Bytes of one number.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// The constant of `shaders/lib/storage.wgsl`.
    pub fn constant(self) -> (&'static str, u32) {
        (Self::CONSTANT, u32::from(self == Self::F16))
    }
}

/// A byte range of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// The buffer.
    pub buffer: BufferId,
    /// Bytes before the range, a multiple of [`VIEW_ALIGNMENT`].
    pub offset: u64,
    /// Bytes of the range.
    pub size: u64,
    /// What the bytes hold where a kernel takes activations in either form; everything else is 4-byte values.
    pub element: Element,
}

/// The constants that specialise a shader, by name. Their order means nothing, so kernels with equal
/// constants are equal however they were put together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Constants(BTreeMap<&'static str, u32>);

impl Constants {
    /// Sets a constant, in place of its earlier value if it has one.
    pub fn set(&mut self, (name, value): (&'static str, u32)) {
        self.0.insert(name, value);
    }

    /// The value of a constant; `None` if the kernel has none of that name.
    pub fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// Whether a constant is there and has that value.
    pub fn has(&self, (name, value): (&str, u32)) -> bool {
        self.get(name) == Some(value)
    }

    /// Whether a constant is there and is not zero.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != 0)
    }

    /// All constants, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        self.0.iter().map(|(name, value)| (*name, *value))
    }
}

impl Extend<(&'static str, u32)> for Constants {
    fn extend<I: IntoIterator<Item = (&'static str, u32)>>(&mut self, constants: I) {
        self.0.extend(constants);
    }
}

/// A shader file with the constants that specialise it. Equal kernels share one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Path below `shaders/` without `.wgsl`.
    pub shader: &'static str,
    /// Declared in the shader as `const NAME: u32`, and visible to `#if` and `#for`.
    pub constants: Constants,
}

/// The constant that is 1 where a kernel multiplies by cooperative matrices ([`super::Matrices`]).
pub const MATRIX: &str = "MATRIX";

impl Kernel {
    /// The kernel of a shader with these constants.
    pub fn new(shader: &'static str, constants: &[(&'static str, u32)]) -> Self {
        Self { shader, constants: Constants(constants.iter().copied().collect()) }
    }

    /// WGSL's names of the extensions that the kernel's text enables.
    pub fn enables(&self) -> Vec<&'static str> {
        let f16 = self.constants.is_set(Element::CONSTANT).then_some("f16");
        let matrices = self.constants.is_set(MATRIX).then_some("wgpu_cooperative_matrix");
        f16.into_iter().chain(matrices).collect()
    }
}

/// Work of a dispatch, for cutting submits and for floors: multiply-adds count two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes read and written in global memory, each tensor once.
    pub bytes: u64,
}

/// One dispatch.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What runs.
    pub kernel: Kernel,
    /// The tensors in the order of the shader's `@group(0) @binding(i)`. Every storage binding is declared
    /// `read_write`: wgpu tracks usage by whole buffer and forbids one buffer as read-only and read-write in
    /// one dispatch.
    pub views: Vec<View>,
    /// The words of the shader's `@group(1) @binding(0) var<uniform> params`, at most [`PARAMS_BYTES`].
    pub params: Vec<u32>,
    /// The names of `params`.
    pub fields: &'static [ParamField],
    /// Workgroups in x, y and z; none above [`MAX_GRID`].
    pub grid: [u32; 3],
    /// The work of the dispatch.
    pub cost: Cost,
    /// The convolution that the launch computes, where it is one that has variants.
    pub convolution: Option<ConvCase>,
}

impl Launch {
    /// A dispatch of `kernel` over `views` with the numbers of `params`, in `grid` workgroups.
    pub fn new<P: Params>(kernel: Kernel, views: Vec<View>, params: P, grid: [u32; 3], cost: Cost) -> Self {
        const { assert!(size_of::<P>() <= PARAMS_BYTES, "a launch has more numbers than it may carry") };
        let params = bytemuck::cast_slice(std::slice::from_ref(&params)).to_vec();
        Self { kernel, views, params, fields: P::FIELDS, grid, cost, convolution: None }
    }
}

/// A view begins at a multiple of so many bytes of its buffer: WebGPU's default alignment of storage
/// bindings.
pub const VIEW_ALIGNMENT: u64 = 256;

/// Bytes of uniform numbers that a launch may carry.
pub const PARAMS_BYTES: usize = 256;

/// Largest number of workgroups along one dimension (WebGPU's default limit).
pub const MAX_GRID: u32 = 65_535;

/// Workgroups for `threads` one-dimensional threads in groups of `group`, folded into y where x overflows.
/// The shader finds its number as `workgroup_id.y * num_workgroups.x + workgroup_id.x` and checks the end.
pub fn linear_grid(threads: u64, group: u64) -> [u32; 3] {
    let groups = threads.div_ceil(group).max(1);
    let rows = groups.div_ceil(u64::from(MAX_GRID));
    let columns = groups.div_ceil(rows);
    [columns as u32, rows as u32, 1]
}

impl View {
    /// A whole buffer of `elements` 4-byte values.
    pub fn whole(buffer: BufferId, elements: usize) -> Self {
        Self::stored(buffer, elements, Element::F32)
    }

    /// A whole buffer of `elements` numbers.
    pub fn stored(buffer: BufferId, elements: usize, element: Element) -> Self {
        Self { buffer, offset: 0, size: elements as u64 * element.bytes(), element }
    }

    /// 4-byte values from byte `offset` on.
    pub fn words(buffer: BufferId, offset: u64, words: usize) -> Self {
        Self { buffer, offset, size: words as u64 * 4, element: Element::F32 }
    }
}
