//! What is in the folder of a sweep's run.

use crate::config::Config;
use crate::config::schema::Field;
use crate::training::events::Finish;
use crate::training::run_folder::{RunFiles, ended, is_at_work, may_begin_in};
use std::path::Path;

/// What a run's folder holds when its turn comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Nothing that could be lost.
    New,
    /// The same run, stopped, failed or cut off: it can be resumed.
    Begun,
    /// The same run, with all its steps.
    Complete,
    /// Something else, or a run at work: one sentence.
    Foreign(String),
}

/// What `dir` holds, seen from a run with `config`. Only the places of files may be others than in the run
/// that is there.
pub fn standing(dir: &Path, config: &Config) -> Standing {
    if may_begin_in(dir) {
        return Standing::New;
    }
    let files = RunFiles::of(dir);
    let shown = dir.display();
    if !files.config().is_file() {
        return Standing::Foreign(format!("{shown} is not empty and holds no run; it is left as it is"));
    }
    let before = match Config::load(&files.config(), &[]) {
        Ok(before) => before,
        Err(error) => return Standing::Foreign(format!("{error}; the run is left as it is")),
    };
    let counts = |field: &Field| !["data.path", "run.init", "run.checkpoint_steps"].contains(&field.path);
    if let Some(field) = before.first_difference(config, counts) {
        let text = |c: &Config| c.get(field.path).map_or("absent".to_owned(), |v| v.to_string());
        return Standing::Foreign(format!(
            "{shown} holds a run with `{}` = {}, where the sweep asks for {}; it is left as it is, choose another \
             folder or move it away",
            field.path,
            text(&before),
            text(config)
        ));
    }
    if is_at_work(&files) {
        return Standing::Foreign(format!("another program trains the run in {shown} now"));
    }
    if ended(&files) == Some(Finish::Completed) { Standing::Complete } else { Standing::Begun }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_another_run_is_named_and_never_taken() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dir = folder.path().join("run");
        let config = Config::default();
        assert_eq!(standing(&dir, &config), Standing::New);
        std::fs::create_dir(&dir).expect("writable");
        assert_eq!(standing(&dir, &config), Standing::New);
        std::fs::write(dir.join("notes.txt"), "mine").expect("writable");
        assert!(matches!(standing(&dir, &config), Standing::Foreign(text) if text.contains("holds no run")));
        let files = RunFiles::of(&dir);
        std::fs::write(files.config(), config.resolved_toml()).expect("writable");
        assert_eq!(standing(&dir, &config), Standing::Begun);
        let mut other = config.clone();
        other.optimizer.lr = 0.5;
        let Standing::Foreign(text) = standing(&dir, &other) else { panic!("another learning rate") };
        assert!(text.contains("`optimizer.lr` = 0.016") && text.contains("asks for 0.5"), "{text}");
        // Data may have moved.
        std::fs::write(files.ended(), r#"{"how":"completed","step":3}"#).expect("writable");
        other = config.clone();
        other.run.checkpoint_steps = 7;
        assert_eq!(standing(&dir, &other), Standing::Complete);
    }
}
