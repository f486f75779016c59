//! `dualprop data fetch`: public data sets.

use super::stop_on_ctrl_c;
use crate::cli::common::{UsageError, note, print_json, print_line};
use crate::cli::progress::Progress;
use crate::config::schema;
use crate::fetch::{
    FetchOptions, Patience, PublicSet, SETS, Stage, check_place, fetch, find, in_words, part_folder,
};
use anyhow::ensure;
use serde_json::json;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

/// Downloads a public data set, verifies it and unpacks it for training or evaluation.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What comes, from where and under which licence is said first, and nothing is downloaded before you agree: at the \
terminal, or by --yes. A download that breaks off goes on from there when the command is given again. Proxies are \
taken from the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).\n\n\
Example: dualprop data fetch fashion_mnist --out data/fashion_mnist --yes")]
pub(super) struct Fetch {
    /// cifar10, cifar100, fashion_mnist, flowers102, imagenette, imagewoof; for evaluation alone: cifar10-c,
    /// cifar100-c, imagenet-a, imagenet-r, imagenet-c
    #[arg(value_name = "NAME", value_parser = public_set)]
    set: PublicSet,
    /// New or empty folder to put it in; by default one of the set's name
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Agrees to the download
    #[arg(long)]
    yes: bool,
    /// Address of a folder with the set's files, in place of the official ones; they are verified all the
    /// same
    #[arg(long, value_name = "URL", value_parser = address)]
    mirror: Option<String>,
    /// Prints one JSON value: what was downloaded and where it is
    #[arg(long)]
    json: bool,
}

fn public_set(name: &str) -> Result<PublicSet, String> {
    let names: Vec<&str> = SETS.iter().map(|set| set.name).collect();
    find(name).copied().ok_or_else(|| {
        let nearest = schema::nearest_choice(name, &names);
        format!("expected one of {}; the nearest is {nearest}", names.join(", "))
    })
}

fn address(text: &str) -> Result<String, String> {
    let known =
        ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme) && text.len() > scheme.len());
    if known {
        Ok(text.to_owned())
    } else {
        Err("expected an address that starts with https:// or http://".into())
    }
}

impl Fetch {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let out = self.out.clone().unwrap_or_else(|| PathBuf::from(self.set.name));
        check_place(&self.set, &out)?;
        self.say_what_comes(&out)?;
        self.agreed()?;
        let stop = stop_on_ctrl_c()?;
        let options =
            FetchOptions { out: out.clone(), mirror: self.mirror.clone(), patience: Patience::default() };
        let mut shown = Shown::default();
        fetch(&self.set, &options, &stop, &mut |stage| shown.update(stage))?;
        drop(shown);
        let lines = self.lines(&out);
        if self.json {
            return print_json(&json!({
                "name": self.set.name,
                "path": out.display().to_string(),
                "bytes": self.set.bytes(),
                "source": self.set.source,
                "licence": self.set.licence,
                "train": lines.train,
                "evaluate": lines.evaluate,
            }));
        }
        print_line(&format!("{} is in {}", self.set.name, out.display()))?;
        lines.train.iter().chain([&lines.evaluate]).try_for_each(|line| print_line(&format!("  {line}")))
    }

    /// On stderr, so that stdout keeps the result alone.
    fn say_what_comes(&self, out: &Path) -> anyhow::Result<()> {
        let set = &self.set;
        note(set.about);
        note(&format!("  licence: {}", set.licence));
        note(&format!("  source: {}", set.source));
        for file in set.files {
            let place = self.mirror.as_ref().map(|mirror| format!(" by way of {mirror}")).unwrap_or_default();
            note(&format!("  {}: {}{place}", file.address, in_words(file.bytes)));
        }
        let room = in_words(set.room());
        note(&format!("  {} to download; {room} of free space are enough", in_words(set.bytes())));
        if part_folder(out)?.is_dir() {
            note(&format!("  an earlier download in {} goes on", part_folder(out)?.display()));
        }
        Ok(())
    }

    /// Asks, where somebody can answer.
    fn agreed(&self) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(UsageError("nobody can be asked here; --yes agrees to the download".into()).into());
        }
        note("Download it? [y/N]");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        ensure!(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()), "nothing was downloaded");
        Ok(())
    }

    fn lines(&self, out: &Path) -> Lines {
        // For a shell, wherever it stands.
        let shown = out.display().to_string();
        let path = if shown.contains([' ', '\'', '"', '$']) { format!("'{shown}'") } else { shown };
        let train = self
            .set
            .train_source
            .map(|source| format!("dualprop train PRESET --set data.source={source} --set data.path={path}"));
        Lines { train, evaluate: format!("dualprop eval CHECKPOINT {} --path {path}", self.set.evaluate) }
    }
}

/// The commands that use the set.
struct Lines {
    train: Option<String>,
    evaluate: String,
}

/// The progress of the stage that the work is in.
#[derive(Default)]
struct Shown {
    stage: &'static str,
    progress: Option<Progress>,
}

impl Shown {
    fn update(&mut self, stage: Stage) {
        let (what, done, total) = match stage {
            Stage::Downloading { done, total } => ("downloading", done, total),
            Stage::Verifying { done, total } => ("verifying", done, total),
            Stage::Unpacking { done, total } => ("unpacking", done, total),
        };
        if what != self.stage || self.progress.is_none() {
            // The bar before goes first.
            self.progress = None;
            self.progress = Some(Progress::new(what, "MiB"));
            self.stage = what;
        }
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20) as usize;
        if let Some(progress) = &mut self.progress {
            progress.update(mebibytes(done), mebibytes(total));
        }
    }
}
