//! The set-up behind the form: the configuration being edited, texts that are not taken over yet, and what is
//! wrong with them. Types, ranges and help texts are the schema's.

mod command_line;
pub mod edits;
mod entry;
mod faults;

use super::free_folder::{self, FolderSearch, FoundFolder};
use super::launcher::DeviceItem;
use super::start_check::{CheckedStart, StartCheck, StartFaults};
use crate::config::presets::{PRESETS, Preset};
use crate::config::schema::{self, Field};
use crate::config::{Config, ConfigError};
use crate::gpu::DeviceChoice;
use edits::{Kept, Past, SetUp};
pub use entry::text_of;
use entry::{table_value, value_of};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The form's own entry beside the keys of the configuration.
pub const RUN_DIR: &str = "run folder";

/// What is being set up.
#[derive(Debug)]
pub struct SetUpForm {
    config: Config,
    /// What the form was filled with, as a configuration and as a table.
    origin: Config,
    origin_table: Table,
    past: Past,
    /// The configuration as a table, so that drawing need not make one each frame.
    table: Table,
    /// The texts that stand in the entry fields, by key.
    texts: BTreeMap<&'static str, String>,
    /// The sentence on what is wrong with a key.
    faults: BTreeMap<String, String>,
    /// What a start found wrong beside them.
    start: StartFaults,
    /// A key that the pane should scroll to.
    pub jump: Option<String>,
    /// The key, or [`RUN_DIR`], whose path is to be chosen in the system's dialog.
    pub browse: Option<&'static str>,
    /// The preset that the form was filled from, while nothing else is known.
    pub preset: Option<&'static str>,
    /// The file that the form was filled from or written to.
    pub file: Option<PathBuf>,
    /// The typed run folder; empty: named after the run.
    pub run_dir: String,
    automatic_dir: PathBuf,
    /// The free name for a run folder is to be looked for again.
    wants_folder: bool,
    pub device: DeviceChoice,
    pub devices: Vec<DeviceItem>,
    pub search: String,
    pub show_all: bool,
}

impl Default for SetUpForm {
    fn default() -> Self {
        let mut form = Self {
            config: Config::default(),
            origin: Config::default(),
            origin_table: Table::new(),
            past: Past::default(),
            table: Table::new(),
            texts: BTreeMap::new(),
            faults: BTreeMap::new(),
            start: StartFaults::default(),
            jump: None,
            browse: None,
            preset: None,
            file: None,
            run_dir: String::new(),
            automatic_dir: free_folder::first(""),
            wants_folder: true,
            device: DeviceChoice::Auto,
            devices: Vec::new(),
            search: String::new(),
            show_all: false,
        };
        match PRESETS.first() {
            // A preset that this version cannot read is a fault of the build; the plain defaults then serve.
            Some(preset) if form.fill_from_preset(preset).is_ok() => {}
            _ => form.fill(Config::default()),
        }
        form.past = Past::default();
        form
    }
}

impl SetUpForm {
    /// The configuration as far as it is valid.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes a whole configuration over; what was there can be had back by [`Self::undo`].
    pub fn fill(&mut self, config: Config) {
        self.past.keep(self.set_up());
        self.origin = config.clone();
        self.origin_table = config.to_table();
        self.put(config);
    }

    fn put(&mut self, config: Config) {
        self.config = config;
        self.faults.clear();
        self.start = StartFaults::default();
        self.texts.clear();
        self.refresh();
    }

    fn set_up(&self) -> SetUp {
        let (config, origin) = (self.config.clone(), self.origin.clone());
        SetUp { config, origin, preset: self.preset, file: self.file.clone() }
    }

    fn go_back_to(&mut self, before: SetUp) {
        self.origin_table = before.origin.to_table();
        (self.origin, self.preset, self.file) = (before.origin, before.preset, before.file);
        self.put(before.config);
    }

    /// Takes the last change back; false where there is none.
    pub fn undo(&mut self) -> bool {
        let before = self.past.take();
        let is_one = before.is_some();
        before.into_iter().for_each(|before| self.go_back_to(before));
        is_one
    }

    /// Whether a key has another value than the form was filled with, or an entry that is wrong.
    pub fn is_changed(&self, path: &str) -> bool {
        self.value(path) != table_value(&self.origin_table, path) || self.faults.contains_key(path)
    }

    /// How many keys are changed.
    pub fn changes(&self) -> usize {
        schema::fields().iter().filter(|field| self.is_changed(field.path)).count()
    }

    /// Gives a key the value that the form was filled with.
    pub fn reset(&mut self, path: &str) {
        match table_value(&self.origin_table, path).cloned() {
            Some(value) => self.set(path, value),
            None => self.clear(path),
        }
    }

    /// Gives all keys the values that the form was filled with.
    pub fn reset_all(&mut self) {
        self.past.keep(self.set_up());
        self.put(self.origin.clone());
    }

    /// The form as it is kept between two starts of the program.
    pub fn kept(&self) -> Kept {
        Kept::of(&self.set_up(), &self.run_dir)
    }

    /// Takes over what was kept, as far as this version can read it.
    pub fn restore(&mut self, kept: &Kept) {
        let Some(set_up) = kept.set_up() else { return };
        self.go_back_to(set_up);
        self.run_dir.clone_from(&kept.run_dir);
    }

    /// Takes a preset over; an error is a fault of the build.
    pub fn fill_from_preset(&mut self, preset: &'static Preset) -> Result<(), ConfigError> {
        let config = Config::parse(preset.text, preset.name, &[])?;
        self.fill(config);
        self.preset = Some(preset.name);
        self.file = None;
        Ok(())
    }

    /// Takes over the configuration that was read from the file `path`.
    pub fn fill_from_file(&mut self, path: &Path, config: Config) {
        self.fill(config);
        self.preset = None;
        self.file = Some(path.to_owned());
    }

    fn refresh(&mut self) {
        self.table = self.config.to_table();
        for field in schema::fields() {
            if !self.faults.contains_key(field.path) {
                let text = self.value(field.path).map_or_else(String::new, text_of);
                self.texts.insert(field.path, text);
            }
        }
        if self.start.is_asked {
            self.start.check_values(&self.config);
        }
        self.look_for_folder();
    }

    /// Asks for a new look at the run folders, for a name that is still free.
    pub fn look_for_folder(&mut self) {
        self.wants_folder = true;
    }

    /// What is to be looked for on the disk: after a change of the set-up, or after a run has made its
    /// folder.
    pub fn take_start_check(&mut self) -> Option<StartCheck> {
        let check = (self.wants_folder || self.start.is_asked).then(|| self.start_check())?;
        let changed = self.start.wants(&check);
        (std::mem::take(&mut self.wants_folder) || changed).then_some(check)
    }

    /// What is looked for on the disk for the set-up as it is.
    pub fn start_check(&self) -> StartCheck {
        let (name, typed) = (self.config.run.name.trim().to_owned(), self.run_dir.trim().to_owned());
        let data = &self.config.data;
        StartCheck {
            folder: FolderSearch { name, typed },
            source: data.source,
            data: data.path.clone(),
            classes: data.classes_file.clone(),
        }
    }

    /// Takes over what was found on the disk.
    pub fn take_check(&mut self, found: CheckedStart) {
        self.take_folder(found.folder.clone());
        self.start.take(found);
    }

    /// Takes over the free folder that was found, unless the set-up has another name by now.
    fn take_folder(&mut self, found: FoundFolder) {
        if found.searched.name == self.config.run.name.trim() {
            self.automatic_dir = found.free;
        }
    }

    /// The folder that a start would write to.
    pub fn out_dir(&self) -> PathBuf {
        let typed = self.run_dir.trim();
        if typed.is_empty() { self.automatic_dir.clone() } else { PathBuf::from(typed) }
    }

    /// The present value of a key; `None` for an absent optional one.
    pub fn value(&self, path: &str) -> Option<&Value> {
        table_value(&self.table, path)
    }

    /// The text in the entry field of a key.
    pub fn text_mut(&mut self, field: &'static Field) -> &mut String {
        self.texts.entry(field.path).or_default()
    }

    /// Puts a chosen path into the field of a key, or of the run folder.
    pub fn fill_path(&mut self, key: &str, path: &Path) {
        let text = path.display().to_string();
        if key == RUN_DIR {
            self.run_dir = text;
        } else {
            self.set(key, Value::String(text));
        }
    }

    /// The text in the entry field of a key, as it stands.
    pub fn text(&self, path: &str) -> &str {
        self.texts.get(path).map_or("", String::as_str)
    }

    /// Takes the text of an entry field over, as on leaving it.
    pub fn commit_text(&mut self, field: &'static Field) {
        let before = self.set_up();
        let text = self.texts.get(field.path).map_or("", String::as_str).trim().to_owned();
        let result = if text.is_empty() && field.optional {
            self.config.clear(field.path)
        } else {
            match value_of(field, &text) {
                Some(value) => self.config.set(field.path, value),
                None => {
                    let message = format!("“{text}” cannot be read; expected {}", field.kind);
                    self.faults.insert(field.path.to_owned(), message);
                    return;
                }
            }
        };
        self.took(field.path, result, before);
    }

    /// Sets a key from a control that only offers valid values.
    pub fn set(&mut self, path: &str, value: Value) {
        let before = self.set_up();
        let result = self.config.set(path, value);
        self.took(path, result, before);
    }

    /// Makes an optional key absent.
    pub fn clear(&mut self, path: &str) {
        let before = self.set_up();
        let result = self.config.clear(path);
        self.took(path, result, before);
    }

    fn took(&mut self, path: &str, result: Result<(), ConfigError>, before: SetUp) {
        match result {
            Ok(()) => {
                if self.config != before.config {
                    self.past.keep(before);
                }
                self.faults.remove(path);
                self.refresh();
            }
            Err(error) => drop(self.faults.insert(path.to_owned(), error.message)),
        }
    }

    /// Takes all texts over and checks the values, as Start does; what is to be looked for on the disk comes
    /// back. What is wrong is marked, and from now on kept up to date.
    pub fn check(&mut self) -> StartCheck {
        for field in schema::fields() {
            let typed = self.texts.get(field.path).map_or("", |text| text.trim());
            if typed != self.value(field.path).map_or_else(String::new, text_of) {
                self.commit_text(field);
            }
        }
        self.start.is_asked = true;
        self.start.check_values(&self.config);
        let check = self.start_check();
        self.start.wants(&check);
        check
    }
}

/// The options that matter first, in the order of the form.
pub const ESSENTIAL: [&str; 12] = [
    "method.kind",
    "method.attack.epsilon",
    "data.source",
    "data.path",
    "data.image_size",
    "model.arch",
    "run.batch_size",
    "run.epochs",
    "run.steps",
    "optimizer.lr",
    "run.seed",
    "run.name",
];

/// A key of [`ESSENTIAL`] that says nothing in this set-up: the folder of the made data set, epochs where
/// steps decide.
pub fn is_idle(form: &SetUpForm, path: &str) -> bool {
    let config = form.config();
    match path {
        "data.path" => !config.data.source.needs_path(),
        "run.steps" => config.run.steps.is_none(),
        "run.epochs" => config.run.steps.is_some(),
        "method.attack.epsilon" => !crate::training::method::attacks(&config.method),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(form: &mut SetUpForm, path: &str, text: &str) {
        let field = schema::field(path).expect("a key of the schema");
        *form.text_mut(field) = text.into();
        form.commit_text(field);
    }

    #[test]
    fn every_key_of_the_schema_comes_back_from_its_own_text() {
        let mut form = SetUpForm::default();
        let before = form.config().clone();
        for field in schema::fields() {
            form.commit_text(field);
        }
        assert_eq!(form.faults, BTreeMap::new());
        assert_eq!(*form.config(), before);
    }

    #[test]
    fn edits_are_marked_reset_and_undone() {
        let mut form = SetUpForm::default();
        let first = form.config().clone();
        assert!(!form.undo() && form.changes() == 0, "nothing was done yet");
        edit(&mut form, "run.batch_size", "3");
        edit(&mut form, "run.steps", "60");
        edit(&mut form, "optimizer.lr", "fast");
        assert!(form.is_changed("run.steps") && form.is_changed("optimizer.lr") && form.changes() == 3);
        form.reset("optimizer.lr");
        form.reset("run.steps");
        assert_eq!((form.changes(), form.config().run.steps), (1, first.run.steps));
        // A preset takes the place of the edits, and gives them back.
        form.fill_from_preset(&PRESETS[1]).expect("a preset");
        assert_eq!(form.changes(), 0);
        assert!(form.undo());
        assert_eq!((form.config().run.batch_size, form.preset), (3, Some(PRESETS[0].name)));
        form.reset_all();
        assert_eq!(*form.config(), first);
        assert!(form.undo());
        assert_eq!(form.config().run.batch_size, 3);
    }

    #[test]
    fn the_form_comes_back_at_the_next_start() {
        let mut form = SetUpForm { run_dir: "runs/mine".into(), ..SetUpForm::default() };
        edit(&mut form, "run.batch_size", "3");
        let text = serde_json::to_string(&form.kept()).expect("plain data");
        let mut again = SetUpForm::default();
        again.restore(&serde_json::from_str(&text).expect("its own text"));
        assert_eq!((again.config(), again.preset), (form.config(), form.preset));
        assert_eq!((again.changes(), again.run_dir.as_str()), (1, "runs/mine"));
    }

    #[test]
    fn a_wrong_text_is_told_and_not_taken() {
        let mut form = SetUpForm::default();
        let before = form.config().run.batch_size;
        for wrong in ["many", "0", "1.5", ""] {
            edit(&mut form, "run.batch_size", wrong);
            assert!(form.fault("run.batch_size").is_some(), "{wrong}");
            assert_eq!(form.config().run.batch_size, before);
        }
        edit(&mut form, "run.batch_size", "32");
        assert_eq!(form.fault("run.batch_size"), None);
        assert_eq!(form.config().run.batch_size, 32);
    }

    #[test]
    fn start_refuses_a_text_that_nobody_left_yet_and_a_full_folder() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("metrics.jsonl"), "").expect("writable");
        let mut form = SetUpForm { run_dir: dir.path().display().to_string(), ..SetUpForm::default() };
        *form.text_mut(schema::field("optimizer.lr").expect("a key")) = "fast".into();
        form.check();
        assert!(form.jump_to_fault());
        assert_eq!(form.jump.as_deref(), Some("optimizer.lr"));
        edit(&mut form, "optimizer.lr", "0.1");
        assert_eq!(form.faults(), []);
        let found = |form: &SetUpForm| {
            let (checked, folder) = (form.start_check(), form.start_check().folder.run());
            let faults = BTreeMap::from([(RUN_DIR.to_owned(), "it is not empty".to_owned())]);
            CheckedStart { checked, faults: if folder.is_in_use { faults } else { BTreeMap::new() }, folder }
        };
        let full = found(&form);
        form.take_check(full);
        assert_eq!(form.faults(), [(RUN_DIR, "it is not empty")]);
        form.run_dir = dir.path().join("new").display().to_string();
        assert_eq!(form.faults(), [], "the fault was the other folder's");
        let free = found(&form);
        form.take_check(free);
        assert_eq!(form.faults(), []);
    }

    /// A fault of values that do not fit together goes with its cause, whichever of them was changed.
    #[test]
    fn all_faults_are_told_and_each_goes_with_its_cause() {
        let mut form = SetUpForm::default();
        edit(&mut form, "data.source", "folder");
        edit(&mut form, "run.batch_size", "many");
        edit(&mut form, "optimizer.nesterov", "true");
        edit(&mut form, "optimizer.kind", "adamw");
        assert_eq!(form.faults().len(), 1, "the rest is told when a start is asked for");
        form.check();
        let keys =
            |form: &SetUpForm| form.faults().iter().map(|(key, _)| (*key).to_owned()).collect::<Vec<_>>();
        assert_eq!(keys(&form), ["run.batch_size", "data.path", "optimizer.nesterov"]);
        edit(&mut form, "data.source", "shapes");
        assert_eq!(keys(&form), ["run.batch_size", "optimizer.nesterov"]);
        edit(&mut form, "run.batch_size", "32");
        edit(&mut form, "optimizer.kind", "sgd");
        assert_eq!(form.faults(), []);
    }
}
