//! Reading a store while another process has it open.
//!
//! The process that writes into a store answers requests at a local socket ([`Served`]). [`open`] returns a
//! [`Reader`](crate::store::Reader) that sends requests there, or that opens the store itself if no other
//! process has it open. The replies are records: runs, blocks of trials, texts. Expressions over them are
//! evaluated in the client.
//!
//! These sockets exist on Unix. On other systems, a store that is open elsewhere is refused with an error
//! that names the process.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod listener;
mod open;
#[cfg(unix)]
mod protocol;
mod served;
#[cfg(unix)]
mod socket;

pub use open::{ask_holder, open};
pub use served::Served;

#[cfg(all(test, unix))]
mod tests;
