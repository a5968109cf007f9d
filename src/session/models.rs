//! The versions of the models that metrics come from.

use std::collections::BTreeMap;

use crate::accel::chaidnn;

/// The version of each model by its name.
pub(super) fn models() -> BTreeMap<String, String> {
    BTreeMap::from([("chaidnn".to_owned(), chaidnn::model_version().to_owned())])
}
