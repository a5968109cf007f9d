//! Deduplication of concurrent work by key, within the process.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};

/// The keys of the work in progress.
#[derive(Debug, Default)]
pub struct SingleFlight {
    busy: Mutex<HashSet<String>>,
    landed: Condvar,
}

/// The exclusive right to do the work of a key, until it is dropped.
#[derive(Debug)]
pub struct Claim<'a> {
    flights: &'a SingleFlight,
    key: String,
}

impl SingleFlight {
    /// Claims a key; waits while another thread holds it.
    ///
    /// Callers must check afterwards if the work has been done meanwhile. A holder must not wait for tasks in
    /// a thread pool whose threads claim keys: while waiting it may execute such a task itself, and deadlock.
    pub fn claim(&self, key: &str) -> Claim<'_> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while busy.contains(key) {
            busy = self.landed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        busy.insert(key.to_owned());
        Claim { flights: self, key: key.to_owned() }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut busy = self.flights.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.key);
        self.flights.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn each_key_is_computed_once() {
        let flights = SingleFlight::default();
        let (done, computed) = (Mutex::new(HashMap::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (flights, done, computed) = (&flights, &done, &computed);
                scope.spawn(move || {
                    for key in ["a", "b", "c"] {
                        let _claim = flights.claim(key);
                        if !done.lock().unwrap().contains_key(key) {
                            computed.lock().unwrap().push(key);
                            std::thread::sleep(std::time::Duration::from_millis(2));
                            done.lock().unwrap().insert(key, thread);
                        }
                    }
                });
            }
        });
        let mut computed = computed.into_inner().unwrap();
        computed.sort_unstable();
        assert_eq!(computed, ["a", "b", "c"]);
    }
}
