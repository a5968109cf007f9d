//! The imported NASBench-101 table, and the experiments that need it.

use crate::data_folder::data_dir;
use crate::support::{Place, project};

fn experiment(name: &str) -> String {
    project().join("experiments/cifar10").join(name).display().to_string()
}

#[test]
fn without_the_table_the_command_is_named() {
    let place = Place::new();
    let ran = place.run(&["run", &experiment("unconstrained.rhai")]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains(
            "error: the NASBench-101 table is not in data; `tandem data import nasbench101 FILE` \
             takes nb101.bin or nasbench_only108.tfrecord into it"
        ),
        "{}",
        ran.err
    );
}

#[test]
fn an_imported_table_is_searched() {
    let Some(data) = data_dir() else { return };
    let place = Place::new();
    let file = data.join("nasbench101/nb101.bin.zst").display().to_string();
    let ran = place.run(&["data", "import", "nasbench101", &file]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "423,624 cells imported into data/nasbench101/nb101.bin.zst\n");
    let list = place.ok(&["data", "list", "--format", "csv"]);
    let tables = "data,cells,train,test,where\nnasbench201,15625,,,in the program\n\
                  nasbench101,423624,,,data\nhw_nas_bench,";
    assert!(list.starts_with(tables), "{list}");
    for (name, strategy) in [
        ("unconstrained.rhai", "combined"),
        ("one_constraint.rhai", "phase"),
        ("two_constraints.rhai", "separate"),
    ] {
        let strategy = format!("strategy={strategy}");
        let arguments = ["--set", &strategy, "--set", "trials=300"];
        let out = place.ok(&[&["run", &experiment(name)], &arguments[..]].concat());
        assert!(out.contains("of 3,660,111,360 points"), "{out}");
        assert!(out.contains("measured  accuracy: NASBench-101"), "{out}");
    }
}

#[test]
fn a_truncated_table_is_refused_and_says_how_to_mend_it() {
    let Some(data) = data_dir() else { return };
    let place = Place::new();
    let whole = std::fs::read(data.join("nasbench101/nb101.bin.zst")).unwrap();
    let whole = zstd::decode_all(whole.as_slice()).unwrap();
    let path = place.path().join("data/nasbench101/nb101.bin");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &whole[..1_000_000]).unwrap();
    let ran = place.run(&["run", &experiment("unconstrained.rhai")]);
    assert_eq!(ran.code, 3);
    let message = "data/nasbench101/nb101.bin is not a whole NASBench-101 table: its 423624 rows \
                   take 2541756 bytes, and there are 1000000; import it again with `tandem data \
                   import nasbench101 FILE`";
    assert!(ran.err.contains(message), "{}", ran.err);
    let ran = place.run(&["data", "import", "nasbench101", &path.display().to_string()]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is not a whole NASBench-101 table: its 423624 rows"), "{}", ran.err);
}

#[test]
fn predictions_and_table_values_never_mix() {
    let Some(data) = data_dir() else { return };
    let script = r#"fn space() { #{ cnn: nasbench101::space(), hw: chaidnn::space() } }
fn evaluate(p) { #{ accuracy: accuracy::nasbench101(p.cnn, #{ missing: "predict" }), area_mm2: 1.0 } }
fn reward(m) { m.accuracy }
fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 60, controller: random() }) } }
"#;
    let place = Place::with(script);
    let out = place.ok(&["run", "x.rhai", "--steps", "20"]);
    assert!(out.contains("(predicted)"), "{out}");
    let trials = place.trials("x-1");
    let file = data.join("nasbench101/nb101.bin.zst").display().to_string();
    place.ok(&["data", "import", "nasbench101", &file]);
    let ran = place.run(&["resume", "x-1", "--steps", "40"]);
    assert_eq!(ran.code, 3);
    let told =
        "error: run `x-1` cannot go on: what its nasbench101 accuracies came from was predictor ";
    assert!(ran.err.contains(told) && ran.err.contains(" and is now table "), "{}", ran.err);
    assert!(ran.err.contains("hint: bring back what it was, or `tandem resume x-1 --fork`"));
    assert_eq!(place.trials("x-1"), trials);
    let ran = place.run(&["estimate", "x.rhai", "--data", "nowhere", "--format", "json"]);
    assert!(ran.err.contains("note: the accuracy is predicted"), "{}", ran.err);
}
