//! How accuracy holds out where images are not as in training: rows of measured figures and their JSON, the
//! conditions that images are measured under, one pass over a set for all of them, the folder that such a
//! measurement is resumed from, and the mean corruption error.

#[cfg_attr(api, doc(hidden))]
pub mod answers;
pub mod condition;
pub mod figures;
pub mod mce;
pub mod measurement;
#[cfg_attr(api, doc(hidden))]
pub mod pass;
mod passes;
pub mod record;
pub mod row;
#[cfg_attr(api, doc(hidden))]
pub mod worst_case;
