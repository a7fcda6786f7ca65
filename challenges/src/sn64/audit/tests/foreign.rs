//! What others put under the folder.

use super::*;

const DAY: &str = "2025-10-15T";

fn refused<'a>(found: &'a Audit, path: &str) -> Option<&'a str> {
    let row = found.reports.iter().find(|row| row.path == path);
    row.and_then(|row| row.refused.as_deref())
}

#[test]
fn only_named_validators_count() {
    let made = made();
    let before = made.by(&[AccountId([9; 32])], Rules::P3, None).unwrap();
    let wanted = "validators were not checked";
    assert!(!before.notes.iter().any(|note| note.starts_with(wanted)));

    // A stranger gives itself an instance of ten thousand units a second, and ends later.
    let forged = json!({"instance_audit": [{
        "instance_id": id(900), "chute_id": id(1), "miner_hotkey": key(7), "compute_multiplier": 10000.0,
        "created_at": "2025-10-15T01:00:00", "activated_at": "2025-10-15T01:00:00",
    }]});
    let path = format!("audit/validator/{}/500.json", key(7));
    made.put(&path, &forged.to_string());
    made.enter(
        7,
        500,
        &path,
        &format!("{DAY}11:30:00"),
        &format!("{DAY}13:00:00"),
    );

    // Without a word about validators it counts, and that is told.
    let open = made.run(Rules::P3);
    assert!(row(&open, 7).share > 0.99);
    assert!(open.notes.iter().any(|note| note.starts_with(wanted)));

    let found = made.by(&[AccountId([9; 32])], Rules::P3, None).unwrap();
    assert_eq!(row(&found, 7).share, 0.0);
    assert_eq!(found.miners, before.miners);
    assert_eq!(
        (&found.now, &found.inputs_hash),
        (&before.now, &before.inputs_hash)
    );
    assert_eq!(found.coverage, before.coverage);
    let why = refused(&found, &path).unwrap();
    assert!(why.contains("not among the validators"), "{why}");

    // Nor can it end the audit.
    made.put(&path, "[[[");
    assert!(made.try_run(Rules::P3, None).is_err());
    let found = made.by(&[AccountId([9; 32])], Rules::P3, None).unwrap();
    assert_eq!(found.miners, before.miners);

    // When nobody who was named has a report, miners' reports are all that is left.
    let found = made.by(&[AccountId([8; 32])], Rules::P3, None).unwrap();
    assert!(found.exports.is_empty());
    let left_out = |row: &&ReportRow| row.whose == Whose::Validator && row.refused.is_some();
    assert_eq!(found.reports.iter().filter(left_out).count(), 3);
}

#[test]
fn a_path_is_of_its_own_hotkey_and_block() {
    let made = made();
    let before = made.run(Rules::P3);
    let nine = format!("audit/validator/{}", key(9));
    let paths = [
        // The validator's report, entered by a stranger.
        format!("{nine}/400.json"),
        format!("audit/validator/{}/601.json", key(7)),
        format!("audit/validator/{}/600.json/x", key(7)),
        format!("audit/other/{}/600.json", key(7)),
        "../600.json".to_owned(),
    ];
    for path in &paths {
        let text = std::fs::read_to_string(made.path(folder::INDEX)).unwrap();
        made.enter(
            7,
            600,
            path,
            &format!("{DAY}11:00:00"),
            &format!("{DAY}13:00:00"),
        );
        let found = made.run(Rules::P3);
        assert_eq!(found.reports, before.reports, "{path}");
        assert_eq!((&found.now, &found.miners), (&before.now, &before.miners));
        let told = |note: &&String| note.contains("[5].path: ") && note.contains("is left out");
        assert_eq!(found.notes.iter().filter(told).count(), 1, "{path}");
        made.put(folder::INDEX, &text);
    }
}

#[cfg(unix)]
#[test]
fn a_miners_file_ends_no_audit() {
    let made = made();
    let before = made.run(Rules::P3);
    let path = |n: u8, block: u32| format!("audit/miner/{}/{block}.json", key(n));
    let hour = (format!("{DAY}11:00:00"), format!("{DAY}12:00:00"));
    let large = path(4, 701);
    made.put(&large, "");
    std::fs::File::options()
        .write(true)
        .open(made.path(&large))
        .and_then(|file| file.set_len(super::super::super::report::MAX_BYTES + 1))
        .unwrap();
    made.enter(4, 701, &large, &hour.0, &hour.1);
    // A folder where a file is wanted.
    let folder = path(5, 702);
    made.put(&format!("{folder}/x"), "");
    made.enter(5, 702, &folder, &hour.0, &hour.1);
    let link = path(6, 703);
    let outside = tempfile::NamedTempFile::new().unwrap();
    made.put(&path(6, 1), "");
    std::os::unix::fs::symlink(outside.path(), made.path(&link)).unwrap();
    made.enter(6, 703, &link, &hour.0, &hour.1);
    let found = made.run(Rules::P3);
    assert_eq!(found.miners, before.miners);
    assert_eq!(found.missing, before.missing);
    for (path, words) in [
        (large, "is larger than"),
        (folder, "directory"),
        (link, "is a link to somewhere else"),
    ] {
        let why = refused(&found, &path).unwrap();
        assert!(why.contains(words), "{path}: {why}");
    }
}
