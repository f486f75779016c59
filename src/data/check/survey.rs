//! What files an image folder holds, part by part: by the rules of the folder reader, which looks at the
//! class folders of a part and at nothing else.

use crate::config::path_faults::no_folder;
use crate::data::FolderLayout;
use crate::data::folder::listing::{Walk, entries, folders, is_dir};
use crate::data::leavings::is_leaving;
use crate::data::picture::has_image_ending;
use crate::data::pool::{OrderedPool, Stop, worker_count};
use anyhow::ensure;
use std::path::{Path, PathBuf};

/// Class folders under way on a thread.
const JOBS_PER_WORKER: usize = 4;

/// What a part is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Train,
    Validation,
    /// A further evaluation part, such as `test` beside `val`.
    Further,
}

/// A folder of class folders.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The folder's name; empty where the class folders lie in the root itself.
    pub(super) name: String,
    pub(super) role: Role,
}

/// A class folder.
#[derive(Clone, Debug)]
pub(super) struct ClassFolder {
    /// Index of its part.
    pub(super) part: usize,
    pub(super) name: String,
    /// Number of its first image.
    pub(super) first: usize,
}

/// The files of an image folder. Images are numbered by part, class and path, and their names share one
/// string, as in [`Folder`](crate::data::Folder).
pub(super) struct Survey {
    pub(super) root: PathBuf,
    pub(super) parts: Vec<Part>,
    pub(super) classes: Vec<ClassFolder>,
    /// Files in class folders that are no images by their names, as paths below the root.
    pub(super) others: Vec<String>,
    /// Images that lie in no class folder, so that the program does not read them.
    pub(super) strays: Vec<String>,
    /// Paths of the images below their class folders, one after another, and where each ends.
    names: String,
    ends: Vec<usize>,
}

impl Survey {
    /// Lists the image folder `root`. Fails where there is none, or where it holds no class folders.
    pub(super) fn of(root: &Path) -> anyhow::Result<Self> {
        ensure!(root.is_dir(), "{}", no_folder(root));
        let top = folders(root, "")?;
        let layout = FolderLayout::of(root)?;
        let has_parts = top.contains(&layout.train)
            || layout.val.is_some()
            || top.iter().any(|name| name.starts_with("val-"));
        let role = |name: &str| match name {
            _ if name == layout.train => Role::Train,
            _ if Some(name) == layout.val.as_deref() => Role::Validation,
            _ => Role::Further,
        };
        let mut parts: Vec<Part> = if has_parts {
            top.iter().map(|name| Part { name: name.clone(), role: role(name) }).collect()
        } else {
            vec![Part { name: String::new(), role: Role::Train }]
        };
        // Training first, then validation, then the others by their names.
        parts.sort_by_key(|part| part.role as u8);
        let mut survey = Self {
            root: root.to_owned(),
            parts: Vec::new(),
            classes: Vec::new(),
            others: Vec::new(),
            strays: stray_images(root, "")?,
            names: String::new(),
            ends: Vec::new(),
        };
        for part in parts {
            survey.add(part)?;
        }
        ensure!(
            !survey.parts.is_empty(),
            "{} holds no class folders with images; expected DIR/train/CLASS/*.png and DIR/val/CLASS/*.png, or \
             DIR/CLASS/*.png",
            root.display()
        );
        Ok(survey)
    }

    /// Lists a part. One without any image or class is no part: a folder of notes beside `train`.
    fn add(&mut self, part: Part) -> anyhow::Result<()> {
        let dir = self.root.join(&part.name);
        let names = folders(&dir, "")?;
        let (number, first_class, before) = (self.parts.len(), self.classes.len(), self.len());
        let below = |class: &str, file: &str| join(&[&part.name, class, file]);
        let mut others = Vec::new();
        let workers = worker_count(0).min(names.len()).max(1);
        let work = |dir: PathBuf, _: &Stop| Walk::of(&dir);
        let mut pool = OrderedPool::start("list-folders", workers, JOBS_PER_WORKER * workers, work)?;
        let mut waiting = names.iter();
        for class in &names {
            while pool.room() > 0 {
                let Some(name) = waiting.next() else { break };
                pool.submit(dir.join(name))?;
            }
            let Some(walk) = pool.next()? else { break };
            let walk = walk?;
            self.classes.push(ClassFolder { part: number, name: class.clone(), first: self.len() });
            for name in &walk.names {
                self.names.push_str(name);
                self.ends.push(self.names.len());
            }
            others.extend(walk.others.iter().map(|file| below(class, file)));
        }
        ensure!(
            u32::try_from(self.len()).is_ok(),
            "{} holds more than {} images",
            self.root.display(),
            u32::MAX
        );
        if names.is_empty() || (self.len() == before && part.role == Role::Further) {
            self.classes.truncate(first_class);
            return Ok(());
        }
        if !part.name.is_empty() {
            self.strays.extend(stray_images(&self.root, &part.name)?);
        }
        self.others.append(&mut others);
        self.parts.push(part);
        Ok(())
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Index of the class folder of an image.
    pub(super) fn class_of(&self, image: usize) -> usize {
        self.classes.partition_point(|class| class.first <= image) - 1
    }

    /// The role of the part that an image is in.
    pub(super) fn role_of(&self, image: usize) -> Role {
        self.parts[self.classes[self.class_of(image)].part].role
    }

    /// The number behind the last image of a class folder.
    pub(super) fn end_of(&self, class: usize) -> usize {
        self.classes.get(class + 1).map_or(self.len(), |next| next.first)
    }

    /// Path of an image below the root, with slashes.
    pub(super) fn path(&self, image: usize) -> String {
        let class = &self.classes[self.class_of(image)];
        let start = if image == 0 { 0 } else { self.ends[image - 1] };
        join(&[&self.parts[class.part].name, &class.name, &self.names[start..self.ends[image]]])
    }
}

fn join(names: &[&str]) -> String {
    let names: Vec<&str> = names.iter().copied().filter(|name| !name.is_empty()).collect();
    names.join("/")
}

/// The images that lie in the folder `below` of the root itself, in bytewise order.
fn stray_images(root: &Path, below: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in entries(&root.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().filter(|name| has_image_ending(name) && !is_leaving(name));
        found.extend(name.filter(|_| !is_dir(&entry)).map(|name| join(&[below, name])));
    }
    found.sort_unstable();
    Ok(found)
}
