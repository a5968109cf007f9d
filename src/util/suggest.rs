//! How alike names are.

/// Longer names are not compared: the time is that of one length times the other, and nobody misspells them.
const LONGEST: usize = 100;

/// How many letters must be changed, added, left out or swapped to make one name of another; `None` where either
/// is too long to be compared.
pub fn edits(name: &str, other: &str) -> Option<usize> {
    let short = name.len() <= LONGEST && other.len() <= LONGEST;
    short.then(|| strsim::damerau_levenshtein(name, other))
}

/// The known name that at most two edits make of another, if any is.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let near = |known: &'n str| Some((edits(name, known)?, known));
    let found = known.into_iter().filter_map(near).min();
    found.filter(|(edits, _)| *edits <= 2).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_short_names_is_found() {
        assert_eq!(nearest("acuracy", ["area_mm2", "accuracy"]), Some("accuracy"));
        assert_eq!(nearest("energy", ["area_mm2", "accuracy"]), None);
        let long = "y".repeat(LONGEST + 1);
        assert_eq!(edits(&long, &long), None);
        assert_eq!(nearest(&long, [long.as_str()]), None);
    }
}
