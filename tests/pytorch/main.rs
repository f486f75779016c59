//! Whole networks and ten training steps against PyTorch in float64, from the files in `tests/fixtures` that
//! `tests/reference/make_fixtures.py` made.

mod attacks;
mod fixture;
mod maps;
mod nets;
mod schedules;
mod training;
