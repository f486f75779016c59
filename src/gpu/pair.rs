//! An open device together with the player that replays programs on it: what every piece of work on a GPU
//! needs.

use super::device::Device;
use super::error::GpuError;
use super::program::Program;
use super::replay::Player;
use std::sync::Arc;

/// A device and its one [`Player`].
pub struct Gpu {
    /// The open adapter.
    pub device: Arc<Device>,
    /// What plays programs on the device.
    pub player: Player,
}

impl Gpu {
    /// A device with a player of its own, which has encoded nothing yet.
    pub fn new(device: impl Into<Arc<Device>>) -> Self {
        let device = device.into();
        Self { player: Player::new(&device), device }
    }

    /// Encodes all dispatches of `program`: see [`Player::play`].
    pub fn play(&mut self, program: &Program) -> Result<(), GpuError> {
        self.player.play(&self.device, program)
    }

    /// Submits what has been encoded: see [`Player::submit`].
    pub fn submit(&mut self) -> Result<(), GpuError> {
        self.player.submit(&self.device)
    }
}
