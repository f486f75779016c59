//! What is in a shard: its images with their labels. Members that lie beside each other and have the same
//! name up to its first dot are a sample; what follows the dot says what each of them is.

use super::tar::{Member, Members};
use crate::config::reading;
use crate::data::kept::{long, number, put, take, take_text};
use crate::data::labels::{LABEL_COLUMNS, column};
use crate::data::picture::{self, has_image_ending};
use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Longest member that holds a label, bytes.
const LONGEST_LABEL: u64 = 1 << 20;

/// The images of one shard in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shard {
    /// The members' names, each ended by a zero byte.
    pub(super) names: String,
    /// Offset from the start of the shard and length, bytes.
    pub(super) places: Vec<(u64, u32)>,
    /// The text of each image's label, by its number in `texts`.
    pub(super) labels: Vec<u32>,
    pub(super) texts: Vec<String>,
    /// Images that have no label.
    pub(super) unlabelled: u32,
}

/// A sample on the way.
#[derive(Default)]
struct Sample {
    key: String,
    image: Option<Member>,
    label: Option<String>,
    /// A label that a `cls` member gives counts before one in a JSON member.
    is_cls: bool,
}

impl Shard {
    /// Lists the shard at `path`. Fails with a sentence that names it, and its member where one is at fault.
    pub(super) fn list(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let unreadable = |e: std::io::Error| {
            anyhow!("`data.path`: {}", crate::config::path_faults::unreadable_file(path, &e))
        };
        let file = reading::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        ensure!(length > 0, "the shard {shown} is empty; fetch it again");
        let list = || -> anyhow::Result<Self> {
            let mut members = Members::new(file, length);
            let (mut shard, mut numbers, mut sample) = (Self::default(), HashMap::new(), Sample::default());
            while let Some(member) = members.next()? {
                let Some((key, ending)) = key_and_ending(&member.name) else { continue };
                if key != sample.key {
                    shard.add(std::mem::take(&mut sample), &mut numbers)?;
                    sample.key = key.to_owned();
                }
                match ending.as_str() {
                    "cls" => {
                        sample.label = Some(class_text(&mut members, &member)?);
                        sample.is_cls = true;
                    }
                    "json" if !sample.is_cls => {
                        sample.label = class_in_json(&mut members, &member)?.or(sample.label);
                    }
                    ending if has_image_ending(&format!(".{ending}")) => {
                        ensure!(
                            sample.image.is_none(),
                            "the sample {key:?} has two images, {} among them; expected one for each label",
                            member.name
                        );
                        sample.image = Some(member);
                    }
                    _ => {}
                }
            }
            shard.add(sample, &mut numbers)?;
            Ok(shard)
        };
        list().with_context(|| format!("the shard {shown} cannot be used"))
    }

    fn add(&mut self, sample: Sample, numbers: &mut HashMap<String, u32>) -> anyhow::Result<()> {
        let Some(image) = sample.image else { return Ok(()) };
        let Some(label) = sample.label else {
            self.unlabelled += 1;
            return Ok(());
        };
        let length =
            u32::try_from(image.length).ok().filter(|length| u64::from(*length) <= picture::MAX_BYTES);
        let Some(length) = length else {
            bail!("its image {:?} has {} bytes, more than an image may have", image.name, image.length)
        };
        let number = *numbers.entry(label).or_insert_with_key(|label| {
            self.texts.push(label.clone());
            self.texts.len() as u32 - 1
        });
        self.names.push_str(&image.name);
        self.names.push('\0');
        self.places.push((image.offset, length));
        self.labels.push(number);
        Ok(())
    }

    /// Writes it for [`Self::take`].
    pub(super) fn put(&self, out: &mut Vec<u8>) -> anyhow::Result<()> {
        ensure!(u32::try_from(self.names.len()).is_ok(), "the names in one shard take more than 4 GiB");
        put(out, self.names.as_bytes());
        out.extend((self.texts.len() as u32).to_le_bytes());
        self.texts.iter().for_each(|text| put(out, text.as_bytes()));
        out.extend(self.unlabelled.to_le_bytes());
        out.extend((self.places.len() as u32).to_le_bytes());
        for ((offset, length), label) in self.places.iter().zip(&self.labels) {
            out.extend(offset.to_le_bytes());
            out.extend(length.to_le_bytes());
            out.extend(label.to_le_bytes());
        }
        Ok(())
    }

    /// Reads what [`Self::put`] wrote; `None` where it is something else.
    pub(super) fn take(rest: &mut &[u8]) -> Option<Self> {
        let names = String::from_utf8(take(rest)?.to_vec()).ok()?;
        let texts = (0..number(rest)?).map(|_| take_text(rest)).collect::<Option<Vec<String>>>()?;
        let unlabelled = number(rest)?;
        let (mut places, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..number(rest)? {
            places.push((long(rest)?, number(rest)?));
            labels.push(number(rest).filter(|label| (*label as usize) < texts.len())?);
        }
        (names.matches('\0').count() == places.len()).then_some(Self {
            names,
            places,
            labels,
            texts,
            unlabelled,
        })
    }
}

/// What a member's name is up to the first dot of its last part, and what follows that dot in lower case, as
/// the webdataset package has it. `None` for names without both.
fn key_and_ending(name: &str) -> Option<(&str, String)> {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let dot = last + name[last..].find('.')?;
    (dot > last && dot + 1 < name.len()).then(|| (&name[..dot], name[dot + 1..].to_ascii_lowercase()))
}

fn content<R: std::io::Read + std::io::Seek>(
    members: &mut Members<R>,
    member: &Member,
) -> anyhow::Result<Vec<u8>> {
    ensure!(
        member.length <= LONGEST_LABEL,
        "its member {:?} has {} bytes; expected a label",
        member.name,
        member.length
    );
    members.read(member)
}

fn class_text<R: std::io::Read + std::io::Seek>(
    members: &mut Members<R>,
    member: &Member,
) -> anyhow::Result<String> {
    let bytes = content(members, member)?;
    let text = String::from_utf8(bytes).ok().map(|text| text.trim().to_owned());
    text.filter(|text| !text.is_empty() && !text.contains(char::is_control))
        .with_context(|| format!("its member {:?} is no name or number of a class", member.name))
}

/// The label among the fields of a JSON member; `None` where there is none.
fn class_in_json<R: std::io::Read + std::io::Seek>(
    members: &mut Members<R>,
    member: &Member,
) -> anyhow::Result<Option<String>> {
    let bytes = content(members, member)?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|e| anyhow!("its member {:?} is no JSON: {e}", member.name))?;
    let Value::Object(fields) = value else { return Ok(None) };
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    Ok(column(&names, &LABEL_COLUMNS).and_then(|place| match &fields[names[place]] {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_the_first_dot_of_the_last_part() {
        let of = |name| {
            key_and_ending(name).map(|(key, ending)| (key, ending.clone()).0.to_owned() + "|" + &ending)
        };
        assert_eq!(of("a/b.c/0001.JPG").as_deref(), Some("a/b.c/0001|jpg"));
        assert_eq!(of("0001.seg.png").as_deref(), Some("0001|seg.png"));
        assert_eq!(
            [of("0001"), of(".hidden"), of("a/.x.png"), of("a."), of("")],
            [None, None, None, None, None]
        );
    }
}
