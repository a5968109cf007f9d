//! The message about a set of images that was fetched or imported.

use tandem::note;
use tandem::report::grouped;
use tandem::train::data::{Acquired, Official};

/// Says which set is where now.
pub fn tell(set: &Official, acquired: &Acquired) {
    let Acquired { place, train, test, already } = acquired;
    note!(
        "{set} is {}in {}: {} training and {} test images",
        if *already { "already " } else { "" },
        place.display(),
        grouped(*train as u128),
        grouped(*test as u128)
    );
}
