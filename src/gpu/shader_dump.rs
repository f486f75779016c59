//! The expanded text of every kernel that is made, written to the folder that the environment variable
//! `DUALPROP_SHADER_DUMP` names: for reading what the templates of `shaders/` become.

use super::launch::Kernel;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Name of the environment variable that holds the folder.
pub(super) const VARIABLE: &str = "DUALPROP_SHADER_DUMP";

/// Writes `text` to the folder of the environment variable, if there is one. The first failure is said in the
/// log.
pub(super) fn dump(kernel: &Kernel, text: &str) {
    static FAILED: Once = Once::new();
    let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) else { return };
    if let Err((file, error)) = write(Path::new(&folder), kernel, text) {
        FAILED.call_once(|| {
            tracing::warn!(
                "shaders are not dumped: cannot write {} ({error}); set {VARIABLE} to a folder that can be written",
                file.display()
            );
        });
    }
}

/// Writes `SHADER-CHECKSUM.wgsl`: a first line with the kernel's constants, then the text. The error names
/// the file.
fn write(folder: &Path, kernel: &Kernel, text: &str) -> Result<PathBuf, (PathBuf, std::io::Error)> {
    let file = folder.join(format!("{}-{:08x}.wgsl", kernel.shader, crc32c::crc32c(text.as_bytes())));
    let constants: Vec<String> =
        kernel.constants.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let whole = format!("// {} {}\n{text}", kernel.shader, constants.join(" "));
    match std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, whole)) {
        Ok(()) => Ok(file),
        Err(error) => Err((file, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::shaders;

    #[test]
    fn a_dumped_kernel_has_its_constants_and_its_whole_text() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = Kernel::new("attack_start", &[("RANDOM", 1)]);
        let text = shaders::expand(&kernel).unwrap();
        let file = write(&folder.path().join("made"), &kernel, &text).unwrap();
        let dumped = std::fs::read_to_string(file).unwrap();
        assert_eq!(dumped, format!("// attack_start RANDOM=1\n{text}"));
        let taken = folder.path().join("taken");
        std::fs::write(&taken, "").unwrap();
        assert!(write(&taken, &kernel, &text).is_err());
    }
}
