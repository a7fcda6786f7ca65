use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::super::commitment::BadSignature;
use super::super::create::{
    Around, CPU_SIZES, CreateError, SETTINGS, Settings, columns, targets, task,
};
use super::super::gpu::TOLERANCE;
use super::super::session::{Failure, Known, LIMITS, Limits, Refusal, Session, State, WrongStep};
use super::super::wire::{CPU, CommitReply, Kind, Proof, ProofData, Targets};
use super::simulated::{Played, key, play};

const GPUS: [&str; 2] = ["GPU-a", "GPU-b"];

fn sent(played: &Played) -> Session {
    let mut session = Session::new("c1", "5F", "w1", played.task.clone(), 1_000);
    session.send(2_000).unwrap();
    session
}

fn commit(session: &mut Session, played: &Played, now_ms: u64) -> Result<CommitReply, Refusal> {
    let (inventory, key) = (played.inventory(), key());
    let known = Known {
        inventory: &inventory,
        key: &key,
    };
    session.commit(
        &played.commitment,
        "5F",
        known,
        played.targets.clone(),
        &LIMITS,
        now_ms,
    )
}

fn proofs(played: &Played) -> ProofData {
    ProofData {
        challenge_id: "c1".into(),
        proofs: played.proofs.clone(),
        debug_info: None,
    }
}

#[test]
fn both_phases_of_both_kinds() {
    for (kind, units) in [(Kind::CpuMatrix, &[CPU][..]), (Kind::GpuMatrix, &GPUS[..])] {
        let played = play(kind, units);
        let mut session = sent(&played);
        let CommitReply::Asked { proof_requests } = commit(&mut session, &played, 3_500).unwrap()
        else {
            panic!("nothing was asked");
        };
        assert_eq!(proof_requests.len(), units.len());
        assert_eq!(proof_requests[0].rows, played.targets.rows);
        assert_eq!(session.computation_ms(), Some(1_500));
        let reply = session
            .prove(&proofs(&played), "5F", &LIMITS, 9_000)
            .unwrap();
        assert_eq!(
            serde_json::to_value(&reply).unwrap(),
            json!({ "challenge_status": "queued", "challenge_id": "c1" })
        );
        // The proof's time does not touch the time that is scored.
        assert_eq!(session.computation_ms(), Some(1_500));
        session.settle(&played.verdict(), 10_000).unwrap();
        assert_eq!(session.state, State::Verified);
        assert_eq!(session.success_count as usize, units.len());
        let again = session.settle(&played.verdict(), 10_001).unwrap_err();
        assert_eq!(
            again,
            WrongStep {
                from: State::Verified,
                to: State::Verified
            }
        );
    }
}

#[test]
fn refusals_of_the_first_phase() {
    let played = play(Kind::GpuMatrix, &GPUS);
    let refused = |change: &dyn Fn(&mut Played), peer: &str, failed: bool| {
        let mut session = sent(&played);
        let mut changed = played.clone();
        change(&mut changed);
        let (inventory, key) = (played.inventory(), key());
        let known = Known {
            inventory: &inventory,
            key: &key,
        };
        let refusal = session
            .commit(
                &changed.commitment,
                peer,
                known,
                changed.targets,
                &LIMITS,
                3_000,
            )
            .unwrap_err();
        let state = if failed { State::Failed } else { State::Sent };
        assert_eq!(session.state, state, "{refusal}");
        assert_eq!(refusal.fails(), failed);
        assert_eq!(
            session.failure,
            failed.then(|| Failure::Refused(refusal.clone()))
        );
        refusal
    };
    let first = |change: &dyn Fn(&mut Played), failed| refused(change, "5F", failed);
    assert_eq!(
        first(&|p| p.commitment.challenge_id.clear(), false),
        Refusal::Missing("challenge_id")
    );
    assert_eq!(
        first(&|p| p.commitment.worker_id.clear(), false),
        Refusal::Missing("worker_id")
    );
    assert_eq!(
        first(&|p| p.commitment.commitments.clear(), false),
        Refusal::Missing("commitments")
    );
    assert_eq!(
        refused(&|_| {}, "5G", false),
        Refusal::NotFound("c1".into())
    );
    assert_eq!(
        first(&|p| p.commitment.challenge_id = "c2".into(), false),
        Refusal::NotFound("c2".into())
    );
    assert!(matches!(
        first(&|p| p.commitment.worker_id = "w2".into(), false),
        Refusal::Worker { .. }
    ));
    assert_eq!(
        first(&|p| p.targets = Targets::default(), false),
        Refusal::NoTargets
    );
    let twice = |p: &mut Played| p.commitment.commitments[1] = p.commitment.commitments[0].clone();
    assert_eq!(first(&twice, false), Refusal::Twice("GPU-a".into()));
    let unsigned = |p: &mut Played| p.commitment.commitments[0].sig_val = None;
    assert_eq!(first(&unsigned, false), Refusal::NotSigned("GPU-a".into()));
    let cpu = |p: &mut Played| p.commitment.commitments[0].uuid = CPU.into();
    assert_eq!(first(&cpu, true), Refusal::CpuForGpu);
    let foreign = |p: &mut Played| p.commitment.commitments[0].uuid = "GPU-x".into();
    assert_eq!(
        first(&foreign, true),
        Refusal::NotInInventory("GPU-x".into())
    );
    let forged = |p: &mut Played| p.commitment.commitments[1].merkle_root = "00".repeat(32);
    let refusal = first(&forged, true);
    assert_eq!(
        refusal,
        Refusal::Signature {
            uuid: "GPU-b".into(),
            why: BadSignature::Wrong
        }
    );
    assert_eq!(
        refusal.wire(),
        json!({ "error": "GPU-b: the signature is not that of the key over this seed, GPU and root" })
    );

    let cpu = play(Kind::CpuMatrix, &[CPU]);
    let mut wrong = cpu.clone();
    wrong.commitment.commitments[0].uuid = "GPU-a".into();
    assert!(matches!(
        commit(&mut sent(&cpu), &wrong, 3_000),
        Err(Refusal::Structure { .. })
    ));
    let mut wrong = cpu.clone();
    wrong.commitment.commitments[0].merkle_root = "not a root".into();
    assert_eq!(
        commit(&mut sent(&cpu), &wrong, 3_000),
        Err(Refusal::Root(CPU.into()))
    );
}

#[test]
fn refusals_of_the_second_phase() {
    let played = play(Kind::GpuMatrix, &GPUS);
    let mut session = sent(&played);
    let early = session
        .prove(&proofs(&played), "5F", &LIMITS, 2_500)
        .unwrap_err();
    assert_eq!(early, Refusal::NotCommitted("c1".into()));
    commit(&mut session, &played, 3_000).unwrap();
    assert_eq!(
        commit(&mut session, &played, 3_001),
        Err(Refusal::AlreadyProcessed("c1".into()))
    );
    let mut refused = |change: &dyn Fn(&mut ProofData)| {
        let mut data = proofs(&played);
        change(&mut data);
        session.prove(&data, "5F", &LIMITS, 4_000).unwrap_err()
    };
    assert_eq!(
        refused(&|d| d.challenge_id.clear()),
        Refusal::Missing("challenge_id")
    );
    assert_eq!(refused(&|d| d.proofs.clear()), Refusal::Missing("proofs"));
    assert_eq!(
        refused(&|d| d.proofs.truncate(1)),
        Refusal::MissingProofs(vec!["GPU-b".into()])
    );
    let more = |d: &mut ProofData| {
        d.proofs.push(Proof {
            uuid: "GPU-x".into(),
            ..Proof::default()
        });
    };
    assert_eq!(refused(&more), Refusal::ExtraProofs(vec!["GPU-x".into()]));
    assert_eq!(
        refused(&|d| d.proofs.push(d.proofs[0].clone())),
        Refusal::Twice("GPU-a".into())
    );
    for (change, what) in [
        (
            (|d| d.proofs[1].row_hashes.clear()) as fn(&mut ProofData),
            "row_hashes",
        ),
        (|d| d.proofs[1].merkle_proofs.clear(), "merkle_proofs"),
        (
            |d| d.proofs[1].coordinate_values.clear(),
            "coordinate_values",
        ),
    ] {
        assert_eq!(
            refused(&change),
            Refusal::Structure {
                uuid: "GPU-b".into(),
                what
            }
        );
    }
    // None of them has cost anything.
    assert_eq!(session.state, State::Committed);
    session
        .prove(&proofs(&played), "5F", &LIMITS, 5_000)
        .unwrap();
    let again = session
        .prove(&proofs(&played), "5F", &LIMITS, 5_001)
        .unwrap_err();
    assert_eq!(again, Refusal::NotCommitted("c1".into()));
    let mut wrong = played.clone();
    wrong
        .proofs
        .iter_mut()
        .for_each(|proof| proof.coordinate_values.clear());
    session.settle(&wrong.verdict(), 6_000).unwrap();
    assert_eq!(session.state, State::Failed);
    assert!(
        session
            .failure
            .unwrap()
            .to_string()
            .contains("GPU-b: 0 values are given")
    );
}

#[test]
fn time_runs_out() {
    let played = play(Kind::CpuMatrix, &[CPU]);
    let mut session = sent(&played);
    assert!(!session.expire(&LIMITS, 62_000));
    assert!(session.expire(&LIMITS, 62_001));
    assert_eq!(session.failure, Some(Failure::Timeout(60_000)));
    assert!(!session.expire(&LIMITS, 99_000));
    assert!(session.send(0).is_err());

    let mut late = sent(&played);
    assert_eq!(
        commit(&mut late, &played, 62_001),
        Err(Refusal::Expired("c1".into()))
    );
    assert_eq!(late.state, State::Failed);

    for proven in [false, true] {
        let mut session = sent(&played);
        commit(&mut session, &played, 3_000).unwrap();
        if proven {
            session
                .prove(&proofs(&played), "5F", &LIMITS, 3_000)
                .unwrap();
        }
        assert!(!session.expire(&LIMITS, 3_603_000));
        assert!(session.expire(&LIMITS, 3_603_001));
        assert_eq!(session.failure, Some(Failure::Stale(3_600_000)));
    }
    let mut evicted = sent(&played);
    evicted
        .fail(Failure::Outside("too many proofs wait".into()), 3_000)
        .unwrap();
    assert!(evicted.fail(Failure::Timeout(1), 3_001).is_err());
}

#[test]
fn a_challenge_is_free_only_when_that_is_wanted() {
    let mut played = play(Kind::CpuMatrix, &[CPU]);
    played.targets = Targets::default();
    let mut session = sent(&played);
    let (inventory, key) = (BTreeSet::new(), key());
    let known = Known {
        inventory: &inventory,
        key: &key,
    };
    let free = Limits {
        free: true,
        ..LIMITS
    };
    let reply = session
        .commit(
            &played.commitment,
            "5F",
            known,
            Targets::default(),
            &free,
            3_000,
        )
        .unwrap();
    assert_eq!(
        serde_json::to_value(&reply).unwrap(),
        json!({ "auto_verified": true, "proof_requests": [] })
    );
    assert!(session.was_free && session.state == State::Verified);
}

#[test]
fn what_is_made_is_within_its_limits() {
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..50 {
        let cpu = task(Kind::CpuMatrix, &SETTINGS, &mut rng).unwrap();
        assert!((1800..=2200).contains(&cpu.matrix_size));
        let looked = targets(Kind::CpuMatrix, cpu.matrix_size, &SETTINGS, &mut rng).unwrap();
        assert!((25..=75).contains(&looked.rows.len()) && looked.coordinates.is_empty());
        assert!(looked.rows.is_sorted_by(|a, b| a < b));
        let gpu = task(Kind::GpuMatrix, &SETTINGS, &mut rng).unwrap();
        assert!((31_129..=34_406).contains(&gpu.matrix_size));
        assert_ne!(cpu.seed, gpu.seed);
        let looked = targets(Kind::GpuMatrix, gpu.matrix_size, &SETTINGS, &mut rng).unwrap();
        assert!((20..=30).contains(&looked.coordinates.len()));
        assert!((1..=3).contains(&looked.rows.len()));
        assert!(looked.coordinates.is_sorted_by(|a, b| a < b));
        assert_eq!(
            columns(&TOLERANCE, gpu.matrix_size, &mut rng).len(),
            (gpu.matrix_size / 1000) as usize
        );
    }
    let tiny = Settings {
        cpu_size: Around {
            base: 10,
            vary: 0.0,
        },
        ..SETTINGS
    };
    let clamped = task(Kind::CpuMatrix, &tiny, &mut rng).unwrap();
    assert_eq!(clamped.matrix_size, CPU_SIZES.0);
    let none = Around { base: 0, vary: 0.0 };
    let blind = Settings {
        gpu_coordinates: none,
        gpu_rows: none,
        ..SETTINGS
    };
    assert_eq!(
        targets(Kind::GpuMatrix, 100, &blind, &mut rng),
        Err(CreateError::Nothing)
    );
    let wild = Settings {
        cpu_rows: Around {
            base: 1,
            vary: f64::INFINITY,
        },
        ..SETTINGS
    };
    assert!(matches!(
        task(Kind::CpuMatrix, &wild, &mut rng),
        Err(CreateError::Vary(_))
    ));
    // A matrix with fewer rows than wanted: all of them.
    let few = targets(Kind::CpuMatrix, 3, &SETTINGS, &mut rng).unwrap();
    assert_eq!(few.rows, [0, 1, 2]);
}
