//! How accuracy holds out where images are not as in training: rows of measured figures, and the mean
//! corruption error.
//! resumed from, and the mean corruption error.

pub mod mce;
pub mod row;
