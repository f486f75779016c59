//! A training method of one's own, which is a list of branches: where the images come from, through which
//! BN domain they go, and with which weight their mean loss counts. Here AdvProp with a third domain for
//! CutMix. The same list can stand in a configuration file as `[[method.branch]]`.
//!
//! `cargo run --release --example own_method -- [RUN_FOLDER]` (by default `runs/own-method`)

use dualprop::config::{BranchConfig, BranchSource, Config, DataSource, Domain};
use dualprop::gpu::DeviceChoice;
use dualprop::session::{RunOptions, spawn};
use dualprop::training::events::{Event, Finish};

fn config() -> Config {
    let mut config = Config::default();
    config.data.source = DataSource::Shapes;
    config.model.arch = "resnet18".to_owned();
    (config.model.width, config.model.depth) = (0.25, 0.5);
    config.run.steps = Some(30);
    config.run.batch_size = 16;
    config.method.attack.epsilon = 2.0;
    config.method.branch = vec![
        BranchConfig { source: BranchSource::Clean, domain: Domain::Main, weight: 1.0, share: 1.0 },
        // A quarter of the batch, attacked through the domain that it trains.
        BranchConfig { source: BranchSource::Attack, domain: Domain::Aux, weight: 0.5, share: 0.25 },
        BranchConfig { source: BranchSource::Cutmix, domain: Domain::Aux2, weight: 0.5, share: 1.0 },
    ];
    config.eval.limit = 100;
    config
}

fn main() -> anyhow::Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "runs/own-method".to_owned());
    let device = DeviceChoice::Auto;
    let run = spawn(RunOptions { config: config(), out: out.into(), resume: false, device, pictures: false });
    for event in &run.events {
        match event {
            Event::Started(info) => println!("BN domains: {}", info.domains.join(", ")),
            Event::Step(report) => {
                for branch in &report.branches {
                    let (domain, loss, top1) = (&branch.domain, branch.loss, 100.0 * branch.top1);
                    print!("{domain}: loss {loss:.3}, top-1 {top1:3.0}%   ");
                }
                println!("after step {}", report.step);
            }
            Event::Finished(Finish::Failed(sentence)) => anyhow::bail!(sentence),
            Event::Finished(_) => break,
            _ => {}
        }
    }
    run.join();
    Ok(())
}
