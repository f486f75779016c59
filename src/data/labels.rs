//! Labels that a list gives beside its images: which column holds them, and how their texts become classes.

use super::class_match::comparable;
use crate::config::reading;
use crate::words::counted;
use anyhow::{anyhow, bail, ensure};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Names of a column of labels as [`plain`] makes them, the first that is there.
pub(super) const LABEL_COLUMNS: [&str; 12] = [
    "label",
    "labels",
    "finelabel",
    "class",
    "classname",
    "classid",
    "category",
    "categoryname",
    "categoryid",
    "target",
    "labelname",
    "cls",
];

/// Names of a column of images or their paths as [`plain`] makes them, the first that is there.
pub(super) const IMAGE_COLUMNS: [&str; 15] = [
    "path",
    "filepath",
    "imagepath",
    "imgpath",
    "file",
    "filename",
    "imagefile",
    "imagename",
    "image",
    "img",
    "images",
    "imageid",
    "imgid",
    "pixels",
    "id",
];

/// Labels that differ; more are no classes but a measurement, or a number of their own for each image.
const MOST_CLASSES: usize = 100_000;

/// Longest label, bytes.
const LONGEST: usize = 1000;

/// A column's name in the form in which names are compared: lower-case letters and digits alone.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The place in `names` of the first of `wanted` that is there.
pub(super) fn column(names: &[&str], wanted: &[&str]) -> Option<usize> {
    let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
    wanted.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
}

/// The classes of a part and the class of each of its images.
pub(super) struct Labels {
    /// Names, by class.
    pub(super) classes: Vec<String>,
    /// Class, by image.
    pub(super) of_images: Vec<u32>,
    /// Whether the set itself says which classes there are; else they are those that the part's labels name.
    pub(super) are_given: bool,
}

/// Labels as they were met, image after image.
#[derive(Default)]
pub(super) struct Collected {
    /// The texts in the order in which they were first met, and the number of each.
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
    of_images: Vec<u32>,
}

impl Collected {
    /// Takes the label of the next image. Fails where it is empty, or where there are too many to be classes.
    pub(super) fn add(&mut self, text: &str) -> anyhow::Result<()> {
        let text = text.trim();
        if let Some(number) = self.numbers.get(text) {
            self.of_images.push(*number);
            return Ok(());
        }
        ensure!(!text.is_empty(), "the label is empty; expected the name or the number of a class");
        ensure!(
            text.len() <= LONGEST && !text.contains(char::is_control),
            "the label {:?} is no name or number of a class",
            text.chars().take(50).collect::<String>()
        );
        ensure!(
            self.texts.len() < MOST_CLASSES,
            "there are more than {MOST_CLASSES} different labels, such as {:?}; expected classes",
            self.texts[0]
        );
        let number = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        self.of_images.push(number);
        Ok(())
    }

    /// Makes classes of the labels: those of `given`, which labels name or number, or the labels themselves
    /// in the order of [`in_order`].
    pub(super) fn into_labels(self, given: Option<&Given>) -> anyhow::Result<Labels> {
        let (classes, places) = match given {
            Some(given) => (given.names.clone(), given.places(&self.texts)?),
            None => {
                let classes = in_order(self.texts.clone());
                let by_name: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
                (classes.clone(), self.texts.iter().map(|text| by_name[text.as_str()]).collect())
            }
        };
        let of_images = self.of_images.into_iter().map(|number| places[number as usize]).collect();
        Ok(Labels { classes, of_images, are_given: given.is_some() })
    }
}

/// Class names in the order in which classes are numbered: by value where all are whole numbers, else
/// bytewise.
pub(super) fn in_order(mut names: Vec<String>) -> Vec<String> {
    let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
    match numbers {
        Some(_) => names.sort_by_cached_key(|name| (name.parse().unwrap_or(i64::MAX), name.clone())),
        None => names.sort_unstable(),
    }
    names
}

/// The names with the number behind those that stand before it already: ImageNet has two cranes.
pub(super) fn unique(names: Vec<String>) -> Vec<String> {
    let mut taken = std::collections::BTreeSet::new();
    let numbered = |(number, name): (usize, String)| {
        let mut name = name;
        while !taken.insert(comparable(&name)) {
            name = format!("{name} ({number})");
        }
        name
    };
    names.into_iter().enumerate().map(numbered).collect()
}

/// Class names that a set has beside its labels.
pub(super) struct Given {
    /// Names, by class.
    pub(super) names: Vec<String>,
    /// Where they stand, for messages.
    pub(super) source: String,
}

impl Given {
    /// Names one a line in the file `classes.txt` of `root`; `None` where there is no such file.
    pub(super) fn beside(root: &Path) -> anyhow::Result<Option<Self>> {
        let file = root.join("classes.txt");
        let text = match reading::read_text(&file, reading::MOST_TEXT) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => bail!(crate::config::path_faults::unreadable_file(&file, &error)),
        };
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let names: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let source = file.display().to_string();
        ensure!(!names.is_empty(), "{source} is empty; expected class names, one a line");
        Ok(Some(Self { names, source }))
    }

    /// The class that each text names or numbers.
    fn places(&self, texts: &[String]) -> anyhow::Result<Vec<u32>> {
        let by_name: BTreeMap<String, u32> =
            self.names.iter().map(|name| comparable(name)).zip(0..).collect();
        ensure!(by_name.len() == self.names.len(), "{} names a class twice", self.source);
        let place = |text: &String| {
            let number = || text.parse::<u32>().ok().filter(|number| (*number as usize) < self.names.len());
            by_name.get(&comparable(text)).copied().or_else(number).ok_or_else(|| {
                anyhow!(
                    "the label {text:?} is neither a name nor a number of the {} in {}",
                    counted(self.names.len(), "class name"),
                    self.source
                )
            })
        };
        texts.iter().map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(texts: &[&str], given: Option<&Given>) -> anyhow::Result<Labels> {
        let mut collected = Collected::default();
        texts.iter().try_for_each(|text| collected.add(text))?;
        collected.into_labels(given)
    }

    #[test]
    fn columns_are_found_under_the_names_that_people_give_them() {
        assert_eq!(column(&["Id", "File Name", "Class_ID"], &IMAGE_COLUMNS), Some(1));
        assert_eq!(column(&["Id", "File Name", "Class_ID"], &LABEL_COLUMNS), Some(2));
        assert_eq!(column(&["image_id", "Target"], &IMAGE_COLUMNS), Some(0));
        assert_eq!(column(&["width", "height"], &LABEL_COLUMNS), None);
    }

    #[test]
    fn labels_become_classes_in_the_order_of_their_numbers_or_names() {
        let named = labels(&["dog", " cat ", "dog"], None).unwrap();
        assert_eq!((named.classes, named.of_images), (vec!["cat".into(), "dog".into()], vec![1, 0, 1]));
        let numbered = labels(&["10", "9", "10"], None).unwrap();
        assert_eq!((numbered.classes, numbered.of_images), (vec!["9".into(), "10".into()], vec![1, 0, 1]));
        let mixed = labels(&["10", "9", "a"], None).unwrap();
        assert_eq!(mixed.classes, ["10", "9", "a"]);
    }

    #[test]
    fn given_classes_are_named_or_numbered() {
        let names = ["zebra", "ant"].map(String::from).to_vec();
        let given = Given { names, source: "classes.txt".into() };
        let found = labels(&["1", "zebra", "ant"], Some(&given)).unwrap();
        assert_eq!((found.classes, found.of_images), (given.names.clone(), vec![1, 0, 1]));
        for wrong in ["2", "-1", "bee"] {
            let text = labels(&[wrong], Some(&given)).err().unwrap().to_string();
            assert!(text.contains(wrong) && text.contains("classes.txt"), "{text}");
        }
    }

    #[test]
    fn a_name_that_comes_twice_gets_its_number() {
        let names = ["crane", "ant", "crane", "crane (2)"].map(String::from).to_vec();
        assert_eq!(unique(names), ["crane", "ant", "crane (2)", "crane (2) (3)"]);
    }

    #[test]
    fn what_is_no_label_is_refused() {
        assert!(labels(&["  "], None).is_err());
        assert!(labels(&[&"x".repeat(LONGEST + 1)], None).is_err());
        let many: Vec<String> = (0..=MOST_CLASSES).map(|i| format!("0.{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(labels(&many, None).err().unwrap().to_string().contains("expected classes"));
    }
}
