//! ONNX's operators as far as our files use them, by the words of its specification and without speed: what a
//! file computes, found without our own kernels.

use dualprop::interop::onnx::message::{AttributeProto, DataType, ModelProto, NodeProto};
use half::f16;
use std::collections::HashMap;

/// Numbers in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Array {
    pub(crate) fn new(shape: &[usize], values: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { shape: shape.to_vec(), values }
    }

    fn map(&self, f: impl Fn(f32) -> f32) -> Self {
        Self::new(&self.shape, self.values.iter().map(|value| f(*value)).collect())
    }

    /// Element by element; `other` is broadcast where it has a side of 1, or fewer dimensions.
    fn zip(&self, other: &Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let missing = self.shape.len() - other.shape.len();
        let values = (0..self.values.len()).map(|index| {
            let (mut rest, mut stride, mut at) = (index, 1, 0);
            for axis in (0..self.shape.len()).rev() {
                let place = rest % self.shape[axis];
                rest /= self.shape[axis];
                if axis >= missing {
                    let side = other.shape[axis - missing];
                    assert!(side == self.shape[axis] || side == 1, "{:?} and {:?}", self.shape, other.shape);
                    at += if side == 1 { 0 } else { place * stride };
                    stride *= side;
                }
            }
            f(self.values[index], other.values[at])
        });
        Self::new(&self.shape, values.collect())
    }

    fn nchw(&self) -> [usize; 4] {
        self.shape.clone().try_into().expect("four dimensions")
    }
}

/// The outputs of a model for its one input, by name.
pub(crate) fn run(model: &ModelProto, input: Array) -> HashMap<String, Array> {
    let graph = model.graph.as_ref().expect("a graph");
    let mut known: HashMap<String, Array> = HashMap::new();
    for tensor in &graph.initializer {
        let bytes = tensor.raw_data.as_deref().expect("its numbers");
        let values = match tensor.data_type {
            Some(kind) if kind == DataType::Float as i32 => {
                bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
            }
            Some(kind) if kind == DataType::Float16 as i32 => {
                bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
            }
            other => panic!("numbers of type {other:?}"),
        };
        let shape: Vec<usize> = tensor.dims.iter().map(|side| *side as usize).collect();
        let name = tensor.name.clone().expect("a name");
        assert!(known.insert(name.clone(), Array::new(&shape, values)).is_none(), "{name} is there twice");
    }
    let [described] = &graph.input[..] else { panic!("{} inputs", graph.input.len()) };
    known.insert(described.name.clone().expect("a name"), input);
    for node in &graph.node {
        let inputs: Vec<&Array> =
            node.input.iter().map(|name| known.get(name).unwrap_or_else(|| panic!("no {name}"))).collect();
        let made = compute(node, &inputs);
        let [name] = &node.output[..] else { panic!("{} outputs", node.output.len()) };
        assert!(known.insert(name.clone(), made).is_none(), "{name} is computed twice");
    }
    let outputs = graph.output.iter().map(|output| {
        let name = output.name.clone().expect("a name");
        let value = known.remove(&name).unwrap_or_else(|| panic!("nothing computes {name}"));
        (name, value)
    });
    outputs.collect()
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
}

fn ints(node: &NodeProto, name: &str) -> Option<Vec<usize>> {
    attribute(node, name).map(|found| found.ints.iter().map(|value| *value as usize).collect())
}

fn int(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name).and_then(|found| found.i)
}

fn float(node: &NodeProto, name: &str) -> f32 {
    attribute(node, name).and_then(|found| found.f).expect("the attribute is there")
}

fn sigmoid(u: f32) -> f32 {
    (1.0 / (1.0 + (-f64::from(u)).exp())) as f32
}

fn compute(node: &NodeProto, inputs: &[&Array]) -> Array {
    let x = inputs[0];
    match node.op_type.as_deref().expect("an operator") {
        "Cast" => {
            assert_eq!(int(node, "to"), Some(DataType::Float as i64));
            x.clone()
        }
        "Add" => x.zip(inputs[1], |a, b| a + b),
        "Sub" => x.zip(inputs[1], |a, b| a - b),
        "Mul" => x.zip(inputs[1], |a, b| a * b),
        "Div" => x.zip(inputs[1], |a, b| a / b),
        "Relu" => x.map(|u| u.max(0.0)),
        "Clip" => x.map(|u| u.clamp(inputs[1].values[0], inputs[2].values[0])),
        "Sigmoid" => x.map(sigmoid),
        "HardSigmoid" => {
            let (alpha, beta) = (float(node, "alpha"), float(node, "beta"));
            x.map(|u| (alpha * u + beta).clamp(0.0, 1.0))
        }
        "HardSwish" => x.map(|u| u * (u / 6.0 + 0.5).clamp(0.0, 1.0)),
        "Transpose" => transpose(x, &ints(node, "perm").expect("an order")),
        "Flatten" => Array::new(&[x.shape[0], x.values.len() / x.shape[0]], x.values.clone()),
        "Softmax" => {
            assert_eq!(int(node, "axis"), Some(1));
            softmax(x)
        }
        "GlobalAveragePool" => {
            let [n, c, h, w] = x.nchw();
            let means = x
                .values
                .chunks_exact(h * w)
                .map(|map| (map.iter().map(|value| f64::from(*value)).sum::<f64>() / (h * w) as f64) as f32);
            Array::new(&[n, c, 1, 1], means.collect())
        }
        "BatchNormalization" => {
            let [_, c, h, w] = x.nchw();
            let eps = float(node, "epsilon");
            let values = x.values.iter().enumerate().map(|(index, value)| {
                let channel = index / (h * w) % c;
                let of = |input: usize| inputs[input].values[channel];
                (value - of(3)) / (of(4) + eps).sqrt() * of(1) + of(2)
            });
            Array::new(&x.shape, values.collect())
        }
        "Gemm" => {
            assert_eq!(int(node, "transB"), Some(1));
            gemm(x, inputs[1], inputs[2])
        }
        "Conv" => conv(node, x, inputs[1], inputs.get(2).copied()),
        "MaxPool" => max_pool(node, x),
        other => panic!("{other} is not known here"),
    }
}

fn transpose(x: &Array, order: &[usize]) -> Array {
    let shape: Vec<usize> = order.iter().map(|axis| x.shape[*axis]).collect();
    let strides: Vec<usize> = (0..x.shape.len()).map(|axis| x.shape[axis + 1..].iter().product()).collect();
    let values = (0..x.values.len()).map(|index| {
        let (mut rest, mut at) = (index, 0);
        for (axis, side) in order.iter().zip(&shape).rev() {
            at += rest % side * strides[*axis];
            rest /= side;
        }
        x.values[at]
    });
    Array::new(&shape, values.collect())
}

fn softmax(x: &Array) -> Array {
    let rows = x.values.chunks_exact(x.shape[1]).flat_map(|row| {
        let largest = row.iter().copied().fold(f32::MIN, f32::max);
        let powers: Vec<f32> = row.iter().map(|value| (value - largest).exp()).collect();
        let sum: f32 = powers.iter().sum();
        powers.into_iter().map(move |power| power / sum)
    });
    Array::new(&x.shape, rows.collect())
}

fn gemm(x: &Array, weight: &Array, bias: &Array) -> Array {
    let (rows, inner, out) = (x.shape[0], x.shape[1], weight.shape[0]);
    assert_eq!(weight.shape[1], inner);
    let values = (0..rows * out).map(|index| {
        let (row, column) = (index / out, index % out);
        let products = x.values[row * inner..][..inner].iter().zip(&weight.values[column * inner..][..inner]);
        let sum: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        (sum + f64::from(bias.values[column])) as f32
    });
    Array::new(&[rows, out], values.collect())
}

/// Kernel, stride and pads of a window; the defaults are ONNX's.
struct Window {
    kernel: usize,
    stride: usize,
    /// Top, left, bottom, right.
    pads: Vec<usize>,
}

impl Window {
    fn of(node: &NodeProto, kernel: usize) -> Self {
        let stride = ints(node, "strides").map_or(1, |strides| strides[0]);
        assert!(ints(node, "kernel_shape").is_none_or(|shape| shape == [kernel; 2]));
        Self { kernel, stride, pads: ints(node, "pads").unwrap_or(vec![0; 4]) }
    }

    /// The output's sides for an input of these.
    fn output(&self, height: usize, width: usize) -> (usize, usize) {
        let along = |side: usize, pad: usize| (side + pad - self.kernel) / self.stride + 1;
        (along(height, self.pads[0] + self.pads[2]), along(width, self.pads[1] + self.pads[3]))
    }

    /// The input's cells below the window at an output cell, with their places in the kernel.
    fn cells(
        &self,
        (y, x): (usize, usize),
        (height, width): (usize, usize),
    ) -> impl Iterator<Item = (usize, usize)> + '_ {
        let top = (y * self.stride) as isize - self.pads[0] as isize;
        let left = (x * self.stride) as isize - self.pads[1] as isize;
        (0..self.kernel * self.kernel).filter_map(move |tap| {
            let (row, column) = (top + (tap / self.kernel) as isize, left + (tap % self.kernel) as isize);
            let inside = (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
            inside.then(|| (tap, row as usize * width + column as usize))
        })
    }
}

fn conv(node: &NodeProto, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    let ([n, c, h, w], [out, per_group, kernel, _]) = (x.nchw(), weight.nchw());
    let groups = int(node, "group").unwrap_or(1) as usize;
    assert_eq!(per_group * groups, c);
    let window = Window::of(node, kernel);
    let (out_h, out_w) = window.output(h, w);
    let mut values = Vec::with_capacity(n * out * out_h * out_w);
    for image in 0..n {
        for channel in 0..out {
            let first = channel / (out / groups) * per_group;
            for at in 0..out_h * out_w {
                let mut sum = bias.map_or(0.0, |bias| f64::from(bias.values[channel]));
                for (tap, cell) in window.cells((at / out_w, at % out_w), (h, w)) {
                    for inner in 0..per_group {
                        let pixel = x.values[(image * c + first + inner) * h * w + cell];
                        let factor = weight.values[(channel * per_group + inner) * kernel * kernel + tap];
                        sum += f64::from(pixel) * f64::from(factor);
                    }
                }
                values.push(sum as f32);
            }
        }
    }
    Array::new(&[n, out, out_h, out_w], values)
}

fn max_pool(node: &NodeProto, x: &Array) -> Array {
    let [n, c, h, w] = x.nchw();
    let kernel = ints(node, "kernel_shape").expect("a size")[0];
    let window = Window::of(node, kernel);
    let (out_h, out_w) = window.output(h, w);
    let maps = x.values.chunks_exact(h * w).flat_map(|map| {
        let largest = |at: usize| {
            let cells = window.cells((at / out_w, at % out_w), (h, w));
            cells.map(|(_, cell)| map[cell]).fold(f32::NEG_INFINITY, f32::max)
        };
        (0..out_h * out_w).map(largest).collect::<Vec<f32>>()
    });
    Array::new(&[n, c, out_h, out_w], maps.collect())
}
