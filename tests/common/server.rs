//! A web server on this machine that misbehaves as asked.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of a request. What is not said is as a good server does it: ranges, ETags, lengths.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "each test binary uses its own part of this")]
pub(crate) enum Answer {
    Good,
    /// The whole file whatever range is asked for.
    WithoutRanges,
    /// So many bytes of the answer, then the connection ends.
    Breaks(usize),
    /// So many other bytes, then the connection ends.
    BreaksWrong(usize),
    /// So many bytes of the answer, then silence.
    Stalls(usize),
    /// A length in the head that the body does not have.
    Lies(usize),
    /// No length in the head, and so many bytes more than there are.
    Rambles(usize),
    /// The range that was asked for is answered with another.
    OtherRange,
    Status(u16, &'static str),
    /// To the same file below `/moved/`.
    Moved,
    /// Other bytes of the same length.
    Wrong,
}

/// The requests that came: the path, and the range asked for.
pub(crate) type Requests = Arc<Mutex<Vec<(String, Option<String>)>>>;

#[allow(dead_code, reason = "each test binary uses its own part of this")]
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) requests: Requests,
}

impl Server {
    /// Serves `files` by name with that ETag; the answers of `script` are given first, in order.
    pub(crate) fn start(files: &[(&str, &[u8])], etag: &str, script: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let files: Vec<(String, Vec<u8>)> =
            files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let (etag, requests) = (etag.to_owned(), Requests::default());
        let (script, heard) = (Mutex::new(VecDeque::from(script.to_vec())), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = Request::read(&stream) else { continue };
                heard.lock().expect("a lock").push((request.path.clone(), request.range.clone()));
                let moved = request.path.starts_with("/moved/");
                let next = if moved { None } else { script.lock().expect("a lock").pop_front() };
                let name = request.path.rsplit('/').next().unwrap_or_default();
                let file = files.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.clone());
                let etag = etag.clone();
                // A client that hangs up is no fault of the server.
                std::thread::spawn(move || {
                    let _ = answer(stream, &request, file, &etag, next.unwrap_or(Answer::Good));
                });
            }
        });
        Self { address, requests }
    }

    /// The ranges asked for so far, one a request.
    #[allow(dead_code, reason = "each test binary uses its own part of this")]
    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        self.requests.lock().expect("a lock").iter().map(|(_, range)| range.clone()).collect()
    }
}

struct Request {
    path: String,
    range: Option<String>,
    if_range: Option<String>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream).lines();
        let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
        let mut request = Self { path, range: None, if_range: None };
        for line in lines {
            let line = line.ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            match name.to_lowercase().as_str() {
                "range" => request.range = Some(value.trim().to_owned()),
                "if-range" => request.if_range = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        Some(request)
    }
}

fn answer(
    mut stream: TcpStream,
    request: &Request,
    file: Option<Vec<u8>>,
    etag: &str,
    answer: Answer,
) -> std::io::Result<()> {
    let (status, extra) = match (&answer, &file) {
        (Answer::Status(status, extra), _) => (*status, (*extra).to_owned()),
        (Answer::Moved, _) => (302, format!("Location: /moved{}\r\n", request.path)),
        (_, None) => (404, String::new()),
        _ => (200, String::new()),
    };
    if status != 200 {
        return write!(
            stream,
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n{extra}\r\n"
        );
    }
    let mut body = file.unwrap_or_default();
    if matches!(answer, Answer::Wrong | Answer::BreaksWrong(_)) {
        body.iter_mut().for_each(|byte| *byte ^= 1);
    }
    let whole = body.len();
    let first = request
        .range
        .as_ref()
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let is_same = request.if_range.as_ref().is_none_or(|known| known == etag);
    let head = match first.filter(|_| is_same && !matches!(answer, Answer::WithoutRanges)) {
        Some(first) if first >= whole => {
            return write!(stream, "HTTP/1.1 416 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
        Some(first) => {
            let said = if matches!(answer, Answer::OtherRange) { first + 1 } else { first };
            body = body.split_off(said);
            format!("206 Partial\r\nContent-Range: bytes {said}-{}/{whole}", whole - 1)
        }
        None => "200 OK".to_owned(),
    };
    let length = match answer {
        Answer::Rambles(more) => {
            body.extend(vec![7; more]);
            String::new()
        }
        Answer::Lies(length) => format!("Content-Length: {length}\r\n"),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\nETag: {etag}\r\n{length}\r\n")?;
    match answer {
        Answer::Breaks(bytes) | Answer::BreaksWrong(bytes) => {
            stream.write_all(&body[..bytes.min(body.len())])
        }
        Answer::Stalls(bytes) => {
            stream.write_all(&body[..bytes.min(body.len())])?;
            stream.flush()?;
            // For as long as the test may take; the thread ends with it.
            std::thread::sleep(std::time::Duration::from_secs(600));
            Ok(())
        }
        _ => stream.write_all(&body),
    }
}
