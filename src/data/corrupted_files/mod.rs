//! Sets that hold their images corrupted already: trees of folders as ImageNet-C has them, and the arrays of
//! CIFAR-10-C and CIFAR-100-C. Each corruption at each severity is a set of its own, opened when it is
//! measured.

mod cifar_c;
mod npy;
mod tree;

use super::Dataset;
use crate::config::Interpolation;
use crate::config::path_faults::no_folder;
use anyhow::{bail, ensure};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kinds of such sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorruptedKind {
    /// `DIR/CORRUPTION/SEVERITY/CLASS/image`.
    Folder,
    /// `DIR/CORRUPTION.npy` and `DIR/labels.npy` of CIFAR-10's classes.
    Cifar10,
    /// The same of CIFAR-100's classes.
    Cifar100,
}

impl CorruptedKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Folder, Self::Cifar10, Self::Cifar100];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder-c",
            Self::Cifar10 => "cifar10-c",
            Self::Cifar100 => "cifar100-c",
        }
    }
}

/// One corruption at one severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCell {
    /// The corruption as its folder or file is called.
    pub corruption: String,
    /// 1 to 5.
    pub severity: u8,
}

/// The corruptions that a folder holds.
#[derive(Clone, Debug)]
pub struct CorruptedFiles {
    kind: CorruptedKind,
    dir: PathBuf,
    cells: Vec<FileCell>,
    interpolation: Interpolation,
}

impl CorruptedFiles {
    /// Finds those of `corruptions`, or all that are there in bytewise order, at `severities`. An image whose
    /// size is not the network's is resized by `interpolation` and never cropped but to a square: it was
    /// cropped before it was corrupted. Fails with what is missing.
    pub fn find(
        kind: CorruptedKind,
        dir: &Path,
        corruptions: Option<&[String]>,
        severities: &[u8],
        interpolation: Interpolation,
    ) -> anyhow::Result<Self> {
        ensure!(dir.is_dir(), "--path: {}", no_folder(dir));
        let there = match kind {
            CorruptedKind::Folder => tree::corruptions(dir)?,
            CorruptedKind::Cifar10 | CorruptedKind::Cifar100 => cifar_c::corruptions(dir)?,
        };
        ensure!(
            !there.is_empty(),
            "--path: {} holds no corruptions; expected {}",
            dir.display(),
            match kind {
                CorruptedKind::Folder =>
                    "DIR/CORRUPTION/SEVERITY/CLASS/image, such as gaussian_noise/1/CLASS/a.png",
                _ => "labels.npy and arrays such as gaussian_noise.npy",
            }
        );
        let wanted = corruptions.map_or_else(|| there.clone(), <[String]>::to_vec);
        if let Some(name) = wanted.iter().find(|name| !there.contains(name)) {
            bail!("--path: {} has no {name}; it has {}", dir.display(), there.join(", "));
        }
        let mut cells = Vec::new();
        for corruption in wanted {
            if kind == CorruptedKind::Folder {
                check_severities(dir, &corruption, severities)?;
            }
            let cell = |&severity| FileCell { corruption: corruption.clone(), severity };
            cells.extend(severities.iter().map(cell));
        }
        Ok(Self { kind, dir: dir.to_owned(), cells, interpolation })
    }

    /// What was found, corruption by corruption.
    pub fn cells(&self) -> &[FileCell] {
        &self.cells
    }

    /// Whether the classes are CIFAR's, in its order.
    pub fn has_cifars_classes(&self) -> bool {
        self.kind != CorruptedKind::Folder
    }

    /// Opens one of the cells.
    pub fn open(&self, cell: &FileCell) -> anyhow::Result<Arc<dyn Dataset>> {
        match self.kind {
            CorruptedKind::Folder => tree::open(&self.dir, cell, self.interpolation),
            kind => cifar_c::open(&self.dir, cell, kind, self.interpolation),
        }
    }
}

/// Fails with the severities that a corruption of a tree lacks.
fn check_severities(dir: &Path, corruption: &str, wanted: &[u8]) -> anyhow::Result<()> {
    let there: BTreeSet<u8> = tree::severities(&dir.join(corruption))?.into_iter().collect();
    let words = |severities: &mut dyn Iterator<Item = &u8>| {
        severities.map(u8::to_string).collect::<Vec<_>>().join(", ")
    };
    let missing = words(&mut wanted.iter().filter(|severity| !there.contains(severity)));
    ensure!(
        missing.is_empty(),
        "--path: {} has no severity {missing}; expected the folders {}, or --severity {}",
        dir.join(corruption).display(),
        words(&mut wanted.iter()),
        words(&mut there.iter()).replace(' ', "")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const ALL: [u8; 5] = [1, 2, 3, 4, 5];

    fn find(
        kind: CorruptedKind,
        dir: &Path,
        corruptions: Option<&[String]>,
        severities: &[u8],
    ) -> anyhow::Result<CorruptedFiles> {
        CorruptedFiles::find(kind, dir, corruptions, severities, Interpolation::Bilinear)
    }

    /// A tree of two classes, whose images have the pixel value 10 · severity.
    fn tree(dir: &Path, corruption: &str, severities: &[u8], side: u32) {
        for severity in severities {
            for class in ["ant", "bee"] {
                let folder = dir.join(corruption).join(severity.to_string()).join(class);
                std::fs::create_dir_all(&folder).unwrap();
                let image = image::RgbImage::from_pixel(side, side, image::Rgb([10 * severity; 3]));
                image.save(folder.join("a.png")).unwrap();
            }
        }
    }

    /// An array file as NumPy writes it.
    fn array(path: &Path, kind: &str, shape: &str, values: &[u8]) {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        header.push_str(&" ".repeat((128 - 10 - 1) - header.len()));
        header.push('\n');
        let mut file = std::fs::File::create(path).unwrap();
        file.write_all(b"\x93NUMPY\x01\x00").unwrap();
        file.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        file.write_all(header.as_bytes()).unwrap();
        file.write_all(values).unwrap();
    }

    /// CIFAR-C of two images a severity; image i is filled with i, and its class is i % 2 + 3.
    fn cifar(dir: &Path) {
        let pixels: Vec<u8> = (0..10_u8).flat_map(|image| vec![image; 3072]).collect();
        array(&dir.join("fog.npy"), "|u1", "(10, 32, 32, 3)", &pixels);
        let labels: Vec<u8> = (0..10_i64).flat_map(|image| (image % 2 + 3).to_le_bytes()).collect();
        array(&dir.join("labels.npy"), "<i8", "(10,)", &labels);
    }

    #[test]
    fn a_tree_is_read_cell_by_cell_and_its_images_are_used_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path(), "fog", &ALL, 20);
        tree(dir.path(), "own_noise", &ALL, 20);
        std::fs::create_dir_all(dir.path().join("notes/about")).unwrap();
        let files = find(CorruptedKind::Folder, dir.path(), None, &[2, 4]).unwrap();
        let cells: Vec<_> = files.cells().iter().map(|c| (c.corruption.as_str(), c.severity)).collect();
        assert_eq!(cells, [("fog", 2), ("fog", 4), ("own_noise", 2), ("own_noise", 4)]);
        let set = files.open(&files.cells()[1]).unwrap();
        assert_eq!(set.class_names(), ["ant", "bee"]);
        // Of the network's size: no pixel is resized, whatever the network's own images are cropped to.
        assert_eq!(set.load(1, 20).unwrap(), vec![40; 20 * 20 * 3]);
    }

    #[test]
    fn a_tree_that_lacks_severities_is_refused_with_them() {
        let dir = tempfile::tempdir().unwrap();
        tree(dir.path(), "fog", &[1, 2, 4], 8);
        let message = find(CorruptedKind::Folder, dir.path(), None, &ALL).unwrap_err().to_string();
        assert!(
            message.contains("fog has no severity 3, 5") && message.contains("--severity 1,2,4"),
            "{message}"
        );
        find(CorruptedKind::Folder, dir.path(), None, &[2, 4]).unwrap();
        let snow = ["snow".to_owned()];
        let message = find(CorruptedKind::Folder, dir.path(), Some(&snow), &[1]).unwrap_err().to_string();
        assert!(message.contains("has no snow; it has fog"), "{message}");
        let message = find(CorruptedKind::Cifar10, dir.path(), None, &ALL).unwrap_err().to_string();
        assert!(message.contains("holds no corruptions; expected labels.npy"), "{message}");
        let message =
            find(CorruptedKind::Folder, &dir.path().join("fog"), None, &ALL).unwrap_err().to_string();
        assert!(message.contains("DIR/CORRUPTION/SEVERITY/CLASS"), "{message}");
    }

    #[test]
    fn arrays_hold_a_fifth_of_their_images_at_each_severity() {
        let dir = tempfile::tempdir().unwrap();
        cifar(dir.path());
        let files = find(CorruptedKind::Cifar10, dir.path(), None, &ALL).unwrap();
        let severities: Vec<u8> = files.cells().iter().map(|cell| cell.severity).collect();
        assert_eq!(severities, ALL);
        let set = files.open(&files.cells()[3]).unwrap();
        assert_eq!((set.len(), set.label(0), set.label(1)), (2, 3, 4));
        assert_eq!((set.class_names()[3].as_str(), set.class_names()[9].as_str()), ("cat", "truck"));
        assert_eq!(set.load(1, 32).unwrap(), vec![7; 3072]);
        let hundred = find(CorruptedKind::Cifar100, dir.path(), None, &[1]).unwrap();
        let names = hundred.open(&hundred.cells()[0]).unwrap();
        assert_eq!((names.class_names().len(), names.class_names()[99].as_str()), (100, "worm"));
    }

    #[test]
    fn arrays_of_another_form_are_refused_by_what_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        let fault = |name: &str, kind: &str, shape: &str, values: usize| {
            cifar(dir.path());
            array(&dir.path().join(name), kind, shape, &vec![1; values]);
            let files = find(CorruptedKind::Cifar10, dir.path(), None, &[1]).unwrap();
            files.open(&files.cells()[0]).map(|_| ()).unwrap_err().to_string()
        };
        for (name, kind, shape, values, part) in [
            (
                "fog.npy",
                "|u1",
                "(10, 3, 32, 32)",
                30_720,
                "[10, 3, 32, 32]; expected [50000, 32, 32, 3] bytes",
            ),
            ("fog.npy", "<f4", "(10, 32, 32, 3)", 122_880, "values of type <f4"),
            ("fog.npy", "|u1", "()", 1, "is of shape []"),
            ("fog.npy", "|u1", "(11, 32, 32, 3)", 33_792, "five severities"),
            ("fog.npy", "|u1", "(10, 32, 32, 3)", 30_719, "the file is cut off"),
            ("labels.npy", "|u1", "(9,)", 9, "expected [10]"),
            ("labels.npy", "<i8", "(10,)", 80, "entry 0 is no class of CIFAR-10; expected 0 to 9"),
        ] {
            let message = fault(name, kind, shape, values);
            assert!(message.contains(name) && message.contains(part), "{message}");
        }
        cifar(dir.path());
        std::fs::write(dir.path().join("fog.npy"), "an array").unwrap();
        let files = find(CorruptedKind::Cifar10, dir.path(), None, &[1]).unwrap();
        let message = files.open(&files.cells()[0]).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("fog.npy is no NumPy array"), "{message}");
    }
}
