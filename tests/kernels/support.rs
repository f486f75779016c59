//! What the kernel tests share: buffers by view, random data, comparison, tolerances.

use dualprop::gpu::{BufferId, Caps, Device, Element, Form, Launch, Matrices, StepUniform, View, run};
use dualprop::kernels::reference::random::random_unit;
use half::f16;

/// Largest differences from the reference, relative to the largest magnitude of the expected tensor.
pub(crate) mod tolerance {
    /// A few roundings of f32 (6e-8 each).
    pub(crate) const ELEMENTWISE: f32 = 1e-6;
    /// exp and log of WGSL are allowed a few units in the last place more.
    pub(crate) const EXPONENTIAL: f32 = 4e-6;
    /// Sums of up to a few thousand terms in f32.
    pub(crate) const SUM: f32 = 1e-5;
    /// Batch norm's backward: the difference of terms that are each a sum.
    pub(crate) const BATCH_NORM_BACKWARD: f32 = 5e-5;

    /// `f32` for numbers that a kernel stores as `element`: f16 rounds to 11 bits, by a half of the last one,
    /// and twice that where the sum's own error moves it across the middle.
    pub(crate) fn stored(element: dualprop::gpu::Element, f32: f32) -> f32 {
        match element {
            dualprop::gpu::Element::F32 => f32,
            dualprop::gpu::Element::F16 => f32 + 1.0 / 1024.0,
        }
    }

    /// `limit` where what is multiplied was computed on load: cooperative matrices take it rounded to f16.
    pub(crate) fn multiplied(caps: &dualprop::gpu::Caps, limit: f32) -> f32 {
        if caps.matrices.is_some() { limit + 1.0 / 1024.0 } else { limit }
    }
}

/// Both families of kernels, for tests of plans that run nothing.
pub(crate) const FORMS: [Caps; 2] = [Caps::plain(Form::Subgroups), Caps::plain(Form::Tiles)];

/// The families of kernels that run on the adapter: both, where its subgroups are wide enough.
pub(crate) fn families() -> Vec<Caps> {
    Device::for_tests().forms().iter().map(|form| Caps::plain(*form)).collect()
}

/// What convolutions of activations stored so are made of: [`families`], and cooperative matrices where the
/// adapter has them, from scalars too, as Metal reads them. Software adapters seldom do: Mesa 26.2's does,
/// 25.0's does not.
pub(crate) fn forms(element: Element) -> Vec<Caps> {
    let offered = Device::for_tests().offered_matrices().filter(|_| element == Element::F16);
    let scalars = offered.filter(|m| m.vectors).map(|m| Matrices { vectors: false, ..m });
    let with = |m| Caps { matrices: Some(m), ..Caps::plain(Form::Tiles) };
    families().into_iter().chain(offered.into_iter().chain(scalars).map(with)).collect()
}

/// The ways to store activations that the adapter knows: both, where its shaders have f16.
pub(crate) fn elements() -> Vec<Element> {
    Device::for_tests().storages().to_vec()
}

/// Every case, stored in every way that the adapter knows.
pub(crate) fn with_elements<T: Copy>(
    cases: impl IntoIterator<Item = T>,
) -> impl Iterator<Item = (T, Element)> {
    let elements = elements();
    cases.into_iter().flat_map(move |case| elements.clone().into_iter().map(move |element| (case, element)))
}

/// The buffers of one test, each behind one view. Those in f16 are converted on their way to the device and
/// back.
#[derive(Default)]
pub(crate) struct Buffers {
    data: Vec<Vec<f32>>,
    elements: Vec<Element>,
}

impl Buffers {
    pub(crate) fn add(&mut self, data: &[f32]) -> View {
        self.add_stored(Element::F32, data)
    }

    /// Activations or their gradients, rounded where `element` cannot hold them.
    pub(crate) fn add_stored(&mut self, element: Element, data: &[f32]) -> View {
        self.data.push(rounded(element, data));
        self.elements.push(element);
        View::stored(BufferId(self.data.len() as u32 - 1), data.len(), element)
    }

    /// A buffer whose content must not matter: full of numbers that would show.
    pub(crate) fn scratch(&mut self, elements: usize) -> View {
        self.scratch_stored(Element::F32, elements)
    }

    pub(crate) fn scratch_stored(&mut self, element: Element, elements: usize) -> View {
        self.add_stored(element, &vec![777.0; elements])
    }

    pub(crate) fn add_words(&mut self, words: &[u32]) -> View {
        let floats: Vec<f32> = words.iter().map(|w| f32::from_bits(*w)).collect();
        self.add(&floats)
    }

    /// Overwrites the part of a buffer that `view` is.
    pub(crate) fn set_words(&mut self, view: View, words: &[u32]) {
        let part = &mut self.data[view.buffer.0 as usize][view.offset as usize / 4..][..words.len()];
        part.iter_mut().zip(words).for_each(|(to, word)| *to = f32::from_bits(*word));
    }

    pub(crate) fn run(&mut self, launches: &[Launch]) {
        self.run_at(launches, &StepUniform::default());
    }

    pub(crate) fn run_at(&mut self, launches: &[Launch], step: &StepUniform) {
        let device = Device::for_tests();
        self.convert(|halves| {
            let words = halves.chunks_exact(2).map(|pair| {
                let bits = |v: f32| u32::from(f16::from_f32(v).to_bits());
                f32::from_bits(bits(pair[0]) | bits(pair[1]) << 16)
            });
            words.collect()
        });
        run(&device, launches, &mut self.data, step).expect("the launches run");
        self.convert(|words| {
            let pairs = words.iter().map(|word| [word.to_bits() as u16, (word.to_bits() >> 16) as u16]);
            pairs.flatten().map(|bits| f16::from_bits(bits).to_f32()).collect()
        });
    }

    /// Replaces every buffer of halves.
    fn convert(&mut self, to: impl Fn(&[f32]) -> Vec<f32>) {
        for (data, element) in self.data.iter_mut().zip(&self.elements) {
            if *element == Element::F16 {
                *data = to(data);
            }
        }
    }

    pub(crate) fn get(&self, view: View) -> &[f32] {
        &self.data[view.buffer.0 as usize]
    }
}

/// `data` as `element` holds it.
pub(crate) fn rounded(element: Element, data: &[f32]) -> Vec<f32> {
    match element {
        Element::F32 => data.to_vec(),
        Element::F16 => data.iter().map(|v| f16::from_f32(*v).to_f32()).collect(),
    }
}

/// `n` numbers in [low, high), the same for the same stream.
pub(crate) fn uniform(n: usize, low: f32, high: f32, stream: u32) -> Vec<f32> {
    (0..n as u32).map(|i| low + (high - low) * random_unit(1, 2, stream, i)).collect()
}

/// `rows` × `channels` numbers in [low, high), zero from channel `real` on, as padded tensors are.
pub(crate) fn padded(
    rows: usize,
    channels: usize,
    real: usize,
    low: f32,
    high: f32,
    stream: u32,
) -> Vec<f32> {
    let mut data = uniform(rows * channels, low, high, stream);
    for (i, value) in data.iter_mut().enumerate() {
        if i % channels >= real {
            *value = 0.0;
        }
    }
    data
}

/// Fails where `actual` is further from `expected` than `tolerance` times the largest expected magnitude.
#[track_caller]
pub(crate) fn assert_close(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    let scale = expected.iter().fold(1e-30_f32, |m, v| m.max(v.abs()));
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        // Written so that NaN fails.
        let close = (a - e).abs() <= tolerance * scale;
        assert!(close, "{what}: element {i} is {a}, expected {e} (scale {scale})");
    }
}

/// Elements that must be equal bit by bit, but for the sign of a zero.
#[track_caller]
pub(crate) fn assert_same_bits(actual: &[f32], expected: &[f32], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: lengths");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        // Of max(0, -0) a compiler may take either.
        let zeros = *a == 0.0 && *e == 0.0;
        assert!(zeros || a.to_bits() == e.to_bits(), "{what}: element {i} is {a:e}, expected {e:e}");
    }
}

/// Fails unless every element from channel `real` on is zero.
#[track_caller]
pub(crate) fn assert_padding_zero(data: &[f32], channels: usize, real: usize, what: &str) {
    let bad = data.iter().enumerate().find(|(i, v)| i % channels >= real && **v != 0.0);
    assert!(bad.is_none(), "{what}: padded element {bad:?}");
}

/// A sum with something already there.
pub(crate) fn plus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
