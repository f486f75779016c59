//! Readers of files that others wrote bear whatever is in them: each target reads its corpus and a fixed
//! number of changed copies of it. `targets` says what is held; `DUALPROP_FUZZ_INPUTS` makes the number
//! another, and `fuzz/` hands the same targets to a fuzzer that looks for inputs by what they reach.

#[path = "../common/allocations.rs"]
mod allocations;
mod memory;
mod mutate;
mod targets;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;
use targets::{TARGETS, Target};

/// Changed inputs a target, where nothing else is asked for.
const INPUTS: u64 = 400;

/// Failures after which a target is given up.
const MOST_FAILURES: usize = 10;

/// Where panics happened and what they said, on whatever thread.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Number of the input that is read now, for whoever waits.
static AT: AtomicU64 = AtomicU64::new(0);

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzzing/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("no corpus {}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    let inputs: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).expect("readable")).collect();
    assert!(!inputs.is_empty(), "the corpus {name} is empty");
    inputs
}

/// Panics are kept, not printed, and somebody who waits hears after a while at which input.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
        }));
        std::thread::spawn(|| {
            loop {
                let before = AT.load(Ordering::Relaxed);
                std::thread::sleep(Duration::from_secs(20));
                if before != 0 && AT.load(Ordering::Relaxed) == before {
                    eprintln!("still at input {}", before - 1);
                }
            }
        });
    });
}

/// What is wrong with how a target took an input.
fn fault(target: &Target, bytes: &[u8]) -> Option<String> {
    let read = || memory::most_during(|| (target.run)(bytes));
    let most = std::panic::catch_unwind(AssertUnwindSafe(read));
    let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
    match most {
        _ if !panics.is_empty() => Some(panics.join("; ")),
        Ok(most) if most > target.most_bytes => Some(format!("it took {most} bytes of memory")),
        Ok(_) => None,
        Err(_) => Some("a panic that nobody heard".into()),
    }
}

fn bears(name: &str) {
    // Memory is counted for the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    watch();
    // What a test before this one said as it failed.
    PANICS.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    let corpus = corpus(name);
    let asked = std::env::var("DUALPROP_FUZZ_INPUTS").ok();
    let count = asked.map_or(INPUTS, |text| text.parse().expect("DUALPROP_FUZZ_INPUTS is a number"));
    let mut failures: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    let known_good = corpus.iter().cloned().map(|bytes| ("of the corpus".to_owned(), bytes));
    let changed = (0..count).map(|seed| {
        let mut bytes = mutate::input(&corpus, seed);
        if seed % 2 == 1 {
            (target.repair)(&mut bytes);
        }
        (seed.to_string(), bytes)
    });
    for (number, (which, bytes)) in known_good.chain(changed).enumerate() {
        AT.store(number as u64 + 1, Ordering::Relaxed);
        let Some(fault) = fault(target, &bytes) else { continue };
        // One input for each place in the code.
        if known.insert(fault.lines().next().unwrap_or_default().to_owned()) {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzzing-{name}-{number}"));
            std::fs::write(&kept, &bytes).expect("writable");
            failures.push(format!("input {which}, kept in {}: {fault}", kept.display()));
        }
        if failures.len() == MOST_FAILURES {
            break;
        }
    }
    AT.store(0, Ordering::Relaxed);
    if !failures.is_empty() {
        eprintln!("{name}:\n{}", failures.join("\n"));
    }
    assert!(failures.is_empty(), "{} inputs of {name} were not borne", failures.len());
    drop(guard);
}

macro_rules! tests {
    ($($(#[$condition:meta])? $name:ident,)*) => {
        const TESTED: &[&str] = &[$($(#[$condition])? stringify!($name)),*];
        $($(#[$condition])? #[test] fn $name() { bears(stringify!($name)); })*
    };
}

tests! {
    safetensors,
    model_index,
    toml,
    sweep,
    cifar,
    idx,
    npy,
    csv,
    tar,
    parquet,
    image,
    image_index,
    metrics,
    pictures,
    #[cfg(feature = "gui")]
    layout,
    #[cfg(feature = "gui")]
    recents,
}

#[test]
fn every_target_has_its_test_and_is_one_of_the_fuzzer() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).expect("readable");
    for name in names {
        let file = format!("fuzz_targets/{name}.rs");
        assert!(manifest.contains(&format!("path = \"{file}\"")), "fuzz/Cargo.toml lacks {name}");
        let text = std::fs::read_to_string(fuzz.join(file)).expect("the fuzzer's target");
        assert!(text.contains(&format!("targets::run(\"{name}\", bytes)")), "{text}");
    }
}
