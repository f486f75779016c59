//! What is around the panes: the window itself with its bars, dialogs and command palette, and where the
//! panes lie.

pub mod chrome;
pub mod dialogs;
pub mod first_steps;
pub mod frame_times;
pub mod layout;
pub mod messages;
pub mod palette;
pub mod status;
pub mod window;
