//! A local HTTP server for a test; the library's tests use it too.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path, with the leading slash.
    pub path: String,
    /// The first byte of the requested range, if any.
    pub from: Option<usize>,
}

/// A response: a status line without its version, headers, a body.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: &'static str,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
    /// The number of bytes of the body that are sent before the connection is closed.
    pub sent: usize,
}

impl Answer {
    /// Returns a response with a complete body.
    pub fn new(status: &'static str, body: &[u8]) -> Self {
        let headers = vec![format!("Content-Length: {}", body.len())];
        Self { status, headers, body: body.to_vec(), sent: body.len() }
    }

    /// Returns a response with a file, or with the requested range of it.
    pub fn file(request: &Request, bytes: &[u8]) -> Self {
        let Some(from) = request.from.filter(|from| *from < bytes.len()) else {
            return match request.from {
                None => Self::new("200 OK", bytes),
                Some(_) => Self::new("416 Range Not Satisfiable", b""),
            };
        };
        let mut answer = Self::new("206 Partial Content", &bytes[from..]);
        let (last, size) = (bytes.len() - 1, bytes.len());
        answer.headers.push(format!("Content-Range: bytes {from}-{last}/{size}"));
        answer
    }

    /// Limits the response to the first `sent` bytes of the body.
    pub fn cut(mut self, sent: usize) -> Self {
        self.sent = sent;
        self
    }
}

/// A server that closes every connection after one response, and runs until the process ends.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server; `answer` is called with each request and the number of earlier ones.
    pub fn start(answer: impl Fn(&Request, usize) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                let before = log.lock().unwrap().len();
                log.lock().unwrap().push(request.clone());
                let answer = answer(&request, before);
                let head = format!("HTTP/1.1 {}\r\n", answer.status);
                let headers: String =
                    answer.headers.iter().map(|header| format!("{header}\r\n")).collect();
                // A client that has heard enough closes the connection.
                let _ = write!(stream, "{head}{headers}Connection: close\r\n\r\n")
                    .and_then(|()| stream.write_all(&answer.body[..answer.sent]));
            }
        });
        Self { address, asked }
    }

    /// Returns the server's URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut from = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let line = line.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.strip_suffix('-').map(|from| from.parse().unwrap());
        }
    }
    Some(Request { path, from })
}
