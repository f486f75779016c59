//! ONNX files (onnx.ai) of a network with fixed weights. `message` has the messages of the format, `build`
//! makes a graph of them node by node, and `network` walks our own network, so that no architecture is
//! described a second time.
//!
//! The messages are structs under `prost`, with the fields that are written and no more: prost adds two small
//! crates to the build, needs no `protoc`, and reads as well as it writes. Messages encoded by hand, as in
//! [`super::tensorboard`], would have nested lengths to be known before they are written, and no reader for
//! tests.

mod build;
pub mod message;
mod network;

use super::atomic::write_atomic;
use message::ModelProto;
pub use network::{OnnxOptions, Output, network_model};
use prost::Message as _;
use std::path::Path;

/// Version of the operators that a file asks for: HardSwish came with 14, and 17 is what the runtimes of the
/// last years have.
pub const OPSET: i64 = 17;

/// Version of the file format that goes with [`OPSET`].
const IR_VERSION: i64 = 8;

/// Bytes from which on readers refuse a protocol buffer.
const MAX_BYTES: usize = i32::MAX as usize;

/// Writes a model whole or not at all; returns the file's bytes. One that no reader would take is refused.
pub fn write(path: &Path, model: &ModelProto) -> anyhow::Result<usize> {
    let bytes = model.encoded_len();
    check_size(path, bytes)?;
    let encoded = model.encode_to_vec();
    write_atomic(path, |out| out.write_all(&encoded))?;
    Ok(bytes)
}

fn check_size(path: &Path, bytes: usize) -> anyhow::Result<()> {
    anyhow::ensure!(
        bytes <= MAX_BYTES,
        "{} would take {:.1} GB, and an ONNX file ends at 2 GB; choose one domain, or store the weights as f16",
        path.display(),
        bytes as f64 / 1e9
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_reader_would_take_is_refused() {
        let path = Path::new("big.onnx");
        check_size(path, MAX_BYTES).expect("just small enough");
        let said = check_size(path, MAX_BYTES + 1).expect_err("too large").to_string();
        assert!(said.contains("big.onnx") && said.contains("2 GB") && said.contains("f16"), "{said}");
    }
}
