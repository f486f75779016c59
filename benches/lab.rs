//! How long the adversarial lab takes to answer a slider: `cargo bench --bench lab -- CHECKPOINT [IMAGES]
//! [SPEC]` opens a checkpoint as the window does and moves ε ten times, with 1 image and `pgd:eps=4,step=1`
//! unless told otherwise. `DUALPROP_TEST_DEVICE` picks the adapter. Reports, never judges.

use dualprop::config::AttackConfig;
use dualprop::evaluation::activation_map::CamMethod;
use dualprop::evaluation::auto_domain::Through;
use dualprop::gpu::DeviceChoice;
use dualprop::session::inspect::{self, Answer, ImageChoice, Look, Request, Subject};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MOVES: usize = 10;
const PATIENCE: Duration = Duration::from_secs(600);

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let Some(checkpoint) = args.next() else {
        println!("a checkpoint is missing: cargo bench --bench lab -- CHECKPOINT [IMAGES] [SPEC]");
        return Ok(());
    };
    let count: usize = args.next().map_or(Ok(1), |count| count.parse())?;
    let spec = args.next().unwrap_or_else(|| "pgd:eps=4,step=1".to_owned());
    let attack = AttackConfig::parse_spec(&spec).map_err(|error| anyhow::anyhow!("{spec}: {error}"))?;
    let device = match std::env::var("DUALPROP_TEST_DEVICE") {
        Ok(device) => device.parse().map_err(|error| anyhow::anyhow!("DUALPROP_TEST_DEVICE: {error}"))?,
        Err(_) => DeviceChoice::Auto,
    };

    let study = inspect::spawn(Arc::new(|| {}))?;
    let answer = || -> anyhow::Result<Answer> {
        match study.answers.recv_timeout(PATIENCE)? {
            Answer::Failed(sentence) => anyhow::bail!(sentence),
            answer => Ok(answer),
        }
    };
    study.requests.send(Request::Open { subject: Subject::Checkpoint(checkpoint.into()), device })?;
    if let Answer::Opened(info) = answer()? {
        println!("{} at {} pixels, {count} images, {}", info.arch, info.image_size, attack.spec());
    }
    let mut seconds = Vec::new();
    for position in 0..=MOVES {
        let epsilon = attack.epsilon + position as f32 / 1024.0;
        let look = Look {
            images: ImageChoice::Data { split: "val".to_owned(), first: 0, count },
            attack: AttackConfig { epsilon, ..attack.clone() },
            domain: Through::Domain(0),
            seed: 0,
            map: CamMethod::Cam,
            class: None,
        };
        let asked = Instant::now();
        study.requests.send(Request::Look(look))?;
        answer()?;
        seconds.push(asked.elapsed().as_secs_f64());
    }
    let first = seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    let [median, longest] = [seconds[MOVES / 2], seconds[MOVES - 1]].map(|s| s * 1e3);
    println!(
        "first answer {:.0} ms, later ones {median:.0} ms in the middle, {longest:.0} ms at most",
        first * 1e3
    );
    Ok(())
}
