//! Training kernels for the CPU: NHWC, f32, forward and backward.
//!
//! They work on raw memory that a plan has laid out. Each kernel documents its requirements, which the
//! executor meets.

#![expect(
    clippy::needless_range_loop,
    reason = "loops over constants that index several arrays of registers, and are unrolled"
)]

mod backward;
mod combine;
mod depthwise;
mod forward;
mod gather;
mod linear;
mod maps;
mod pack;
mod pool;
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
pub use tile::Tap;
pub use window::{Class, ConvolutionWindow};
pub use winograd::{
    POSITIONS, WinogradBackward, WinogradForward, pack as pack_winograd, pays as winograd_pays,
    scratch as winograd_scratch, tap_gradient, values as winograd_values,
};
