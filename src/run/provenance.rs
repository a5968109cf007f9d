//! What the numbers of a run come from, in its record.

use super::error::StudyError;
use super::experiment::Origins;
use crate::store::RunRecord;

/// Takes down in a run's record what its numbers come from; whether the record knows more than before.
///
/// # Errors
/// Something has another version than when the run began.
pub fn record_provenance(run: &mut RunRecord, origins: Origins) -> Result<bool, StudyError> {
    let Origins { described, versions } = origins;
    let mut news = false;
    for (what, now) in versions {
        match run.data.get(&what) {
            Some(before) if *before == now => {}
            Some(before) => {
                let (run, before) = (run.name.clone(), before.clone());
                return Err(StudyError::OriginChanged { run, what, before, now });
            }
            None => {
                run.data.insert(what, now);
                news = true;
            }
        }
    }
    for origin in described {
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

    fn origins(described: &[&str], versions: &[(&str, &str)]) -> Origins {
        let text = |text: &&str| (*text).to_owned();
        let version = |(what, version): &(&str, &str)| ((*what).to_owned(), (*version).to_owned());
        Origins {
            described: described.iter().map(text).collect(),
            versions: versions.iter().map(version).collect(),
        }
    }

    #[test]
    fn what_numbers_come_from_is_taken_down_once_and_may_not_change() {
        let mut run = RunRecord::new("x", "x.rhai");
        let model = origins(&["modelled latency"], &[("model", "1")]);
        assert!(record_provenance(&mut run, model.clone()).unwrap());
        assert!(!record_provenance(&mut run, model).unwrap());
        let both = origins(&["modelled latency", "measured accuracy"], &[("table", "a")]);
        assert!(record_provenance(&mut run, both).unwrap());
        assert_eq!(run.origins, ["measured accuracy", "modelled latency"]);
        let other = origins(&[], &[("model", "2")]);
        let error = record_provenance(&mut run, other).unwrap_err();
        let expected = ("model", "1", "2");
        let StudyError::OriginChanged { what, before, now, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((what.as_str(), before.as_str(), now.as_str()), expected);
    }
}
