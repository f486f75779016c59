//! Textures of the large view: made when another image or answer is shown, never per frame.

use super::facts::{Facts, MapOf, range};
use super::subject::Known;
use crate::app::widgets::pictures::{full_gain, heat_texture, magnified, options, texture};
use egui::{Context, TextureHandle};

/// Tells what textures were made of: the list that was opened, the place in it, and the answer.
pub(super) type Key = (u64, usize, Option<u64>);

/// The textures of the shown image.
#[derive(Default)]
pub(super) struct LargeTextures {
    made_for: Option<Key>,
    /// As it is, changed, the change magnified; the first alone where only that is known.
    images: Vec<TextureHandle>,
    /// What the change is multiplied by.
    gain: f32,
    maps_for: Option<(Key, MapOf)>,
    maps: Option<MapTextures>,
}

/// Maps by what the image is seen through.
pub(super) struct MapTextures {
    /// Of the image as it is and changed.
    pub(super) views: Vec<[TextureHandle; 2]>,
    /// Raw scores at the two ends of the colour scale.
    pub(super) range: (f32, f32),
}

impl std::fmt::Debug for LargeTextures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LargeTextures of {:?}", self.made_for)
    }
}

impl LargeTextures {
    /// Makes what is not there yet.
    pub(super) fn make(&mut self, ctx: &Context, key: Key, facts: &Facts<'_>, map: MapOf) {
        let size = facts.size();
        if self.made_for != Some(key) {
            self.made_for = Some(key);
            let make =
                |what: &str, rgb: &[u8]| texture(ctx, format!("large {what}"), size, rgb, options(size));
            self.images = match (facts.pair, &facts.subject.known) {
                (Some(pair), _) => {
                    self.gain = full_gain([pair]);
                    let change = magnified(&pair.perturbation, self.gain);
                    vec![
                        make("as it is", &pair.clean),
                        make("changed", &pair.adversarial),
                        make("change", &change),
                    ]
                }
                (None, Known::Pixels { rgb, .. }) => vec![make("alone", rgb)],
                (None, Known::Pair(item)) => vec![make("alone", &item.clean)],
            };
        }
        if self.maps_for != Some((key, map)) {
            self.maps_for = Some((key, map));
            self.maps = facts.maps(map).map(|maps| {
                let range = range(&maps);
                let make = |map: &[f32]| heat_texture(ctx, "large map".to_owned(), size, map, range);
                let views = maps.iter().map(|[before, after]| [make(before), make(after)]).collect();
                MapTextures { views, range }
            });
        }
    }

    /// As it is, changed, the change magnified; the first alone where only that is known.
    pub(super) fn images(&self) -> &[TextureHandle] {
        &self.images
    }

    /// What the change is multiplied by.
    pub(super) fn gain(&self) -> f32 {
        self.gain
    }

    pub(super) fn maps(&self) -> Option<&MapTextures> {
        self.maps.as_ref()
    }
}
