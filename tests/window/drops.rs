//! Files that are dropped onto the window, as the system hands them over.

use super::demo;
use super::stage::{Stage, say};
use dualprop::app::panes::Pane;
use dualprop::session::inspect::{Answer, ImageChoice, Request, Subject};
use egui::{DroppedFile, DroppedFileHandle};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

fn drop_on_window(stage: &mut Stage, paths: &[PathBuf]) {
    let handle = |path: &PathBuf| -> DroppedFileHandle { Arc::new(Dropped(path.clone())) };
    stage.harness.input_mut().dropped_files = paths.iter().map(handle).collect();
    stage.frames();
}

/// A checkpoint opens, and photos that come after it are what the model sees; both lead to where they show.
#[test]
fn a_checkpoint_and_photos_are_dropped_onto_the_window() {
    let mut stage = Stage::new();
    let model = stage.folder.path().join("best.safetensors");
    let photo = stage.folder.path().join("photo.png");
    image::RgbImage::new(40, 30).save(&photo).expect("writable");
    drop_on_window(&mut stage, std::slice::from_ref(&model));
    let study = stage.played.studies.try_recv().expect("the checkpoint is opened");
    let asked = study.requests.try_recv();
    assert!(matches!(&asked, Ok(Request::Open { subject: Subject::Checkpoint(path), .. }) if *path == model));
    say(&study, Answer::Opened(Arc::new(demo::model(260))));
    stage.frames();
    assert!(stage.window().layout.is_active(Pane::Lab));
    stage.serve(&study);

    drop_on_window(&mut stage, std::slice::from_ref(&photo));
    stage.expect("1 file");
    let images = study.requests.try_iter().find_map(|request| match request {
        Request::Look(look) => Some(look.images),
        _ => None,
    });
    assert_eq!(images, Some(ImageChoice::Files(vec![photo])));
    assert!(stage.played.studies.try_recv().is_err(), "the model stays");
}
