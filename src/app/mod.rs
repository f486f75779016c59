//! The window. It meets training only as commands in and events out (`model::launcher`), so it never waits
//! for a GPU, and everything it shows is folded from events (`model::run`) or read from a run folder
//! (`model::history`).

pub mod commands;
pub mod format;
pub mod large_view;
pub mod model;
pub mod panes;
pub mod shell;
pub mod theme;
pub mod widgets;

pub use shell::window::Window;

use crate::config::Config;
use anyhow::Context as _;
use eframe::{CreationContext, Frame, NativeOptions, Storage};
use egui::{Context, Ui, Vec2, ViewportBuilder, ViewportCommand, vec2};
use etcetera::BaseStrategy as _;
use model::launcher::Launcher;
use model::local_launcher::LocalLauncher;
use panes::PaneViews;
use shell::frame_times::FrameTimes;
use shell::layout::{self, Layout};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const TITLE: &str = "DualProp";
/// Names the folder of the program's own files.
const APP_ID: &str = "dualprop";
const ICON: &[u8] = include_bytes!("../../assets/icon.png");
/// Storage key of the views' settings. Raise the number when their meaning changes.
const VIEWS_KEY: &str = "dualprop.views.v2";
const RECENTS_KEY: &str = "dualprop.recents.v1";
const FORM_KEY: &str = "dualprop.set_up.v1";
const FIRST_STEPS_KEY: &str = "dualprop.first_steps.v1";
/// Fits a screen of 1280 × 720 together with a title bar, a panel of the desktop and borders: what a laptop
/// of 1920 × 1080 has at a scale of 1.5.
const FIRST_SIZE: [f32; 2] = [1264.0, 640.0];
const SMALLEST_SIZE: [f32; 2] = [960.0, 540.0];
/// Room for a title bar that is not known, points.
const TITLE_BAR: f32 = 40.0;

/// What the window opens with.
#[derive(Clone, Debug, Default)]
pub struct AppOptions {
    /// A configuration for the set-up.
    pub config: Option<PathBuf>,
    /// A run folder to look at.
    pub run: Option<PathBuf>,
    /// What is opened as if it were dropped on the window.
    pub paths: Vec<PathBuf>,
}

/// Opens the window and returns when it is closed. Fails with one sentence when there is no display, and when
/// a path in `options` cannot be read.
pub fn run(options: AppOptions) -> anyhow::Result<()> {
    run_with(options, Box::new(LocalLauncher))
}

/// [`run`] with another source of runs.
pub fn run_with(options: AppOptions, launcher: Box<dyn Launcher>) -> anyhow::Result<()> {
    let icon = eframe::icon_data::from_png_bytes(ICON).context("the icon in the program is damaged")?;
    let viewport = ViewportBuilder::default()
        .with_title(TITLE)
        .with_app_id(APP_ID)
        .with_icon(icon)
        .with_inner_size(FIRST_SIZE)
        .with_min_inner_size(SMALLEST_SIZE);
    let native = NativeOptions {
        viewport,
        renderer: eframe::Renderer::Wgpu,
        dithering: false,
        ..NativeOptions::default()
    };
    let create = move |creation: &CreationContext<'_>| {
        let window = open(creation, options, launcher)?;
        let times = FrameTimes::from_environment();
        let host = Host { window, times, ticked: Duration::ZERO, fits: false };
        Ok(Box::new(host) as Box<dyn eframe::App>)
    };
    eframe::run_native(TITLE, native, Box::new(create)).map_err(|error| match error {
        eframe::Error::AppCreation(error) => anyhow::anyhow!("{error}"),
        other => anyhow::anyhow!(
            "cannot open a window: {other}; without a display, use `dualprop train CONFIG.toml` instead"
        ),
    })
}

fn open(
    creation: &CreationContext<'_>,
    options: AppOptions,
    launcher: Box<dyn Launcher>,
) -> anyhow::Result<Window> {
    let software = creation
        .wgpu_render_state
        .as_ref()
        .is_some_and(|state| state.adapter.get_info().device_type == wgpu::DeviceType::Cpu);
    let mut window = Window::new(&creation.egui_ctx, launcher, software);
    if let Some(storage) = creation.storage {
        if let Some(layout) = storage.get_string(layout::STORAGE_KEY) {
            window.layout = Layout::from_text(&layout).unwrap_or_default();
        }
        let views = storage.get_string(VIEWS_KEY);
        window.views =
            views.and_then(|text| serde_json::from_str::<PaneViews>(&text).ok()).unwrap_or_default();
        let kept = storage.get_string(FORM_KEY).and_then(|text| serde_json::from_str(&text).ok());
        kept.iter().for_each(|kept| window.form.restore(kept));
        let recents = storage.get_string(RECENTS_KEY);
        window.recents = recents.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let steps = storage.get_string(FIRST_STEPS_KEY);
        window.first_steps = steps.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    }
    window.storage = eframe::storage_dir(APP_ID);
    let folders = etcetera::base_strategy::choose_native_strategy();
    window.cache = folders.ok().map(|folders| folders.cache_dir().join(APP_ID));
    let is_bare = options.config.is_none() && options.run.is_none() && options.paths.is_empty();
    if let Some(config) = options.config {
        let read = Config::load(&config, &[])?;
        window.form.fill_from_file(&config, read);
    }
    if let Some(dir) = options.run {
        window.open_run(&dir)?;
    }
    window.look_for_devices();
    window.look_for_unfinished();
    if is_bare {
        window.begin_first_minute();
    }
    if !options.paths.is_empty() {
        window.take_dropped(&options.paths);
    }
    Ok(window)
}

/// The window as eframe wants it.
struct Host {
    window: Window,
    times: FrameTimes,
    /// What the logic of the frame at hand took.
    ticked: Duration,
    /// The size was held to the screen.
    fits: bool,
}

impl Host {
    /// Makes a window smaller that was kept from a larger screen.
    fn fit(&mut self, ctx: &Context) {
        let viewport = ctx.input(|input| input.viewport().clone());
        let Some(monitor) = viewport.monitor_size else { return };
        self.fits = true;
        let fills = viewport.maximized == Some(true) || viewport.fullscreen == Some(true);
        let inner = viewport.inner_rect.unwrap_or_else(|| ctx.content_rect()).size();
        let outer = viewport.outer_rect.map_or(inner, |rect| rect.size());
        if let Some(size) = fitting(inner, outer, monitor).filter(|_| !fills) {
            ctx.send_viewport_cmd(ViewportCommand::InnerSize(size));
        }
    }
}

/// The size for a window of size `inner`, `outer` with its title bar, that is too large for the screen to
/// show its title bar and its status bar at once; `None` where it fits.
fn fitting(inner: Vec2, outer: Vec2, monitor: Vec2) -> Option<Vec2> {
    let around = (outer - inner).max(vec2(0.0, TITLE_BAR));
    let size = inner.min(monitor - around).max(SMALLEST_SIZE.into());
    (size != inner).then_some(size)
}

impl eframe::App for Host {
    fn logic(&mut self, ctx: &Context, _: &mut Frame) {
        let start = Instant::now();
        if !self.fits {
            self.fit(ctx);
        }
        self.window.tick(ctx);
        self.ticked = start.elapsed();
    }

    fn ui(&mut self, ui: &mut Ui, _: &mut Frame) {
        let start = Instant::now();
        self.window.show(ui);
        self.times.add(self.ticked + start.elapsed());
    }

    /// The ground of bars and panes. Nothing else is drawn below them: a software adapter pays some 20 ms for
    /// each layer that covers the window.
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    /// Often enough that a run started shortly before a crash is found again.
    fn auto_save_interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn save(&mut self, storage: &mut dyn Storage) {
        storage.set_string(layout::STORAGE_KEY, self.window.layout.to_text());
        if let Ok(views) = serde_json::to_string(&self.window.views) {
            storage.set_string(VIEWS_KEY, views);
        }
        if let Ok(kept) = serde_json::to_string(&self.window.form.kept()) {
            storage.set_string(FORM_KEY, kept);
        }
        if let Ok(recents) = serde_json::to_string(&self.window.recents) {
            storage.set_string(RECENTS_KEY, recents);
        }
        if let Ok(steps) = serde_json::to_string(&self.window.first_steps) {
            storage.set_string(FIRST_STEPS_KEY, steps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_fits_a_small_screen_with_its_title_bar() {
        let small = vec2(1280.0, 720.0);
        let first = Vec2::from(FIRST_SIZE);
        // A title bar above and a panel of the desktop below.
        assert!(first.y + 2.0 * TITLE_BAR <= small.y && first.x < small.x, "{first}");
        assert_eq!(fitting(first, first + vec2(2.0, 38.0), small), None);
        let kept = vec2(1280.0, 720.0);
        let fits = fitting(kept, kept, small).expect("the title bar has no room yet");
        assert!(fits.y + TITLE_BAR <= small.y, "{fits}");
        assert_eq!(fitting(kept, kept + vec2(10.0, 60.0), small), Some(vec2(1270.0, 660.0)));
        assert_eq!(fitting(kept, kept, vec2(1920.0, 1080.0)), None, "a larger screen changes nothing");
    }
}
