//! What the window knows and shows: the run on screen, the opened model, the other runs, the set-up. Folded
//! from what training threads report and read from run folders; the panes read it and draw it.

pub mod augmented;
pub mod bn_history;
pub mod form;
pub mod free_folder;
pub mod history;
pub mod kinds;
pub mod launcher;
pub mod local_launcher;
pub mod moments;
pub mod preflight;
pub mod progress;
pub mod recents;
pub mod remaining;
pub mod run;
pub mod runs;
pub mod sample;
pub mod series;
pub mod start_check;
pub mod study;
pub mod sweeps;
