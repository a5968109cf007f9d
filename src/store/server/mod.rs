//! Reading a store while another process has it open.
//!
//! The process that writes into a store answers questions about it at a local socket
//! ([`Served`]); [`open`] gives a [`Reader`](crate::store::Reader) that asks there, or that has the
//! store open itself if nobody else has. What is asked for are records: runs, stretches of trials,
//! texts. Expressions over them run in the process that asks.
//!
//! There are such sockets on Unix. Elsewhere a store that is held is refused, naming its holder.

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
