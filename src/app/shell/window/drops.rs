//! What is dropped onto the window: a run folder or a data folder, a configuration, a checkpoint, images.

use super::Window;
use crate::app::commands::Pane;
use crate::app::model::study::ModelChoice;
use crate::app::shell::chrome::Notice;
use crate::config::DataSource;
use crate::training::run_folder::RunFiles;
use egui::{Align2, Context, Id, LayerId, Order, TextStyle, Theme};
use std::path::{Path, PathBuf};
use toml::Value;

const IMAGES: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// What a path is, as far as the window can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Dropped {
    Run(PathBuf),
    Data(PathBuf),
    Config(PathBuf),
    Checkpoint(PathBuf),
    Image(PathBuf),
    Unknown(PathBuf),
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn kind_of(path: &Path) -> Dropped {
    let owned = path.to_owned();
    if path.is_dir() {
        return match () {
            () if RunFiles::of(path).metrics().is_file() => Dropped::Run(owned),
            () if path.join("train").is_dir() && path.join("val").is_dir() => Dropped::Data(owned),
            () => Dropped::Unknown(owned),
        };
    }
    match ending(path).as_str() {
        "toml" => Dropped::Config(owned),
        "safetensors" => Dropped::Checkpoint(owned),
        ending if IMAGES.contains(&ending) => Dropped::Image(owned),
        _ => Dropped::Unknown(owned),
    }
}

/// Says what can be dropped while something is held over the window.
pub(super) fn hint_ui(ctx: &Context) {
    let hovers = ctx.input(|input| !input.raw.hovered_files.is_empty());
    if !hovers {
        return;
    }
    let tokens = if ctx.theme() == Theme::Dark {
        &crate::app::theme::tokens::DARK
    } else {
        &crate::app::theme::tokens::LIGHT
    };
    let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("drop hint")));
    let area = ctx.content_rect();
    painter.rect_filled(area, 0.0, tokens.panel.gamma_multiply(0.85));
    let font = TextStyle::Heading.resolve(&ctx.global_style());
    let text = "Drop a run folder, a data folder (train/ and val/), a configuration, a checkpoint or images";
    painter.text(area.center(), Align2::CENTER_CENTER, text, font, tokens.text_strong);
}

impl Window {
    pub(super) fn take_drops(&mut self, ctx: &Context) {
        let files = ctx.input_mut(|input| std::mem::take(&mut input.raw.dropped_files));
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path().to_owned()).collect();
        if !paths.is_empty() {
            self.take_dropped(&paths);
        }
    }

    /// Uses dropped paths: all images together, and of the others each for itself.
    pub fn take_dropped(&mut self, paths: &[PathBuf]) {
        let mut images = Vec::new();
        for path in paths {
            let result = match kind_of(path) {
                Dropped::Image(path) => {
                    images.push(path);
                    Ok(())
                }
                Dropped::Checkpoint(path) => {
                    self.open_model(ModelChoice::File(path));
                    Ok(())
                }
                _ if self.run.phase.is_active() => {
                    Err(anyhow::anyhow!("A run is at work; stop it to open another in its place"))
                }
                Dropped::Run(dir) => self.open_run(&dir),
                Dropped::Data(dir) => {
                    self.use_data(&dir);
                    Ok(())
                }
                Dropped::Config(file) => self.open_config(&file),
                Dropped::Unknown(path) => Err(anyhow::anyhow!(
                    "{} is none of what the window opens: a run folder (metrics.jsonl), a data folder (train/ and \
                     val/), .toml, .safetensors, or an image",
                    path.display()
                )),
            };
            if let Err(error) = result {
                self.notice = Some(Notice::Refused(format!("{error:#}")));
            }
        }
        if !images.is_empty() {
            self.look_at_files(images);
            self.layout.reveal(Pane::Lab);
        }
    }

    /// Shows image files to the opened model, or to the next one that is.
    pub(super) fn look_at_files(&mut self, files: Vec<PathBuf>) {
        if self.study.choice.is_none() {
            let count = if files.len() == 1 {
                "1 image waits".to_owned()
            } else {
                format!("{} images wait", files.len())
            };
            self.notice = Some(Notice::Done(format!(
                "{count} for a model: look into the live one, or open a checkpoint"
            )));
        }
        self.views.look.files = files;
    }

    /// Trains on the image folder `dir`.
    pub(super) fn use_data(&mut self, dir: &Path) {
        // The words of the file format; the enum writes itself so.
        let source = Value::try_from(DataSource::Folder).unwrap_or_else(|_| Value::String("folder".into()));
        self.form.set("data.source", source);
        self.form.set("data.path", Value::String(dir.display().to_string()));
        self.recents.add_data(dir);
        self.layout.reveal(Pane::SetUp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_by_what_they_hold() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for dir in ["run", "data/train", "data/val", "else"] {
            std::fs::create_dir_all(at(dir)).expect("writable");
        }
        std::fs::write(at("run/metrics.jsonl"), "").expect("writable");
        assert_eq!(kind_of(&at("run")), Dropped::Run(at("run")));
        assert_eq!(kind_of(&at("data")), Dropped::Data(at("data")));
        assert_eq!(kind_of(&at("else")), Dropped::Unknown(at("else")));
        assert_eq!(kind_of(&at("x.TOML")), Dropped::Config(at("x.TOML")));
        assert_eq!(kind_of(&at("x.JPeG")), Dropped::Image(at("x.JPeG")));
        assert_eq!(kind_of(&at("x.safetensors")), Dropped::Checkpoint(at("x.safetensors")));
        assert_eq!(kind_of(&at("x.exe")), Dropped::Unknown(at("x.exe")));
    }
}
