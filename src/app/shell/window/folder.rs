//! An opened run folder: its curves, and while another program trains in it what comes in, looked up every second; its
//! statistics and pictures are read on a thread of their own.

use super::Window;
use crate::app::commands::Pane;
use crate::app::model::history;
use crate::app::model::kinds::{Level, Phase};
use crate::app::widgets::pictures::Pictures;
use crate::evaluation::bn_layers_of;
use crate::training::events::{BnLayer, Snapshot};
use crate::training::pictures;
use crate::training::run_folder::{MetricsFollower, RunFiles, is_at_work};
use crossbeam_channel::Receiver;
use egui::Context;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Time between two looks at an opened run folder.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was read of the opened folder, and what is being read.
#[derive(Default)]
pub(super) struct Following {
    /// Reads on in the metrics; when it last looked.
    metrics: Option<(MetricsFollower, Option<Instant>)>,
    /// When the history of the BN domains was last read.
    bn_looked: Option<Instant>,
    /// When the newest checkpoint and the pictures that were last read had been written.
    seen: [Option<SystemTime>; 2],
    news: Option<Receiver<News>>,
}

/// What is new in the folder beside its lines.
struct News {
    /// Finished steps of the newest checkpoint, and its BN layers.
    statistics: Option<(u64, Vec<BnLayer>)>,
    pictures: Option<anyhow::Result<Snapshot>>,
}

impl Window {
    /// Shows the curves of a run folder and fills the set-up from it.
    pub fn open_run(&mut self, dir: &Path) -> anyhow::Result<()> {
        let (run, config, follower) = history::open(dir)?;
        self.run = run;
        self.following = Following { metrics: Some((follower, None)), ..Following::default() };
        self.pictures = Pictures::default();
        if let Some(config) = config {
            self.form.fill(config);
            self.form.preset = None;
            self.form.file = Some(RunFiles::of(dir).config());
        }
        self.recents.add_run(dir);
        let listed = self.runs.listed.as_ref();
        if listed.is_some_and(|listed| !listed.iter().any(|run| run.dir == dir)) {
            // The pane looks for runs again.
            self.runs.listed = None;
        }
        if self.unfinished.as_deref() == Some(dir) {
            self.unfinished = None;
        }
        self.read_files(dir);
        self.layout.reveal(Pane::Curves);
        Ok(())
    }

    /// Takes in what the run of an opened folder has written since, if it still does.
    pub(super) fn follow(&mut self, ctx: &Context) {
        self.follow_bn(ctx);
        if self.run.phase != Phase::Opened {
            (self.following.metrics, self.following.news) = (None, None);
        }
        self.take_news();
        let Some((follower, looked)) = &mut self.following.metrics else { return };
        ctx.request_repaint_after(LOOK_EVERY);
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        *looked = Some(Instant::now());
        if follower.was_cut() {
            let dir = self.run.dir.clone().unwrap_or_default();
            match history::open(&dir) {
                Ok((run, _, follower)) => {
                    self.run = run;
                    self.following = Following { metrics: Some((follower, None)), ..Following::default() };
                }
                Err(error) => self.stop_following(&error.to_string()),
            }
        } else {
            match follower.read() {
                Ok(found) => {
                    if history::take_in(&mut self.run, found) {
                        *looked = None;
                        ctx.request_repaint();
                    }
                }
                Err(error) => self.stop_following(&error.to_string()),
            }
        }
        if let Some(dir) = self.run.dir.clone() {
            self.run.at_work_elsewhere = is_at_work(&RunFiles::of(&dir));
            self.read_files(&dir);
        }
    }

    /// Takes in what the run's folder tells of its BN domains, a part of a long file in each look.
    fn follow_bn(&mut self, ctx: &Context) {
        if self.following.bn_looked.is_some_and(|looked| looked.elapsed() < LOOK_EVERY) {
            return;
        }
        self.following.bn_looked = Some(Instant::now());
        if self.run.bn_history.read() {
            self.following.bn_looked = None;
            ctx.request_repaint();
        }
    }

    fn stop_following(&mut self, reason: &str) {
        self.following.metrics = None;
        self.run.log(Level::Warning, format!("The run folder is no longer followed: {reason}"));
    }

    /// Reads the BN statistics of the folder's newest checkpoint and the pictures of its last validation, where they
    /// are newer than those that were read.
    fn read_files(&mut self, dir: &Path) {
        if self.following.news.is_some() {
            return;
        }
        let files = RunFiles::of(dir);
        let checkpoint = [files.last(), files.best()].into_iter().find(|file| file.is_file());
        let pictures = files.pictures();
        let written = |file: &Path| file.metadata().and_then(|data| data.modified()).ok();
        let now = [checkpoint.as_deref().and_then(written), written(&pictures)];
        let seen = std::mem::replace(&mut self.following.seen, now);
        let [checkpoint_is_new, pictures_are_new] = [0, 1].map(|i| now[i].is_some() && now[i] != seen[i]);
        if !checkpoint_is_new && !pictures_are_new {
            return;
        }
        let work = move || News {
            statistics: checkpoint.filter(|_| checkpoint_is_new).and_then(|file| bn_layers_of(&file).ok()),
            pictures: pictures_are_new.then(|| pictures::load(&pictures)),
        };
        self.following.news = self.in_background("dualprop-folder", work);
    }

    fn take_news(&mut self) {
        let Some(news) = self.following.news.as_ref().and_then(|news| news.try_recv().ok()) else { return };
        self.following.news = None;
        if let Some((step, layers)) = news.statistics {
            self.run.bn = Some((step, Arc::new(layers)));
        }
        match news.pictures {
            Some(Ok(snapshot)) => self.run.show(snapshot),
            Some(Err(error)) => {
                self.run.log(Level::Warning, format!("The pictures were left out: {error:#}"))
            }
            None => {}
        }
    }
}
