//! What of an adapter decides which kernels run on it, as plain data.

use super::launch::Element;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What of an adapter decides which form and variant of a kernel runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The family of the GEMM-like kernels.
    pub form: Form,
    /// What timed trials on the adapter found; `None` where the kernels' own rules decide.
    pub tuned: Option<Arc<TunedVariants>>,
    /// The cooperative matrices that multiply f16 activations, if the adapter's passed their test.
    pub matrices: Option<Matrices>,
}

impl Caps {
    /// The capabilities of a form without trials and without cooperative matrices.
    pub const fn plain(form: Form) -> Self {
        Self { form, tuned: None, matrices: None }
    }

    /// These capabilities for a pass that stores its activations as `element`: cooperative matrices take f16
    /// alone.
    pub fn for_storage(self, element: Element) -> Self {
        Self { matrices: self.matrices.filter(|_| element == Element::F16), ..self }
    }
}

/// Cooperative matrices of f16 that sum in f32 (`VK_KHR_cooperative_matrix`, Metal's `simdgroup_matrix`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Matrices {
    /// Rows and columns of each of the three matrices: 8 or 16.
    pub side: u32,
    /// Lanes of a subgroup, the same number in every launch.
    pub lanes: u32,
    /// Whether the matrices can be read from workgroup memory that is declared as vec4.
    pub vectors: bool,
}

/// The two families of GEMM-like kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Tiles in workgroup memory, for GPUs.
    Tiles,
    /// One subgroup of at least eight lanes per tile and no workgroup memory: six to ten times faster than
    /// tiles on llvmpipe, where workgroup memory is ordinary memory.
    Subgroups,
}

/// The kernel variants that timed trials chose on an adapter: a variant's name for each class of work that
/// was tried. What the names mean is the kernels' business.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunedVariants(pub BTreeMap<String, String>);

impl TunedVariants {
    /// The variant that was chosen for a class of work; `None` where the class was not tried.
    pub fn get(&self, class: &str) -> Option<&str> {
        self.0.get(class).map(String::as_str)
    }
}
