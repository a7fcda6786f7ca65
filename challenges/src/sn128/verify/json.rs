//! The verdict over a payload of JSON.

use std::collections::BTreeMap;

use rand::RngCore;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Reason, Request, Strict, Unit, Verdict, verify, verify_drawn};
use crate::fields::{Object, number, object, refuse, text};
use crate::profiles::InputError;
use crate::sn128::commitment::{self, Key};
use crate::sn128::gpu::{TOLERANCE, Tolerance};
use crate::sn128::wire::{CPU, Commitment, Proof, Targets, Task};

/// Judges a payload of JSON.
///
/// ```
/// use serde_json::json;
/// let payload = json!({
///     "task": {
///         "challenge_type": "cpu_matrix", "matrix_size": 100,
///         "seed": "00000001000000000000000000000000", "iterations": 1,
///     },
///     "targets": [[3, null], [17, null]],
///     "commitments": [{ "uuid": "-1", "merkle_root": "00" }],
///     "proofs": [{ "uuid": "-1", "row_hashes": [], "merkle_proofs": [] }],
///     // The key that GPUs sign with; without it signatures are not checked, and that is told.
///     "public_key": null,
///     // The secret columns of GPUs' rows; drawn when they are not given.
///     "columns": null,
///     // Any of absolute, relative, threshold, row_sample_rate.
///     "tolerance": { "threshold": 0.9 },
/// });
/// let verdict = challenges::sn128::verify::of_json(&payload, &mut rand::rng())?;
/// assert!(!verdict.verified);
/// assert_eq!(
///     verdict.units[0].reasons[0].to_string(),
///     "0 hashes and 0 ways are given for 2 rows"
/// );
/// # Ok::<(), challenges::profiles::InputError>(())
/// ```
///
/// # Errors
///
/// When the payload is not as above, or what it asks for cannot be judged; what is wrong
/// with the proofs is in the verdict.
pub fn of_json(payload: &Value, rng: &mut impl RngCore) -> Result<Verdict, InputError> {
    let payload = object(
        payload,
        "",
        &[
            "task",
            "targets",
            "commitments",
            "proofs",
            "public_key",
            "columns",
            "tolerance",
        ],
    )?;
    let task: Task = payload.must("task", read)?;
    let targets: Targets = payload.must("targets", read)?;
    let proofs: Vec<Proof> = payload.must("proofs", read)?;
    let columns: Option<Vec<u32>> = payload.maybe("columns", read)?;
    let given: Vec<Commitment> = payload.must("commitments", read)?;
    let key = payload.maybe("public_key", |value, at| {
        Key::from_hex(text(value, at)?).map_err(|why| refuse(at, why))
    })?;
    let mut commitments = BTreeMap::new();
    for (index, commitment) in given.iter().enumerate() {
        let before = commitments.insert(commitment.uuid.clone(), commitment.merkle_root.clone());
        if before.is_some() {
            let at = format!("commitments[{index}].uuid");
            return Err(refuse(at, "comes twice; give every commitment once"));
        }
    }
    let request = Request {
        task: &task,
        targets: &targets,
        commitments: &commitments,
        proofs: &proofs,
        columns: columns.as_deref().unwrap_or(&[]),
        tolerance: tolerance(&payload)?,
    };
    let verdict = match columns {
        Some(_) => verify(&request),
        None => verify_drawn(&request, rng),
    };
    let mut verdict = verdict.map_err(|why| refuse("task", why))?;
    for commitment in given.iter().filter(|commitment| commitment.uuid != CPU) {
        signed(&mut verdict, &task, commitment, key.as_ref());
    }
    Ok(verdict)
}

fn read<T: DeserializeOwned>(value: &Value, at: &str) -> Result<T, InputError> {
    T::deserialize(value).map_err(|why| refuse(at, why))
}

fn tolerance(payload: &Object<'_>) -> Result<Tolerance, InputError> {
    let mut tolerance = TOLERANCE;
    let known = ["absolute", "relative", "threshold", "row_sample_rate"];
    let Some(given) = payload.maybe("tolerance", |value, at| object(value, at, &known))? else {
        return Ok(tolerance);
    };
    let fields = [
        &mut tolerance.absolute,
        &mut tolerance.relative,
        &mut tolerance.threshold,
        &mut tolerance.row_sample_rate,
    ];
    for (name, field) in known.iter().zip(fields) {
        if let Some(share) = given.maybe(name, number)? {
            if !(0.0..=1.0).contains(&share) {
                return Err(given.refuse(name, format!("is {share}; give a number from 0 to 1")));
            }
            *field = share;
        }
    }
    Ok(tolerance)
}

/// Takes a unit's verification back when its signature is wrong.
fn signed(verdict: &mut Verdict, task: &Task, commitment: &Commitment, key: Option<&Key>) {
    let Some(key) = key else {
        verdict
            .strict
            .push(Strict::NotSigned(commitment.uuid.clone()));
        verdict.accepted = false;
        return;
    };
    let Err(why) = commitment::verify(key, &task.seed, commitment) else {
        return;
    };
    let is = |unit: &&mut Unit| unit.uuid == commitment.uuid;
    if let Some(unit) = verdict.units.iter_mut().find(is) {
        if unit.verified {
            verdict.success_count = verdict.success_count.saturating_sub(1);
        }
        unit.verified = false;
        unit.reasons.push(Reason::Signature(why));
    }
    // A commitment with a wrong signature fails the whole challenge in the first phase.
    verdict.verified = false;
    verdict.accepted = false;
}
