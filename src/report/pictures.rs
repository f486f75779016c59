//! The grid of class activation maps: the best checkpoint of each group's first run looks at the same images
//! through each of its domains.

use super::group::Group;
use super::html::{escape, scrolling};
use crate::data::{Dataset, open_validation};
use crate::evaluation::activation_map::CamMethod;
use crate::evaluation::cam_tile::cam_tiles;
use crate::evaluation::{Model, Weights};
use crate::gpu::DeviceChoice;
use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Images of the grid.
const IMAGES: usize = 6;
/// Side of the largest picture that is put into the page, pixels.
const LARGEST: usize = 160;

/// The grid, or why there is none.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    /// The images: true class and picture.
    images: Vec<(String, String)>,
    rows: Vec<Seen>,
    /// Sentences on what could not be made.
    missing: Vec<String>,
}

/// What a network sees through a domain.
#[derive(Clone, Debug)]
struct Seen {
    group: String,
    domain: String,
    /// For each image the predicted class, its probability 0..1, and the picture.
    tiles: Vec<(String, f64, String)>,
}

impl Pictures {
    /// Makes the grid on the adapter `device`. What cannot be made is said in the page. `working` hears
    /// (groups looked at, of all).
    pub fn make(groups: &[Group], device: &DeviceChoice, working: &mut dyn FnMut(usize, usize)) -> Self {
        let mut made = Self::default();
        let mut chosen: Option<Chosen> = None;
        for (index, group) in groups.iter().enumerate() {
            working(index, groups.len());
            if let Err(fault) = made.look(group, device, &mut chosen) {
                made.missing.push(format!("{}: {fault:#}", group.label));
            }
        }
        made
    }

    fn look(
        &mut self,
        group: &Group,
        device: &DeviceChoice,
        chosen: &mut Option<Chosen>,
    ) -> anyhow::Result<()> {
        let run = &group.runs[0];
        let best = &run.checkpoint;
        ensure!(best.is_file(), "{} has no best checkpoint yet", run.dir.display());
        let (set, _) = open_validation(&run.config.data)?;
        let mut model = Model::load(best, Weights::Auto, device, IMAGES, |_, _| {})?;
        let size = model.meta().image_size;
        let chosen = match chosen {
            Some(chosen) => chosen,
            None => {
                let (first, pictures) = Chosen::first(set.as_ref(), size)?;
                self.images = pictures;
                chosen.insert(first)
            }
        };
        chosen.check(set.as_ref())?;
        let loaded = chosen.indices.iter().map(|index| set.load(*index, size));
        let bytes: Vec<Vec<u8>> = loaded.collect::<anyhow::Result<_>>()?;
        let pixels: Vec<f32> = bytes.iter().flatten().map(|byte| f32::from(*byte)).collect();
        let classes = model.meta().classes.clone();
        for (domain, name) in model.meta().domains.clone().into_iter().enumerate() {
            let mut tiles = Vec::new();
            for tile in cam_tiles(&mut model, &pixels, domain, CamMethod::Cam)? {
                tiles.push((classes[tile.class].clone(), tile.p, picture(&tile.overlay, tile.side)?));
            }
            self.rows.push(Seen { group: group.label.clone(), domain: name, tiles });
        }
        Ok(())
    }

    /// The grid as a section of the page.
    pub(super) fn section(&self) -> String {
        let mut text = "<h2>Class activation maps</h2>\n".to_owned();
        for missing in &self.missing {
            let _ = writeln!(text, "<p>Not measured for {}.</p>", escape(missing));
        }
        if self.rows.is_empty() {
            if self.missing.is_empty() {
                text += "<p>Not measured.</p>\n";
            }
            return text;
        }
        text += "<p>The best checkpoint of each group's first run, explaining the class that it predicts through each \
                 domain: the brighter, the more the place speaks for it.</p>\n";
        let mut table =
            "<table class=\"cams\"><thead><tr><th scope=\"col\">group</th><th scope=\"col\">domain</th>"
                .to_owned();
        for (number, (class, picture)) in self.images.iter().enumerate() {
            let class = escape(class);
            let _ = write!(
                table,
                "<th scope=\"col\"><img src=\"{picture}\" alt=\"Image {}, a {class}\"/>{class}</th>",
                number + 1
            );
        }
        table += "</tr></thead><tbody>";
        for row in &self.rows {
            let (group, domain) = (escape(&row.group), escape(&row.domain));
            let _ = write!(table, "<tr><th scope=\"row\">{group}</th><th scope=\"row\">{domain}</th>");
            for (number, (class, p, picture)) in row.tiles.iter().enumerate() {
                let class = escape(class);
                let _ = write!(
                    table,
                    "<td><img src=\"{picture}\" alt=\"Where {group} looks through {domain} on image {}, for \
                     {class}\"/>{class} {:.0}%</td>",
                    number + 1,
                    100.0 * p
                );
            }
            table += "</tr>";
        }
        table += "</tbody></table>";
        text + &scrolling("Class activation maps", &table)
    }
}

/// The images that all networks are shown.
struct Chosen {
    indices: Vec<usize>,
    names: Vec<String>,
}

impl Chosen {
    /// The first readable image of as many classes as there is room for, and their pictures.
    fn first(set: &dyn Dataset, size: usize) -> anyhow::Result<(Self, Vec<(String, String)>)> {
        let mut classes = BTreeSet::new();
        let mut chosen = Self { indices: Vec::new(), names: Vec::new() };
        let mut pictures = Vec::new();
        for index in 0..set.len() {
            if chosen.indices.len() == IMAGES {
                break;
            }
            if classes.contains(&set.label(index)) {
                continue;
            }
            // A damaged image is named by evaluation; another of its class takes its place.
            let Ok(bytes) = set.load(index, size) else { continue };
            classes.insert(set.label(index));
            chosen.indices.push(index);
            chosen.names.push(set.name(index));
            let class = set.class_names().get(set.label(index)).cloned().unwrap_or_default();
            pictures.push((class, picture(&bytes, size)?));
        }
        ensure!(!chosen.indices.is_empty(), "its validation set has no readable image");
        Ok((chosen, pictures))
    }

    fn check(&self, set: &dyn Dataset) -> anyhow::Result<()> {
        let alike = self
            .indices
            .iter()
            .zip(&self.names)
            .all(|(index, name)| *index < set.len() && set.name(*index) == *name);
        ensure!(alike, "its validation images are others than those of the first group");
        Ok(())
    }
}

/// An RGB picture `[size, size, 3]` as a data URI, scaled down where it is large.
fn picture(bytes: &[u8], size: usize) -> anyhow::Result<String> {
    let side = u32::try_from(size)?;
    let picture =
        image::RgbImage::from_raw(side, side, bytes.to_vec()).context("a picture of another size")?;
    let picture = if size > LARGEST {
        let side = LARGEST as u32;
        image::imageops::resize(&picture, side, side, image::imageops::FilterType::Triangle)
    } else {
        picture
    };
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(
        picture.as_raw(),
        picture.width(),
        picture.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)))
}
