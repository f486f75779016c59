//! Files of weights.

use super::{folder, says, written};
use dualprop::interop::tensor_file::{self, TensorFile};
use dualprop::training::checkpoint::Checkpoint;

const NAME: &str = "input.safetensors";

/// Any safetensors file, and as a checkpoint.
pub(super) fn safetensors(bytes: &[u8]) {
    let path = written(NAME, bytes);
    match TensorFile::read(&path) {
        Ok(file) => {
            let again = folder().join("again.safetensors");
            tensor_file::write(&again, &file.metadata, &file.tensors, &file.integers).expect("writable");
            same(&TensorFile::read(&again).expect("what was just written"), &file);
            assert_eq!(TensorFile::read_facts(&path).expect("its facts").integers, file.integers);
        }
        Err(error) => says(&format!("{error:#}"), NAME),
    }
    match Checkpoint::load(&path) {
        Ok(checkpoint) => {
            let again = folder().join("again.safetensors");
            checkpoint.save_atomic(&again).expect("writable");
            let read = Checkpoint::load(&again).expect("what was just written");
            assert_eq!(read.meta, checkpoint.meta);
            assert_eq!(read.loop_state, checkpoint.loop_state);
            if let Err(error) = checkpoint.config() {
                says(&format!("{error:#}"), "");
            }
        }
        Err(error) => says(&format!("{error:#}"), NAME),
    }
}

/// Holds that two files have the same content, to the bit: a number may be none.
fn same(read: &TensorFile, expected: &TensorFile) {
    assert_eq!((&read.metadata, &read.integers), (&expected.metadata, &expected.integers));
    assert!(read.tensors.keys().eq(expected.tensors.keys()));
    for (found, known) in read.tensors.values().zip(expected.tensors.values()) {
        assert_eq!(found.shape, known.shape);
        assert!(found.data.iter().map(|v| v.to_bits()).eq(known.data.iter().map(|v| v.to_bits())));
    }
}

/// Says in the first eight bytes how long the header is, where its end can be told.
pub(super) fn fit_header(bytes: &mut [u8]) {
    let Some(body) = bytes.get(8..) else { return };
    let Some(end) =
        body.windows(3).position(|part| part.starts_with(b"}}") && part[2] != b',' && part[2] != b'}')
    else {
        return;
    };
    let length = (end + 2).next_multiple_of(8).min(body.len());
    bytes[..8].copy_from_slice(&(length as u64).to_le_bytes());
}

/// The index of a model in several files, one of which is there.
pub(super) fn index(bytes: &[u8]) {
    let tensor = tensor_file::Tensor { shape: vec![2], data: vec![1.0, 2.0] };
    let part = folder().join("part.safetensors");
    if !part.exists() {
        let tensors = [("a".to_owned(), tensor)].into();
        tensor_file::write(&part, &Default::default(), &tensors, &Default::default()).expect("writable");
    }
    let path = written("input.safetensors.index.json", bytes);
    match TensorFile::read(&path) {
        Ok(file) => assert!(file.tensors.keys().all(|name| name == "a"), "of the part alone"),
        Err(error) => says(&format!("{error:#}"), NAME),
    }
}
