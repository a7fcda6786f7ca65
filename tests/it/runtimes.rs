//! The manifest against runtimes, and what differs between two of them.

use chain_metadata::Metadata;
use indexer::items::{Fit, ItemFit, MANIFEST, fits};
use indexer::source::recording::RecordingSource;

use crate::context::{outcome, recording, text};

fn metadata(recording_name: &str, spec: u32) -> Metadata {
    Metadata::from_bytes(recording(recording_name).metadata(spec, 14).unwrap()).unwrap()
}

fn of<'a>(lines: &'a [ItemFit], entry: &str) -> &'a ItemFit {
    lines.iter().find(|line| line.entry == entry).unwrap()
}

#[test]
fn every_line_is_checked_against_the_runtime_before() {
    let [first, second, third] = [103, 119, 143].map(|spec| metadata("upgrades", spec));
    let alone = fits(&first, None);
    assert!(alone.len() >= MANIFEST.len() + 3);
    assert!(
        alone
            .iter()
            .all(|line| !line.essential || line.fit == Fit::Same)
    );
    assert!(alone.iter().all(|line| !line.news));
    // 119 changed none of what is read.
    assert!(fits(&second, Some(&first)).iter().all(|line| !line.news));
    let lines = fits(&third, Some(&second));
    let loaded = of(&lines, "LoadedEmission");
    assert_eq!((loaded.fit, loaded.news), (Fit::ShapeChanged, true));
    assert_eq!(loaded.why, "its value has another shape");
    // Two that came with it, one that is still to come, one that went.
    assert_eq!(of(&lines, "SubnetOwner").fit, Fit::Same);
    assert_eq!(of(&lines, "Tempo").fit, Fit::Same);
    let yuma3 = of(&lines, "Yuma3On");
    assert_eq!((yuma3.fit, yuma3.news), (Fit::Gone, false));
    let power = of(&lines, "SynergyScalingLawPower");
    assert_eq!((power.fit, power.news), (Fit::Gone, true));
    assert_eq!(power.why, "the runtime before had it");
    // A new call or event is no change of System.Events.
    assert_eq!(of(&lines, "Events").fit, Fit::Same);
    // Far apart: the weights were keyed by netuid and uid then and now.
    let late = metadata("mini-300", 300);
    assert_eq!(of(&fits(&late, Some(&first)), "Weights").fit, Fit::Same);
}

fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, spec) in [
        ("upgrades", 103),
        ("upgrades", 119),
        ("upgrades", 143),
        ("mini-300", 300),
    ] {
        let bytes = recording(name).metadata(spec, 14).unwrap().to_vec();
        std::fs::write(dir.path().join(spec.to_string()), bytes).unwrap();
    }
    // A runtime without an item that nothing can be read without.
    let mut bytes = recording("upgrades").metadata(143, 14).unwrap().to_vec();
    let name = b"LastMechansimStepBlock";
    let places: Vec<usize> = bytes
        .windows(name.len())
        .enumerate()
        .filter_map(|(place, window)| (window == name).then_some(place))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + 4].copy_from_slice(b"Past");
    }
    std::fs::write(dir.path().join("lacking"), bytes).unwrap();
    dir
}

#[test]
fn preflight_prints_a_table_and_fails_for_what_is_essential() {
    let dir = files();
    let file = |name: &str| text(&dir.path().join(name)).to_owned();
    let run = |args: &[&str]| {
        let mut all = vec!["preflight"];
        all.extend(args);
        let done = outcome(&all);
        let out = String::from_utf8(done.stdout).unwrap();
        (
            done.status.success(),
            out,
            String::from_utf8(done.stderr).unwrap(),
        )
    };
    let (good, out, err) = run(&["--metadata", &file("143"), "--against", &file("119")]);
    assert!(good, "{err}");
    assert!(out.starts_with("runtime  143\nagainst  119\n"), "{out}");
    let row = out
        .lines()
        .find(|line| line.contains(".LoadedEmission"))
        .unwrap();
    assert!(row.starts_with("SHAPE_CHANGED  "), "{row}");
    let row = out.lines().find(|line| line.contains(".Weights ")).unwrap();
    assert!(
        row.starts_with("SAME ") && row.ends_with("essential"),
        "{row}"
    );

    let (good, out, _) = run(&["--metadata", &file("300"), "--json"]);
    assert!(good);
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["spec"], 300);
    assert_eq!(value["against"], serde_json::Value::Null);
    assert!(value["items"].as_array().unwrap().len() > MANIFEST.len());

    let (good, out, err) = run(&["--metadata", &file("lacking"), "--against", &file("143")]);
    assert!(!good);
    let row = out
        .lines()
        .find(|line| line.contains(".LastMechansimStepBlock"))
        .unwrap();
    assert!(
        row.starts_with("GONE") && row.contains("the runtime before had it"),
        "{row}"
    );
    assert!(err.contains("LastMechansimStepBlock is GONE"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");

    let (good, _, err) = run(&["--metadata", &file("none")]);
    assert!(!good && err.contains("cannot be read"), "{err}");
}

/// A store of the recording with upgrades in a folder.
async fn upgrades() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = indexer::store::Store::open_sled(dir.path(), true, 16 << 20).unwrap();
    let recording = recording("upgrades");
    store.bind_genesis(recording.genesis_hash).unwrap();
    let head = recording.head;
    let source = std::sync::Arc::new(RecordingSource(recording));
    crate::context::index(source, &store, head).await.unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_compares_with_the_newest_runtime_of_a_store() {
    let dir = upgrades().await;
    let files = files();
    let done = outcome(&[
        "preflight",
        "--metadata",
        text(&files.path().join("300")),
        "--data-dir",
        text(dir.path()),
    ]);
    let out = String::from_utf8(done.stdout).unwrap();
    assert!(out.starts_with("runtime  300\nagainst  143\n"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_served() {
    let dir = upgrades().await;
    let args = [
        "serve",
        "--data-dir",
        text(dir.path()),
        "--listen",
        "127.0.0.1:0",
    ];
    let served = crate::served::start(&args);
    let query = "{ runtimes { specVersion manifest(fit: SHAPE_CHANGED) { pallet entry why } } \
                 runtimeDiff(from: 119, to: 143) { part name change what } \
                 same: runtimeDiff(from: 119, to: 119) { name } \
                 none: runtimeDiff(from: 119, to: 120) { name } }";
    let body = serde_json::json!({ "query": query }).to_string();
    let (status, body) = crate::served::http(&served.address, "POST", "/graphql", &body);
    assert_eq!(status, 200, "{body}");
    let data: serde_json::Value = serde_json::from_str(&body).unwrap();
    let data = &data["data"];
    let specs: Vec<_> = data["runtimes"].as_array().unwrap().iter().collect();
    assert_eq!(specs.len(), 3);
    assert_eq!(specs[1]["manifest"], serde_json::json!([]));
    let changed = specs[2]["manifest"].as_array().unwrap();
    let loaded = serde_json::json!({
        "pallet": "SubtensorModule",
        "entry": "LoadedEmission",
        "why": "its value has another shape",
    });
    assert!(changed.contains(&loaded), "{changed:?}");
    let lines = data["runtimeDiff"].as_array().unwrap();
    let tally = |part: &str| lines.iter().filter(|line| line["part"] == part).count();
    let parts = ["CALL", "EVENT", "STORAGE", "CONSTANT"].map(tally);
    assert_eq!(parts, [142, 106, 47, 31]);
    assert_eq!(data["same"], serde_json::json!([]));
    assert_eq!(data["none"], serde_json::Value::Null);
}
