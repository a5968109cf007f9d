//! Crashes: processes killed at random moments, disks that fail, files that are spoiled, power that is lost.
//!
//! What a command that was cut off leaves must go on to the end of one that was not, byte for byte, or be
//! refused with a message that names the store and the way out. `tests/crash/run` does more of the same for
//! as long as it is asked to.

mod cases;
mod damage;
mod draw;
mod ending;
mod faults;
mod kills;
mod power;
mod shim;
