//! One file over HTTP: resumed where an earlier attempt ended, tried again where the network or the server
//! fails for a while, verified at the end.
//!
//! The bytes so far are in `FILE.part`, the ETag of the file that they belong to, where the server gave one,
//! in `FILE.part.etag`. The length and the checksum are known beforehand, so that bytes of another version of
//! the file never pass.

use super::{RemoteFile, Stage, Stopped, part_name};
use crate::config::path_faults::without_code;
use crate::config::reading;
use crate::interop::atomic::{sentence, write_atomic};
use anyhow::{anyhow, bail, ensure};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the work waits and how often it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection, and for the start of an answer.
    pub answer: Duration,
    /// For the next bytes of a file.
    pub stall: Duration,
    /// Before the second attempt; each further pause is twice as long, up to a minute.
    pub pause: Duration,
    /// Attempts one after another that bring no byte.
    pub attempts: u32,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { answer: seconds(30), stall: seconds(60), pause: seconds(1), attempts: 6 }
    }
}

/// Longest pause between two attempts, and the longest that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Attempts in all, those that bring bytes among them: a server that breaks off every few bytes is broken.
const MOST_ATTEMPTS: u32 = 100;

/// How often the wish to stop is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// Chunks on the way from the network to the disk.
const CHUNKS_AHEAD: usize = 16;

/// The download of one file.
pub(super) struct Transfer<'a> {
    pub(super) address: String,
    pub(super) file: &'a RemoteFile,
    /// Where the file is put.
    pub(super) folder: &'a Path,
    pub(super) patience: Patience,
    pub(super) stop: &'a AtomicBool,
}

/// What came of an attempt.
enum Attempt {
    Whole,
    /// It may go better later: why, and the pause that the server asks for.
    Again(String, Option<Duration>),
}

/// What the thread that speaks to the server has to say.
enum Heard {
    Head(Head),
    Bytes(Vec<u8>),
    End,
    Failed(String),
}

/// What counts of an answer's head.
struct Head {
    status: u16,
    etag: Option<String>,
    length: Option<u64>,
    /// The first byte and the whole length of a partial answer.
    range: Option<(u64, Option<u64>)>,
    retry_after: Option<Duration>,
}

impl Transfer<'_> {
    /// Downloads the file, if it is not there yet, and returns its path. It is verified.
    pub(super) fn run(&self, progress: &mut dyn FnMut(Stage)) -> anyhow::Result<PathBuf> {
        let whole = self.folder.join(self.file.name());
        if self.is_sound(&whole, progress)?.is_none() {
            return Ok(whole);
        }
        let part = self.part();
        let mut resumed = length(&part) > 0;
        loop {
            resumed |= self.download(progress)?;
            let Some(found) = self.is_sound(&part, progress)? else { break };
            self.discard()?;
            // Bytes of two versions of the file may have come together.
            if !resumed {
                let (kind, expected) = self.file.checksum.parts();
                bail!(
                    "the file at {} is not the one that is known: its {kind} is {found}, expected {expected}; nothing of it \
                     was kept, try again later or from another place by --mirror",
                    self.address
                );
            }
            resumed = false;
        }
        fs::rename(&part, &whole).map_err(|error| anyhow!(sentence(&whole, &error)))?;
        let _ = fs::remove_file(self.etag_file());
        Ok(whole)
    }

    /// `None` where the file at `path` has the right length and checksum, else what it has.
    fn is_sound(&self, path: &Path, progress: &mut dyn FnMut(Stage)) -> anyhow::Result<Option<String>> {
        let total = self.file.bytes;
        if length(path) != total {
            return Ok(Some(format!("that of {} bytes", length(path))));
        }
        let mut heard = |done| {
            progress(Stage::Verifying { done, total });
            !self.stop.load(Ordering::Relaxed)
        };
        let found = self.file.checksum.of_file(path, &mut heard)?.ok_or_else(|| self.stopped())?;
        Ok((found != self.file.checksum.parts().1).then_some(found))
    }

    /// Makes the part whole, and says whether it took several answers.
    fn download(&self, progress: &mut dyn FnMut(Stage)) -> anyhow::Result<bool> {
        let (mut failures, mut pause) = (0, self.patience.pause);
        for attempt in 0..MOST_ATTEMPTS {
            let before = length(&self.part());
            let (reason, asked) = match self.attempt(progress)? {
                Attempt::Whole => return Ok(attempt > 0),
                Attempt::Again(reason, asked) => (reason, asked),
            };
            if length(&self.part()) > before {
                (failures, pause) = (0, self.patience.pause);
            }
            failures += 1;
            if failures >= self.patience.attempts || attempt + 1 == MOST_ATTEMPTS {
                let kept = match length(&self.part()) {
                    0 => String::new(),
                    bytes => format!(" and goes on from the {bytes} bytes in {}", self.folder.display()),
                };
                bail!("cannot download {}: {reason}; the same command tries again{kept}", self.address);
            }
            tracing::warn!("{}: {reason}; trying again", self.address);
            self.wait(asked.unwrap_or(pause).min(LONGEST_PAUSE))?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(true)
    }

    fn attempt(&self, progress: &mut dyn FnMut(Stage)) -> anyhow::Result<Attempt> {
        let (part, total) = (self.part(), self.file.bytes);
        let mut have = length(&part);
        if have > total {
            self.discard()?;
            have = 0;
        }
        if have == total {
            return Ok(Attempt::Whole);
        }
        let words = self.ask(have)?;
        let head = match self.next(&words, self.patience.answer * 2)? {
            Ok(Heard::Head(head)) => head,
            Ok(Heard::Failed(reason)) => return Ok(Attempt::Again(reason, None)),
            Ok(_) => return Ok(Attempt::Again("the answer has no head".into(), None)),
            Err(reason) => return Ok(Attempt::Again(reason, None)),
        };
        match head.status {
            206 if have > 0 => {
                let fits = head
                    .range
                    .is_some_and(|(start, whole)| start == have && whole.is_none_or(|whole| whole == total));
                if !fits {
                    self.discard()?;
                    return Ok(Attempt::Again("the server went on from another place".into(), None));
                }
            }
            200 => {
                if let Some(length) = head.length.filter(|length| *length != total) {
                    bail!(
                        "the file at {} has {length} bytes, expected {total}: it is not the one that is known; try another \
                         place by --mirror",
                        self.address
                    );
                }
                self.discard()?;
                have = 0;
                if let Some(etag) = &head.etag {
                    write_atomic(&self.etag_file(), |out| out.write_all(etag.as_bytes()))?;
                }
            }
            416 => {
                self.discard()?;
                return Ok(Attempt::Again("the server does not have the rest of the file".into(), None));
            }
            status @ (408 | 425 | 429 | 500..=599) => {
                return Ok(Attempt::Again(format!("the server answers {status}"), head.retry_after));
            }
            status => bail!("cannot download {}: the server answers {}", self.address, in_words(status)),
        }
        self.receive(&words, have, progress)
    }

    /// Appends what comes to the part.
    fn receive(
        &self,
        words: &Receiver<Heard>,
        mut have: u64,
        progress: &mut dyn FnMut(Stage),
    ) -> anyhow::Result<Attempt> {
        let (path, total) = (self.part(), self.file.bytes);
        let failed = |error| anyhow!(sentence(&path, &error));
        let mut part = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        progress(Stage::Downloading { done: have, total });
        loop {
            match self.next(words, self.patience.stall)? {
                Ok(Heard::Bytes(bytes)) => {
                    have += bytes.len() as u64;
                    if have > total {
                        drop(part);
                        self.discard()?;
                        bail!(
                            "the file at {} goes on behind its {total} bytes: it is not the one that is known; try another \
                             place by --mirror",
                            self.address
                        );
                    }
                    part.write_all(&bytes).map_err(failed)?;
                    progress(Stage::Downloading { done: have, total });
                }
                Ok(Heard::End | Heard::Head(_)) if have == total => return Ok(Attempt::Whole),
                Ok(Heard::End | Heard::Head(_)) => {
                    return Ok(Attempt::Again(format!("the file ended after {have} of {total} bytes"), None));
                }
                Ok(Heard::Failed(reason)) | Err(reason) => return Ok(Attempt::Again(reason, None)),
            }
        }
    }

    /// What the thread says next; `Err` with the reason where it says nothing for `patience`.
    fn next(&self, words: &Receiver<Heard>, patience: Duration) -> anyhow::Result<Result<Heard, String>> {
        let start = Instant::now();
        loop {
            ensure!(!self.stop.load(Ordering::Relaxed), self.stopped());
            match words.recv_timeout(POLL.min(patience)) {
                Ok(heard) => return Ok(Ok(heard)),
                Err(RecvTimeoutError::Disconnected) => return Ok(Err("the connection was lost".into())),
                Err(RecvTimeoutError::Timeout) if start.elapsed() >= patience => {
                    return Ok(Err(format!("nothing came for {} seconds", patience.as_secs_f32())));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Asks for the file from byte `have` on, on a thread of its own: reading from a server that went silent
    /// returns when it likes, and neither a stall nor Ctrl-C may wait for that. A thread that nobody listens
    /// to ends with its next bytes.
    fn ask(&self, have: u64) -> anyhow::Result<Receiver<Heard>> {
        let (say, words) = bounded(CHUNKS_AHEAD);
        let (address, answer) = (self.address.clone(), self.patience.answer);
        let etag = reading::read_text(&self.etag_file(), reading::MOST_TEXT).ok();
        std::thread::Builder::new()
            .name("download".into())
            .spawn(move || {
                // Nobody listens any more where this cannot be said.
                let _ = match speak(&address, have, etag, answer, &say) {
                    Ok(()) => say.send(Heard::End),
                    Err(error) => {
                        let text = without_code(&error.to_string());
                        say.send(Heard::Failed(text.trim_start_matches("io: ").to_owned()))
                    }
                };
            })
            .map_err(|error| anyhow!("cannot start a thread to download: {error}"))?;
        Ok(words)
    }

    fn wait(&self, pause: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < pause {
            ensure!(!self.stop.load(Ordering::Relaxed), self.stopped());
            std::thread::sleep(POLL.min(pause));
        }
        Ok(())
    }

    fn part(&self) -> PathBuf {
        self.folder.join(part_name(self.file))
    }

    fn etag_file(&self) -> PathBuf {
        self.folder.join(format!("{}.etag", part_name(self.file)))
    }

    /// Removes the part and its ETag.
    fn discard(&self) -> anyhow::Result<()> {
        for path in [self.part(), self.etag_file()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => bail!(sentence(&path, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn stopped(&self) -> Stopped {
        Stopped(self.folder.to_owned())
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

fn in_words(status: u16) -> String {
    match status {
        401 | 403 => format!("{status}: it does not give this file to everyone"),
        404 | 410 => format!("{status}: there is no such file"),
        _ => format!("{status}"),
    }
}

/// Speaks to the server: says the head of its answer, then its bytes.
fn speak(
    address: &str,
    have: u64,
    etag: Option<String>,
    answer: Duration,
    say: &Sender<Heard>,
) -> Result<(), ureq::Error> {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(answer))
        .timeout_recv_response(Some(answer))
        .user_agent(concat!("dualprop/", env!("CARGO_PKG_VERSION")));
    if is_loopback(address) {
        // Proxies of the environment are for addresses outside this machine.
        config = config.proxy(None);
    }
    let agent = ureq::Agent::new_with_config(config.build());
    let mut request = agent.get(address);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
        // The server then sends the whole file where it has another one by now.
        if let Some(etag) = etag {
            request = request.header("If-Range", etag);
        }
    }
    let answer = request.call()?;
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let head = Head {
        status: answer.status().as_u16(),
        // A weak one, `W/"…"`, does not promise the same bytes.
        etag: header("etag").filter(|etag| etag.starts_with('"')).map(str::to_owned),
        length: header("content-length").and_then(|length| length.trim().parse().ok()),
        range: header("content-range").and_then(content_range),
        retry_after: header("retry-after").and_then(|s| s.trim().parse().ok()).map(Duration::from_secs),
    };
    if say.send(Heard::Head(head)).is_err() {
        return Ok(());
    }
    let mut body = answer.into_body().into_reader();
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = body.read(&mut buffer)?;
        if count == 0 || say.send(Heard::Bytes(buffer[..count].to_vec())).is_err() {
            return Ok(());
        }
    }
}

fn is_loopback(address: &str) -> bool {
    let host = address.split("://").nth(1).unwrap_or(address);
    ["127.", "localhost", "[::1]"].iter().any(|name| host.starts_with(name))
}

/// The first byte and the whole length of `bytes 100-199/200`; `*` stands for an unknown length.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, whole) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    Some((start, whole.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_answers_are_read() {
        assert_eq!(content_range("bytes 100-199/200"), Some((100, Some(200))));
        assert_eq!(content_range("bytes 0-9/*"), Some((0, None)));
        for wrong in ["bytes */200", "items 1-2/3", "bytes 1", ""] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
