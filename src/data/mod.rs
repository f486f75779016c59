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

pub use class_match::{ClassesBy, Matched, match_classes};
pub use dataset::{Dataset, NamedSets, Splits};
pub use export::{ExportReport, export};
pub use open::{open, open_part, open_validation, parts};
pub use picture::{Framing, IMAGE_ENDINGS, load_image_file};
pub use reader::{EvalBatch, EvalOptions, EvalReader};
// For this program's own modules and tests; versions do not promise these.
#[cfg_attr(api, doc(hidden))]
pub use self::{
    augment::{Placement, Recipe, Views},
    class_match::{are_numbers, comparable, same_classes, unused_class},
    corrupted_files::{CorruptedFiles, CorruptedKind, FileCell},
    corrupted_reader::{Cells, CorruptedReader},
    corrupting::Corrupting,
    folder::{Folder, FolderIndex, FolderLayout},
    loader::{Batch, Loader, LoaderOptions, PlacedImages, steps_per_epoch},
    open::{looks_like, open_reporting},
    picture::{CropWindow, Picture},
};
