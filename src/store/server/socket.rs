//! The socket of a store, in a folder that only its owner can access.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The longest path of a socket, in bytes. `sun_path` has 104 bytes on macOS and 108 on Linux, including the
/// final zero.
const MAX_PATH: usize = 103;

/// A bound socket; its file is removed when this is dropped.
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
}

impl Socket {
    /// Binds a socket for a store whose lock this process holds.
    ///
    /// It is within the store's folder. If that path is too long or the folder takes no sockets, it is in the
    /// user's runtime folder or the folder for temporary files.
    pub(super) fn bind(store: &Path) -> io::Result<Self> {
        let store = fs::canonicalize(store)?;
        let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
        Self::bind_in(&store, runtime.map(PathBuf::from).as_deref(), &env::temp_dir())
    }

    fn bind_in(store: &Path, runtime: Option<&Path>, temporary: &Path) -> io::Result<Self> {
        let hash = blake3::hash(store.as_os_str().as_bytes()).to_hex();
        let name = format!("{}.socket", &hash[..16]);
        let user = rustix::process::getuid().as_raw();
        let candidates = [
            Some(store.join("serving/socket")),
            runtime.map(|folder| folder.join("tandem").join(&name)),
            Some(temporary.join(format!("tandem-{user}")).join(&name)),
        ];
        let mut last = io::Error::other("every path is too long or not in UTF-8");
        for path in candidates.into_iter().flatten() {
            // The holder's file is JSON, which has no other texts.
            if path.as_os_str().len() > MAX_PATH || path.to_str().is_none() {
                continue;
            }
            match Self::bind_at(&path) {
                Ok(listener) => return Ok(Self { listener, path }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn bind_at(path: &Path) -> io::Result<UnixListener> {
        if let Some(folder) = path.parent() {
            make_private(folder)?;
        }
        match fs::symlink_metadata(path) {
            // Whoever bound it is dead: the lock of its store was free.
            Ok(found) if found.file_type().is_socket() => {
                fs::remove_file(path)?;
                tracing::debug!(path = %path.display(), "removed the socket of a dead process");
            }
            Ok(_) => return Err(io::Error::other("there is something else than a socket")),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(listener)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = self.path.parent() {
            // It stays if another store's socket is in it.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Creates a folder that only its owner can access, or takes the permissions of others from an existing one.
fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => return other,
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{} is not a folder of this user", folder.display())));
    }
    if found.mode() & 0o077 != 0 {
        // A store that was copied may have lost them.
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Returns true if the process at the other end belongs to this user or to root. The permissions of the
/// socket require the same, but not every file system enforces them.
#[cfg(target_os = "linux")]
pub(super) fn is_own(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

/// Returns true: on these systems, only the permissions of the socket and its folder decide.
#[cfg(not(target_os = "linux"))]
pub(super) const fn is_own(_stream: &UnixStream) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_socket_is_its_owners_alone_and_goes_with_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let bind = || Socket::bind_in(dir.path(), None, Path::new("/missing")).unwrap();
        fs::create_dir(dir.path().join("serving")).unwrap();
        fs::set_permissions(dir.path().join("serving"), Permissions::from_mode(0o755)).unwrap();
        let socket = bind();
        assert_eq!(socket.path, dir.path().join("serving/socket"));
        assert_eq!(mode(&socket.path), 0o600);
        assert_eq!(mode(socket.path.parent().unwrap()), 0o700);
        // As after the death of the process.
        std::mem::forget(socket);
        let socket = bind();
        let stream = UnixStream::connect(&socket.path).unwrap();
        assert!(is_own(&stream));
        drop(socket);
        assert!(!dir.path().join("serving").exists());
    }

    #[test]
    fn a_long_path_has_its_socket_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("x".repeat(110));
        fs::create_dir(&store).unwrap();
        let runtime = dir.path().join("run");
        fs::create_dir(&runtime).unwrap();
        let socket = Socket::bind_in(&store, Some(&runtime), dir.path()).unwrap();
        assert!(socket.path.starts_with(runtime.join("tandem")), "{}", socket.path.display());
        let other = Socket::bind_in(&store.join("y"), Some(&runtime), dir.path()).unwrap();
        assert_ne!(socket.path, other.path);
        assert_eq!(mode(&runtime.join("tandem")), 0o700);
        let user = rustix::process::getuid().as_raw();
        let fallback = Socket::bind_in(&store, None, dir.path()).unwrap();
        assert!(fallback.path.starts_with(dir.path().join(format!("tandem-{user}"))));
        assert!(Socket::bind_in(&store, None, &store).is_err());
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("serving");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("socket"), "mine").unwrap();
        let socket = Socket::bind_in(dir.path(), Some(dir.path()), Path::new("/missing")).unwrap();
        assert!(socket.path.starts_with(dir.path().join("tandem")));
        assert_eq!(fs::read_to_string(folder.join("socket")).unwrap(), "mine");
    }

    #[test]
    fn a_folder_that_is_a_link_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let (there, link) = (dir.path().join("there"), dir.path().join("link"));
        fs::create_dir(&there).unwrap();
        std::os::unix::fs::symlink(&there, &link).unwrap();
        assert!(make_private(&link).is_err());
    }
}
