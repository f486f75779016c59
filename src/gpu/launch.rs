//! One GPU dispatch as plain data: which shader with which constants, over which buffer ranges, with which
//! numbers, how many workgroups. Everything above this module is made of these, so a plan can be printed, costed
//! and tested without a GPU. `replay.rs` turns them into wgpu calls.

/// A buffer in a plan; what it is backed by is the plan's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// How a tensor's numbers are stored. Arithmetic and sums are in f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Element {
    #[default]
    F32,
    /// Activations and their gradients of half-precision plans; needs the adapter's `shader_f16`.
    F16,
}

impl Element {
    /// Name of the constant that makes a kernel's activations f16.
    pub const CONSTANT: &'static str = "HALF";

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

/// A byte range of a buffer. `offset` is a multiple of 256 (WebGPU's storage offset alignment).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    pub buffer: BufferId,
    pub offset: u64,
    pub size: u64,
    /// What the bytes hold where a kernel takes activations in either form; everything else is 4-byte values.
    pub element: Element,
}

/// A shader file with the constants that specialise it. Equal kernels share one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Path below `shaders/` without `.wgsl`.
    pub shader: &'static str,
    /// Declared in the shader as `const NAME: u32`, and visible to `#if` and `#for`.
    pub constants: Vec<(&'static str, u32)>,
}

impl Kernel {
    pub fn new(shader: &'static str, constants: &[(&'static str, u32)]) -> Self {
        Self { shader, constants: constants.to_vec() }
    }
}

/// Work of a dispatch, for cutting submits and for floors: multiply-adds count two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub flops: u64,
    /// Bytes read and written in global memory, each tensor once.
    pub bytes: u64,
}

/// One dispatch.
#[derive(Clone, Debug)]
pub struct Launch {
    pub kernel: Kernel,
    /// In the order of the shader's `@group(0) @binding(i)`. Every storage binding is declared `read_write`:
    /// wgpu tracks usage by whole buffer and forbids one buffer as read-only and read-write in one dispatch.
    pub views: Vec<View>,
    /// The shader's `@group(1) @binding(0) var<uniform> params`, at most 256 bytes; floats by `to_bits`.
    pub params: Vec<u32>,
    /// Workgroups; none above 65,535.
    pub grid: [u32; 3],
    pub cost: Cost,
}

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
