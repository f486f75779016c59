//! Files that appear whole or not at all: written under a temporary name in the same folder, synced, renamed.

use crate::config::path_faults::no_folder;
pub use crate::config::path_faults::unwritable_file as sentence;
use anyhow::anyhow;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Ending of the temporary names; a run folder clears away what a killed run left of them.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Writes `path` by way of a temporary file. On an error the file that stood there before is untouched and
/// nothing is left behind; the error is one sentence that names `path`.
pub fn write_atomic(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or_else(|| anyhow!("{} is not a file name", path.display()))?;
    if path.is_dir() {
        return Err(anyhow!("{} is a folder; expected a file name", path.display()));
    }
    let attempt = || -> std::io::Result<()> {
        let mut file = temporary(folder, &name.to_string_lossy())?;
        let mut writer = BufWriter::with_capacity(1 << 20, file.as_file_mut());
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        sync_folder(folder)
    };
    attempt().map_err(|e| anyhow!(sentence(path, &e)))
}

/// Makes a file that `BufWriter` and `rename` can work on; its rights are those of any new file, not the
/// private ones that temporary files usually get.
fn temporary(folder: &Path, name: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(TEMPORARY_SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Makes the rename itself durable; only Unix lets a program open a folder for that.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Makes a folder with its parents.
pub fn create_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).map_err(|error| {
        let shown = path.display();
        match path.ancestors().find(|part| part.is_file()) {
            Some(file) if file == path => anyhow!("{}", no_folder(path)),
            Some(file) => anyhow!("cannot make the folder {shown}: {}", no_folder(file)),
            None => anyhow!(sentence(path, &error)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_file_in_the_place_of_a_folder_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("writable");
        for (path, part) in [(file.clone(), "file is a file"), (file.join("a/b"), "a/b: ")] {
            let text = create_folder(&path).expect_err("a file is in the way").to_string();
            assert!(text.contains(part) && text.ends_with("file is a file; expected a folder"), "{text}");
        }
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("last.bin");
        write_atomic(&path, |w| w.write_all(b"good")).expect("the first write");
        let error = write_atomic(&path, |w| {
            w.write_all(&[0; 3_000_000])?;
            Err(ErrorKind::StorageFull.into())
        })
        .expect_err("the disk is full");
        assert!(error.to_string().contains("disk is full"), "{error}");
        assert_eq!(std::fs::read(&path).expect("still there"), b"good");
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
    }
}
