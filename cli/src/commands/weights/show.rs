//! Plans and verdicts as JSON and as text.

use std::fmt::Write;

use challenges::sn42::plan::Plan;
use challenges::sn42::readback::{Difference, ReadBack};
use scoring::local::sn42::chain::{Refusal, Route, Row};
use scoring::local::sn42::sdk::Path;
use serde_json::{Value, json};

use super::Source;

fn row_json(row: &Row) -> Value {
    json!({"uids": row.uids, "values": row.values})
}

fn route(route: Route) -> &'static str {
    match route {
        Route::Direct => "direct",
        Route::Commit => "commit",
        Route::Reveal => "reveal",
    }
}

fn path(path: Path) -> &'static str {
    match path {
        Path::Uniform => "uniform",
        Path::Filled => "filled",
        Path::Kept => "kept",
    }
}

fn refusal_json(refusal: &Refusal) -> Value {
    json!({"error": refusal.name(), "reason": refusal.to_string()})
}

pub(super) fn plan_json(plan: &Plan, source: &Source) -> Value {
    let weight = |(uid, weight): &(u16, f64)| json!({"uid": uid, "weight": weight});
    let state = &plan.described.state;
    json!({
        "netuid": plan.whose.netuid.0,
        "mechanism": plan.whose.mechanism.0,
        "hotkey": plan.whose.hotkey,
        "uid": state.uid,
        "block": plan.block,
        "specVersion": plan.spec,
        "profile": source.profile,
        "inputsHash": source.inputs_hash,
        "leftOut": source.left_out,
        "path": path(plan.path),
        "weights": plan.weights.iter().map(weight).collect::<Vec<_>>(),
        "route": route(plan.route),
        "versionKey": plan.version_key,
        "sent": row_json(&plan.sent),
        "stored": row_json(&plan.checked.stored),
        "refusals": plan.checked.refusals.iter().map(refusal_json).collect::<Vec<_>>(),
        "doubts": plan.described.doubts,
        "stake": state.stake,
        "stakeAt": plan.described.stake_at,
        "stakeThreshold": state.stake_threshold,
    })
}

pub(super) fn plan_text(plan: &Plan, source: &Source) -> String {
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{args}");
    };
    let state = &plan.described.state;
    let uid = state
        .uid
        .map_or_else(|| "no uid".to_owned(), |uid| format!("uid {uid}"));
    line(format_args!(
        "subnet {} mechanism {}, hotkey {} ({uid}), block {}, spec {}",
        plan.whose.netuid, plan.whose.mechanism, plan.whose.hotkey, plan.block, plan.spec
    ));
    if let (Some(profile), Some(hash)) = (source.profile, &source.inputs_hash) {
        line(format_args!("scores by {profile} of inputs {hash}"));
    }
    for subject in &source.left_out {
        line(format_args!("left out: {subject} holds no uid there"));
    }
    match plan.path {
        Path::Uniform => line(format_args!(
            "the SDK gives all neurons the same: no score is above zero, or there are fewer neurons than weights wanted"
        )),
        Path::Filled => line(format_args!(
            "the SDK gives every neuron a little: fewer scores are above zero than weights wanted"
        )),
        Path::Kept => {}
    }
    line(format_args!(
        "{:>6} {:>12} {:>6} {:>6}",
        "uid", "weight", "sent", "stored"
    ));
    for (at, uid) in plan.sent.uids.iter().enumerate() {
        let weight = plan.weights.iter().find(|(of, _)| of == uid);
        line(format_args!(
            "{uid:>6} {:>12.9} {:>6} {:>6}",
            weight.map_or(0.0, |(_, weight)| *weight),
            plan.sent.values.get(at).copied().unwrap_or(0),
            plan.checked.stored.values.get(at).copied().unwrap_or(0),
        ));
    }
    let how = match plan.route {
        Route::Commit => "by a commit of its hash, and a reveal later",
        _ => "directly",
    };
    line(format_args!(
        "goes {how}, with version key {}",
        plan.version_key
    ));
    for doubt in &plan.described.doubts {
        line(format_args!("not known: {doubt}"));
    }
    if plan.checked.refusals.is_empty() {
        line(format_args!("the chain would take it"));
    }
    for refusal in &plan.checked.refusals {
        line(format_args!("refused with {}: {refusal}", refusal.name()));
    }
    text
}

fn difference(found: &ReadBack) -> Value {
    match found.difference {
        None => Value::Null,
        Some(Difference::Quantisation) => json!({"kind": "quantisation"}),
        Some(Difference::Real(uids)) => json!({"kind": "real", "uids": uids}),
    }
}

pub(super) fn readback_json(found: &ReadBack) -> Value {
    let evidence = &found.evidence;
    let set = evidence.set.as_ref().map(|set| {
        json!({
            "block": set.block,
            "kind": format!("{:?}", set.row.kind),
            "extrinsic": set.row.extrinsic,
            "event": "SubtensorModule.WeightsSet",
            "versionKey": set.row.version_key,
            "commit": set.commit.map(|id| format!("{}-{}", id.block, id.index)),
        })
    });
    let commit = evidence.commit.as_ref().map(|commit| {
        json!({
            "block": commit.block,
            "place": commit.place,
            "extrinsic": commit.extrinsic,
            "kind": format!("{:?}", commit.kind),
            "state": format!("{:?}", commit.state),
            "since": commit.since,
            "revealedAt": commit.revealed_at,
            "reason": commit.reason,
        })
    });
    json!({
        "uid": found.uid.0,
        "hotkey": found.hotkey,
        "verdict": found.verdict.name(),
        "reason": found.reason,
        "difference": difference(found),
        "evidence": {
            "block": evidence.block,
            "tempo": evidence.tempo,
            "lastUpdate": evidence.last_update,
            "commitReveal": evidence.commit_reveal,
            "row": evidence.row.as_ref().map(row_json),
            "rowSince": evidence.row_since,
            "set": set,
            "commit": commit,
        },
    })
}

pub(super) fn readback_text(found: &ReadBack) -> String {
    format!(
        "uid {:>5} {}  {:<16} {}\n",
        found.uid.0,
        found.hotkey,
        found.verdict.name(),
        found.reason
    )
}
