//! Files of data sets.

use super::{once, says, written};
use dualprop::config::{DataConfig, DataSource, Interpolation};
use dualprop::data::{CorruptedFiles, CorruptedKind, Dataset, FileCell, open_part};
use std::path::Path;
use std::sync::Arc;

/// Side of the square that images are read to, pixels.
const SIDE: usize = 8;

// What a part of a set needs beside the one that is read.
const PNG: &[u8] = include_bytes!("../../fixtures/sets/folder/train/ant/0.png");
const SHARD: &[u8] = include_bytes!("../../fixtures/sets/webdataset/val-000000.tar");
const PARQUET: &[u8] = include_bytes!("../../fixtures/sets/parquet-pyarrow/val.parquet");

/// Images of a set that are read, beside the last.
const READ: usize = 2;

fn open(source: DataSource, folder: &Path, part: &str) -> anyhow::Result<Arc<dyn Dataset>> {
    let path = folder.to_str().expect("UTF-8").to_owned();
    open_part(&DataConfig { source, path, ..DataConfig::default() }, part)
}

/// Holds that a set that could be opened answers for its images, and that what could not be says why.
fn answers(set: anyhow::Result<Arc<dyn Dataset>>, file: &str) {
    let set = match set {
        Ok(set) => set,
        Err(error) => return says(&format!("{error:#}"), file),
    };
    assert!(!set.is_empty(), "a set without images");
    set.notes().into_iter().for_each(|note| says(&note, ""));
    let last = set.len() - 1;
    for index in (0..set.len().min(READ)).chain([last]) {
        assert!(set.label(index) < set.class_names().len(), "a label without a class");
        assert!(!set.name(index).is_empty());
        match set.load(index, SIDE) {
            Ok(pixels) => assert_eq!(pixels.len(), SIDE * SIDE * 3),
            Err(error) => says(&format!("{error:#}"), ""),
        }
    }
}

/// The files of CIFAR-10's and of CIFAR-100's test images, and the first as a list of class names.
pub(super) fn cifar(bytes: &[u8]) {
    let path = written("cifar/test_batch.bin", bytes);
    written("cifar/test.bin", bytes);
    let folder = path.parent().expect("a folder");
    answers(open(DataSource::Cifar10, folder, "val"), "test_batch.bin");
    answers(open(DataSource::Cifar100, folder, "val"), "test.bin");
}

/// Cuts to whole records of CIFAR-10.
pub(super) fn whole_records(bytes: &mut Vec<u8>) {
    const RECORD: usize = 3073;
    bytes.truncate(bytes.len() / RECORD * RECORD);
}

/// An IDX file of images beside two labels, and one of labels beside two images; also compressed.
pub(super) fn idx(bytes: &[u8]) {
    const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 3, 9];
    const IMAGES: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 100, 200];
    let folder = |name: &str, images: &[u8], labels: &[u8], ending: &str| {
        let path = written(&format!("{name}/t10k-images-idx3-ubyte{ending}"), images);
        written(&format!("{name}/t10k-labels-idx1-ubyte{ending}"), labels);
        open(DataSource::FashionMnist, path.parent().expect("a folder"), "val")
    };
    answers(folder("idx-images", bytes, LABELS, ""), "idx-images");
    answers(folder("idx-labels", IMAGES, bytes, ""), "idx-labels");
    answers(folder("idx-packed", bytes, bytes, ".gz"), "idx-packed");
}

/// An array of corrupted images beside ten labels, and one of labels beside ten images.
pub(super) fn npy(bytes: &[u8]) {
    let array = |descr: &str, shape: &str, values: &[u8]| {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        header += &" ".repeat(117 - header.len());
        header.push('\n');
        [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), values]
            .concat()
    };
    let labels = array("|u1", "(10,)", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let images = array("|u1", "(10, 32, 32, 3)", &[7; 10 * 32 * 32 * 3]);
    for (folder, images, labels) in [("npy-images", bytes, &labels[..]), ("npy-labels", &images, bytes)] {
        let path = written(&format!("{folder}/fog.npy"), images);
        written(&format!("{folder}/labels.npy"), labels);
        let dir = path.parent().expect("a folder");
        let kind = CorruptedKind::Cifar10;
        let files = CorruptedFiles::find(kind, dir, None, &[1, 5], Interpolation::Bilinear).expect("there");
        for severity in [1, 5] {
            answers(files.open(&FileCell { corruption: "fog".into(), severity }), folder);
        }
    }
}

/// A list of images, one of which is there.
pub(super) fn csv(bytes: &[u8]) {
    let png = once("csv/a.png", PNG);
    let folder = png.parent().expect("a folder");
    written("csv/train.csv", bytes);
    once("csv/val.csv", b"path,label\na.png,1\n");
    answers(open(DataSource::Csv, folder, "train"), "train.csv");
}

/// A WebDataset shard.
pub(super) fn tar(bytes: &[u8]) {
    let path = written("tar/train-000000.tar", bytes);
    once("tar/val-000000.tar", SHARD);
    answers(open(DataSource::Webdataset, path.parent().expect("a folder"), "train"), "train");
}

/// Makes the sums in the headers of a tar file fit, as far as its sizes lead from one to the next.
pub(super) fn fit_checksums(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = bytes.get_mut(at..at + 512) {
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let text = std::str::from_utf8(&header[124..135]).unwrap_or("x");
        let Ok(size) = usize::from_str_radix(text.trim_matches(['\0', ' ']), 8) else { return };
        at += 512 + size.next_multiple_of(512);
    }
}

/// A Parquet file.
pub(super) fn parquet(bytes: &[u8]) {
    let path = written("parquet/train.parquet", bytes);
    once("parquet/val.parquet", PARQUET);
    answers(open(DataSource::Parquet, path.parent().expect("a folder"), "train"), "train");
}

/// Puts the words back that a Parquet file begins and ends with.
pub(super) fn fit_footer(bytes: &mut [u8]) {
    if let [first, .., last] = bytes.as_chunks_mut::<4>().0 {
        *first = *b"PAR1";
        *last = *b"PAR1";
    }
}
