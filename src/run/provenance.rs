//! The provenance of a run's numbers, in its record.

use super::error::RunError;
use super::experiment::Provenance;
use crate::store::RunRecord;

/// Adds the provenance of numbers to a run's record; returns true if the record changed.
///
/// # Errors
/// [`RunError::OriginChanged`] if a version is not the recorded one.
pub fn record_provenance(run: &mut RunRecord, provenance: Provenance) -> Result<bool, RunError> {
    let Provenance { origins, versions } = provenance;
    let mut news = false;
    for (what, now) in versions {
        match run.data.get(&what) {
            Some(before) if *before == now => {}
            Some(before) => {
                let (run, before) = (run.name.clone(), before.clone());
                return Err(RunError::OriginChanged { run, what, before, now });
            }
            None => {
                run.data.insert(what, now);
                news = true;
            }
        }
    }
    for origin in origins {
        if !run.origins.contains(&origin) {
            run.origins.push(origin);
            news = true;
        }
    }
    // Which source gives a number first depends on the speed of threads.
    run.origins.sort();
    Ok(news)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Origin, Trust};

    fn provenance(origins: &[&Origin], versions: &[(&str, &str)]) -> Provenance {
        let version = |(what, version): &(&str, &str)| ((*what).to_owned(), (*version).to_owned());
        Provenance {
            origins: origins.iter().copied().cloned().collect(),
            versions: versions.iter().map(version).collect(),
        }
    }

    #[test]
    fn what_numbers_come_from_is_taken_down_once_and_may_not_change() {
        let mut run = RunRecord::new("x", "x.rhai");
        let latency = Origin::new(Trust::Modelled, "latency");
        let accuracy = Origin::new(Trust::Measured, "accuracy");
        let model = provenance(&[&latency], &[("model", "1")]);
        assert!(record_provenance(&mut run, model.clone()).unwrap());
        assert!(!record_provenance(&mut run, model).unwrap());
        let both = provenance(&[&latency, &accuracy], &[("table", "a")]);
        assert!(record_provenance(&mut run, both).unwrap());
        assert_eq!(run.origins, [accuracy, latency]);
        let other = provenance(&[], &[("model", "2")]);
        let error = record_provenance(&mut run, other).unwrap_err();
        let expected = ("model", "1", "2");
        let RunError::OriginChanged { what, before, now, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((what.as_str(), before.as_str(), now.as_str()), expected);
    }
}
