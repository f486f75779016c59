//! The table itself: one entry a key, a file for what belongs together, joined in the order of a
//! configuration file.

mod data;
mod eval;
mod method;
mod model;
mod optimizer;
mod run;

pub(super) use method::BRANCH_FIELDS;

use super::{Field, Kind, Range};
use std::sync::LazyLock;

/// All keys, in the order of the file.
pub(super) static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    [run::FIELDS, data::FIELDS, model::FIELDS, method::FIELDS, optimizer::FIELDS, eval::FIELDS].concat()
});

/// From `min` to `max`, both included.
const fn closed(min: f64, max: f64) -> Range {
    Range { min, max, open_min: false, open_max: false }
}

/// Above 0, up to `max`.
const fn above_zero(max: f64) -> Range {
    Range { min: 0.0, max, open_min: true, open_max: false }
}

/// From 0, below 1.
const BELOW_ONE: Range = Range { min: 0.0, max: 1.0, open_min: false, open_max: true };

/// Above 0, below 1.
const OPEN_SHARE: Range = Range { min: 0.0, max: 1.0, open_min: true, open_max: true };

const fn whole(min: i64, max: i64) -> Kind {
    Kind::Integer { min, max }
}

/// A key behind "advanced".
const fn key(
    path: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    source: &'static str,
) -> Field {
    Field { path, kind, unit, help, source, basic: false, optional: false }
}

impl Field {
    const fn basic(mut self) -> Self {
        self.basic = true;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}
