//! A graph in the making: nodes, constants and the names of tensors.

use super::message::{
    AttributeProto, DataType, DimensionProto, GraphProto, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::interop::rounding::Rounding;
use std::collections::BTreeSet;

/// A value of the graph: the name of its tensor.
pub(super) type Value = String;

/// Attributes of a node.
pub(super) enum Attribute<'a> {
    Ints(&'a str, Vec<usize>),
    Int(&'a str, i64),
    Float(&'a str, f32),
}

/// Builds a graph node by node.
pub(super) struct GraphBuilder {
    graph: GraphProto,
    /// Names of constants that are there.
    known: BTreeSet<String>,
    /// What rounding to f16 cost, where weights are stored so.
    rounding: Option<Rounding>,
}

impl GraphBuilder {
    pub(super) fn new(name: &str, f16: bool) -> Self {
        let graph = GraphProto { name: Some(name.to_owned()), ..GraphProto::default() };
        Self { graph, known: BTreeSet::new(), rounding: f16.then(Rounding::default) }
    }

    /// An input of the graph; `None` in the shape is the number of images.
    pub(super) fn input(
        &mut self,
        name: &str,
        kind: DataType,
        shape: &[Option<usize>],
        means: &str,
    ) -> Value {
        self.graph.input.push(described(name, kind, shape, means));
        name.to_owned()
    }

    /// Makes the value `name` an output of the graph.
    pub(super) fn output(&mut self, name: &str, shape: &[Option<usize>], means: &str) {
        self.graph.output.push(described(name, DataType::Float, shape, means));
    }

    /// A node with one output, which has the node's name.
    pub(super) fn node(
        &mut self,
        operator: &str,
        name: impl Into<String>,
        inputs: &[&str],
        attributes: Vec<Attribute<'_>>,
    ) -> Value {
        let name = name.into();
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.clone()],
            name: Some(name.clone()),
            op_type: Some(operator.to_owned()),
            attribute: attributes.into_iter().map(attribute).collect(),
        });
        name
    }

    /// A constant in f32. One of a name that is there already is that one.
    pub(super) fn constant(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        values: impl FnOnce() -> Vec<f32>,
    ) -> Value {
        let name = name.into();
        if self.known.insert(name.clone()) {
            let bytes = values().iter().flat_map(|value| value.to_le_bytes()).collect();
            self.push_tensor(&name, shape, DataType::Float, bytes);
        }
        name
    }

    /// As [`Self::constant`], but stored as f16 where the builder was told so. A node turns such a weight
    /// into f32, and everything is computed in f32: the CPU kernels of the runtimes know no other
    /// convolution.
    pub(super) fn weight(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        values: impl FnOnce() -> Vec<f32>,
    ) -> anyhow::Result<Value> {
        let name = name.into();
        if self.rounding.is_none() {
            return Ok(self.constant(name, shape, values));
        }
        if self.known.insert(name.clone()) {
            let stored = format!("{name}.f16");
            let rounding = self.rounding.get_or_insert_default();
            let bytes = rounding.round(&name, &values())?;
            self.push_tensor(&stored, shape, DataType::Float16, bytes);
            self.node("Cast", name.clone(), &[&stored], vec![Attribute::Int("to", DataType::Float as i64)]);
        }
        Ok(name)
    }

    fn push_tensor(&mut self, name: &str, shape: &[usize], kind: DataType, bytes: Vec<u8>) {
        self.graph.initializer.push(TensorProto {
            dims: shape.iter().map(|side| *side as i64).collect(),
            data_type: Some(kind as i32),
            name: Some(name.to_owned()),
            raw_data: Some(bytes),
        });
    }

    /// The graph, and what rounding to f16 cost where weights are stored so.
    pub(super) fn finish(self) -> (GraphProto, Option<Rounding>) {
        (self.graph, self.rounding)
    }
}

fn attribute(attribute: Attribute<'_>) -> AttributeProto {
    let named = |name: &str, kind| AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(kind),
        ..AttributeProto::default()
    };
    match attribute {
        Attribute::Float(name, value) => AttributeProto { f: Some(value), ..named(name, 1) },
        Attribute::Int(name, value) => AttributeProto { i: Some(value), ..named(name, 2) },
        Attribute::Ints(name, values) => {
            AttributeProto { ints: values.into_iter().map(|value| value as i64).collect(), ..named(name, 7) }
        }
    }
}

fn described(name: &str, kind: DataType, shape: &[Option<usize>], means: &str) -> ValueInfoProto {
    let dim = |side: &Option<usize>| match side {
        Some(side) => DimensionProto { dim_value: Some(*side as i64), dim_param: None },
        None => DimensionProto { dim_value: None, dim_param: Some("N".to_owned()) },
    };
    let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: Some(kind as i32), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { tensor_type: Some(tensor) }),
        doc_string: Some(means.to_owned()),
    }
}
