//! The card of an exported model, Markdown: what it is, what it was trained on and how, what its domains are,
//! what was measured, how to load it.

use super::accuracy::Measured;
use super::onnx::ends;
use super::{ExportOptions, Format, Model, cost, usage};
use crate::config::{AUTO, Config};
use crate::evaluation::robustness::row::Row;
use crate::interop::rounding::Rounding;
use crate::report::escape_markdown as escape;
use crate::training::events::EvalRow;
use crate::training::method::{MethodLabel, Phase, Source, phases};
use crate::words::counted;
use std::fmt::Write as _;
use std::path::Path;

/// Classes that the card lists by name; the file's metadata has them all.
const LISTED: usize = 50;

/// The card of `model`. `measured` is what is known of the checkpoint, whose validation was of the averaged
/// weights where it `has_ema`.
pub(super) fn text(
    model: &Model,
    options: &ExportOptions,
    rounding: Option<&Rounding>,
    measured: &Measured,
    has_ema: bool,
) -> String {
    let meta = &model.checkpoint.meta;
    let file = options.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (version, classes) = (env!("CARGO_PKG_VERSION"), meta.classes.len());
    let mut text = format!("# {}\n\n", escape(&file));
    let _ = writeln!(
        text,
        "An image classifier: {} with {classes} classes, written by DualProp {version}. {}\n",
        escape(&meta.arch),
        if is_trained(model) {
            format!("Run \"{}\", step {}.", escape(&model.config.run.name), meta.step)
        } else {
            "Its weights were imported; how they were trained is not known here.".to_owned()
        }
    );
    facts(&mut text, model, options, rounding);
    text.push_str("## Classes\n\n");
    let named = meta.classes.iter().take(LISTED).map(|name| escape(name));
    let rest = classes.saturating_sub(LISTED);
    let more = if rest == 0 { String::new() } else { format!(", and {rest} more in the file's metadata") };
    let _ = writeln!(text, "{}{more}\n", named.collect::<Vec<_>>().join(", "));
    if is_trained(model) {
        data(&mut text, &model.config);
        domains(&mut text, model);
        accuracies(&mut text, model, measured, has_ema);
        recipe(&mut text, &model.config);
    }
    let _ = writeln!(text, "## How to load it\n\n{}", usage::text(model, options, &file));
    text
}

fn is_trained(model: &Model) -> bool {
    model.checkpoint.meta.step > 0
}

fn table(text: &mut String, rows: &[(&str, String)]) {
    text.push_str("| | |\n| --- | --- |\n");
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text.push('\n');
}

fn facts(text: &mut String, model: &Model, options: &ExportOptions, rounding: Option<&Rounding>) {
    let (meta, data) = (&model.checkpoint.meta, &model.config.data);
    let (width, depth) = (model.config.model.width, model.config.model.depth);
    let scaled = if (width, depth) == (1.0, 1.0) {
        String::new()
    } else {
        format!(", {width} times as wide and {depth} times as deep")
    };
    let domains = escape(&model.domains.join(", "));
    let mut rows = vec![
        ("Format", options.format.name().to_owned()),
        ("Architecture", format!("{}{scaled}", escape(&meta.arch))),
        ("Parameters", model.network.layout.trainable().to_string()),
        ("Multiply-adds of an image", model.network.macs().to_string()),
        ("Batch-norm domains", domains),
        ("Weights", if model.ema { "moving average" } else { "as the optimizer left them" }.to_owned()),
        ("Input", format!("RGB, {} pixels square, (pixel / 255 - mean) / std", meta.image_size)),
        ("Mean", format!("{:?}", meta.mean)),
        ("Std", format!("{:?}", meta.std)),
        (
            "An image becomes the input",
            format!(
                "shorter side to {} pixels, antialiased {}, then the middle {} pixels",
                (meta.image_size as f64 / data.crop_ratio) as usize,
                serde_json::json!(data.interpolation).as_str().unwrap_or_default(),
                meta.image_size
            ),
        ),
    ];
    if options.format == Format::Onnx {
        rows.push(("Graph", format!("{}; N is any number", ends(model, options))));
    }
    if let Some(rounding) = rounding {
        rows.push(("Storage", format!("f16: {}", cost(rounding))));
    }
    table(text, &rows);
}

fn data(text: &mut String, config: &Config) {
    let data = &config.data;
    let folder = Path::new(&data.path).file_name().map(|name| name.to_string_lossy().into_owned());
    let mut rows = vec![("Source", escape(&data.source.name()))];
    rows.extend(folder.filter(|_| data.source.needs_path()).map(|folder| ("Folder", escape(&folder))));
    let words: Vec<String> = data
        .augment
        .iter()
        .filter_map(|change| Some(serde_json::json!(change).as_str()?.to_owned()))
        .collect();
    rows.push(("Augmentation", if words.is_empty() { "none".to_owned() } else { words.join(", ") }));
    let limits = [
        (data.class_limit > 0, format!("the first {} training images of each class", data.class_limit)),
        (data.train_limit > 0, format!("the first {} training images", data.train_limit)),
        (
            data.imbalance > 1.0,
            format!("the first class has {} times the images of the last", data.imbalance),
        ),
        (data.label_noise > 0.0, format!("{} of the training labels are wrong", data.label_noise)),
        (
            data.corrupted_share > 0.0,
            format!("{} of the training images are corrupted", data.corrupted_share),
        ),
    ];
    let limits: Vec<String> = limits.into_iter().filter(|(on, _)| *on).map(|(_, words)| words).collect();
    if !limits.is_empty() {
        rows.push(("Made harder", limits.join("; ")));
    }
    text.push_str("## Data\n\n");
    table(text, &rows);
}

/// What trained each domain that the file has.
fn domains(text: &mut String, model: &Model) {
    let config = &model.config;
    let images = (config.run.batch_size / config.run.accumulate.max(1)).max(1);
    let phases = phases(&config.method, images, 1, 2);
    text.push_str("## Batch-norm domains\n\n");
    let _ = writeln!(
        text,
        "All domains share the weights; each has batch-norm statistics and parameters of its own (AdvProp, Xie et al. \
         2020). Method: {}.\n",
        escape(&MethodLabel::of(&config.method).to_string())
    );
    let rows: Vec<(&str, String)> = model
        .domains
        .iter()
        .map(|name| {
            let index = crate::config::Domain::ALL.iter().position(|domain| domain.name() == name);
            let seen: Vec<String> = phases.iter().map(|phase| seen(phase, index)).collect();
            (name.as_str(), seen.join(", then "))
        })
        .collect();
    table(text, &rows);
}

/// The images that a phase trains a domain on.
fn seen(phase: &Phase, domain: Option<usize>) -> String {
    let branches = phase.method.branches.iter().filter(|branch| Some(branch.domain) == domain);
    let words: Vec<String> = branches
        .map(|branch| match &branch.source {
            Source::Clean => "clean images".to_owned(),
            Source::Augmented => "augmented images".to_owned(),
            Source::Attack { config, .. } => format!("attacked images ({})", escape(&config.spec())),
            Source::Mixup { .. } => "images mixed by mixup".to_owned(),
            Source::Cutmix => "images mixed by CutMix".to_owned(),
            Source::Corrupted => "corrupted images".to_owned(),
        })
        .collect();
    if words.is_empty() { "no images".to_owned() } else { words.join(" and ") }
}

fn accuracies(text: &mut String, model: &Model, measured: &Measured, has_ema: bool) {
    text.push_str("## Accuracy\n\n");
    let is_kept = |domain: &String| model.domains.contains(domain);
    let validation: Vec<&EvalRow> = measured.validation.iter().filter(|row| is_kept(&row.domain)).collect();
    // `auto` chooses between domains, and counts where all of them are in the file.
    let has_all = model.domains.len() > 1;
    let evaluations = measured.evaluations.iter();
    let evaluations: Vec<&Row> =
        evaluations.filter(|row| is_kept(&row.domain) || (has_all && row.domain == AUTO)).collect();
    if validation.is_empty() && evaluations.is_empty() {
        text.push_str(
            "Nothing was measured at this step, or the checkpoint lies in no run folder; `dualprop eval` \
             measures.\n\n",
        );
        return;
    }
    if !validation.is_empty() {
        let limit = match model.config.eval.limit {
            0 => "all images of the split".to_owned(),
            some => format!("{some} images of the split"),
        };
        let other = ", with the moving average of the weights, which this file lacks";
        let other = if has_ema && !model.ema { other } else { "" };
        let _ = writeln!(text, "Measured by the run over {limit}{other}.\n");
        let rows = validation.iter().map(|row| Line {
            split: &row.split,
            domain: &row.domain,
            images: row.attack.as_ref().map_or_else(|| "clean".to_owned(), |attack| escape(attack)),
            figures: [row.top1, row.top5, row.loss],
        });
        figures(text, rows);
    }
    if !evaluations.is_empty() {
        text.push_str("Measured by `dualprop eval` of this checkpoint.\n\n");
        figures(text, condensed(&evaluations).into_iter());
    }
}

/// A line of a table of accuracies.
struct Line<'a> {
    split: &'a str,
    domain: &'a str,
    /// Clean, or what was done to them.
    images: String,
    /// Top-1 and top-5, 0..1, and loss.
    figures: [f32; 3],
}

fn figures<'a>(text: &mut String, lines: impl Iterator<Item = Line<'a>>) {
    text.push_str(
        "| split | domain | images | top-1 % | top-5 % | loss |\n| --- | --- | --- | --: | --: | --: |\n",
    );
    for Line { split, domain, images, figures: [top1, top5, loss] } in lines {
        let (split, domain) = (escape(split), escape(domain));
        let (top1, top5) = (100.0 * top1, 100.0 * top5);
        let _ = writeln!(text, "| {split} | {domain} | {images} | {top1:.2} | {top5:.2} | {loss:.4} |");
    }
    text.push('\n');
}

/// A line for each clean and attacked row, and one for all corruptions of a split and domain: their mean.
fn condensed<'a>(rows: &[&'a Row]) -> Vec<Line<'a>> {
    let (corrupted, plain): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.corruption.is_some());
    let of = |row: &'a Row, images| Line {
        split: &row.split,
        domain: &row.domain,
        images,
        figures: [row.top1, row.top5, row.loss],
    };
    let images = |row: &Row| row.attack.as_ref().map_or_else(|| "clean".to_owned(), |attack| escape(attack));
    let mut lines: Vec<Line<'a>> = plain.into_iter().map(|row| of(row, images(row))).collect();
    let mut groups: Vec<Vec<&'a Row>> = Vec::new();
    for row in corrupted {
        let same =
            groups.iter_mut().find(|group| (&group[0].split, &group[0].domain) == (&row.split, &row.domain));
        match same {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    for group in groups {
        let count = group.len() as f32;
        let mean = |figure: fn(&Row) -> f32| group.iter().map(|row| figure(row)).sum::<f32>() / count;
        let figures = [mean(|row| row.top1), mean(|row| row.top5), mean(|row| row.loss)];
        let images = format!("corrupted, mean of {}", counted(group.len(), "condition"));
        lines.push(Line { figures, ..of(group[0], images) });
    }
    lines
}

/// The whole configuration, but of paths the last part alone: the rest is of the machine, not of the model.
fn recipe(text: &mut String, config: &Config) {
    let last = |path: &str| {
        Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let mut config = config.clone();
    config.data.path = last(&config.data.path);
    config.data.classes_file = last(&config.data.classes_file);
    config.run.init = last(&config.run.init);
    let toml = config.resolved_toml();
    let _ = writeln!(
        text,
        "## Recipe\n\n<details>\n<summary>The run's configuration</summary>\n\n```toml\n{}\n```\n\n</details>\n",
        toml.trim_end()
    );
}
