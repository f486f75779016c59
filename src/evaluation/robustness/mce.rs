//! The mean corruption error of Hendrycks and Dietterich 2019, section 4.1: the error of each corruption
//! summed over its severities, divided by that of a baseline, and averaged over the 15 main corruptions. The
//! relative one takes the clean error off both sums first. Corruptions go by their names, never by their
//! order.

use super::row::Row;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The severities that a mean corruption error needs.
pub const SEVERITIES: [u8; 5] = [1, 2, 3, 4, 5];

/// How many of [`ALEXNET`]'s corruptions are main ones, which the mean is over; the others are for choosing
/// hyperparameters.
const MAIN: usize = 15;

/// Top-1 error of AlexNet on ImageNet-C at severity 1 to 5, in ImageNet-C's order, and of the four extra
/// corruptions behind it. Source: the README of hendrycks/robustness; the averages over severities are those
/// that its evaluation divides by.
pub const ALEXNET: [(&str, [f64; 5]); 19] = [
    ("gaussian_noise", [0.69528, 0.82542, 0.93554, 0.98138, 0.99452]),
    ("shot_noise", [0.71224, 0.85108, 0.93574, 0.98182, 0.99146]),
    ("impulse_noise", [0.78374, 0.89808, 0.94870, 0.98720, 0.99548]),
    ("defocus_blur", [0.65624, 0.73202, 0.85036, 0.91364, 0.94714]),
    ("glass_blur", [0.64308, 0.75054, 0.88806, 0.91622, 0.93344]),
    ("motion_blur", [0.58430, 0.70048, 0.82108, 0.89750, 0.92638]),
    ("zoom_blur", [0.70008, 0.76992, 0.80784, 0.84198, 0.87198]),
    ("snow", [0.71726, 0.88392, 0.86468, 0.91870, 0.94952]),
    ("frost", [0.61390, 0.79734, 0.88790, 0.89942, 0.93430]),
    ("fog", [0.67474, 0.76050, 0.84378, 0.87260, 0.94500]),
    ("brightness", [0.45140, 0.48502, 0.54048, 0.62166, 0.72440]),
    ("contrast", [0.64548, 0.76150, 0.88874, 0.97760, 0.99270]),
    ("elastic_transform", [0.52596, 0.70116, 0.55686, 0.64076, 0.80554]),
    ("pixelate", [0.52218, 0.54620, 0.73728, 0.87092, 0.91262]),
    ("jpeg_compression", [0.51002, 0.54718, 0.57294, 0.65458, 0.74778]),
    ("speckle_noise", [0.66192, 0.74440, 0.90246, 0.94548, 0.97268]),
    ("gaussian_blur", [0.54732, 0.70444, 0.82574, 0.89864, 0.95940]),
    ("spatter", [0.47196, 0.62194, 0.75052, 0.84132, 0.90182]),
    ("saturate", [0.59342, 0.65514, 0.51174, 0.70834, 0.82260]),
];

/// Top-1 error of AlexNet on ImageNet's own validation images (torchvision's weights).
const ALEXNET_CLEAN: f64 = 1.0 - 0.56522;

/// The top-1 errors of one model through one domain, 0..1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Errors {
    /// On clean images, where that was measured.
    pub clean: Option<f64>,
    /// By corruption and severity.
    pub corrupted: BTreeMap<String, BTreeMap<u8, f64>>,
}

impl Errors {
    /// The errors of the rows of `domain` without an attack.
    pub fn of_rows(rows: &[Row], domain: &str) -> Self {
        let mut errors = Self::default();
        for row in rows.iter().filter(|row| row.domain == domain && row.attack.is_none()) {
            match (&row.corruption, row.severity) {
                (Some(corruption), Some(severity)) => {
                    errors.corrupted.entry(corruption.clone()).or_default().insert(severity, row.error());
                }
                _ => errors.clean = Some(row.error()),
            }
        }
        errors
    }

    /// Those of AlexNet on ImageNet and ImageNet-C.
    pub fn of_alexnet() -> Self {
        let by_severity = |errors: [f64; 5]| SEVERITIES.into_iter().zip(errors).collect();
        let corrupted = ALEXNET.iter().map(|(name, errors)| ((*name).to_owned(), by_severity(*errors)));
        Self { clean: Some(ALEXNET_CLEAN), corrupted: corrupted.collect() }
    }
}

/// What one corruption costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CorruptionError {
    /// Mean top-1 error over the severities that were measured, 0..1.
    pub error: f64,
    /// That over the baseline's, percent; none without a baseline.
    pub ce: Option<f64>,
    /// As [`Self::ce`], with the clean errors taken off; none without both clean errors.
    pub relative_ce: Option<f64>,
}

/// The mean corruption error of a model through one domain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mce {
    /// The BN domain.
    pub domain: String,
    /// The mean over the 15 main corruptions at all severities, percent: of the corruptions' errors over the
    /// baseline's, or of the errors themselves without a baseline. None while one is missing.
    pub value: Option<f64>,
    /// As [`Self::value`], of the relative errors.
    pub relative: Option<f64>,
    /// The baseline: `imagenet-alexnet`, a run, or none of a plain mean of errors.
    pub normalised_by: Option<String>,
    /// The mean over those of the main corruptions and severities that were measured, percent; none without
    /// any.
    pub mean_of_measured: Option<f64>,
    /// What [`Self::value`] lacks: main corruptions, and severities of them, which were not measured or of
    /// which the baseline has no error.
    pub missing: Vec<String>,
    /// Each corruption that was measured, main or not.
    pub by_corruption: BTreeMap<String, CorruptionError>,
}

impl Mce {
    /// The mean corruption error of `model` through `domain`, over `baseline`'s errors by its name.
    pub fn new(domain: &str, model: &Errors, baseline: Option<(&str, &Errors)>) -> Self {
        let mut by_corruption = BTreeMap::new();
        let mut gaps = BTreeSet::new();
        for (name, measured) in &model.corrupted {
            let reference =
                baseline.map(|(_, errors)| errors.corrupted.get(name).cloned().unwrap_or_default());
            let lacks = |severity: &u8| {
                !measured.contains_key(severity)
                    || reference.as_ref().is_some_and(|errors| !errors.contains_key(severity))
            };
            gaps.extend(SEVERITIES.iter().filter(|s| lacks(s)).map(|s| (name.clone(), *s)));
            by_corruption.insert(name.clone(), corruption_error(measured, model.clean, reference, baseline));
        }
        let main = || ALEXNET[..MAIN].iter().map(|(name, _)| *name);
        let mut missing = Vec::new();
        for name in main() {
            let severities: Vec<String> = gaps
                .iter()
                .filter(|(gap, _)| gap == name)
                .map(|(_, severity)| severity.to_string())
                .collect();
            if !by_corruption.contains_key(name) || severities.len() == SEVERITIES.len() {
                missing.push(name.to_owned());
            } else if !severities.is_empty() {
                missing.push(format!("{name} at severity {}", severities.join(", ")));
            }
        }
        let of_main = |figure: fn(&CorruptionError) -> Option<f64>| -> Vec<f64> {
            main().filter_map(|name| by_corruption.get(name).and_then(figure)).collect()
        };
        let figures = match baseline {
            Some(_) => of_main(|corruption| corruption.ce),
            None => of_main(|corruption| Some(100.0 * corruption.error)),
        };
        let relative = of_main(|corruption| corruption.relative_ce);
        Self {
            domain: domain.to_owned(),
            value: mean(&figures).filter(|_| missing.is_empty()),
            relative: mean(&relative).filter(|_| missing.is_empty() && relative.len() == MAIN),
            normalised_by: baseline.map(|(name, _)| name.to_owned()),
            mean_of_measured: mean(&figures),
            missing,
            by_corruption,
        }
    }
}

impl Mce {
    /// The corruptions that were measured: ImageNet-C's in its order, then others by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let known = ALEXNET.iter().map(|(name, _)| *name);
        let known = known.filter(|name| self.by_corruption.contains_key(*name));
        let is_known = |name: &&str| ALEXNET.iter().any(|(known, _)| known == name);
        known.chain(self.by_corruption.keys().map(String::as_str).filter(move |name| !is_known(name)))
    }

    /// The mean corruption error in words: over what, divided by what.
    pub fn summary(&self) -> String {
        let over = match self.normalised_by.as_deref() {
            Some(name) => format!("errors divided by those of {name}"),
            None => "plain mean of errors, not divided by a baseline's".to_owned(),
        };
        let percent =
            |value: f64| format!("{value:.2}{}", if self.normalised_by.is_some() { "" } else { "%" });
        match (self.value, self.relative, self.mean_of_measured) {
            (Some(value), Some(relative), _) => {
                format!("mCE {}, relative mCE {} ({over})", percent(value), percent(relative))
            }
            (Some(value), None, _) if self.normalised_by.is_none() => {
                format!("mean corruption error {} ({over})", percent(value))
            }
            (Some(value), None, _) => {
                format!("mCE {} ({over}); the relative mCE needs clean images", percent(value))
            }
            (None, _, Some(mean)) => format!(
                "no mCE: {} not measured; mean over the main corruptions that are: {} ({over})",
                lacking(&self.missing),
                percent(mean)
            ),
            (None, _, None) => format!("no mCE: {} not measured", lacking(&self.missing)),
        }
    }
}

fn lacking(missing: &[String]) -> String {
    format!("{} {}", missing.join(", "), if missing.len() == 1 { "was" } else { "were" })
}

/// The error of one corruption over the severities that the model and the baseline both have.
fn corruption_error(
    measured: &BTreeMap<u8, f64>,
    clean: Option<f64>,
    reference: Option<BTreeMap<u8, f64>>,
    baseline: Option<(&str, &Errors)>,
) -> CorruptionError {
    let all: Vec<f64> = measured.values().copied().collect();
    let error = mean(&all).unwrap_or(f64::NAN);
    let Some(reference) = reference else { return CorruptionError { error, ce: None, relative_ce: None } };
    let pairs: Vec<(f64, f64)> =
        measured.iter().filter_map(|(severity, error)| Some((*error, *reference.get(severity)?))).collect();
    let over = |ours: f64, theirs: f64| {
        let sums =
            pairs.iter().fold((0.0, 0.0), |sums, pair| (sums.0 + pair.0 - ours, sums.1 + pair.1 - theirs));
        Some(100.0 * sums.0 / sums.1).filter(|ratio| ratio.is_finite())
    };
    let clean_errors = clean.zip(baseline.and_then(|(_, errors)| errors.clean));
    CorruptionError {
        error,
        ce: over(0.0, 0.0),
        relative_ce: clean_errors.and_then(|(ours, theirs)| over(ours, theirs)),
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alexnet(model: &Errors) -> Mce {
        Mce::new("main", model, Some(("imagenet-alexnet", &Errors::of_alexnet())))
    }

    #[test]
    fn alexnet_itself_has_exactly_100() {
        let mce = alexnet(&Errors::of_alexnet());
        assert_eq!((mce.value, mce.relative), (Some(100.0), Some(100.0)));
        assert!(mce.missing.is_empty());
        assert_eq!(mce.by_corruption.len(), 19);
    }

    /// The averages that hendrycks/robustness and augmix divide by, apart from the table by severity.
    #[test]
    fn the_table_has_the_published_averages() {
        let averages = [
            0.886428, 0.894468, 0.922640, 0.819880, 0.826268, 0.785948, 0.798360, 0.866816, 0.826572,
            0.819324, 0.564592, 0.853204, 0.646056, 0.717840, 0.606500, 0.845388, 0.787108, 0.717512,
            0.658248,
        ];
        for ((name, errors), average) in ALEXNET.iter().zip(averages) {
            assert!((mean(errors).unwrap() - average).abs() < 1e-9, "{name}");
        }
        let plain = Mce::new("main", &Errors::of_alexnet(), None);
        assert!((plain.value.unwrap() - 78.8993).abs() < 1e-3, "{plain:?}");
        assert_eq!((plain.normalised_by, plain.relative), (None, None));
    }

    /// By hand: half of AlexNet's errors and a clean error of 0.2.
    #[test]
    fn errors_are_divided_severity_sums_by_severity_sums() {
        let mut model = Errors::of_alexnet();
        model.corrupted.values_mut().flat_map(|errors| errors.values_mut()).for_each(|error| *error /= 2.0);
        model.clean = Some(0.2);
        let mce = alexnet(&model);
        assert!((mce.value.unwrap() - 50.0).abs() < 1e-9);
        let fog = mce.by_corruption["fog"];
        let sum = 0.67474 + 0.76050 + 0.84378 + 0.87260 + 0.94500;
        let expected = 100.0 * (sum / 2.0 - 5.0 * 0.2) / (sum - 5.0 * ALEXNET_CLEAN);
        assert!((fog.relative_ce.unwrap() - expected).abs() < 1e-9, "{fog:?}");
    }

    #[test]
    fn what_is_missing_is_named_and_then_there_is_no_mce() {
        let mut model = Errors::of_alexnet();
        model.corrupted.remove("snow");
        model.corrupted.get_mut("fog").unwrap().remove(&4);
        let mce = alexnet(&model);
        assert_eq!(mce.missing, ["snow", "fog at severity 4"]);
        assert_eq!((mce.value, mce.relative), (None, None));
        assert!((mce.mean_of_measured.unwrap() - 100.0).abs() < 1e-9);
        // An extra corruption is no part of the mean.
        model = Errors::of_alexnet();
        model.corrupted.remove("spatter");
        model.corrupted.get_mut("saturate").unwrap().insert(1, 1.0);
        assert_eq!(alexnet(&model).value, Some(100.0));
    }

    #[test]
    fn a_baseline_that_lacks_a_corruption_gives_no_mce() {
        let mut baseline = Errors::of_alexnet();
        baseline.corrupted.remove("frost");
        baseline.clean = None;
        let mce = Mce::new("aux", &Errors::of_alexnet(), Some(("runs/first", &baseline)));
        assert_eq!(mce.missing, ["frost"]);
        assert_eq!((mce.value, mce.by_corruption["frost"].ce), (None, None));
        assert_eq!(mce.by_corruption["fog"].relative_ce, None);
        assert_eq!(mce.normalised_by.as_deref(), Some("runs/first"));
    }

    #[test]
    fn rows_are_told_apart_by_domain_and_attack() {
        let row = |domain: &str, corruption: Option<&str>, severity, top1| Row {
            data: "shapes".into(),
            split: "val".into(),
            domain: domain.into(),
            statistics: crate::evaluation::robustness::row::RUNNING.into(),
            attack: None,
            corruption: corruption.map(String::from),
            severity,
            images: 4,
            left_out: 0,
            loss: 1.0,
            top1,
            top5: 1.0,
            localisation: None,
        };
        let attacked = Row { attack: Some("fgsm:eps=2".into()), ..row("main", None, None, 0.0) };
        let rows = [
            row("main", None, None, 0.75),
            row("main", Some("fog"), Some(2), 0.5),
            row("aux", Some("fog"), Some(2), 0.25),
            attacked,
        ];
        let errors = Errors::of_rows(&rows, "main");
        assert_eq!((errors.clean, errors.corrupted["fog"][&2]), (Some(0.25), 0.5));
        assert_eq!(Errors::of_rows(&rows, "aux").corrupted["fog"][&2], 0.75);
        assert_eq!(Errors::of_rows(&rows, "aux").clean, None);
    }
}
