//! What a network reaches: from a benchmark's table, a predictor, or a training of its own.

pub mod nasbench101;
pub mod nasbench201;
pub mod training_cache;
