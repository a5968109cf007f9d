//! The files that `tandem definitions` writes.

use std::fs;

use crate::support::{Place, project};

#[test]
fn definitions_are_written_for_editors_and_for_people() {
    let place = Place::new();
    place.ok(&["definitions"]);
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    let chaidnn = read(".rhai/definitions/chaidnn.d.rhai");
    let estimate =
        "fn estimate(net: Network, configuration: ChaidnnConfiguration) -> ChaidnnEstimate;";
    assert!(chaidnn.contains(estimate), "{chaidnn}");
    assert!(chaidnn.starts_with("/// The CHaiDNN accelerator"), "{chaidnn}");
    assert!(!read(".rhai/definitions/__builtin__.d.rhai").contains("fn eval("));

    place.ok(&["definitions", "--markdown", "page.md"]);
    let committed = fs::read_to_string(project().join("docs/script-api.md")).unwrap();
    assert_eq!(read("page.md"), committed);

    let quiet = place.run(&["definitions", "quiet", "-q"]);
    assert_eq!((quiet.code, quiet.out.as_str(), quiet.err.as_str()), (0, "", ""));
    let json = place.run(&["definitions", "--markdown", "page.md", "--json"]);
    let json = (json.err.as_str(), serde_json::from_str(&json.out).unwrap());
    assert_eq!(json, ("", serde_json::json!({ "written": ["page.md"] })));

    place.write("taken", "");
    let ran = place.run(&["definitions", "taken"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("cannot use taken"), "{}", ran.err);
    assert_eq!(place.run(&["definitions", "here", "--markdown", "page.md"]).code, 2);
}
