//! The members of a tar file by their headers, without their contents: POSIX ustar and pax, and GNU's long
//! names. Formats: POSIX.1-2017 `pax`, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format".

use anyhow::{Context, anyhow, ensure};
use std::io::{Read, Seek, SeekFrom};

const BLOCK: usize = 512;

/// Longest name, and longest pax header, bytes.
const LONGEST_NAME: u64 = 1 << 16;
const LONGEST_PAX: u64 = 1 << 20;

/// A file in a tar file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    /// Of its content from the start of the tar file, bytes.
    pub(super) offset: u64,
    /// Of its content, bytes; it lies in the tar file whole.
    pub(super) length: u64,
}

/// Reads the headers of a tar file one after another.
pub(super) struct Members<R> {
    file: R,
    /// Where the next header starts.
    at: u64,
    /// Bytes of the tar file.
    length: u64,
}

impl<R: Read + Seek> Members<R> {
    /// Of a tar file of `length` bytes.
    pub(super) fn new(file: R, length: u64) -> Self {
        Self { file, at: 0, length }
    }

    /// The next regular file; `None` at the end. Fails where the file is none, is damaged or cut off.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Member>> {
        let (mut long_name, mut pax) = (None, Pax::default());
        loop {
            let Some(header) = self.header()? else {
                ensure!(long_name.is_none() && pax.is_empty(), "it is cut off in the middle of a member");
                return Ok(None);
            };
            let kind = header[156];
            let stored = if matches!(kind, b'L' | b'K' | b'x' | b'g') { None } else { pax.size };
            let length = stored.map_or_else(|| size(&header[124..136]), Ok)?;
            let offset = self.at;
            let end =
                length.checked_next_multiple_of(BLOCK as u64).and_then(|bytes| bytes.checked_add(offset));
            let name =
                || long_name.clone().or_else(|| pax.path.clone()).unwrap_or_else(|| ustar_name(&header));
            // The padding of the last member may be left out.
            let fits = offset.checked_add(length).is_some_and(|content| content <= self.length);
            let Some(end) = end.filter(|_| fits) else {
                return Err(anyhow!(
                    "its member {:?} says it has {length} bytes, and {} are left: the file is cut off or damaged",
                    name(),
                    self.length - offset
                ));
            };
            match kind {
                b'L' => {
                    ensure!(length <= LONGEST_NAME, "it has a name of {length} bytes");
                    long_name = Some(text(&self.content(length)?));
                }
                b'x' => {
                    ensure!(length <= LONGEST_PAX, "it has a pax header of {length} bytes");
                    pax = Pax::parse(&self.content(length)?)?;
                }
                b'S' => return Err(anyhow!("its member {:?} is a sparse file; write it plainly", name())),
                b'0' | 0 | b'7' => {
                    let member = Member { name: name(), offset, length };
                    self.seek(end)?;
                    return Ok(Some(member));
                }
                // A folder, a link, a device, the names of links, or what holds of the whole file.
                b'K' | b'g' => {}
                _ => (long_name, pax) = (None, Pax::default()),
            }
            self.seek(end)?;
        }
    }

    /// The content of a member, with the next header as the place to go on from afterwards.
    pub(super) fn read(&mut self, member: &Member) -> anyhow::Result<Vec<u8>> {
        let next = self.at;
        self.seek(member.offset)?;
        let content = self.content(member.length)?;
        self.seek(next)?;
        Ok(content)
    }

    /// The next header; `None` at the end of the file, which is a block of zeros.
    fn header(&mut self) -> anyhow::Result<Option<[u8; BLOCK]>> {
        if self.at == self.length {
            return Ok(None);
        }
        let mut header = [0; BLOCK];
        ensure!(self.at + BLOCK as u64 <= self.length, "it is cut off in the middle of a header");
        self.file.read_exact(&mut header).context("it cannot be read")?;
        self.at += BLOCK as u64;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The sum of all bytes, the sum's own eight taken as blanks.
        let sum: u64 = header
            .iter()
            .enumerate()
            .map(|(i, b)| u64::from(if (148..156).contains(&i) { b' ' } else { *b }))
            .sum();
        let said = octal(&header[148..156]);
        ensure!(
            said == Some(sum),
            "at byte {} is no header of a tar file: the file is none, or damaged",
            self.at - BLOCK as u64
        );
        Ok(Some(header))
    }

    fn content(&mut self, length: u64) -> anyhow::Result<Vec<u8>> {
        let mut content = vec![0; usize::try_from(length)?];
        self.file.read_exact(&mut content).context("it cannot be read")?;
        self.at += length;
        Ok(content)
    }

    fn seek(&mut self, at: u64) -> anyhow::Result<()> {
        let at = at.min(self.length);
        self.file.seek(SeekFrom::Start(at)).context("it cannot be read")?;
        self.at = at;
        Ok(())
    }
}

/// What a pax header says of the member behind it.
#[derive(Default)]
struct Pax {
    path: Option<String>,
    size: Option<u64>,
}

impl Pax {
    fn is_empty(&self) -> bool {
        self.path.is_none() && self.size.is_none()
    }

    /// Reads records `LENGTH KEY=VALUE\n`, where the length is that of the whole record.
    fn parse(mut rest: &[u8]) -> anyhow::Result<Self> {
        let mut found = Self::default();
        while !rest.is_empty() && rest[0] != 0 {
            let record = record(rest).context("it has a pax header that is damaged")?;
            rest = &rest[record.0..];
            match record.1 {
                b"path" => found.path = Some(text(record.2)),
                b"size" => {
                    let size = std::str::from_utf8(record.2).ok().and_then(|text| text.parse().ok());
                    found.size = Some(size.context("it has a pax header whose size is no number")?);
                }
                b"GNU.sparse.major" | b"GNU.sparse.map" => {
                    return Err(anyhow!("it has a sparse file; write its members plainly"));
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Length, key and value of the first pax record.
fn record(rest: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let blank = rest.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&rest[..blank]).ok()?.parse().ok()?;
    let body = rest.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((length, &body[..equals], &body[equals + 1..]))
}

/// The name in an ustar header: a prefix, where there is one, and a slash before the name.
fn ustar_name(header: &[u8; BLOCK]) -> String {
    let name = text(&header[..100]);
    // GNU's old format has other things in the prefix's place.
    let prefix = if &header[257..263] == b"ustar\0" { text(&header[345..500]) } else { String::new() };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// A text up to its first zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A size: octal digits, or with the first bit set a big-endian number, as GNU writes 8 GiB and more.
fn size(field: &[u8]) -> anyhow::Result<u64> {
    let size = match field[0] {
        0x80 => {
            let (high, low) = field[1..].split_at(field.len() - 9);
            let low = u64::from_be_bytes(low.try_into().unwrap_or([0xff; 8]));
            high.iter().all(|byte| *byte == 0).then_some(low)
        }
        first if first & 0x80 != 0 => None,
        _ => octal(field),
    };
    size.context("it has a member whose size is no number that a file can have: the file is damaged")
}

/// Octal digits between blanks and zero bytes; none are 0.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() {
        return Some(0);
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| u64::from_str_radix(text, 8).ok())?
}
