//! What people call the parts of a data set, in the names of folders and files.

/// Names of the training part, in any case of letters.
const TRAIN: [&str; 2] = ["train", "training"];

/// Names of the validation part, the first that is there.
const VAL: [&str; 5] = ["val", "valid", "validation", "dev", "test"];

/// What further evaluation parts begin with: `val-stylized`, `val-sketch`.
pub(super) const EXTRA_PREFIX: &str = "val-";

/// The usual name of the training part.
pub(super) const USUAL_TRAIN: &str = TRAIN[0];

/// The one of `names` that is the training part.
pub(super) fn train<'a>(names: &[&'a str]) -> Option<&'a str> {
    called(&TRAIN, names)
}

/// The one of `names` that is the validation part.
pub(super) fn val<'a>(names: &[&'a str]) -> Option<&'a str> {
    called(&VAL, names)
}

fn called<'a>(wanted: &[&str], names: &[&'a str]) -> Option<&'a str> {
    let find = |wanted: &&str| names.iter().find(|name| name.eq_ignore_ascii_case(wanted)).copied();
    wanted.iter().find_map(find)
}

/// Whether a list of this name is one to train on or to validate with. The `test` of a competition has no
/// labels.
pub(super) fn has_labels(name: &str) -> bool {
    train(&[name]).is_some() || val(&[name]).is_some_and(|name| !name.eq_ignore_ascii_case("test"))
}

/// Whether `name` is that of a training or a validation part, or of a further evaluation part.
fn is_part(name: &str) -> bool {
    train(&[name]).is_some() || val(&[name]).is_some() || name.to_ascii_lowercase().starts_with(EXTRA_PREFIX)
}

/// The part that a file belongs to, by its name without the ending (`train-00000-of-00002`,
/// `imagenet-val-000001`, `val-sketch-01`), else by the nearest of the folders that it is in, outermost
/// first; `None` where neither tells.
pub(super) fn of_file(stem: &str, folders: &[String]) -> Option<String> {
    // A number ends the name: `val-sketch-01` is of `val-sketch`.
    let words: Vec<&str> = stem.split(['-', '_', '.']).collect();
    let is_number = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let named = words.iter().take_while(|word| !is_number(word)).count();
    let length = words[..named].iter().map(|word| word.len() + 1).sum::<usize>().saturating_sub(1);
    let name = &stem[..length];
    if is_part(name) {
        return Some(name.to_ascii_lowercase());
    }
    let part = words.iter().find(|word| is_part(word));
    let folder = || folders.iter().rev().find(|folder| is_part(folder)).map(String::as_str);
    part.copied().or_else(folder).map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_tells_its_part_by_its_name_or_its_folder() {
        for (stem, folders, part) in [
            ("train-00000-of-00002", "data", "train"),
            ("train-00000-of-00002-a09b74b3ef9c3b56", "data", "train"),
            ("validation-00000-of-00001", "", "validation"),
            ("imagenet1k-train-0000", "", "train"),
            ("cifar-10-test-3", "", "test"),
            ("val-sketch-01", "", "val-sketch"),
            ("val-01", "", "val"),
            ("Train_3", "", "train"),
            ("train", "", "train"),
            ("0000", "default/train", "train"),
            ("shard-000001", "Validation", "validation"),
            ("0000", "val-sketch", "val-sketch"),
            ("000001", "", ""),
            ("shard-000001", "data", ""),
            ("", "", ""),
            ("trainer-1", "", ""),
        ] {
            let folders: Vec<String> =
                folders.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            assert_eq!(of_file(stem, &folders).unwrap_or_default(), part, "{stem} in {folders:?}");
        }
    }
}
