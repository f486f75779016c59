//! How to load an exported model, as Python that runs as it stands.

use super::onnx::outputs;
use super::{ExportOptions, Format, Model};
use crate::graph::Op;
use crate::models::registry::differs_from_timm;
use serde_json::json;

/// The eps of PyTorch's batch norms, which timm's networks have unless they are told otherwise.
const PYTORCH_EPS: f32 = 1e-5;

/// What a card says on loading `file`.
pub(super) fn text(model: &Model, options: &ExportOptions, file: &str) -> String {
    match options.format {
        Format::Onnx => onnx(model, options, file),
        Format::Safetensors => safetensors(model, file),
    }
}

/// Reads a photo by the program's own rule, up to the bytes of the input.
const PHOTO: &str = r#"image = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
whole, short = int(size / crop_ratio), min(image.size)
image = image.resize([whole * side // short for side in image.size], resample)
left, top = (round((side - size) / 2) for side in image.size)
pixels = np.asarray(image.crop((left, top, left + size, top + size)))[None]
"#;

fn onnx(model: &Model, options: &ExportOptions, file: &str) -> String {
    let input = if options.pixels {
        "feed = {\"pixels\": pixels}"
    } else {
        "mean, std = (np.array(json.loads(facts[key])) for key in (\"mean\", \"std\"))\n\
         feed = {\"image\": ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)}"
    };
    let named = outputs(model, options.softmax);
    let first = &named[0];
    let output = first.probabilities.as_ref().unwrap_or(&first.logits);
    format!(
        "With `pip install onnxruntime numpy pillow`:\n\n\
         ```python\n\
         import json\n\
         import numpy as np\n\
         import onnxruntime\n\
         from PIL import Image, ImageOps\n\n\
         session = onnxruntime.InferenceSession({})\n\
         facts = session.get_modelmeta().custom_metadata_map\n\
         size, crop_ratio = int(facts[\"image_size\"]), float(facts[\"crop_ratio\"])\n\
         resample = Image.Resampling[facts[\"interpolation\"].upper()]\n\
         {PHOTO}\
         {input}\n\
         (scores,) = session.run([\"{output}\"], feed)\n\
         print(json.loads(facts[\"classes\"])[scores[0].argmax()])\n\
         ```\n",
        json!(file)
    )
}

fn safetensors(model: &Model, file: &str) -> String {
    let name = json!(file);
    let own =
        format!("`dualprop predict {file} photo.jpg` and every other command take the file as a checkpoint.");
    if let Some(difference) = differs_from_timm(&model.config.model)
        && model.config.model.stem_stride == 2
    {
        return format!(
            "{own} {difference}, so the names and shapes are those of a network that only this program has.\n"
        );
    }
    let classes = model.network.classes;
    let eps = model.network.bn.eps;
    let eps = if eps == PYTORCH_EPS { String::new() } else { format!(", bn_eps={eps}") };
    let stem = model.network.nodes.iter().find_map(|node| match node.op {
        Op::Conv { weight, .. } => model.network.layout.parameters[weight].name.strip_suffix(".weight"),
        _ => None,
    });
    let stride = match (model.config.model.stem_stride, stem) {
        (1, Some(stem)) => format!("model.{stem}.stride = (1, 1)\n"),
        _ => String::new(),
    };
    let (state, others) = if model.domains.len() > 1 {
        (
            "{name: value for name, value in load_file(FILE).items() if \".aux_bn.\" not in name}",
            "The main domain is under the plain names, the others under `X.aux_bn.K`, as timm's SplitBatchNorm2d has \
             them.\n\n",
        )
    } else {
        ("load_file(FILE)", "")
    };
    let state = state.replace("FILE", &name.to_string());
    format!(
        "{own}\n\n{others}With `pip install timm safetensors`:\n\n\
         ```python\n\
         import timm\n\
         from safetensors.torch import load_file\n\n\
         model = timm.create_model(\"{}\", num_classes={classes}{eps})\n\
         {stride}\
         model.load_state_dict({state}, strict=True)\n\
         model.eval()\n\
         ```\n\n\
         The file's `__metadata__` has `classes`, `image_size`, `mean` and `std` as JSON.\n",
        model.checkpoint.meta.arch
    )
}
