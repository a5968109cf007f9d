//! Tests of tables: from CSV into the folder of data and back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::accel::{Accelerator, Workload};
use crate::metrics::Metrics;
use crate::test_support::data_dir;

const CSV: &str = "\
net,pixel3.latency_ms,pixel3.energy_mj,npu.latency_ms
a,1.5,,0.25
b,2.5,7,
c,,,3e-2
";

/// Imports a text; the file's place is taken out of the message of a refusal.
fn import(text: &str, columns: &[&str], data: &Path) -> Result<ImportedTable, String> {
    let file = data.join("file.csv");
    fs::create_dir_all(data).unwrap();
    fs::write(&file, text).unwrap();
    let columns: Vec<Renamed> = columns.iter().map(|text| text.parse().unwrap()).collect();
    import_table(&file, ("mine", "net"), &columns, data)
        .map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
}

fn devices(data: &Path, group: Option<&str>) -> Result<Devices, NotMeasured> {
    Devices::of(Arc::new(MeasuredTable::open(data, "mine").unwrap()), group)
}

fn estimate(devices: &Devices, network: &str, device: &str) -> Result<Metrics, String> {
    let configuration = devices.configuration(device).map_err(|error| error.to_string())?;
    let metrics = devices.estimate(Workload::Key(network), &configuration);
    metrics.map_err(|error| error.to_string())
}

#[test]
fn a_table_is_imported_and_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let imported = import(CSV, &[], data).unwrap();
    assert_eq!((imported.rows, imported.columns), (3, 3));
    assert_eq!(table_names(data), ["mine"]);
    let devices = devices(data, None).unwrap();
    let names: Vec<&str> = devices.all().iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["pixel3", "npu"]);
    assert_eq!(devices.metrics(), ["energy_mj", "latency_ms"]);
    let costs = |network: &str, device: &str| {
        let metrics = estimate(&devices, network, device)?;
        Ok(metrics.into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>())
    };
    assert_eq!(costs("a", "pixel3"), Ok(vec!["latency_ms 1.5".to_owned()]));
    assert_eq!(costs("b", "pixel3").unwrap(), ["energy_mj 7", "latency_ms 2.5"]);
    assert_eq!(costs("c", "npu").unwrap(), ["latency_ms 0.03"]);
    let message = |found: Result<Vec<String>, String>| found.unwrap_err();
    assert_eq!(message(costs("b", "npu")), "the table `mine` has no measurement of `b` on npu");
    assert_eq!(message(costs("d", "npu")), "the table `mine` has no network `d` (its column net)");
    assert_eq!(
        message(costs("a", "tpu")),
        "the table `mine` has no device `tpu`; it has pixel3, npu"
    );
    assert_eq!(devices.space().count(), 2);
    assert_eq!(devices.space().canonical(&devices.configuration("npu").unwrap()), "npu");
    for wrong in [&[2][..], &[], &[0, 0]] {
        let error = devices.estimate(Workload::Key("a"), wrong).unwrap_err().to_string();
        assert_eq!(error, "no such device", "{wrong:?}");
    }
    // The same content has the same digest, wherever it is.
    let digest = devices.table().digest().to_owned();
    let other = tempfile::tempdir().unwrap();
    import(CSV, &[], other.path()).unwrap();
    assert_eq!(MeasuredTable::open(other.path(), "mine").unwrap().digest(), digest);
}

#[test]
fn groups_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let named = ["small.npu.latency_ms=s", "large.npu.latency_ms=l"];
    import("net,s,l,note\na,1,2,x\n", &named, folder.path()).unwrap();
    let latency = |group| {
        devices(folder.path(), group)
            .map(|devices| estimate(&devices, "a", "npu").unwrap()["latency_ms"])
    };
    assert_eq!(latency(Some("small")), Ok(1.0));
    assert_eq!(latency(Some("large")), Ok(2.0));
    let message = latency(None).unwrap_err().to_string();
    assert_eq!(
        message,
        "the table `mine` has the groups small, large; give one of them with the option `group`"
    );
}

#[test]
fn wrong_files_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |text: &str, columns: &[&str]| import(text, columns, folder.path()).unwrap_err();
    assert_eq!(
        refusal("cell,npu.latency_ms\na,1\n", &[]),
        "FILE has no column `net`; its columns are cell, npu.latency_ms"
    );
    assert_eq!(
        refusal("net,latency\na,1\n", &[]),
        "FILE: column `latency` is not of the form DEVICE.METRIC or GROUP.DEVICE.METRIC (a-z, 0-9, _ \
         and -), such as pixel3.latency_ms; `--column DEVICE.METRIC=HEAD` names it, and leaves out \
         columns not named"
    );
    assert!(
        refusal("net,npu.latency_us\na,1\n", &[])
            .contains("metric `latency_us` is to be given in ms, as `latency_ms`")
    );
    assert_eq!(
        refusal("net,x\na,1\n", &["npu.latency_ms=y"]),
        "FILE has no column `y`; its columns are net, x"
    );
    for (text, message) in [
        ("a,1\na,2\n", "FILE, line 3: `a` is there twice"),
        ("a,fast\n", "FILE, line 2: npu.latency_ms is `fast`, not a number of at least 0"),
        ("a,-1\n", "FILE, line 2: npu.latency_ms is `-1`, not a number of at least 0"),
        ("a,nan\n", "FILE, line 2: npu.latency_ms is `nan`, not a number of at least 0"),
        (",1\n", "FILE, line 2: there is nothing in the column `net`"),
        ("", "FILE: it has no rows"),
    ] {
        assert_eq!(refusal(&format!("net,npu.latency_ms\n{text}"), &[]), message);
    }
    assert!(refusal("net,npu.latency_ms\na,1,2\n", &[]).starts_with("cannot read FILE: "));
    assert_eq!(
        refusal("net\na\n", &[]),
        "FILE: it has 0 columns beside the key; a table has 1 to 10000"
    );
    assert_eq!(
        refusal("net,a.b.dsp,b.dsp\na,1,2\n", &[]),
        "FILE: some columns have a group and some have none"
    );
    // Nothing was written, and names of tables lead nowhere else.
    assert!(table_names(folder.path()).is_empty());
    for name in ["../mine", "a/b", "", "Mine", "mine.table"] {
        let error = MeasuredTable::open(folder.path(), name).unwrap_err().to_string();
        assert!(error.contains("is no name of a table"), "{error}");
        let file = folder.path().join("file.csv");
        let error = import_table(&file, (name, "net"), &[], folder.path()).unwrap_err().to_string();
        assert!(error.contains("is no name of a table"), "{error}");
    }
    let error = MeasuredTable::open(folder.path(), "mine").unwrap_err().to_string();
    let data = folder.path().display();
    assert_eq!(
        error,
        format!(
            "the table `mine` is not in {data}; `tandem data import table FILE.csv --name mine --key \
             COLUMN` brings it there"
        )
    );
}

#[test]
fn whatever_byte_of_a_table_is_changed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = import(CSV, &[], folder.path()).unwrap().path;
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        // The length of what is compressed is checked by unpacking it: a longer one does no harm.
        if (12..20).contains(&at) {
            continue;
        }
        let mut spoiled = whole.clone();
        spoiled[at] ^= 1;
        fs::write(&path, &spoiled).unwrap();
        assert!(MeasuredTable::open(folder.path(), "mine").is_err(), "byte {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert!(MeasuredTable::open(folder.path(), "mine").is_err(), "cut at {at}");
    }
    let mut huge = whole.clone();
    huge[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&path, &huge).unwrap();
    let error = MeasuredTable::open(folder.path(), "mine").unwrap_err().to_string();
    assert!(error.ends_with(" is too large; import it anew"), "{error}");
}

#[test]
fn hw_nas_bench_is_imported_whole_or_not_at_all() {
    let Some(dir) = data_dir() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = dir.join("nasbench201/nb201.csv.zst");
    let imported = import_hw_nas_bench(&file, folder.path()).unwrap();
    assert_eq!((imported.rows, imported.columns), (15_625, 27));
    assert!(fs::metadata(&imported.path).unwrap().len() < 4_000_000);
    let table = Arc::new(MeasuredTable::open(folder.path(), HW_NAS_BENCH).unwrap());
    let devices = Devices::of(table, Some("cifar10")).unwrap();
    // The second row of the file.
    let cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|\
                skip_connect~2|";
    let edge_gpu = estimate(&devices, cell, "edgegpu").unwrap();
    assert_eq!((edge_gpu["latency_ms"], edge_gpu["energy_mj"]), (6.54769, 29.9971));
    assert_eq!(estimate(&devices, cell, "pixel3").unwrap()["latency_ms"], 17.2381);
    assert_eq!(estimate(&devices, cell, "pixel3").unwrap().len(), 1);
    assert_eq!(devices.all().len(), 6);
    // Of some cells the Edge TPU has no measurement.
    let measured = |cell: &&String| estimate(&devices, cell, "edgetpu").is_ok();
    assert_eq!(devices.table().keys().iter().filter(measured).count(), 15_625 - 4_699);

    let text = zstd::decode_all(fs::File::open(&file).unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let refusal = |text: &str| {
        let file = folder.path().join("part.csv");
        fs::write(&file, text).unwrap();
        let error = import_hw_nas_bench(&file, folder.path()).unwrap_err().to_string();
        error.replace(&file.display().to_string(), "FILE")
    };
    let short: String = text.lines().take(11).map(|line| format!("{line}\n")).collect();
    assert_eq!(refusal(&short), "FILE: it has 10 cells of 15625");
    let missing = text.replacen(",24.2266,", ",,", 1);
    assert!(refusal(&missing).starts_with("FILE: cifar10.edgegpu.energy_mj of `|avg_pool_3x3~0|"),);
    let wrong = text.replacen("|avg_pool_3x3~0|+", "|avg_pool_5x5~0|+", 1);
    assert!(refusal(&wrong).starts_with("FILE: `|avg_pool_5x5~0|+"));
    assert!(refusal(&wrong).contains("is no cell: "));
}
