//! “What am I looking at”, for each pane: a paragraph, the formula behind its figures, and where it comes
//! from. And the one rule of colours, dashes and markers that all panes keep.

use super::Pane;
use crate::app::model::kinds::DataKind;
use crate::app::theme::tokens::{self, Tokens};
use crate::app::widgets::legend;
use crate::config::Domain;
use egui::{Align, Grid, Layout, RichText, Sense, Ui, vec2};

/// What a pane shows.
#[derive(Debug)]
pub struct Explained {
    pub text: &'static str,
    /// In letters that the window's fonts have.
    pub formula: &'static str,
    /// Paper and section.
    pub source: &'static str,
}

pub(super) const SET_UP: Explained = Explained {
    text: "All that decides a run. A method is a sum of branches: each takes images from a source (clean, attacked, mixed, \
           augmented, corrupted), sends them through the shared weights and through its own batch norm, and adds its \
           weighted loss. The curve below the learning rate is what the schedule makes of it; a preflight measures how \
           long the run will take and shows what each branch trains on.",
    formula: "L(θ) = Σ_b  w_b · mean ℓ( f(x_b; θ, BN of b), y )",
    source: "AdvProp (Xie et al. 2020), section 4 and algorithm 1; MixProp, section 3",
};

pub(super) const CURVES: Explained = Explained {
    text: "On the left the training loss of each branch, measured on its images of a step before the weights move; the pale \
           line is what was measured, the strong one its moving average. On the right the share of validation images \
           that are recognised, through each batch norm, clean and attacked. AdvProp is at work where main stays high on \
           clean images and aux on attacked ones.",
    formula: "ℓ = −Σ_c  q_c · log softmax(f(x))_c\ntop-1 = images with argmax f(x) = y / images",
    source: "AdvProp, section 5; the moving average is s ← a·s + (1 − a)·ℓ, freed of its pull to zero",
};

pub(super) const RUNS: Explained = Explained {
    text: "Run folders side by side. Runs whose configurations differ in the seed alone are one line, their mean, in a band \
           from the lowest to the highest of them: a difference between two methods that is smaller than these bands may \
           be chance. Colours tell runs apart here, as all lines are of one kind of images; the dash is the batch norm.",
    formula: "mean = Σ_seeds  y / seeds\nband = [min y, max y]",
    source: "Ours",
};

pub(super) const GALLERY: Explained = Explained {
    text: "Validation images, the perturbation that the run's test attack found against the newest weights, and the attacked \
           images, with the first guess of each batch norm before and after. The perturbation is drawn around grey and \
           multiplied by the gain: in truth it is at most ε of 255 grey levels.",
    formula: "x' = x + δ,  ‖δ‖∞ ≤ ε,  δ raises ℓ(f(x + δ), y)",
    source: "AdvProp, section 3, equation 2; PGD: Madry et al. 2018",
};

pub(super) const LAB: Explained = Explained {
    text: "Images of your choice under an attack of your choice against an opened model. The loss over the iterations shows \
           whether the attack has done its work: a line that still rises wants more or larger steps. The sweep attacks \
           images at rising ε through each batch norm; a robust model falls late, and the line at the ε of training shows \
           what it was trained against.",
    formula: "x ← clip_[0,255]( Π_‖x−x₀‖∞≤ε ( x + α · sign ∇_x ℓ(f(x), y) ) ), k times",
    source: "PGD: Madry et al. 2018, section 2.1; AdvProp, sections 5.1 and 5.4",
};

pub(super) const ATTENTION: Explained = Explained {
    text: "Class activation maps: which places of an image speak for the class. The last features, weighted by the \
           classifier's weights of the class, are laid over the image; bright is for, dark against. Beside each other stand \
           the batch norms, clean and attacked, on one scale: see whether they look at the same places.",
    formula: "M_c(i, j) = Σ_k  w_ck · A_k(i, j)",
    source: "Zhou et al. 2016, equation 2",
};

pub(super) const DOMAINS: Explained = Explained {
    text: "Each batch norm describes its images by a mean and a variance for each channel, as a Gaussian. The strip shows how \
           far main and another domain lie apart in each layer, from input to output; below it are the channels of one \
           layer. A distance near 0 says that one batch norm would have done; where it is large, the two kinds of images \
           have different statistics, which is why AdvProp keeps them apart.",
    formula: "D = ½ (KL(a‖b) + KL(b‖a)) = ¼ (μa − μb)² (1/σa² + 1/σb²)  +  ¼ (σa²/σb² + σb²/σa²) − ½",
    source: "AdvProp, section 4.1 (why two batch norms); the distance is ours",
};

pub(super) const RESULTS: Explained = Explained {
    text: "An opened model on a set, through one batch norm at a time. The confusion matrix has a row for each true class and \
           a column for each predicted one; a row's colours are shares of that class's images. Recognised is the share of \
           a class's images that are taken for it, precision the share of what is taken for it that is of it. The interval \
           behind an accuracy says how far chance alone could move it, given the number of images.",
    formula: "recall_c = C_cc / Σ_j C_cj\nprecision_c = C_cc / Σ_i C_ic",
    source: "Wilson 1927 for the interval",
};

pub(super) const ROBUSTNESS: Explained = Explained {
    text: "The same images clean, attacked, and corrupted as ImageNet-C and CIFAR-C do, at five severities. The mean \
           corruption error averages over corruptions; divided by AlexNet's errors it can be held against the papers, on \
           ImageNet only. Below 100% a model errs less than AlexNet did.",
    formula: "CE_c = Σ_s E_s,c / Σ_s E_s,c of AlexNet\nmCE = mean over c of CE_c",
    source: "Hendrycks and Dietterich 2019, section 4; AdvProp, section 5.2",
};

pub(super) const LOG: Explained = Explained {
    text: "What the run reported, in order: what it began with, warnings, checkpoints, how it ended. The same lines are in \
           log.txt of the run folder.",
    formula: "",
    source: "Ours",
};

/// Draws what a pane shows, and the rule of colours and shapes.
pub fn ui(ui: &mut Ui, pane: Pane) {
    // A menu would stretch its lines to both edges.
    ui.with_layout(Layout::top_down(Align::Min), |ui| contents_ui(ui, pane));
}

fn contents_ui(ui: &mut Ui, pane: Pane) {
    let tokens = Tokens::of(ui);
    let Explained { text, formula, source } = pane.info().explained;
    ui.label(RichText::new(format!("What {} shows", pane.title())).heading().color(tokens.text_strong));
    ui.add(egui::Label::new(*text).wrap());
    if !formula.is_empty() {
        ui.add_space(tokens::GAP_SMALL);
        ui.add(egui::Label::new(RichText::new(*formula).monospace().color(tokens.text_strong)).wrap());
    }
    ui.label(RichText::new(*source).small().color(tokens.text_weak));
    ui.separator();
    rule_ui(ui);
}

/// The legend of all panes: the colour is the data, dash and marker are the batch norm.
fn rule_ui(ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    ui.label(RichText::new("In every pane").strong().color(tokens.text_strong));
    Grid::new("colours and shapes").num_columns(2).spacing([10.0, 3.0]).show(ui, |ui| {
        ui.label(RichText::new("Colour: images").small().color(tokens.text_weak));
        ui.horizontal(|ui| {
            for kind in DataKind::ALL {
                ui.label(RichText::new(format!("■ {}", kind.label())).color(tokens.data(kind)));
            }
        });
        ui.end_row();
        ui.label(RichText::new("Dash, marker: batch norm").small().color(tokens.text_weak));
        ui.horizontal(|ui| {
            for (domain, name) in Domain::NAMES.into_iter().enumerate() {
                let (rect, _) = ui.allocate_exact_size(vec2(26.0, 16.0), Sense::hover());
                legend::sample(ui, rect.left_center(), tokens::dash(domain), tokens.text);
                ui.label(format!("{} {name}", tokens::mark(domain)));
            }
        });
        ui.end_row();
    });
    let text = "Augmented and corrupted images count as clean: nothing was sought against the network. Compared runs have \
                colours of their own.";
    ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_weak)).wrap());
}
