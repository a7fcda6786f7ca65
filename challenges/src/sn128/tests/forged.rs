use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::commitment::{BadSignature, Key, PUBLISHED_KEY, verify as verify_signature};
use super::super::gpu::TOLERANCE;
use super::super::merkle::{Proof as Way, leads};
use super::super::verify::{Reason, Request, Strict, Unfit, Verdict, of_json, verify};
use super::super::wire::{CPU, Commitment, Kind, Targets};
use super::simulated::{Played, key, play, sign, signing};

const GPUS: [&str; 2] = ["GPU-a", "GPU-b"];

#[test]
fn honest_answers_are_accepted() {
    let cpu = play(Kind::CpuMatrix, &[CPU]).verdict();
    assert!(cpu.verified && cpu.accepted, "{cpu:?}");
    assert_eq!(cpu.success_count, 1);
    let gpu = play(Kind::GpuMatrix, &GPUS).verdict();
    assert!(gpu.accepted, "{gpu:?}");
    assert_eq!(gpu.success_count, 2);
}

fn reason(kind: Kind, forge: impl FnOnce(&mut Played)) -> Reason {
    let unit = if kind == Kind::CpuMatrix {
        CPU
    } else {
        GPUS[0]
    };
    let mut played = play(kind, &[unit]);
    forge(&mut played);
    let verdict = played.verdict();
    assert!(!verdict.verified && !verdict.accepted && verdict.success_count == 0);
    let mut reasons = verdict.units.into_iter().flat_map(|unit| unit.reasons);
    reasons.next().unwrap()
}

#[test]
fn each_forgery_has_its_reason() {
    for kind in [Kind::CpuMatrix, Kind::GpuMatrix] {
        let of = |forge: fn(&mut Played)| reason(kind, forge);
        assert!(matches!(
            of(|p| p.proofs[0].row_hashes[0] = "0".repeat(16)),
            Reason::Hash { .. }
        ));
        assert!(matches!(
            of(|p| p.proofs[0].row_hashes.clear()),
            Reason::Rows { hashes: 0, .. }
        ));
        assert!(matches!(
            of(|p| p.proofs[0].merkle_proofs.truncate(0)),
            Reason::Rows { ways: 0, .. }
        ));
        assert!(matches!(
            of(|p| p.proofs[0].merkle_proofs[0].leaf_index += 1),
            Reason::Leaf { .. }
        ));
        assert!(matches!(
            of(|p| p.proofs[0].merkle_proofs[0].leaf_hash.push('0')),
            Reason::LeafHash { .. }
        ));
        assert!(matches!(
            of(|p| p.proofs[0].merkle_proofs[0].proof_hashes[2].push('0')),
            Reason::Root { .. }
        ));
        assert!(matches!(
            of(|p| p.commitment.commitments[0].merkle_root = "00".repeat(32)),
            Reason::Root { .. }
        ));
        assert_eq!(of(|p| p.proofs.clear()), Reason::NotProven);
        assert_eq!(of(|p| p.proofs.push(p.proofs[0].clone())), Reason::Twice);
        assert_eq!(
            of(|p| p.commitment.commitments.clear()),
            Reason::NotCommitted
        );
        // Another seed: another matrix.
        assert!(matches!(
            of(|p| p.task.seed = "ff".repeat(16)),
            Reason::Hash { .. } | Reason::Coordinates { .. }
        ));
        let other = |p: &mut Played| {
            p.task.challenge_type = match p.task.challenge_type {
                Kind::CpuMatrix => Kind::GpuMatrix,
                Kind::GpuMatrix => Kind::CpuMatrix,
            };
        };
        assert_eq!(of(other), Reason::Kind);
    }
    assert_eq!(
        reason(Kind::CpuMatrix, |p| p.targets.rows.clear()),
        Reason::NoTargets
    );
}

#[test]
fn each_forged_value_has_its_reason() {
    let of = |forge: fn(&mut Played)| reason(Kind::GpuMatrix, forge);
    let singles = |p: &mut Played| {
        let n = p.targets.coordinates.len();
        p.proofs[0].coordinate_values[..n]
            .iter_mut()
            .for_each(|value| *value += 1.0);
    };
    assert!(matches!(of(singles), Reason::Coordinates { right: 0, .. }));
    let looked_at = |p: &mut Played| {
        let at = p.targets.coordinates.len() + p.columns[0] as usize;
        p.proofs[0].coordinate_values[at] += 1.0;
    };
    assert!(matches!(
        of(looked_at),
        Reason::Sample {
            right: 0,
            of: 1,
            ..
        }
    ));
    // A value that nobody looks at is still under the hash, in 16 bits.
    let unseen = |p: &mut Played| {
        let at = p.targets.coordinates.len() + (p.columns[0] as usize + 1) % 100;
        p.proofs[0].coordinate_values[at] += 1.0;
    };
    assert!(matches!(of(unseen), Reason::Hash { .. }));
    let great = |p: &mut Played| {
        let at = p.targets.coordinates.len() + (p.columns[0] as usize + 1) % 100;
        p.proofs[0].coordinate_values[at] = 1e9;
    };
    assert!(matches!(of(great), Reason::Half { .. }));
    let short = |p: &mut Played| p.proofs[0].coordinate_values.truncate(50);
    assert!(matches!(of(short), Reason::Values { given: 50, .. }));
}

#[test]
fn what_the_rules_let_pass_is_told_apart() {
    // One single value of about 25 may be wrong.
    let mut played = play(Kind::GpuMatrix, &GPUS);
    played.proofs[0].coordinate_values[0] += 1.0;
    played.proofs[0].coordinate_values.push(0.0);
    let verdict = played.verdict();
    assert!(verdict.verified && !verdict.accepted);
    assert!(matches!(verdict.strict[0], Strict::Wrong { wrong: 1, .. }));
    assert!(matches!(verdict.strict[1], Strict::Surplus { .. }));

    // One GPU of two is enough.
    played.proofs[0].coordinate_values.clear();
    let verdict = played.verdict();
    assert_eq!((verdict.verified, verdict.success_count), (true, 1));
    assert_eq!(verdict.strict, [Strict::Some { verified: 1, of: 2 }]);

    // Nothing is looked at: any answer passes.
    let mut free = play(Kind::GpuMatrix, &GPUS[..1]);
    free.targets = Targets::default();
    free.proofs[0] = super::super::wire::Proof {
        uuid: GPUS[0].into(),
        ..Default::default()
    };
    let verdict = free.verdict();
    assert!(verdict.verified && !verdict.accepted);
    assert_eq!(verdict.strict, [Strict::NoTargets]);

    // Two GPUs, one root.
    let mut same = play(Kind::GpuMatrix, &GPUS);
    let root = same.commitment.commitments[0].merkle_root.clone();
    same.commitment.commitments[1].merkle_root = root;
    assert!(
        same.verdict()
            .strict
            .iter()
            .any(|s| matches!(s, Strict::SameRoot { .. }))
    );
}

/// A miner whose tree has the rows in another order: hash and root are right, the way is
/// that of another leaf.
#[test]
fn a_tree_in_another_order_is_told_apart() {
    let mut played = play(Kind::CpuMatrix, &[CPU]);
    let seed = super::super::cpu::Seed::from_hex(&played.task.seed).unwrap();
    let mut leaves = super::super::cpu::hashes(seed, 100, 1);
    leaves.rotate_left(1);
    let root = super::super::merkle::root(&leaves).unwrap();
    let places: Vec<u32> = played
        .targets
        .rows
        .iter()
        .map(|row| (row + 99) % 100)
        .collect();
    let ways = super::super::merkle::proofs(&leaves, &places).unwrap();
    let claimed = ways.into_iter().zip(&played.targets.rows);
    let ways: Vec<Way> = claimed
        .map(|(way, row)| Way {
            leaf_index: *row,
            ..way
        })
        .collect();
    assert!(ways.iter().all(|way| leads(way, &root)));
    played.proofs[0].merkle_proofs = ways;
    played.commitment.commitments[0].merkle_root = root;
    let verdict = played.verdict();
    assert!(verdict.verified && !verdict.accepted);
    assert_eq!(verdict.strict.len(), played.targets.rows.len());
    assert!(
        verdict
            .strict
            .iter()
            .all(|found| matches!(found, Strict::Way { .. }))
    );
}

#[test]
fn a_request_that_cannot_be_judged() {
    let refused = |change: fn(&mut Played)| {
        let mut played = play(Kind::GpuMatrix, &GPUS[..1]);
        change(&mut played);
        verify(&Request {
            task: &played.task,
            targets: &played.targets,
            commitments: &played.roots(),
            proofs: &played.proofs,
            columns: &played.columns,
            tolerance: TOLERANCE,
        })
        .unwrap_err()
    };
    assert!(matches!(refused(|p| p.task.seed.clear()), Unfit::Seed(_)));
    assert!(matches!(
        refused(|p| p.task.matrix_size = 99),
        Unfit::Size { .. }
    ));
    assert!(matches!(
        refused(|p| p.task.matrix_size = u32::MAX),
        Unfit::Size { .. }
    ));
    assert_eq!(refused(|p| p.task.iterations = 0), Unfit::Iterations);
    assert!(matches!(
        refused(|p| p.targets.rows.push(100)),
        Unfit::Outside { row: 100, .. }
    ));
    assert!(matches!(
        refused(|p| p.columns.push(100)),
        Unfit::Outside { column: 100, .. }
    ));
    assert_eq!(refused(|p| p.columns.clear()), Unfit::Columns);
    assert!(matches!(
        refused(|p| p.targets.rows = vec![0; 101]),
        Unfit::Rows {
            rows: 101,
            size: 100
        }
    ));
    let heavy = |p: &mut Played| {
        p.task.challenge_type = Kind::CpuMatrix;
        p.task.iterations = u32::MAX;
    };
    assert!(matches!(refused(heavy), Unfit::Work { .. }));
}

#[test]
fn signatures() {
    assert!(Key::from_hex(PUBLISHED_KEY).is_ok());
    assert!(PUBLISHED_KEY.starts_with("045db4dc") && PUBLISHED_KEY.ends_with("0b09afb"));
    assert!(Key::from_hex("04").is_err() && Key::from_hex("zz").is_err());
    let good = play(Kind::GpuMatrix, &GPUS[..1])
        .commitment
        .commitments
        .remove(0);
    let seed = "00112233445566778899aabbccddeeff";
    assert_eq!(verify_signature(&key(), seed, &good), Ok(()));
    let message = format!("0x1|{seed}|{}|{}", good.uuid, good.merkle_root);
    let with = |text: String| Commitment {
        sig_val: Some(text),
        ..good.clone()
    };
    let base64 = with(STANDARD.encode(sign(&message).to_bytes()));
    assert_eq!(verify_signature(&key(), seed, &base64), Ok(()));
    for (commitment, wanted) in [
        (with(String::new()), BadSignature::Missing),
        (
            Commitment {
                sig_val: None,
                ..good.clone()
            },
            BadSignature::Missing,
        ),
        (
            Commitment {
                sig_ver: 0,
                ..good.clone()
            },
            BadSignature::Version(0),
        ),
        (with("?".into()), BadSignature::Encoding),
        (with("00".repeat(63)), BadSignature::Length(63)),
        (with("00".repeat(64)), BadSignature::Zeros),
        (with("ff".repeat(64)), BadSignature::Wrong),
        (
            Commitment {
                uuid: "GPU-x".into(),
                ..good.clone()
            },
            BadSignature::Wrong,
        ),
        (
            Commitment {
                merkle_root: "00".into(),
                ..good.clone()
            },
            BadSignature::Wrong,
        ),
    ] {
        assert_eq!(verify_signature(&key(), seed, &commitment), Err(wanted));
    }
    assert_eq!(
        verify_signature(&key(), "00", &good),
        Err(BadSignature::Wrong)
    );
    let published = Key::from_hex(PUBLISHED_KEY).unwrap();
    assert_eq!(
        verify_signature(&published, seed, &good),
        Err(BadSignature::Wrong)
    );
}

fn payload(played: &Played) -> Value {
    let point = signing().verifying_key().to_encoded_point(false);
    json!({
        "task": played.task,
        "targets": played.targets,
        "commitments": played.commitment.commitments,
        "proofs": played.proofs,
        "columns": played.columns,
        "public_key": hex::encode(point.as_bytes()),
    })
}

fn judged(payload: &Value) -> Verdict {
    of_json(payload, &mut rand::rng()).unwrap()
}

#[test]
fn payloads_of_json() {
    let played = play(Kind::GpuMatrix, &GPUS);
    let good = payload(&played);
    assert!(judged(&good).accepted);

    let mut unsigned = good.clone();
    unsigned["public_key"] = Value::Null;
    let verdict = judged(&unsigned);
    assert!(verdict.verified && !verdict.accepted);
    assert_eq!(verdict.strict.len(), 2);
    assert!(matches!(verdict.strict[0], Strict::NotSigned(_)));

    let mut forged = good.clone();
    forged["commitments"][0]["sig_val"] = json!("00".repeat(64));
    let verdict = judged(&forged);
    assert!(!verdict.verified && verdict.success_count == 1);
    let told = serde_json::to_value(&verdict).unwrap();
    assert_eq!(
        told["units"][0]["reasons"],
        json!(["the signature is all zeros"])
    );

    for (change, wanted) in [
        (("task", json!(null)), "task: is missing; give it"),
        (("more", json!(1)), "more: is not known here"),
        (("targets", json!([[1]])), "targets: "),
        (("targets", json!([[-1, null]])), "targets: "),
        (
            ("tolerance", json!({ "threshold": 2 })),
            "tolerance.threshold: is 2; give a number from 0 to 1",
        ),
        (
            ("public_key", json!("00")),
            "public_key: the public key is no point",
        ),
        (
            ("columns", json!([100])),
            "task: row 0 or column 100 is outside",
        ),
        (
            (
                "proofs",
                json!([{ "uuid": "x", "coordinate_values": ["1"] }]),
            ),
            "proofs: ",
        ),
    ] {
        let mut wrong = good.clone();
        wrong[change.0] = change.1;
        let found = of_json(&wrong, &mut rand::rng()).unwrap_err().to_string();
        assert!(found.starts_with(wanted), "{found}");
    }
    let mut twice = good.clone();
    twice["commitments"][1]["uuid"] = json!("GPU-a");
    assert!(of_json(&twice, &mut rand::rng()).is_err());
}

/// Replaces one digit of one text somewhere below.
fn forge(value: &mut Value, at: &prop::sample::Index, place: &prop::sample::Index) {
    fn texts<'a>(value: &'a mut Value, found: &mut Vec<&'a mut String>) {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(items) => items.iter_mut().for_each(|item| texts(item, found)),
            Value::Object(members) => members.values_mut().for_each(|item| texts(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    texts(value, &mut found);
    let index = at.index(found.len());
    let text = &mut found[index];
    let place = place.index(text.len());
    let other = if &text[place..=place] == "0" {
        "1"
    } else {
        "0"
    };
    text.replace_range(place..=place, other);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_payload_forged_in_any_digit_is_refused(
        part in prop::sample::select(vec!["commitments", "proofs"]),
        at: prop::sample::Index, place: prop::sample::Index,
    ) {
        let mut forged = payload(&play(Kind::GpuMatrix, &GPUS[..1]));
        forge(&mut forged[part], &at, &place);
        prop_assert!(!judged(&forged).verified);
    }

    #[test]
    fn a_payload_of_a_cpu_forged_in_any_digit_is_refused(
        part in prop::sample::select(vec!["commitments", "proofs"]),
        at: prop::sample::Index, place: prop::sample::Index,
    ) {
        let mut forged = payload(&play(Kind::CpuMatrix, &[CPU]));
        forge(&mut forged[part], &at, &place);
        prop_assert!(!judged(&forged).verified);
    }
}
