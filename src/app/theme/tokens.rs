//! Every colour, text size and distance of the window, once for the dark theme and once for the light one. No
//! other file names a colour.
//!
//! Data has a colour and a domain has a dash and a marker, the same in every plot and legend: clean is blue,
//! attacked is orange, mixed is purple; `main` is solid, the first auxiliary domain dashed, the second
//! dotted, the third in long dashes. Compared runs are of one domain and kind of data at a time: there both
//! tell the runs apart. Blue and orange stay apart under the common forms of colour blindness,
//! and the dash tells the rest.

use crate::app::model::kinds::DataKind;
use egui::style::ScrollStyle;
use egui::{
    Color32, CornerRadius, FontDefinitions, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, Vec2,
    Visuals, vec2,
};
use egui_plot::{LineStyle, MarkerShape};

/// The colours of one theme.
#[derive(Debug)]
pub struct Tokens {
    /// The ground behind all panes.
    pub backdrop: Color32,
    /// Ground of a pane, a menu, a dialog.
    pub panel: Color32,
    /// Ground of a card on a pane.
    pub raised: Color32,
    /// Ground of a text field and of a plot.
    pub sunken: Color32,
    /// Ground of a button at rest, under the pointer, held down.
    pub control: [Color32; 3],
    pub line: Color32,
    pub text: Color32,
    pub text_strong: Color32,
    pub text_weak: Color32,
    /// Selection, focus, links, the primary button.
    pub accent: Color32,
    /// Text on `accent`.
    pub on_accent: Color32,
    pub accent_soft: Color32,
    pub good: Color32,
    pub warning: Color32,
    pub error: Color32,
    /// Ground of a banner that reports a failure.
    pub error_soft: Color32,
    pub warning_soft: Color32,
    clean: Color32,
    attacked: Color32,
    mixed: Color32,
    /// Of compared runs, in order; after Okabe and Ito, whose colours stay apart under colour blindness.
    runs: [Color32; 6],
    shadow: Color32,
}

/// How a compared run is drawn, in a plot, its legend, the table and a figure alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunLook {
    pub colour: Color32,
    /// How often the colours came round before, below [`DASHES`].
    round: usize,
}

impl RunLook {
    pub fn dash(self) -> LineStyle {
        dash(self.round)
    }

    /// What stands for the line where it has one point.
    pub fn marker(self) -> MarkerShape {
        marker(self.round)
    }

    /// The letter of [`Self::marker`].
    pub fn mark(self) -> &'static str {
        mark(self.round)
    }
}

const fn rgb(value: u32) -> Color32 {
    Color32::from_rgb((value >> 16) as u8, (value >> 8) as u8, value as u8)
}

/// The dark theme.
pub const DARK: Tokens = Tokens {
    backdrop: rgb(0x0f_1116),
    panel: rgb(0x18_1b22),
    raised: rgb(0x20_242d),
    sunken: rgb(0x11_1319),
    control: [rgb(0x2a_2f3a), rgb(0x36_3c4a), rgb(0x22_2731)],
    line: rgb(0x2e_333e),
    text: rgb(0xc9_ced8),
    text_strong: rgb(0xf1_f3f7),
    text_weak: rgb(0x93_9bab),
    accent: rgb(0x4d_a3ff),
    on_accent: rgb(0x07_1423),
    accent_soft: rgb(0x1d_3a5c),
    good: rgb(0x4f_c3ad),
    warning: rgb(0xe8_b84a),
    error: rgb(0xff_7b72),
    error_soft: rgb(0x3a_1e20),
    warning_soft: rgb(0x36_2c17),
    clean: rgb(0x58_a6ff),
    attacked: rgb(0xf5_9443),
    mixed: rgb(0xc2_9bf0),
    runs: [rgb(0x56_b4e9), rgb(0xe6_9f00), rgb(0x2f_c79a), rgb(0xe3_8fc0), rgb(0xf0_e442), rgb(0xf0_6a2a)],
    shadow: Color32::from_black_alpha(110),
};

/// The light theme.
pub const LIGHT: Tokens = Tokens {
    backdrop: rgb(0xe4_e7ed),
    panel: rgb(0xfb_fcfd),
    raised: rgb(0xf1_f3f7),
    sunken: rgb(0xff_ffff),
    control: [rgb(0xe6_e9ef), rgb(0xd8_dde6), rgb(0xcd_d3de)],
    line: rgb(0xd3_d8e1),
    text: rgb(0x33_3a47),
    text_strong: rgb(0x12_1620),
    text_weak: rgb(0x5d_6675),
    accent: rgb(0x0b_63c5),
    on_accent: rgb(0xff_ffff),
    accent_soft: rgb(0xd3_e5fa),
    good: rgb(0x0c_7a66),
    warning: rgb(0x8f_5f00),
    error: rgb(0xb8_2018),
    error_soft: rgb(0xfd_e7e5),
    warning_soft: rgb(0xfb_f0d8),
    clean: rgb(0x1a_6bc4),
    attacked: rgb(0xc7_5600),
    mixed: rgb(0x7d_4bb8),
    runs: [rgb(0x00_72b2), rgb(0xa8_6a00), rgb(0x00_8a64), rgb(0xa8_4a85), rgb(0x6f_6800), rgb(0xb3_4700)],
    shadow: Color32::from_black_alpha(40),
};

/// Distances in points.
pub const GAP: f32 = 8.0;
pub const GAP_SMALL: f32 = 4.0;
pub const PANE_MARGIN: i8 = 10;
pub const DIALOG_MARGIN: i8 = 16;
pub const LINE_WIDTH: f32 = 1.8;
/// Opacity of a raw curve under its smoothed one.
const RAW_ALPHA: f32 = 0.35;

/// Stops of the heat colour map, evenly spaced from 0 to 1: matplotlib's `inferno` (CC0), which rises evenly
/// in lightness, so it reads in grey and under colour blindness too.
const HEAT: [[f32; 3]; 9] = [
    [0.0, 0.0, 4.0],
    [27.0, 12.0, 66.0],
    [75.0, 12.0, 107.0],
    [120.0, 28.0, 109.0],
    [165.0, 44.0, 96.0],
    [207.0, 68.0, 70.0],
    [237.0, 105.0, 37.0],
    [251.0, 155.0, 6.0],
    [252.0, 255.0, 164.0],
];

impl Tokens {
    /// The tokens of the theme that `ui` is drawn in.
    pub fn of(ui: &egui::Ui) -> &'static Self {
        if ui.visuals().dark_mode { &DARK } else { &LIGHT }
    }

    /// The colour of a kind of data in every plot.
    pub fn data(&self, kind: DataKind) -> Color32 {
        match kind {
            DataKind::Clean => self.clean,
            DataKind::Attacked => self.attacked,
            DataKind::Mixed => self.mixed,
        }
    }

    /// [`Self::data`] for the raw curve under a smoothed one.
    pub fn data_raw(&self, kind: DataKind) -> Color32 {
        self.data(kind).gamma_multiply(RAW_ALPHA)
    }

    /// How line `index` of several compared runs looks. When the colours are used up they come round in the
    /// next dash.
    pub fn run(&self, index: usize) -> RunLook {
        let (colour, round) = (index % self.runs.len(), index / self.runs.len() % DASHES);
        RunLook { colour: self.runs[colour], round }
    }

    fn visuals(&self, base: Visuals) -> Visuals {
        let mut v = base;
        v.panel_fill = self.panel;
        v.window_fill = self.panel;
        v.window_stroke = Stroke::new(1.0, self.line);
        v.window_corner_radius = CornerRadius::same(8);
        v.menu_corner_radius = CornerRadius::same(6);
        v.window_shadow.color = self.shadow;
        v.popup_shadow.color = self.shadow;
        v.extreme_bg_color = self.sunken;
        v.text_edit_bg_color = Some(self.sunken);
        v.faint_bg_color = self.raised;
        v.code_bg_color = self.raised;
        v.hyperlink_color = self.accent;
        v.warn_fg_color = self.warning;
        v.error_fg_color = self.error;
        v.weak_text_color = Some(self.text_weak);
        v.selection.bg_fill = self.accent_soft;
        v.selection.stroke = Stroke::new(1.0, self.text_strong);
        v.slider_trailing_fill = true;
        v.indent_has_left_vline = false;
        let widgets = &mut v.widgets;
        widgets.noninteractive.bg_fill = self.panel;
        widgets.noninteractive.weak_bg_fill = self.panel;
        widgets.noninteractive.bg_stroke = Stroke::new(1.0, self.line);
        widgets.noninteractive.fg_stroke = Stroke::new(1.0, self.text);
        let states = [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active];
        for (state, fill) in states.into_iter().zip(self.control) {
            state.bg_fill = fill;
            state.weak_bg_fill = fill;
            state.bg_stroke = Stroke::new(1.0, self.line);
            state.fg_stroke = Stroke::new(1.0, self.text_strong);
            state.expansion = 0.0;
        }
        widgets.hovered.bg_stroke.color = self.text_weak;
        widgets.active.bg_stroke.color = self.accent;
        widgets.inactive.fg_stroke.color = self.text;
        widgets.open = widgets.hovered;
        for state in [
            &mut widgets.noninteractive,
            &mut widgets.inactive,
            &mut widgets.hovered,
            &mut widgets.active,
            &mut widgets.open,
        ] {
            state.corner_radius = CornerRadius::same(5);
        }
        v
    }
}

/// Scroll bars that are seen without the pointer over them, and have room of their own.
pub fn bars_at_rest() -> ScrollStyle {
    ScrollStyle {
        floating_width: 4.0,
        foreground_color: true,
        dormant_background_opacity: 0.0,
        dormant_handle_opacity: 0.35,
        active_background_opacity: 0.1,
        active_handle_opacity: 0.5,
        ..ScrollStyle::thin()
    }
}

/// Dashes that differ.
const DASHES: usize = 4;

/// Dash of a domain's lines, by its index in `RunInfo::domains`.
pub fn dash(domain: usize) -> LineStyle {
    match domain {
        0 => LineStyle::Solid,
        1 => LineStyle::Dashed { length: 7.0 },
        2 => LineStyle::Dotted { spacing: 5.0 },
        _ => LineStyle::Dashed { length: 14.0 },
    }
}

/// Marker of a domain's points, by its index.
pub fn marker(domain: usize) -> MarkerShape {
    match domain {
        0 => MarkerShape::Circle,
        1 => MarkerShape::Diamond,
        2 => MarkerShape::Square,
        _ => MarkerShape::Up,
    }
}

/// The letter that stands for a domain's marker.
pub fn mark(domain: usize) -> &'static str {
    ["●", "◆", "■", "▲"][domain.min(3)]
}

/// The letter that stands for a domain's dash.
pub fn line_mark(domain: usize) -> &'static str {
    ["━", "╌", "┈", "╍"][domain.min(3)]
}

/// The heat colour of `t` in 0..1; values outside are clamped, NaN is 0.
pub fn heat(t: f32) -> Color32 {
    let t = if t.is_nan() { 0.0 } else { t.clamp(0.0, 1.0) } * (HEAT.len() - 1) as f32;
    let low = (t as usize).min(HEAT.len() - 2);
    let part = t - low as f32;
    let mix = |c: usize| (HEAT[low][c] + part * (HEAT[low + 1][c] - HEAT[low][c])).round() as u8;
    Color32::from_rgb(mix(0), mix(1), mix(2))
}

/// A text colour that can be read on [`heat`] of `t`.
pub fn on_heat(t: f32) -> Color32 {
    if t > 0.6 { Color32::BLACK } else { Color32::WHITE }
}

/// The tint that draws a picture with `opacity` in 0..1.
pub fn opacity(opacity: f32) -> Color32 {
    Color32::WHITE.gamma_multiply(opacity.clamp(0.0, 1.0))
}

/// An RGB picture's pixels, `[H, W, 3]` 0..255.
pub fn pixels(rgb: &[u8]) -> Vec<Color32> {
    rgb.as_chunks::<3>().0.iter().map(|&[r, g, b]| Color32::from_rgb(r, g, b)).collect()
}

/// Gives both themes of `ctx` their colours, text sizes and distances.
pub fn install(ctx: &egui::Context) {
    let mut fonts = FontDefinitions::default();
    // Ubuntu lacks arrows and geometric marks, which the monospaced font of the set has.
    fonts.families.entry(FontFamily::Proportional).or_default().push("Hack".into());
    ctx.set_fonts(fonts);
    ctx.set_visuals_of(Theme::Dark, DARK.visuals(Visuals::dark()));
    ctx.set_visuals_of(Theme::Light, LIGHT.visuals(Visuals::light()));
    ctx.all_styles_mut(|style| {
        let sizes = [
            (TextStyle::Small, 11.0),
            (TextStyle::Body, 13.5),
            (TextStyle::Button, 13.5),
            (TextStyle::Heading, 17.0),
        ];
        for (name, size) in sizes {
            style.text_styles.insert(name, FontId::proportional(size));
        }
        style.text_styles.insert(TextStyle::Monospace, FontId::monospace(12.5));
        style.spacing.item_spacing = vec2(GAP, 5.0);
        style.spacing.button_padding = vec2(9.0, 4.0);
        style.spacing.interact_size = Vec2::new(36.0, 24.0);
        style.spacing.window_margin = Margin::same(14);
        style.spacing.menu_margin = Margin::same(6);
        style.spacing.tooltip_width = 340.0;
        style.spacing.slider_width = 120.0;
        style.spacing.slider_rail_height = 5.0;
        style.spacing.combo_height = 320.0;
        // Popups and panels that slide cost frames on a software adapter and tell the user nothing.
        style.animation_time = 0.0;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dozen_compared_runs_look_different() {
        let looks: Vec<RunLook> = (0..24).map(|index| DARK.run(index)).collect();
        for (index, look) in looks.iter().enumerate() {
            let alike = |other: &RunLook| (other.colour, other.dash()) == (look.colour, look.dash());
            assert!(!looks[..index].iter().any(alike), "line {index}");
        }
        assert_eq!(DARK.run(24), DARK.run(0));
    }
}
