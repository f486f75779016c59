//! The way in for files that somebody else made. A pipe without a writer would be waited for without end, and
//! a device gives bytes without end: neither is opened. What is read whole has a limit.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// Most bytes of a text that is a list of names, a record or a note.
pub const MOST_TEXT: u64 = 256 << 20;

/// Opens the regular file at `path` for reading.
pub fn open(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        let what = "it is a pipe, a socket or a device; expected a regular file";
        return Err(io::Error::new(ErrorKind::InvalidInput, what));
    }
    File::open(path)
}

/// Reads the regular file at `path` whole; fails where it has more than `most` bytes, also when it grows
/// beyond them while it is read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let too_large = || {
        let what = format!("it has more than {most} bytes, the most for a file of its kind");
        io::Error::new(ErrorKind::FileTooLarge, what)
    };
    let length = file.metadata()?.len();
    if length > most {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).map_err(|_| too_large())?).map_err(|_| too_large())?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large()) } else { Ok(bytes) }
}

/// Reads the regular file at `path` as UTF-8 text; fails as [`read`] does.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_no_text_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"four\xff").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"four\xff");
        assert!(read(&path, 4).unwrap_err().to_string().contains("more than 4 bytes"));
        assert_eq!(read_text(&path, 5).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(read(folder.path(), 5).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    /// Opening a pipe that nobody writes to would wait for ever.
    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            let text = read(path, u64::MAX).unwrap_err().to_string();
            assert!(text.contains("a pipe, a socket or a device"), "{text}");
        }
    }
}
