//! What several panes draw with: plots and legends, cards of attacked images, textures, the export menu.

pub mod axis;
pub mod cards;
pub mod class_choice;
pub mod command_button;
pub mod drawing;
pub mod export;
pub mod figure;
pub mod heat_scale;
pub mod legend;
pub mod moments;
pub mod picture_size;
pub mod pictures;
pub mod plots;
pub mod steady;
pub mod table;
pub mod tips;
pub mod work;
