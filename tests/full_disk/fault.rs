//! Runs a program with one call that fails for want of room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// More calls than any work here makes.
const MOST_CALLS: usize = 2000;

/// The library that fails a call, built by the compiler that Rust links with.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/full_disk/no_space.c");
        let built =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("no_space-{}.so", std::process::id()));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&built).arg(source);
        let output = compiler.args(["-ldl", "-lpthread"]).output().expect("cc, which Rust links with");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        built
    })
}

/// What came of a piece of work whose call failed.
pub(crate) struct Failed {
    /// Number of the call, from 1.
    pub(crate) number: usize,
    /// The call and the path of its file.
    pub(crate) call: String,
    pub(crate) output: Output,
}

impl Failed {
    /// All that was said on stdout and stderr.
    pub(crate) fn said(&self) -> String {
        let Output { stdout, stderr, .. } = &self.output;
        format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
    }
}

/// A folder that stands for a disk, with room for a log beside it.
struct Disk {
    _home: tempfile::TempDir,
    folder: PathBuf,
    log: PathBuf,
}

impl Disk {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let real = home.path().canonicalize().expect("there");
        let (folder, log) = (real.join("disk"), real.join("calls"));
        std::fs::create_dir(&folder).expect("writable");
        Self { _home: home, folder, log }
    }

    /// Runs a command whose call `number` below the folder fails; 0: none does, and all are in the log.
    fn run(&self, mut command: Command, number: usize) -> Output {
        command
            .env("LD_PRELOAD", library())
            .env("NO_SPACE_BELOW", &self.folder)
            .env("NO_SPACE_LOG", &self.log);
        command.env("NO_SPACE_AT", number.to_string()).output().expect("it starts")
    }

    /// The calls in the log.
    fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// All calls of the work that `command` begins in a folder, none of which fails.
pub(crate) fn calls_of(command: impl Fn(&Path) -> Command) -> Vec<String> {
    let disk = Disk::new();
    let output = disk.run(command(&disk.folder), 0);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    disk.calls()
}

/// Fails call `number` of the work that `command` begins in an empty folder; `check` looks at what is left.
pub(crate) fn call_at(number: usize, command: impl Fn(&Path) -> Command, check: impl Fn(&Path, &Failed)) {
    assert!(fail(number, &|_| (), &command, &check), "call {number} was not made");
}

/// Fails call after call of the work that `command` begins in a folder, which `prepare` has filled, until the
/// work makes no more calls. `check` looks at what each failure left in the folder.
pub(crate) fn every_call(
    prepare: impl Fn(&Path),
    command: impl Fn(&Path) -> Command,
    check: impl Fn(&Path, &Failed),
) -> usize {
    let first = (1..MOST_CALLS).find(|number| !fail(*number, &prepare, &command, &check));
    first.expect("the work comes to an end") - 1
}

/// Whether the work made a call of this number.
fn fail(
    number: usize,
    prepare: &impl Fn(&Path),
    command: &impl Fn(&Path) -> Command,
    check: &impl Fn(&Path, &Failed),
) -> bool {
    let disk = Disk::new();
    prepare(&disk.folder);
    let output = disk.run(command(&disk.folder), number);
    let Some(call) = disk.calls().into_iter().next() else {
        let all = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "without a failure: {all}");
        return false;
    };
    let failed = Failed { number, call, output };
    let said = failed.said();
    assert!(!said.contains("panicked"), "{} ({}): {said}", failed.call, failed.number);
    check(&disk.folder, &failed);
    true
}

/// The files below a folder with their content, by their paths in it.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").to_owned();
                found.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
    found
}
