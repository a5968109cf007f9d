//! What a network reaches.

pub mod nasbench201;
