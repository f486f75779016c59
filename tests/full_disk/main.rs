//! A disk that is full at any write: for every call of a piece of work that needs room on the disk, once that
//! call fails. The work then ends in one sentence that names the file, or goes on and says what it goes on
//! without; no file is half written, and what was there before is whole.
//!
//! `no_space.c` stands before the C library and fails the call; it sees the calls of the program and of its
//! libraries, but for renames that pass the C library by.
#![cfg(target_os = "linux")]

mod commands;
mod fault;
mod fetch;
mod mlflow;
mod run_folder;
#[path = "../common/run_reports.rs"]
mod run_reports;
#[path = "../common/server.rs"]
mod server;
mod training;
