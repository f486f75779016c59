//! Where images come from: the built-in `shapes` set, CIFAR files, image folders, lists, shards
//! and Parquet files; decoding and drawing of augmentations on worker threads. Images leave here as RGB
//! bytes; the GPU normalises them, after a crop and a flip where no augmentation comes after those.

#[cfg_attr(api, doc(hidden))]
pub mod augment;
#[cfg_attr(api, doc(hidden))]
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
#[cfg_attr(api, doc(hidden))]
pub mod file_kind;
mod flaws;
mod folder;
mod hsv;
#[cfg_attr(api, doc(hidden))]
pub mod imagenet;
mod kept;
mod labelled;
mod labels;
#[cfg_attr(api, doc(hidden))]
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
#[cfg_attr(api, doc(hidden))]
pub mod shapes;
mod subset;
mod webdataset;

#[cfg_attr(api, doc(hidden))]
pub use augment::{Placement, Recipe, Views};
pub use class_match::{ClassesBy, Matched, match_classes};
#[cfg_attr(api, doc(hidden))]
pub use class_match::{are_numbers, comparable, same_classes, unused_class};
#[cfg_attr(api, doc(hidden))]
pub use corrupted_files::{CorruptedFiles, CorruptedKind, FileCell};
#[cfg_attr(api, doc(hidden))]
pub use corrupted_reader::{Cells, CorruptedReader};
#[cfg_attr(api, doc(hidden))]
pub use corrupting::Corrupting;
pub use dataset::{Dataset, NamedSets, Splits};
pub use export::{ExportReport, export};
#[cfg_attr(api, doc(hidden))]
pub use folder::{Folder, FolderIndex, FolderLayout};
#[cfg_attr(api, doc(hidden))]
pub use loader::{Batch, Loader, LoaderOptions, PlacedImages, steps_per_epoch};
#[cfg_attr(api, doc(hidden))]
pub use open::{looks_like, open_reporting};
pub use open::{open, open_part, open_validation, parts};
#[cfg_attr(api, doc(hidden))]
pub use picture::{CropWindow, Picture};
pub use picture::{Framing, IMAGE_ENDINGS, load_image_file};
pub use reader::{EvalBatch, EvalOptions, EvalReader};
