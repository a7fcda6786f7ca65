use super::*;

#[test]
fn what_is_told_besides() {
    let made = made();
    let synthetics = [
        Synthetic {
            id: 1,
            parent: None,
            at: date::parse("2025-10-15T10:00:00").unwrap(),
            hotkey: Some(key(2)),
        },
        Synthetic {
            id: 2,
            parent: None,
            at: date::parse("2025-10-15T10:10:00").unwrap(),
            hotkey: Some(key(3)),
        },
        Synthetic {
            id: 77,
            parent: None,
            at: date::parse("2025-10-15T10:30:00").unwrap(),
            hotkey: None,
        },
        Synthetic {
            id: 78,
            parent: None,
            at: date::parse("2025-10-15T12:00:00").unwrap(),
            hotkey: None,
        },
        Synthetic {
            id: 79,
            parent: None,
            at: date::parse("2025-10-15T08:00:00").unwrap(),
            hotkey: None,
        },
    ];
    let found = made.try_run(Rules::P3, Some(&synthetics)).unwrap();
    let verdicts: Vec<_> = found
        .synthetics
        .unwrap()
        .into_iter()
        .map(|row| row.verdict)
        .collect();
    use synthetics::Verdict as V;
    assert_eq!(
        verdicts,
        [
            V::Found,
            V::OtherHotkey { found: key(2) },
            V::Missing,
            V::TooNew,
            V::NoExport
        ]
    );

    let found = made.run(Rules::P2);
    // Without a store no commitment can be verified, and that is said.
    assert_eq!(found.reports.len(), 5);
    let words: Vec<_> = found
        .reports
        .iter()
        .map(|r| r.commitment.as_ref().map(|v| v.word()))
        .collect();
    assert_eq!(
        words,
        [
            Some("unverifiable"),
            Some("unverifiable"),
            Some("unverifiable"),
            Some("unverifiable"),
            None
        ]
    );
    assert_eq!(found.missing, [format!("audit/miner/{}/403.json", key(1))]);
    let refused: Vec<_> = found
        .reports
        .iter()
        .filter_map(|r| r.refused.as_deref())
        .collect();
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].contains("prometheus_metrics: must be a list"),
        "{}",
        refused[0]
    );
    assert!(found.exports.iter().all(|e| e.verdict == "verified"));
    let of = |hotkey: &str| found.coverage.iter().find(|c| c.hotkey == hotkey).unwrap();
    assert_eq!((of(&key(9)).seconds, of(&key(9)).full), (7200.0, false));
    let agreed = &found.agreement[&key(2)];
    assert_eq!(
        (&agreed["verdict"], &agreed["ratio"]),
        (&json!("agree"), &json!(1.0))
    );
    assert_eq!(agreed["instances"]["warnings"], json!([]));
    assert_eq!(agreed["instances"]["both"], 1);
    // The same again, to the last bit; another profile is another input.
    assert_eq!(made.run(Rules::P2), found);
    assert_ne!(made.run(Rules::P3).inputs_hash, found.inputs_hash);
}

#[test]
fn what_breaks_integrity() {
    let made = made();
    let eleven = std::fs::read_to_string(made.path(ELEVEN)).unwrap();
    made.put(ELEVEN, &eleven.replace(",2.0,", ",2.5,"));
    let found = made.run(Rules::P3);
    assert_eq!(found.violations.len(), 1);
    assert!(
        found.violations[0].starts_with(&format!("{ELEVEN}: sha256 is ")),
        "{:?}",
        found.violations
    );
    assert_eq!(
        found
            .exports
            .iter()
            .filter(|e| e.verdict == "mismatch")
            .count(),
        1
    );
    std::fs::remove_file(made.path(ELEVEN)).unwrap();
    let found = made.run(Rules::P3);
    assert!(found.missing.contains(&ELEVEN.to_owned()) && found.violations.is_empty());
}

#[test]
fn hostile_folders_are_refused() {
    let report = format!("audit/validator/{}/100.json", key(9));
    let with = |path: &str, text: &str| {
        let made = made();
        made.put(path, text);
        made.try_run(Rules::P3, None).unwrap_err().to_string()
    };
    let hash = "00".repeat(32);
    let deep = "[".repeat(100_000);
    for (path, text, wanted) in [
        (folder::INDEX, "[]", "has no entries"),
        (folder::INDEX, "{}", "must be a list"),
        (folder::INDEX, &deep, "is not JSON"),
        (
            &report,
            "{\"csv_exports\": {\"invocations\": {\"path\": \"../../x.csv\", \"sha256\": \"00\"}}}",
            "must be 64 hex digits",
        ),
        (
            &report,
            &format!(
                "{{\"csv_exports\": {{\"invocations\": {{\"path\": \"../../x.csv\", \"sha256\": \"{hash}\"}}}}}}"
            ),
            "paths must stay under",
        ),
        (
            &report,
            "{\"instance_audit\": [{\"instance_id\": \"x\"}]}",
            "instance_audit[0].instance_id: must be a UUID",
        ),
        (
            &report,
            "{\"compute_history\": [{\"instance_id\": \"cf9ac153-66b8-5fc4-a7a7-7469c72d480e\", \"compute_multiplier\": -1}]}",
            "compute_history[0].compute_multiplier: must be a number",
        ),
        (ELEVEN, "a\"b", "11.csv, line 1: a quote stands inside"),
        (
            ELEVEN,
            &format!("{HEADER}x\n"),
            "11.csv, line 2: 1 columns, the first line has 16",
        ),
        (
            USERS,
            "invocation_id,confirmed_at\nx,\n",
            "12-reports.csv, line 2: invocation_id `x` is no UUID",
        ),
        (
            folder::GPUS,
            "[{\"chute_id\": 1}]",
            "[0].chute_id: must be a text",
        ),
        (
            folder::METAGRAPH,
            "[{\"hotkey\": \"a\"}, {\"hotkey\": \"a\"}]",
            "comes twice",
        ),
        (
            folder::METAGRAPH,
            "[{\"hotkey\": \"a\", \"incentive\": 65536}]",
            "[0].incentive: must be from 0 to 65535",
        ),
    ] {
        let error = with(path, text);
        assert!(error.contains(wanted), "{path}: {error}");
    }
    let none = tempfile::tempdir().unwrap();
    let error = Made { dir: none }
        .try_run(Rules::P3, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("index.json: there is no such file"),
        "{error}"
    );
}
