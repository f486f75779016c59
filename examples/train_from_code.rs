//! Trains a small EfficientNet with AdvProp on the built-in `shapes` set, as a front end does it: commands
//! in, events out.
//!
//! `cargo run --release --example train_from_code -- [RUN_FOLDER]` (by default `runs/from-code`); a second
//! call goes on where the first one stopped.

use dualprop::config::Config;
use dualprop::gpu::DeviceChoice;
use dualprop::session::{RunOptions, spawn};
use dualprop::training::events::{Command, Event, Finish};

/// Any key of `dualprop train --help`; what is left out has its default.
const CONFIG: &str = r#"
[run]
steps = 100
batch_size = 16
[model]
arch = "tf_efficientnet_b0"
width = 0.25
depth = 0.34
[method]
kind = "advprop"
[method.attack]
epsilon = 2.0
iterations = 1
[optimizer]
kind = "adamw"
lr = 0.002
[eval]
limit = 100
attack = "pgd:eps=2,step=1,iters=3"
"#;

fn main() -> anyhow::Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "runs/from-code".to_owned());
    let config = Config::parse(CONFIG, "the example's configuration", &[])?;
    let run = spawn(RunOptions {
        config,
        out: out.into(),
        resume: true,
        device: DeviceChoice::Auto,
        pictures: false,
    });
    for event in &run.events {
        match event {
            Event::Started(info) => println!("{} parameters on {}", info.parameters, info.adapter),
            Event::Step(report) if report.step % 10 == 0 => {
                let losses: Vec<_> = report.branches.iter().map(|b| format!("{:.3}", b.loss)).collect();
                println!("step {:3}: loss {} by branch", report.step, losses.join(", "));
                if report.step == 80 {
                    // Taken between two steps, as every command is.
                    run.commands.send(Command::ScaleLearningRate(0.1))?;
                }
            }
            Event::Evaluated(report) => {
                for row in report.rows {
                    let attack = row.attack.as_deref().unwrap_or("clean");
                    println!("{} through {}, {attack}: {:.1}%", row.split, row.domain, 100.0 * row.top1);
                }
            }
            Event::Warning(sentence) => println!("{sentence}"),
            Event::Finished(Finish::Failed(sentence)) => anyhow::bail!(sentence),
            // The last event of every run.
            Event::Finished(_) => break,
            _ => {}
        }
    }
    run.join();
    Ok(())
}
