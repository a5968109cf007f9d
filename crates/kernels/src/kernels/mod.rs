//! Training kernels for the CPU: NHWC, f32, forward and backward.
//!
//! They work on memory that a plan has laid out. A kernel is given views that know how many values lie behind
//! them: slices of what is only read, and [`SharedSlice`] and [`Maps`] of what tasks write parts of. Nobody else
//! gets at their pointers. [`Kernel::check`](crate::simd::Kernel::check), which runs before every kernel, asserts
//! that all it will touch lies within these views. Two things are left to who runs a kernel: that the processor
//! has its instructions, and that no other task writes what it touches or touches what it writes.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over constants that index several arrays of registers, and are unrolled"
)]

mod backward;
mod check;
mod combine;
mod depthwise;
mod forward;
mod gather;
mod linear;
mod maps;
mod pack;
mod pool;
mod shared;
#[cfg(test)]
mod testing;
mod tile;
mod window;
mod winograd;

pub use backward::{Backward, GradientPart, Reduce, Towards, scratch as backward_scratch};
pub use combine::{Combine, Normalised};
pub use depthwise::{Depthwise, DepthwiseBackward, scratch as depthwise_scratch};
pub use forward::{Forward, SumMaps, scratch as forward_scratch};
pub use linear::{ImageRows, Linear, LinearBackward, LinearGradient};
pub use maps::{Maps, MapsTerm, Reads};
pub use pack::Packing;
pub use pool::{Global, Pool, PoolBackward, Pooling};
pub use shared::SharedSlice;
pub use tile::Tap;
pub use window::{Class, ConvolutionWindow};
pub use winograd::{
    POSITIONS, WinogradBackward, WinogradForward, pack as pack_winograd, pays as winograd_pays,
    scratch as winograd_scratch, tap_gradient, values as winograd_values,
};
