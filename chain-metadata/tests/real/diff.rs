//! Runtimes compared by shape.

use chain_metadata::{
    DiffKind, EntryComparer, Fingerprints, MetadataDiff, Part, Shape, metadata_diff,
};

use crate::support::metadata;

const KINDS: [DiffKind; 3] = [DiffKind::Added, DiffKind::Removed, DiffKind::Changed];
const PARTS: [Part; 4] = [Part::Call, Part::Event, Part::Storage, Part::Constant];

fn counts(diff: &MetadataDiff) -> [[usize; 3]; 4] {
    PARTS.map(|part| KINDS.map(|kind| diff.of(part, kind).count()))
}

fn line<'a>(diff: &'a MetadataDiff, part: Part, kind: DiffKind, name: &str) -> &'a str {
    let mut found = diff.of(part, kind);
    let found = found.find(|line| line.pallet == "SubtensorModule" && line.name == name);
    &found
        .unwrap_or_else(|| panic!("{name} is not {kind:?}"))
        .what
}

#[test]
fn versions_of_the_format_do_not_differ() {
    for (a, b) in [
        ("localdevnet_spec439_v14", "localdevnet_spec439_v15"),
        ("mini_spec300_v14", "mini_spec300_v15"),
        ("subtensor_spec315_v14", "subtensor_spec315_v15"),
        ("subtensor_spec393_v14", "subtensor_spec393_v15"),
        ("subtensor_spec393_v15", "subtensor_spec393_v16"),
    ] {
        let diff = metadata_diff(&metadata(a), &metadata(b));
        assert!(diff.is_empty(), "{a} and {b}: {:#?}", diff.lines);
    }
}

#[test]
fn upgrades_say_what_changed() {
    let [a, b, c] = ["103", "119", "143"].map(|s| metadata(&format!("upgrades_spec{s}_v14")));
    let first = metadata_diff(&a, &b);
    let second = metadata_diff(&b, &c);
    assert_eq!(counts(&first), [[0, 2, 3], [0; 3], [0; 3], [0, 0, 1]]);
    assert_eq!(
        counts(&second),
        [[88, 42, 12], [57, 9, 40], [37, 8, 2], [23, 7, 1]]
    );
    let version = first.of(Part::Constant, DiffKind::Changed).next().unwrap();
    assert_eq!((&*version.pallet, &*version.name), ("System", "Version"));
    assert!(
        version.what.contains("spec_version 103 → 119"),
        "{}",
        version.what
    );
    for (part, kind, name, what) in [
        (
            Part::Call,
            DiffKind::Removed,
            "create_network",
            "(netuid: u16, n: u16, tempo: u16)",
        ),
        (
            Part::Call,
            DiffKind::Changed,
            "benchmark_drain_emission",
            "index 51 → 49",
        ),
    ] {
        assert_eq!(line(&first, part, kind, name), what);
    }
    for (part, kind, name, what) in [
        (
            Part::Call,
            DiffKind::Changed,
            "add_stake",
            "pallet index 8 → 7",
        ),
        (
            Part::Event,
            DiffKind::Changed,
            "TxRateLimitSet",
            "pallet index 8 → 7; index 45 → 36",
        ),
        (
            Part::Event,
            DiffKind::Added,
            "SubnetLimitSet",
            "(field 0: u16)",
        ),
        (
            Part::Storage,
            DiffKind::Changed,
            "LoadedEmission",
            "value: [(account, u64)] → [(account, u64, u64)]",
        ),
        (
            Part::Storage,
            DiffKind::Changed,
            "WeightsSetRateLimit",
            "default \"0\" → \"100\"",
        ),
        (
            Part::Storage,
            DiffKind::Added,
            "SubnetOwner",
            "(Identity(u16)) → account",
        ),
        (
            Part::Storage,
            DiffKind::Removed,
            "NetworkConnect",
            "(Identity(u16), Identity(u16)) → u16, optional",
        ),
        (
            Part::Constant,
            DiffKind::Added,
            "InitialSubnetLimit",
            "u16 = 12",
        ),
    ] {
        assert_eq!(line(&second, part, kind, name), what);
    }
    // Backwards what was added is removed, and the same things change.
    for (there, back) in [
        (&first, metadata_diff(&b, &a)),
        (&second, metadata_diff(&c, &b)),
    ] {
        for part in PARTS {
            let names = |diff: &MetadataDiff, kind| -> Vec<(String, String)> {
                let lines = diff.of(part, kind);
                lines.map(|l| (l.pallet.clone(), l.name.clone())).collect()
            };
            assert_eq!(
                names(there, DiffKind::Added),
                names(&back, DiffKind::Removed)
            );
            assert_eq!(
                names(there, DiffKind::Removed),
                names(&back, DiffKind::Added)
            );
            assert_eq!(
                names(there, DiffKind::Changed),
                names(&back, DiffKind::Changed)
            );
        }
    }
}

#[test]
fn names_of_types_play_no_part() {
    let (old, new) = (
        metadata("subtensor_spec233_v15"),
        metadata("subtensor_spec424_v16"),
    );
    let mut wrappers = 0;
    let marks = Fingerprints::of(&new);
    for ty in 0..u32::try_from(new.types().len()).unwrap() {
        if let Shape::Newtype(inner) = new.types().declared(ty).unwrap().shape {
            assert_eq!(marks.get(ty), marks.get(inner));
            wrappers += 1;
        }
    }
    assert!(wrappers > 50, "{wrappers}");
    let fit = EntryComparer::new(&old, &new)
        .fit("SubtensorModule", "Tempo")
        .unwrap();
    assert!(fit.keys && fit.value);
    assert!(
        EntryComparer::new(&old, &new)
            .fit("SubtensorModule", "None")
            .is_none()
    );
    let marks = Fingerprints::of(&old);
    let value = |name| marks.get(old.storage("SubtensorModule", name).unwrap().value);
    assert_eq!(value("Tempo"), value("Kappa"));
    assert_ne!(value("Tempo"), value("Burn"));
    assert_eq!(marks.get(u32::MAX), chain_metadata::H256::ZERO);
}
