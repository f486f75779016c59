//! Where images come from: the built-in `shapes` set, CIFAR files, image folders, lists, shards
//! and Parquet files; decoding and drawing of augmentations on worker threads. Images leave here as RGB
//! bytes; the GPU normalises them, after a crop and a flip where no augmentation comes after those.

pub mod augment;
pub mod check;
mod cifar;
mod class_match;
mod corrupted_files;
mod corrupted_reader;
mod corrupting;
pub mod corruptions;
mod csv_list;
mod damage;
mod dataset;
mod export;
mod fashion_mnist;
pub mod file_kind;
mod flaws;
mod folder;
mod hsv;
mod kept;
mod labelled;
mod labels;
pub mod leavings;
mod loader;
mod open;
mod packed;
mod parquet_set;
mod part_names;
mod picture;
mod pool;
mod random;
mod reader;
mod set_files;
pub mod shapes;
mod subset;
mod webdataset;

pub use augment::{Placement, Recipe, Views};
pub use class_match::{
    ClassesBy, Matched, are_numbers, comparable, match_classes, same_classes, unused_class,
};
pub use corrupted_files::{CorruptedFiles, CorruptedKind, FileCell};
pub use corrupted_reader::{Cells, CorruptedReader};
pub use corrupting::Corrupting;
pub use dataset::{Dataset, NamedSets, Splits};
pub use export::{ExportReport, export};
pub use folder::{Folder, FolderIndex, FolderLayout};
pub use loader::{Batch, Loader, LoaderOptions, PlacedImages, steps_per_epoch};
pub use open::{looks_like, open, open_part, open_reporting, open_validation, parts};
pub use picture::{CropWindow, Framing, IMAGE_ENDINGS, Picture, load_image_file};
pub use reader::{EvalBatch, EvalOptions, EvalReader};
