//! A store that this process has open and serves to others.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{Builder, JoinHandle};

#[cfg(unix)]
use super::listener::{Patience, Server};
use crate::store::{HEARTBEAT, Store};

/// A store that this process has open and serves: it answers requests of other processes and writes
/// heartbeats to the store's folder. Neither affects the work on the store.
pub struct Served {
    heartbeat: Option<Heartbeat>,
    #[cfg(unix)]
    server: Option<Server>,
    store: Arc<Store>,
}

impl Served {
    /// Starts to serve a store. Without a socket, the store works all the same, but no other process can read
    /// it.
    pub fn new(store: Store) -> Self {
        let store = Arc::new(store);
        Self {
            #[cfg(unix)]
            server: serve(&store, Patience::default()),
            heartbeat: Heartbeat::start(&store),
            store,
        }
    }

    #[cfg(all(test, unix))]
    pub(super) fn with_patience(store: Store, patience: Patience) -> Self {
        let store = Arc::new(store);
        Self { server: serve(&store, patience), heartbeat: None, store }
    }
}

#[cfg(unix)]
fn serve(store: &Arc<Store>, patience: Patience) -> Option<Server> {
    match Server::start(store, patience) {
        Ok(server) => {
            store.answer_at(Some(server.path().to_owned()));
            Some(server)
        }
        Err(error) => {
            tracing::warn!(%error, "other processes cannot read the store meanwhile: no socket");
            None
        }
    }
}

impl Deref for Served {
    type Target = Arc<Store>;

    fn deref(&self) -> &Arc<Store> {
        &self.store
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.heartbeat = None;
        #[cfg(unix)]
        if self.server.take().is_some() {
            // The store may stay open for a moment longer.
            self.store.answer_at(None);
        }
    }
}

/// A thread that writes heartbeats until this is dropped.
struct Heartbeat {
    /// The channel whose end stops the thread.
    alive: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
}

impl Heartbeat {
    fn start(store: &Arc<Store>) -> Option<Self> {
        let (alive, ended) = mpsc::channel();
        let store = Arc::downgrade(store);
        let beat = move || {
            while ended.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                match store.upgrade() {
                    Some(store) => store.beat(),
                    None => break,
                }
            }
        };
        let beating = Builder::new().name("heartbeat".to_owned()).spawn(beat);
        beating.ok().map(|beating| Self { alive: Some(alive), beating: Some(beating) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(beating) = self.beating.take() {
            let _ = beating.join();
        }
    }
}
