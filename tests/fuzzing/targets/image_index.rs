//! The kept list of an image folder's files.

use super::{folder, once};
use dualprop::data::{Dataset as _, Folder, FolderIndex};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A folder of two classes that is older than a list of it must be, and where the program keeps its list.
struct Kept {
    root: PathBuf,
    index: FolderIndex,
    list: PathBuf,
    /// The list's first bytes, which say of which folder it is.
    head: Vec<u8>,
}

thread_local! {
    static KEPT: Kept = Kept::make();
}

impl Kept {
    fn make() -> Self {
        let old = SystemTime::now() - Duration::from_secs(3600);
        for class in ["ant", "bee"] {
            let image = once(&format!("photos/train/{class}/0.png"), b"no image");
            let opened = std::fs::File::open(image.parent().expect("a folder")).expect("a folder");
            opened.set_modified(old).expect("the time is ours");
        }
        let root = folder().join("photos");
        let index = FolderIndex { dir: folder().join("lists"), least_files: 0 };
        open(&root, &index);
        let mut lists = std::fs::read_dir(&index.dir).expect("a list was kept");
        let list = lists.next().expect("one").expect("readable").path();
        let mut head = std::fs::read(&list).expect("a list");
        head.truncate(12 + u32::from_le_bytes(head[8..12].try_into().expect("four bytes")) as usize);
        Self { root, index, list, head }
    }
}

fn open(root: &Path, index: &FolderIndex) -> Folder {
    Folder::open(root, "train", Some(index), |_, _| ()).expect("a folder, whatever its list says")
}

/// What stands in the list behind the path that it is of, with a checksum that fits. The folder opens
/// whatever it says.
pub(super) fn image_index(bytes: &[u8]) {
    KEPT.with(|kept| {
        let mut made = [&kept.head, bytes].concat();
        made.extend(crc32c::crc32c(&made).to_le_bytes());
        std::fs::write(&kept.list, made).expect("writable");
        let set = open(&kept.root, &kept.index);
        for image in 0..set.len().min(8) {
            assert!(set.label(image) < 2 && !set.name(image).is_empty());
            let _ = set.load(image, 8);
        }
        set.notes().iter().for_each(|note| assert!(!note.is_empty()));
    });
}
