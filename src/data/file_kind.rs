//! What a file really is, by its first bytes, for messages about files that are not what was expected.

/// Bytes from the start of a file that [`recognise`] looks at.
pub const LOOKED_AT: usize = 512;

/// A kind of file that people hand over by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileKind {
    /// What it is, as it follows "it is".
    pub name: &'static str,
    /// What to do about it, as a clause; empty where the name says it.
    pub next_step: &'static str,
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        if self.next_step.is_empty() { Ok(()) } else { write!(f, "; {}", self.next_step) }
    }
}

/// The index of a model in several safetensors files, which lie beside it.
pub const INDEX: FileKind =
    FileKind { name: "the index of a model in several files", next_step: "merge those files into one" };

// A pickle may run any code when it is read: Python does that, with what it allows, and not this program.
// Training frameworks put the weights under `state_dict`, beside much else.
const FROM_PYTORCH: &str = "in Python, write its weights as safetensors: \
    import torch, safetensors.torch; \
    weights = torch.load(FILE, map_location=\"cpu\", weights_only=True); \
    safetensors.torch.save_file({k: v.clone() for k, v in weights.get(\"state_dict\", weights).items()}, \"weights.safetensors\")";

/// What a file is that starts with `first`, [`LOOKED_AT`] bytes of it or all that there are; `None` where it
/// is nothing that is known here. Safetensors are not: their first bytes are a length.
pub fn recognise(first: &[u8]) -> Option<FileKind> {
    let kind = |name, next_step| Some(FileKind { name, next_step });
    let holds = |part: &[u8]| first.windows(part.len()).any(|window| window == part);
    match first {
        [b'P', b'K', 3, 4, ..] if holds(b"data.pkl") => kind("a PyTorch file", FROM_PYTORCH),
        [b'P', b'K', 3, 4, ..] if holds(b".npy") => {
            kind("a NumPy archive (.npz)", "write its arrays with safetensors.numpy.save_file")
        }
        [b'P', b'K', 3, 4, ..] => kind("a zip archive", "unpack it first"),
        [0x80, 2..=5, ..] => kind("a Python pickle, as older PyTorch wrote it", FROM_PYTORCH),
        [0x1f, 0x8b, ..] => kind("compressed by gzip", "unpack it first"),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            kind("a NumPy array (.npy)", "write it with safetensors.numpy.save_file")
        }
        [b'G', b'G', b'U', b'F', ..] => kind("a GGUF file, which holds language models", ""),
        [0x89, b'H', b'D', b'F', ..] => {
            kind("an HDF5 file, as Keras writes it", "convert it to timm's or torchvision's names first")
        }
        // Protobuf: the IR version, then the producer's name.
        [8, 3..=20, 0x12, ..] => kind("an ONNX file", "use the weights that it was exported from"),
        [0x89, b'P', b'N', b'G', ..] => kind("a PNG image", ""),
        [0xff, 0xd8, 0xff, ..] => kind("a JPEG image", ""),
        [b'G', b'I', b'F', b'8', ..] => kind("a GIF image", ""),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => kind("a WebP image", ""),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => kind("a TIFF image", ""),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => {
            kind("an AVIF image", "save it as PNG")
        }
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', ..] => kind("an HEIC image", "save it as PNG"),
        [b'%', b'P', b'D', b'F', ..] => kind("a PDF document", ""),
        _ => recognise_text(first),
    }
}

fn recognise_text(first: &[u8]) -> Option<FileKind> {
    let text = String::from_utf8_lossy(first).trim_start().to_ascii_lowercase();
    let kind = |name, next_step| Some(FileKind { name, next_step });
    if text.starts_with("version https://git-lfs") {
        return kind("a Git LFS pointer and not the file that it stands for", "fetch that by `git lfs pull`");
    }
    if text.starts_with("<!doctype") || text.starts_with("<html") {
        return kind("a web page", "the download answered with a page; fetch the file itself");
    }
    if text.starts_with("<svg") || text.starts_with("<?xml") {
        return kind("XML or SVG text", "");
    }
    if text.starts_with('{') && (text.contains("weight_map") || text.contains("total_size")) {
        return Some(INDEX);
    }
    if text.starts_with('{') {
        return kind("JSON text", "");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_people_mistake_are_told_apart() {
        let cases: [(&[u8], &str); 14] = [
            (b"PK\x03\x04\0\0archive/data.pkl", "PyTorch"),
            (b"PK\x03\x04\0\0fc.weight.npy", ".npz"),
            (b"PK\x03\x04\0\0readme.txt", "zip"),
            (b"\x80\x02\x8a\x0al\xfc\x9c", "pickle"),
            (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
            (b"\n<!DOCTYPE html><html>", "web page"),
            (b"{\"metadata\":{\"total_size\":1},\"weight_map\":{}}", "several files"),
            (b"{\"a\":1}", "JSON"),
            (b"\x08\x07\x12\x07pytorch", "ONNX"),
            (b"GGUF\x03", "GGUF"),
            (b"\x93NUMPY\x01", "npy"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\0\0\0\x1cftypavif", "AVIF"),
            (b"\0\0\0\x18ftypheic", "HEIC"),
        ];
        for (first, word) in cases {
            let kind = recognise(first).unwrap_or_else(|| panic!("{word} is not recognised"));
            assert!(kind.to_string().contains(word), "{word} in {kind}");
        }
        // A safetensors file: the length of its header, then JSON.
        assert_eq!(recognise(b"\x40\0\0\0\0\0\0\0{\"a\":"), None);
        assert_eq!(recognise(b""), None);
    }
}
