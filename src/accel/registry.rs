//! The native families of accelerators.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::accelerator::Accelerator;
use super::chaidnn::{Chaidnn, Platform};

/// The constructors of the families; `accelerator::native(NAME)` in a script finds one by its id.
///
/// The provenance of a run records the version of each family.
const FAMILIES: &[fn() -> Arc<dyn Accelerator>] =
    &[|| Arc::new(Chaidnn { platform: Platform::codesign_nas() })];

static REGISTERED: LazyLock<Vec<Arc<dyn Accelerator>>> =
    LazyLock::new(|| FAMILIES.iter().map(|make| make()).collect());

/// The accelerator of each family, in the order in which results list them.
pub fn families() -> &'static [Arc<dyn Accelerator>] {
    &REGISTERED
}

/// The accelerator of a family by its id.
pub fn find(id: &str) -> Option<&'static Arc<dyn Accelerator>> {
    families().iter().find(|family| family.id() == id)
}

/// The index of an accelerator's family; `None` if it is not native, such as a table of measurements, which
/// may have any id.
pub fn family_of(accelerator: &dyn Accelerator) -> Option<usize> {
    let kind = |accelerator: &dyn Accelerator| Any::type_id(accelerator);
    families().iter().position(|family| kind(family.as_ref()) == kind(accelerator))
}

/// The version of each family's model, by family id.
pub fn versions() -> BTreeMap<String, String> {
    let version =
        |family: &Arc<dyn Accelerator>| (family.id().to_owned(), family.version().to_owned());
    families().iter().map(version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accel::{NetworkForm, PreparedNetwork, Workload};
    use crate::metrics::{check_metric_name, is_plain_word};
    use crate::network::{Nasbench201Settings, nasbench201};
    use crate::space::nasbench201::Cell201;

    #[test]
    fn families_are_told_apart() {
        assert_eq!(families().len(), FAMILIES.len());
        assert_eq!(versions().len(), FAMILIES.len());
        for (number, family) in families().iter().enumerate() {
            let id = family.id();
            assert!(is_plain_word(id), "{id}");
            assert!(Arc::ptr_eq(find(id).unwrap(), family), "{id}");
            assert_eq!(family_of(family.as_ref()), Some(number), "{id}");
            assert!(!family.version().is_empty() && !family.source().is_empty(), "{id}");
        }
        assert!(find("no-such").is_none());
        assert_eq!(versions()["chaidnn"], "chaidnn-2");
    }

    #[test]
    fn every_family_estimates_and_explains() {
        let cell: Cell201 =
            "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
                .parse()
                .unwrap();
        let network = nasbench201(cell, Nasbench201Settings::default()).unwrap();
        let prepared = PreparedNetwork::new(network);
        let network = Workload::Layers(&prepared);
        for family in families() {
            let id = family.id();
            assert_eq!(family.network_form(), NetworkForm::Layers, "{id}");
            assert!(family.estimate(Workload::Key("cell"), &[]).is_err(), "{id}");
            let space = family.space();
            let mut estimated = 0;
            for number in (0..space.count()).step_by(1 + space.count() as usize / 64) {
                let options = space.nth(number).unwrap();
                assert_eq!(space.parse(&space.canonical(&options)), Ok(options.clone()), "{id}");
                let Ok(metrics) = family.estimate(network, &options) else { continue };
                estimated += 1;
                assert!(!metrics.is_empty(), "{id}");
                for (name, value) in metrics {
                    assert_eq!(check_metric_name(&name), Ok(()), "{id}");
                    assert!(value.is_finite(), "{id}: {name} = {value}");
                }
                family.breakdown(network, &options).unwrap();
            }
            assert!(estimated > 0, "{id}");
            for wrong in [vec![], vec![u16::MAX; space.choices().len()]] {
                assert!(family.estimate(network, &wrong).is_err(), "{id}: {wrong:?}");
                assert!(family.breakdown(network, &wrong).is_err(), "{id}: {wrong:?}");
            }
        }
    }
}
