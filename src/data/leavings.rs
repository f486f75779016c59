//! Files and folders that operating systems, network disks, archives and editors leave behind, which no data
//! set means to hold.

/// Names of such files and folders, in lower case.
const NAMES: [&str; 20] = [
    // Windows
    "thumbs.db",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "$recycle.bin",
    "recycler",
    "system volume information",
    "autorun.inf",
    // macOS, with what its archives hold and what it leaves on network disks
    "icon\r",
    "__macosx",
    "network trash folder",
    "temporary items",
    // Network disks of Synology and QNAP
    "@eadir",
    "@tmp",
    "@recycle",
    "@recently-snapshot",
    "#recycle",
    "#snapshot",
    // Linux and Python
    "lost+found",
    "__pycache__",
];

/// Endings of unfinished downloads and of editors' copies, in lower case.
const ENDINGS: [&str; 8] = ["~", ".tmp", ".temp", ".part", ".partial", ".crdownload", ".swp", ".bak"];

/// Whether a file or folder of this name is left over from other work. Names that start with a dot are, such
/// as `.DS_Store`, `._photo.jpg` and `.ipynb_checkpoints`; so are office programs' locks, `~$name`.
pub fn is_leaving(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.starts_with('.')
        || lower.starts_with("~$")
        || NAMES.contains(&lower.as_str())
        || ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leavings_are_told_from_images_and_classes() {
        for name in [
            ".DS_Store",
            "._cat.jpg",
            ".ipynb_checkpoints",
            "Thumbs.db",
            "DESKTOP.INI",
            "__MACOSX",
            "@eaDir",
            "Icon\r",
            "$RECYCLE.BIN",
            "cat.jpg~",
            "cat.jpg.part",
            "~$notes.docx",
        ] {
            assert!(is_leaving(name), "{name:?}");
        }
        for name in ["cat.jpg", "Thumbs", "icon", "a.b.png", "@home", "#1", "tmp", "bak", "recycle"] {
            assert!(!is_leaving(name), "{name:?}");
        }
    }
}
