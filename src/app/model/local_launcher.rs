//! Starts real runs: the one place of the window that names the training session.

use super::launcher::{DeviceItem, Launcher, RunLink, RunRequest, Wake};
use crate::gpu::{self, DeviceChoice};
use crate::session::inspect::{self, Inspector};
use crate::session::preflight::{self, Preflight};
use crate::session::{RunOptions, spawn};
use crossbeam_channel::Receiver;
use std::path::Path;

/// Trains on this computer.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalLauncher;

impl Launcher for LocalLauncher {
    fn start(&self, request: RunRequest, wake: Wake) -> anyhow::Result<RunLink> {
        let RunRequest { config, out, resume, device } = request;
        let handle = spawn(RunOptions { config, out, resume, device, pictures: true });
        let link = RunLink {
            commands: handle.commands.clone(),
            events: handle.events.clone(),
            snapshot: handle.snapshot.clone(),
        };
        link.waking(wake, move || handle.join())
    }

    fn study(&self, wake: Wake) -> anyhow::Result<Inspector> {
        inspect::spawn(wake)
    }

    fn preflight(&self, request: RunRequest, wake: Wake) -> anyhow::Result<Receiver<Preflight>> {
        preflight::spawn(request.config, request.out, request.device, wake)
    }

    fn list_devices(&self) -> fn() -> Vec<DeviceItem> {
        list_devices
    }

    fn trash(&self) -> fn(&Path) -> bool {
        |dir| trash::delete(dir).is_ok()
    }

    fn open_path(&self) -> fn(&Path) -> std::io::Result<()> {
        |path| open::that_detached(path)
    }
}

fn list_devices() -> Vec<DeviceItem> {
    let items = gpu::adapters().into_iter().map(|adapter| DeviceItem {
        label: format!("{} ({}, {})", adapter.name, adapter.device_type, adapter.backend),
        choice: DeviceChoice::Index(adapter.index),
        driver: adapter.driver,
    });
    items.collect()
}
