//! Work in progress, so that no two threads of the process do the same at once.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};

/// The keys of what is being computed.
#[derive(Debug, Default)]
pub struct Flights {
    busy: Mutex<HashSet<String>>,
    landed: Condvar,
}

/// The right to compute what a key stands for; it ends when this is dropped.
#[derive(Debug)]
pub struct Claim<'a> {
    flights: &'a Flights,
    key: String,
}

impl Flights {
    /// Claims a key; waits while someone else has it.
    ///
    /// Who gets it looks first whether the work is done by now. It must not hand parts of the work to
    /// a pool whose threads claim keys themselves: the thread that waits for the parts may be given
    /// such a task, and would wait for itself.
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
        let flights = Flights::default();
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
