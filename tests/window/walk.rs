//! The whole way of a user, with nothing scripted: set-up, preflight, training on the built-in data, the lab,
//! results, exports.

use super::Stage;
use super::demo::Scripted;
use dualprop::app::commands::UiCommand;
use dualprop::app::model::local_launcher::LocalLauncher;
use dualprop::app::panes::Pane;
use dualprop::config::Config;
use dualprop::gpu::DeviceChoice;
use dualprop::training::checkpoint::Checkpoint;
use egui::{Key, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::time::{Duration, Instant};

const CONFIG: &str = r#"
[run]
steps = 6
batch_size = 8
[data]
source = "shapes"
train_limit = 40
[model]
arch = "tf_efficientnet_b0"
width = 0.1
depth = 0.3
[method]
kind = "advprop"
[optimizer]
lr = 0.002
[schedule]
warmup_epochs = 0.0
[ema]
decay = 0.9
[eval]
limit = 16
attack = "fgsm:eps=2"
"#;

/// Longer than any part takes on a slow machine; only a hang runs into it.
const PATIENCE: Duration = Duration::from_secs(240);

impl Stage {
    /// Draws frames until the model has answered for the image that is shown large.
    #[track_caller]
    fn wait_for_the_large_view(&mut self) {
        let begun = Instant::now();
        self.wait_for(" large: clean left of the line");
        while self.sees("The model looks at the image…") && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(30));
            self.frames();
        }
        let maps = self.harness.get_by_label("of the prediction");
        assert!(!maps.accesskit_node().is_disabled(), "{:?}", self.harness.root());
    }

    /// Draws frames until `text` is on screen.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.sees(text) {
            assert!(self.window().run.failure().is_none(), "{:?}", self.window().run.failure());
            if begun.elapsed() > PATIENCE {
                self.expect(text);
            }
            std::thread::sleep(Duration::from_millis(30));
            self.frames();
        }
    }
}

#[test]
fn from_set_up_to_export_on_the_built_in_data() {
    let (_, played) = Scripted::new();
    let mut stage = Stage::with(vec2(1600.0, 1400.0), Box::new(LocalLauncher), played);
    let ctx = stage.harness.ctx.clone();
    let dir = stage.folder.path().join("run");
    stage.window().form.fill(Config::parse(CONFIG, "walk", &[]).expect("valid"));
    stage.window().form.device = DeviceChoice::Cpu;
    stage.frames();

    stage.click("Preflight");
    stage.wait_for("for 6 steps");
    stage.expect("attack image 1 for aux");
    assert!(!dir.exists(), "a preflight writes nothing");

    stage.click("Start");
    stage.wait_for("Completed");
    for text in ["Training loss plot", "Validation accuracy plot", "perturbation ×"] {
        stage.expect(text);
    }
    stage.show(Pane::Domains);
    stage.expect("Layer strip");
    stage.click("Over time");
    stage.wait_for("BN distance heatmap");

    stage.window().carry_out(&ctx, UiCommand::StudyBest);
    stage.show(Pane::Lab);
    stage.wait_for("Loss per iteration plot");
    stage.expect("best of run");
    stage.click("clean image of val/00000");
    stage.wait_for_the_large_view();
    stage.click("of the prediction");
    stage.expect("large map of aux, attacked");
    stage.harness.key_press(Key::Escape);
    stage.frames();
    stage.window().views.lab.sweep_images = 8;
    stage.click("Sweep ε");
    stage.wait_for("Accuracy over epsilon plot");

    stage.show(Pane::Results);
    stage.window().views.results.limit = 16;
    stage.wait_for("Measure");
    // The sweep's last points come first.
    while stage.window().run.failure().is_none() && !stage.sees("Confusion matrix") {
        if stage
            .harness
            .query_by_label("Measure")
            .is_some_and(|button| !button.accesskit_node().is_disabled())
        {
            stage.click("Measure");
        }
        std::thread::sleep(Duration::from_millis(30));
        stage.frames();
    }
    // A network of six steps mistakes something.
    stage.click("Most mistaken");
    stage.harness.get_all_by_label_contains(" taken for ").next().expect("a mistake").click();
    stage.wait_for("image val/");
    stage.harness.get_all_by_label_contains("image val/").next().expect("one").click();
    stage.wait_for_the_large_view();
    stage.expect("auto, ");
    stage.harness.key_press(Key::Escape);
    stage.frames();
    stage.click("Export main, clean val");
    stage.click("Numbers (CSV)…");
    stage.click("Save");
    let text = std::fs::read_to_string(dir.join("main--clean-val.csv")).expect("the table was written");
    let images: u32 =
        text.lines().skip(1).flat_map(|l| l.split(',').skip(1)).map(|n| n.parse::<u32>().unwrap()).sum();
    assert_eq!(images, 16, "{text}");

    stage.window().carry_out(&ctx, UiCommand::ExportModel);
    stage.frames();
    stage.click("Export");
    stage.wait_for("domain main, averaged weights");
    let exported = Checkpoint::load(&dir.join("model.safetensors")).expect("a model");
    assert_eq!(exported.meta.domains, ["main"]);
    assert!(exported.tensors.keys().all(|name| !name.contains("aux_bn") && !name.starts_with("ema.")));

    stage.window().carry_out(&ctx, UiCommand::ExportModel);
    stage.frames();
    stage.click("ONNX");
    stage.click("Softmax");
    stage.click("Takes pixels");
    stage.click("Export");
    stage.wait_for("as ONNX, input pixels u8");
    let graph = std::fs::read(dir.join("model.onnx")).expect("a graph");
    assert!(graph.windows(13).any(|bytes| bytes == b"probabilities"));
    let card = std::fs::read_to_string(dir.join("model.onnx.md")).expect("a card");
    assert!(card.contains("| val | main | clean | ") && !card.contains("| val | aux"), "{card}");
}
