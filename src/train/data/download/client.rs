//! Downloads of files with known size and digest; an interrupted download is resumed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use md5::{Digest, Md5};
use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::error::DownloadError;
use super::official::RemoteFile;

/// Events of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchEvent<'a> {
    /// Bytes were received.
    Bytes {
        /// The name of the file.
        file: &'a str,
        /// The number of bytes downloaded so far, from all attempts.
        done: u64,
        /// The size of the file.
        size: u64,
    },
    /// The connection failed, and is retried after a pause.
    Pause {
        /// The cause.
        why: &'a str,
        /// The duration of the pause.
        pause: Duration,
    },
}

/// An HTTP client with timeouts, and pauses between attempts.
#[derive(Debug)]
pub struct HttpClient {
    agent: Agent,
    pauses: Vec<Duration>,
}

/// The failure of an attempt.
enum Broken {
    /// A failure that may pass, with its cause.
    Again(String),
    /// A failure for which retrying is useless.
    Final(DownloadError),
}

impl HttpClient {
    /// Creates a client with timeouts of 30 seconds for a connection and a minute for the next bytes. It
    /// retries after 1, 2 and 4 seconds; an attempt that makes progress restarts that sequence.
    pub fn new() -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("tandem/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(Duration::from_secs(30)))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Self { agent, pauses: [1, 2, 4].map(Duration::from_secs).to_vec() }
    }

    /// Downloads a file into a folder and returns its path. Until it is complete it is `NAME.part`, from
    /// which the next call resumes.
    ///
    /// # Errors
    /// Returns an error if the server cannot be reached or does not have the file, if the file has another
    /// size or digest, or if it cannot be written.
    pub fn download(
        &self,
        source: &RemoteFile,
        folder: &Path,
        watch: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<PathBuf, DownloadError> {
        // Not an atomic file: what is half there is kept, and told from the whole by its name and digest.
        let whole = folder.join(source.file());
        if !whole.is_file() {
            let part = folder.join(format!("{}.part", source.file()));
            self.complete(source, &part, watch)?;
            fs::rename(&part, &whole).map_err(|source| write_error(&whole, source))?;
        }
        check(source, &whole)?;
        Ok(whole)
    }

    fn complete(
        &self,
        source: &RemoteFile,
        part: &Path,
        watch: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<(), DownloadError> {
        let length = || fs::metadata(part).map_or(0, |metadata| metadata.len());
        let (mut furthest, mut pauses) = (length(), self.pauses.iter());
        loop {
            let why = match self.attempt(source, part, watch) {
                Ok(()) => return Ok(()),
                Err(Broken::Final(error)) => return Err(error),
                Err(Broken::Again(why)) => why,
            };
            let kept = length();
            if kept > furthest {
                (furthest, pauses) = (kept, self.pauses.iter());
            }
            let Some(&pause) = pauses.next() else {
                let (url, size) = (source.url.clone(), source.size);
                return Err(DownloadError::Lost { url, why, kept, size });
            };
            watch(FetchEvent::Pause { why: &why, pause });
            thread::sleep(pause);
        }
    }

    /// Requests the missing bytes and appends them.
    fn attempt(
        &self,
        source: &RemoteFile,
        part: &Path,
        watch: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<(), Broken> {
        let failed = |source| Broken::Final(write_error(part, source));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(part)
            .map_err(failed)?;
        let mut done = file.metadata().map_err(failed)?.len();
        if done > source.size {
            done = 0;
            file.set_len(0).map_err(failed)?;
        }
        if done == source.size {
            return Ok(());
        }
        let mut request = self.agent.get(&source.url);
        if done > 0 {
            request = request.header(header::RANGE, format!("bytes={done}-"));
        }
        let mut response = request.call().map_err(|error| of_ureq(source, error))?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // The server's file is shorter than what is there; the size tells when it is asked anew.
            file.set_len(0).map_err(failed)?;
            return Err(Broken::Again(format!("the server answers {}", response.status())));
        }
        let start = begin(source, &response, done)?;
        if start < done {
            file.set_len(start).map_err(failed)?;
        }
        done = file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            watch(FetchEvent::Bytes { file: source.file(), done, size: source.size });
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Again(error.to_string())),
            };
            done += read as u64;
            if done > source.size {
                fs::remove_file(part).map_err(failed)?;
                return Err(wrong_size(source, format!("more than {}", source.size)));
            }
            file.write_all(&buffer[..read]).map_err(failed)?;
        }
        if done < source.size {
            return Err(Broken::Again("the connection was closed early".to_owned()));
        }
        file.sync_all().map_err(failed)
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

/// The offset of the first byte in a response, if `done` bytes are already there.
fn begin(source: &RemoteFile, response: &Response<Body>, done: u64) -> Result<u64, Broken> {
    let status = response.status();
    let (start, size) = match status {
        StatusCode::OK => (0, response.body().content_length()),
        StatusCode::PARTIAL_CONTENT if done > 0 => {
            let range = response.headers().get(header::CONTENT_RANGE);
            let range = range.and_then(|range| range.to_str().ok()).unwrap_or("no range");
            match parse_range(range) {
                Some((start, size)) if start == done => (done, size),
                _ => {
                    let what = format!("asked for the bytes from {done}, the server gives {range}");
                    return Err(Broken::Again(what));
                }
            }
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            return Err(Broken::Again(format!("the server answers {status}")));
        }
        status if status.is_server_error() => {
            return Err(Broken::Again(format!("the server answers {status}")));
        }
        status => {
            let why = format!("the server answers {status}");
            return Err(Broken::Final(DownloadError::Failed { url: source.url.clone(), why }));
        }
    };
    match size {
        Some(size) if size != source.size => Err(wrong_size(source, size.to_string())),
        _ => Ok(start),
    }
}

/// Parses `bytes FIRST-LAST/SIZE` to the first byte and the total size, which is `None` for `*`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-')?.0.parse().ok()?;
    match size {
        "*" => Some((start, None)),
        size => Some((start, Some(size.parse().ok()?))),
    }
}

/// Verifies a complete file, and removes it if its size or digest is wrong.
fn check(source: &RemoteFile, path: &Path) -> Result<(), DownloadError> {
    let (size, found) = digest(path).map_err(|source| write_error(path, source))?;
    let error = if size != source.size {
        let (url, expected) = (source.url.clone(), source.size);
        DownloadError::Size { url, expected, found: size.to_string() }
    } else if found != source.md5 {
        let (url, expected) = (source.url.clone(), source.md5.clone());
        DownloadError::Digest { url, expected, found }
    } else {
        return Ok(());
    };
    fs::remove_file(path).map_err(|source| write_error(path, source))?;
    Err(error)
}

/// Computes the size and the MD5 digest of a file.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut size) = (Md5::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
    let digest = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((size, digest))
}

fn of_ureq(source: &RemoteFile, error: ureq::Error) -> Broken {
    use ureq::Error::{ConnectionFailed, HostNotFound, Io, Protocol, Timeout};
    let why = error.to_string();
    match error {
        Io(error) => Broken::Again(error.to_string()),
        Timeout(_) | HostNotFound | ConnectionFailed | Protocol(_) => Broken::Again(why),
        _ => Broken::Final(DownloadError::Failed { url: source.url.clone(), why }),
    }
}

fn wrong_size(source: &RemoteFile, found: String) -> Broken {
    let (url, expected) = (source.url.clone(), source.size);
    Broken::Final(DownloadError::Size { url, expected, found })
}

fn write_error(path: &Path, source: io::Error) -> DownloadError {
    DownloadError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::server::{Answer, Request, Server};

    impl HttpClient {
        /// Creates a client for servers on this machine, with short pauses.
        pub(crate) fn for_tests() -> Self {
            let agent = Agent::config_builder()
                .http_status_as_error(false)
                .proxy(None)
                .timeout_per_read(Some(Duration::from_secs(20)))
                .build()
                .new_agent();
            Self { agent, pauses: vec![Duration::from_millis(1); 2] }
        }
    }

    const NAME: &str = "images.tar.gz";

    fn bytes() -> Vec<u8> {
        (0..200_000_u64).map(|i| (i * i % 251) as u8).collect()
    }

    fn source(server: &Server) -> RemoteFile {
        let digest = Md5::digest(bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        RemoteFile { url: format!("{}/a/{NAME}", server.url()), size: 200_000, md5: digest }
    }

    /// Downloads from a server; the address is removed from errors.
    fn download(server: &Server, folder: &Path) -> Result<PathBuf, String> {
        let mut at = 0;
        let mut watch = |event: FetchEvent<'_>| {
            if let FetchEvent::Bytes { file, done, size } = event {
                assert_eq!((file, size), (NAME, 200_000));
                at = done;
            }
        };
        let path = HttpClient::for_tests()
            .download(&source(server), folder, &mut watch)
            .map_err(|error| error.to_string().replace(&server.url(), "SERVER"))?;
        assert_eq!(fs::read(&path).unwrap(), bytes());
        assert!(at == 0 || at == 200_000);
        Ok(path)
    }

    fn ranges(server: &Server) -> Vec<Option<usize>> {
        server.asked().into_iter().map(|request| request.from).collect()
    }

    #[test]
    fn a_file_is_downloaded_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|request, _| Answer::file(request, &bytes()));
        let path = download(&server, folder.path()).unwrap();
        assert_eq!(path, folder.path().join(NAME));
        assert_eq!(server.asked(), [Request { path: format!("/a/{NAME}"), from: None }]);
        assert_eq!(download(&server, folder.path()), Ok(path));
        assert_eq!(server.asked().len(), 1);
    }

    #[test]
    fn a_broken_download_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|request, before| {
            let answer = Answer::file(request, &bytes());
            if before < 3 { answer.cut(50_000) } else { answer }
        });
        download(&server, folder.path()).unwrap();
        let expected = [None, Some(50_000), Some(100_000), Some(150_000)];
        assert_eq!(ranges(&server), expected);
    }

    #[test]
    fn what_an_earlier_call_left_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join(format!("{NAME}.part"));
        let server = Server::start(|request, _| Answer::file(request, &bytes()));
        for (kept, asked) in [(7_777, Some(Some(7_777))), (200_000, None), (200_001, Some(None))] {
            let before = server.asked().len();
            let left = [bytes(), vec![0]].concat();
            fs::write(&part, &left[..kept]).unwrap();
            fs::remove_file(download(&server, folder.path()).unwrap()).unwrap();
            assert_eq!(ranges(&server).get(before).copied(), asked, "{kept}");
            assert!(!part.exists());
        }
    }

    #[test]
    fn a_server_without_ranges_starts_over() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|_, before| {
            let answer = Answer::new("200 OK", &bytes());
            if before == 0 { answer.cut(50_000) } else { answer }
        });
        download(&server, folder.path()).unwrap();
        assert_eq!(ranges(&server), [None, Some(50_000)]);
        // It gets no further than before, and that ends.
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|_, _| Answer::new("200 OK", &bytes()).cut(50_000));
        let error = download(&server, folder.path()).unwrap_err();
        assert!(error.starts_with("cannot download SERVER/a/images.tar.gz: "), "{error}");
        let end = "; 50000 of 200000 bytes are there, and the same command goes on from them";
        assert!(error.ends_with(end), "{error}");
        assert_eq!(server.asked().len(), 3);
    }

    #[test]
    fn ranges_that_were_not_asked_for_are_not_appended() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{NAME}.part")), &bytes()[..9]).unwrap();
        let server = Server::start(|request, before| {
            let mut request = request.clone();
            request.from = Some(if before == 0 { 10 } else { 9 });
            Answer::file(&request, &bytes())
        });
        download(&server, folder.path()).unwrap();
        assert_eq!(ranges(&server), [Some(9), Some(9)]);
    }

    #[test]
    fn other_files_are_refused_and_not_kept() {
        let refusal = |answer: fn(&Request) -> Answer| {
            let folder = tempfile::tempdir().unwrap();
            let server = Server::start(move |request, _| answer(request));
            let error = download(&server, folder.path()).unwrap_err();
            assert_eq!(server.asked().len(), 1);
            let kept: Vec<u64> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().metadata().unwrap().len())
                .collect();
            assert!(kept.iter().all(|size| *size == 0), "{kept:?}");
            error
        };
        let other = |request: &Request| Answer::file(request, &[7; 200_000]);
        insta::assert_snapshot!(refusal(other), @"SERVER/a/images.tar.gz is not the official file: its MD5 is 2f8a4ac450144c6ca948e86c1a8bf4c4 and should be bf6b5bd5028e1505ed2d7c0984c2c677; what was downloaded is removed");
        let short = |request: &Request| Answer::file(request, b"sign in to this network");
        insta::assert_snapshot!(refusal(short), @"SERVER/a/images.tar.gz is not the official file: it has 23 bytes and should have 200000; it was not kept");
        let long =
            |_: &Request| Answer { headers: Vec::new(), ..Answer::new("200 OK", &[7; 200_001]) };
        insta::assert_snapshot!(refusal(long), @"SERVER/a/images.tar.gz is not the official file: it has more than 200000 bytes and should have 200000; it was not kept");
        let missing = |_: &Request| Answer::new("404 Not Found", b"no");
        insta::assert_snapshot!(refusal(missing), @"cannot download SERVER/a/images.tar.gz: the server answers 404 Not Found");
    }

    #[test]
    fn a_server_in_trouble_is_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(|request, before| match before {
            0 => Answer::new("503 Service Unavailable", b"later"),
            1 => Answer { status: "", ..Answer::new("", b"") },
            _ => Answer::file(request, &bytes()),
        });
        download(&server, folder.path()).unwrap();
        assert_eq!(server.asked().len(), 3);
        let server = Server::start(|_, _| Answer::new("503 Service Unavailable", b"later"));
        let folder = tempfile::tempdir().unwrap();
        insta::assert_snapshot!(download(&server, folder.path()).unwrap_err(), @"cannot download SERVER/a/images.tar.gz: the server answers 503 Service Unavailable");
        assert_eq!(server.asked().len(), 3);
    }

    #[test]
    fn a_file_that_is_shorter_than_what_is_there_is_asked_for_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{NAME}.part")), &bytes()[..100]).unwrap();
        let server = Server::start(|request, _| Answer::file(request, &bytes()[..50]));
        insta::assert_snapshot!(download(&server, folder.path()).unwrap_err(), @"SERVER/a/images.tar.gz is not the official file: it has 50 bytes and should have 200000; it was not kept");
        assert_eq!(ranges(&server), [Some(100), None]);
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let url = "http://127.0.0.1:1/x".to_owned();
        let source = RemoteFile { url, size: 5, md5: String::new() };
        let client = HttpClient::for_tests();
        let error = client.download(&source, folder.path(), &mut |_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot download http://127.0.0.1:1/x: Connection refused"),
            "{error}"
        );
        let source = RemoteFile { url: "nowhere".to_owned(), ..source };
        let error = client.download(&source, folder.path(), &mut |_| ()).unwrap_err().to_string();
        assert!(error.starts_with("cannot download nowhere: "), "{error}");
    }
}
