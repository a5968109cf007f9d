//! The message about a fetched or imported data set.

use tandem::note;
use tandem::report::grouped;
use tandem::train::data::{Acquired, Official};

/// Prints the name and the place of a data set.
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
