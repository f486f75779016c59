//! What this program is: version, licences, and what it draws and trains with, to be copied into a report of
//! a fault.

use super::{DialogAnswer, title};
use crate::app::model::launcher::DeviceItem;
use crate::app::theme::tokens::{self, Tokens};
use egui::{RichText, Ui};

/// The licences, in short. `deny.toml` lists those of the crates, and the build fails on any other.
const LICENCES: &str = "DualProp may be used under the MIT licence or the Apache licence 2.0, as you like. The crates that \
                        it is built from are under MIT, Apache-2.0, BSD-3-Clause, BSL-1.0, ISC, Unicode-3.0 or Zlib; the window's \
                        fonts under OFL-1.1 and Ubuntu-font-1.0, Mozilla's root certificates under CDLA-Permissive-2.0. This software is based in part on the work of the \
                        Independent JPEG Group (IJG).";
const GUIDE: &str = "The guide is in the menu Help, and README.md lies beside the source; `dualprop help` lists the commands. \
                     What a pane shows is told by the question mark beside its tab.";

/// Version, commit and adapters, a line each.
pub(super) fn facts(devices: &[DeviceItem]) -> String {
    let commit =
        option_env!("DUALPROP_COMMIT").map_or_else(String::new, |commit| format!(", commit {commit}"));
    let mut text = format!("DualProp {}{commit}", env!("CARGO_PKG_VERSION"));
    text += &format!("\n{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    if devices.is_empty() {
        text += "\nNo adapter was found yet";
    }
    for DeviceItem { label, driver, .. } in devices {
        text += &format!("\n{label}, driver {}", if driver.is_empty() { "not known" } else { driver });
    }
    text
}

pub(super) fn ui(ui: &mut Ui, facts: &str, answer: &mut DialogAnswer) {
    title(ui, "About DualProp");
    let tokens = Tokens::of(ui);
    for line in facts.lines() {
        ui.add(egui::Label::new(RichText::new(line).color(tokens.text_strong)).wrap());
    }
    ui.add_space(tokens::GAP);
    for text in [env!("CARGO_PKG_DESCRIPTION"), GUIDE, LICENCES] {
        ui.add(egui::Label::new(RichText::new(text).color(tokens.text)).wrap());
        ui.add_space(tokens::GAP_SMALL);
    }
    ui.horizontal(|ui| {
        if ui.button("Copy for a report").on_hover_text("Version, system and adapters").clicked() {
            ui.ctx().copy_text(facts.to_owned());
        }
        if ui.button("Close").clicked() {
            *answer = DialogAnswer::Dismissed;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who adds a licence to what is allowed must name it to the user.
    #[test]
    fn every_licence_that_a_crate_may_have_is_named() {
        let rules: toml::Table =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml")).parse().expect("TOML");
        let licenses = &rules["licenses"];
        let names = |value: &toml::Value| -> Vec<String> {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        let exceptions = licenses["exceptions"].as_array().expect("a list");
        let all =
            names(&licenses["allow"]).into_iter().chain(exceptions.iter().flat_map(|e| names(&e["allow"])));
        let all: Vec<String> = all.collect();
        assert!(all.len() > 5, "{all:?}");
        for name in all {
            assert!(LICENCES.contains(&name) || name == "Apache-2.0" || name == "MIT", "{name}");
        }
    }
}
