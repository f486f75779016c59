//! What is wrong with a path, in words that say what to do: the systems' own say "os error 21".

use std::io;
use std::path::{Path, absolute};

/// Why the file `path` cannot be read: a sentence that names it, without its end.
pub fn unreadable_file(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        // Windows reports a folder as a lack of rights.
        _ if path.is_dir() => format!("{shown} is a folder; expected a file"),
        io::ErrorKind::NotFound => format!("there is no file {}", missing(path)),
        io::ErrorKind::NotADirectory => {
            format!("there is no file {shown}: a part of its path is a file itself")
        }
        io::ErrorKind::PermissionDenied => format!("cannot read {shown}: permission denied"),
        _ => format!("cannot read {shown}: {}", without_code(&error.to_string())),
    }
}

/// What went wrong and what to do, for a file or folder that could not be written.
pub fn unwritable_file(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!(
                "cannot write {path}: the disk is full; free some space and go on, the last good file is untouched"
            )
        }
        io::ErrorKind::NotFound => format!("cannot write {path}: its folder does not exist"),
        io::ErrorKind::PermissionDenied => format!("cannot write {path}: permission denied"),
        _ => format!("cannot write {path}: {}", without_code(&error.to_string())),
    }
}

/// Why there is no folder at `path`.
pub fn no_folder(path: &Path) -> String {
    if path.exists() {
        format!("{} is a file; expected a folder", path.display())
    } else {
        format!("there is no folder {}", missing(path))
    }
}

/// The path of something that is not there, with what a relative one stands for.
fn missing(path: &Path) -> String {
    let shown = path.display();
    let text = path.to_string_lossy();
    if text == "~" || text.starts_with("~/") || text.starts_with("~\\") {
        return format!("{shown}: a shell alone expands ~, write the home folder's path instead");
    }
    match absolute(path) {
        Ok(whole) if whole != path => format!("{shown} (that is {})", whole.display()),
        _ => shown.to_string(),
    }
}

/// A system's message without its number: `permission denied (os error 13)`.
pub fn without_code(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(at) = rest.find(" (os error ") {
        let after = &rest[at + " (os error ".len()..];
        let Some(end) = after.find(')').filter(|end| after[..*end].parse::<i32>().is_ok()) else { break };
        kept.push_str(&rest[..at]);
        rest = &after[end + 1..];
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_of_another_kind_is_said_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let read = |path: &Path| unreadable_file(path, &std::fs::read(path).expect_err("no file"));
        let text = read(folder.path());
        assert!(text.ends_with("is a folder; expected a file"), "{text}");
        let gone = folder.path().join("gone.txt");
        assert_eq!(read(&gone), format!("there is no file {}", gone.display()));
        let text = read(Path::new("gone/here.txt"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            text,
            format!("there is no file gone/here.txt (that is {})", here.join("gone/here.txt").display())
        );
        assert!(no_folder(Path::new("~/data")).contains("a shell alone expands ~"));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(no_folder(&file).ends_with("is a file; expected a folder"));
        let text = read(&file.join("x"));
        assert!(text.contains("a part of its path is a file itself"), "{text}");
    }

    #[test]
    fn a_full_disk_is_named_as_such() {
        let text = unwritable_file(Path::new("run/last.safetensors"), &io::ErrorKind::StorageFull.into());
        assert!(text.contains("run/last.safetensors") && text.contains("disk is full"), "{text}");
    }

    #[test]
    fn numbers_of_systems_are_left_out() {
        assert_eq!(without_code("denied (os error 13): x (os error 2)"), "denied: x");
        assert_eq!(without_code("an (os error in words)"), "an (os error in words)");
    }
}
