//! A public set on its way from a server.

use super::fault::{Failed, every_call, files};
use super::server::Server;
use dualprop::fetch::{
    Checksum, Content, FetchOptions, Layout, Patience, PublicSet, RemoteFile, SETS, fetch,
};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Names the folder in which the test below does its work for the one behind it.
const FOLDER: &str = "FULL_DISK_FETCH";

/// A tar archive of a set of two classes in both parts.
fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (part, class) in [("train", "x"), ("train", "y"), ("val", "x"), ("val", "y")] {
        let content = format!("{part}{class}").repeat(100);
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        let name = format!("top/{part}/{class}/0.png");
        archive.append_data(&mut header, name, content.as_bytes()).expect("memory");
    }
    archive.into_inner().expect("memory")
}

/// Fetches a set of an archive and a single file into `folder/set`.
fn fetched(folder: &Path) -> anyhow::Result<()> {
    let (tar, list) = (archive(), b"a list".as_slice());
    let server = Server::start(&[("set.tar", &tar), ("list.txt", list)], "\"v1\"", &[]);
    let remote = |name: &str, bytes: &[u8], content: Content| {
        let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        RemoteFile {
            address: String::leak(format!("http://nowhere.invalid/{name}")),
            bytes: bytes.len() as u64,
            checksum: Checksum::Sha256(String::leak(digits)),
            content,
        }
    };
    let all = [remote("set.tar", &tar, Content::Tar { strip: 1 }), remote("list.txt", list, Content::File)];
    let set =
        PublicSet { name: "small", files: Vec::leak(all.to_vec()), layout: Layout::AsUnpacked, ..SETS[0] };
    let patience = Patience {
        answer: Duration::from_secs(20),
        stall: Duration::from_secs(20),
        pause: Duration::from_millis(1),
        attempts: 2,
    };
    let options = FetchOptions { out: folder.join("set"), mirror: Some(server.address.clone()), patience };
    fetch(&set, &options, &AtomicBool::new(false), &mut |_| ())
}

/// By itself it holds that the set arrives; the test below runs it with a call that fails.
#[test]
fn a_set_arrives_without_a_word() {
    let own = tempfile::tempdir().expect("a temporary folder");
    let asked = std::env::var_os(FOLDER);
    if let Err(error) = fetched(asked.as_deref().map_or(own.path(), Path::new)) {
        println!("said: {error:#}");
        assert!(asked.is_some(), "{error:#}");
    }
}

#[test]
fn a_set_is_whole_or_not_there_after_a_full_disk_at_every_call() {
    let child = |folder: &Path| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "fetch::a_set_arrives_without_a_word", "--nocapture"]);
        command.env(FOLDER, folder);
        command
    };
    let whole = tempfile::tempdir().expect("a temporary folder");
    fetched(whole.path()).expect("a set");
    let expected = files(whole.path());
    let check = |folder: &Path, failed: &Failed| {
        let text = failed.said();
        let said: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("said: ")).collect();
        let context = format!("call {}: {}\n{text}", failed.number, failed.call);
        assert_eq!(said.len(), 1, "{context}");
        assert!(said[0].contains("the disk is full") && said[0].contains("/disk"), "{context}");
        let found: Vec<PathBuf> = files(folder).into_keys().collect();
        assert!(!found.iter().any(|name| name.starts_with("set")), "{context}: {found:?}");
        // With room again the same command makes the set, and leaves nothing beside it.
        fetched(folder).unwrap_or_else(|error| panic!("{context}: {error:#}"));
        assert_eq!(files(folder), expected, "{context}");
    };
    let calls = every_call(|_| (), child, check);
    assert!(calls > 12, "{calls} calls are too few");
}
