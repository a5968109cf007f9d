//! Crashes: processes killed at random moments, failing disks, corrupted files, power losses.
//!
//! After an interrupted command, its continuation must give the results of an uninterrupted one, byte for
//! byte, or fail with a message that names the store and the way out. `tests/crash/run` runs more of the same
//! tests.

mod cases;
mod damage;
mod draw;
mod ending;
mod faults;
mod kills;
mod power;
mod shim;
