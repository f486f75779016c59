//! What is dropped onto the window: a run folder or a data folder, a configuration, a checkpoint, images.

use super::Window;
use super::disk::{self, Dropped};
use super::notices::Cause;
use crate::app::commands::UiCommand;
use crate::app::model::study::ModelChoice;
use crate::app::panes::Pane;
use crate::config::DataSource;
use egui::{Align2, Context, Id, LayerId, Order, TextStyle, Theme};
use std::path::{Path, PathBuf};
use toml::Value;

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
    let text = "Drop a run folder or a folder of runs, a data folder (train/ and val/, CSV lists, shards or Parquet files), a configuration, a checkpoint or images";
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
        let paths = paths.to_vec();
        let kinds = move || paths.iter().map(|path| disk::kind_of(path)).collect::<Vec<Dropped>>();
        self.on_disk(kinds, Self::use_dropped);
    }

    fn use_dropped(&mut self, dropped: Vec<Dropped>) {
        let mut images = Vec::new();
        for dropped in dropped {
            match dropped {
                Dropped::Image(path) => images.push(path),
                Dropped::Photos(paths) => images.extend(paths),
                Dropped::Checkpoint(path) => self.open_model(ModelChoice::File(path)),
                _ if self.run.phase.is_active() => {
                    let text = "A run is at work; stop it to open another in its place";
                    self.refuse(Cause::Command(UiCommand::OpenRun), text);
                }
                Dropped::Run(dir) => self.begin_open_run(dir, Self::refuse_if_failed),
                Dropped::Runs { newest } => self.open_runs(newest),
                Dropped::Data(dir, source) => self.use_data(&dir, source),
                Dropped::Config(file) => self.open_config(file, Self::refuse_if_failed),
                Dropped::Unknown(path) => {
                    let text = format!(
                        "{} is none of what the window opens: a run folder (metrics.jsonl) or a folder of such, a data \
                         folder (train/ and val/, CSV lists, shards or Parquet files), .toml, .safetensors, an image or a folder of images",
                        path.display()
                    );
                    self.refuse(Cause::Attempt, text);
                }
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
            let text = format!("{count} for a model: look into the live one, or open a checkpoint");
            self.tell_until(Cause::NoModel, text);
        }
        self.attempt_went_well();
        self.views.look.files = files;
    }

    /// Shows a run and all beside it.
    pub(super) fn open_runs(&mut self, newest: PathBuf) {
        self.begin_open_run(newest, |window, result| {
            if result.is_ok() {
                window.layout.reveal(Pane::Runs);
            }
            window.refuse_if_failed(result);
        });
    }

    /// Trains on the data set in the folder `dir`.
    pub(super) fn use_data(&mut self, dir: &Path, source: DataSource) {
        self.form.set("data.source", Value::String(source.name()));
        self.form.set("data.path", Value::String(dir.display().to_string()));
        self.recents.add_data(dir);
        self.layout.reveal(Pane::SetUp);
    }
}
