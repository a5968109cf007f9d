//! What a network reaches.

pub mod nasbench101;
pub mod nasbench201;
