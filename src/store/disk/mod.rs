//! Safe use of sled and its files: locks, synced writes, replacement of whole databases.

pub(super) mod acquire;
pub(super) mod compact;
pub(super) mod database;
pub(super) mod free_space;
pub(super) mod fsync;
pub(super) mod leftovers;
pub(super) mod lock;
pub(super) mod lock_owner;
pub(super) mod migration;
pub(super) mod open_database;
pub(super) mod replace;
pub(super) mod trees;
pub(super) mod watchdog;
