//! What an ONNX file of a checkpoint says besides the graph: the names of its ends, and facts for programs.

use super::{ExportOptions, Model};
use crate::interop::onnx::{OnnxOptions, Output, network_model, write as write_model};
use crate::interop::rounding::Rounding;
use crate::models::init::Arenas;
use crate::models::names;
use serde_json::json;

/// Writes the file; returns what f16 cost where weights are stored so.
pub(super) fn write(model: &Model, options: &ExportOptions) -> anyhow::Result<Option<Rounding>> {
    let (meta, network) = (&model.checkpoint.meta, &model.network);
    let mut arenas = Arenas {
        params: vec![0.0; network.layout.param_len],
        running: vec![0.0; network.layout.running_len],
    };
    names::import(&network.layout, &mut arenas, |name| {
        model.checkpoint.tensors.get(name).map(|tensor| (tensor.shape.as_slice(), tensor.data.as_slice()))
    })?;
    let onnx = OnnxOptions {
        outputs: outputs(model, options.softmax),
        pixels: options.pixels.then_some((meta.mean, meta.std)),
        f16: options.f16,
        facts: facts(model, options)?,
        step: meta.step,
        description: format!("{} with {} classes, {}", meta.arch, meta.classes.len(), model.parts()),
    };
    let (file, rounding) = network_model(&meta.arch, network, &arenas, &onnx)?;
    write_model(&options.out, &file)?;
    Ok(rounding)
}

/// The outputs of each domain. The first, which is main where there are several, has the plain names.
pub(super) fn outputs(model: &Model, softmax: bool) -> Vec<Output> {
    let several = model.domains.len() > 1;
    let each = model.domains.iter().enumerate().map(|(domain, name)| {
        let called = |output: &str| if domain == 0 { output.to_owned() } else { format!("{output}_{name}") };
        Output {
            domain,
            prefix: if several { format!("{name}/") } else { String::new() },
            logits: called("logits"),
            probabilities: softmax.then(|| called("probabilities")),
        }
    });
    each.collect()
}

/// The name and shape of what goes in.
pub(super) fn input(model: &Model, pixels: bool) -> String {
    let size = model.network.image_size;
    if pixels {
        format!("pixels u8 [N, {size}, {size}, 3]")
    } else {
        format!("image f32 [N, 3, {size}, {size}]")
    }
}

/// The graph's ends, in words.
pub(super) fn ends(model: &Model, options: &ExportOptions) -> String {
    let outputs = outputs(model, options.softmax);
    let logits = outputs.iter().map(|output| output.logits.as_str());
    let probabilities = outputs.iter().filter_map(|output| output.probabilities.as_deref());
    let names: Vec<&str> = logits.chain(probabilities).collect();
    format!(
        "input {}, output {} [N, {}]",
        input(model, options.pixels),
        names.join(", "),
        model.network.classes
    )
}

/// The entries of the file's metadata; lists and numbers are JSON.
fn facts(model: &Model, options: &ExportOptions) -> anyhow::Result<Vec<(String, String)>> {
    let (meta, data) = (&model.checkpoint.meta, &model.config.data);
    let interpolation = json!(data.interpolation);
    let outputs = outputs(model, options.softmax);
    let domain_of = outputs.iter().flat_map(|output| {
        let name = model.domains[output.domain].as_str();
        [Some(&output.logits), output.probabilities.as_ref()].into_iter().flatten().map(move |of| (of, name))
    });
    let domain_of: serde_json::Map<_, _> =
        domain_of.map(|(output, name)| (output.clone(), json!(name))).collect();
    let preprocessing = if options.pixels { "in the graph, but for resizing and cropping" } else { "none" };
    let facts = [
        ("arch", meta.arch.clone()),
        ("classes", serde_json::to_string(&meta.classes)?),
        ("domains", serde_json::to_string(&model.domains)?),
        ("outputs", serde_json::to_string(&domain_of)?),
        ("image_size", meta.image_size.to_string()),
        ("mean", serde_json::to_string(&meta.mean)?),
        ("std", serde_json::to_string(&meta.std)?),
        ("crop_ratio", data.crop_ratio.to_string()),
        ("interpolation", interpolation.as_str().unwrap_or_default().to_owned()),
        ("preprocessing", preprocessing.to_owned()),
        ("weights", if model.ema { "ema" } else { "raw" }.to_owned()),
        ("storage", if options.f16 { "f16" } else { "f32" }.to_owned()),
        ("step", meta.step.to_string()),
        ("epoch", meta.epoch.to_string()),
        ("dualprop_version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    Ok(facts.map(|(key, value)| (key.to_owned(), value)).into())
}
