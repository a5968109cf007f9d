//! Suggestions of similar names.

/// The maximum length, in bytes, of names that are compared, as the time is the product of both lengths.
const LONGEST: usize = 100;

/// The Damerau-Levenshtein distance of two names; `None` if one is longer than 100 bytes.
pub fn edits(name: &str, other: &str) -> Option<usize> {
    let short = name.len() <= LONGEST && other.len() <= LONGEST;
    short.then(|| strsim::damerau_levenshtein(name, other))
}

/// Returns the names that `name` may be a misspelling of, nearest first.
///
/// These are the names within a distance of 0 to 3, depending on length and ignoring case, and those of which
/// one begins with the other.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let most = match name.chars().count() {
        0..=1 => 0,
        2..=3 => 1,
        4..=8 => 2,
        _ => 3,
    };
    let lower = name.to_lowercase();
    let distance = |other: &str| {
        let other = other.to_lowercase();
        let edits = edits(&lower, &other)?;
        let contained = name.len() >= 4
            && other.len() >= 4
            && (other.starts_with(&lower) || lower.starts_with(&other));
        Some(if contained { edits.min(most) } else { edits })
    };
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .filter(|other| *other != name)
        .filter_map(|other| Some((distance(other)?, other)))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_nearest_first() {
        let names = ["accuracy", "latency_ms", "area_mm2", "estimate", "space"];
        assert_eq!(nearest("acuracy", names), ["accuracy"]);
        assert_eq!(nearest("latency", names), ["latency_ms"]);
        assert_eq!(nearest("spaces", names), ["space"]);
        assert_eq!(nearest("Estimate", names), ["estimate"]);
        assert!(nearest("x", names).is_empty());
    }

    #[test]
    fn long_names_are_not_compared() {
        let long = "y".repeat(LONGEST + 1);
        assert_eq!(edits(&long, &long), None);
        assert!(nearest(&long, [long.replace('y', "z").as_str()]).is_empty());
    }
}
