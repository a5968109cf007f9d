//! The accuracy of networks: from a benchmark's table, a predictor, or a training run.

pub mod nasbench101;
pub mod nasbench201;
pub mod training_cache;
