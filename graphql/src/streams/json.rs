//! What happened in a block, as it is shared among clients, and as JSON.
//!
//! Names, enumerations and numbers are written as in GraphQL: integers that may pass 32 bits are
//! decimal strings, bytes and hashes 0x-hex, accounts ss58 addresses, what is absent null.

use std::sync::Arc;

use chain_metadata::{AccountId, H256};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::filter::{
    commit_kind, commit_state, commit_step, record_kind, set_kind, stake_kind, verdict,
};
use super::hub::Hub;
use crate::ports::{
    Block, CallPlace, Commit, FieldVerdict, Happening, ReadError, Reader, ResultBody, ResultRecord,
    ResultReporter, StakeMovement, StakeSide, Topic, Verification, WeightsSet,
};

/// A block and what happened of one topic in it.
pub(crate) struct BlockItems {
    pub(crate) block: Block,
    pub(crate) happenings: Vec<Happening>,
    /// The same as JSON: while the block is not final, and after that.
    values: [OnceCell<Vec<Arc<Value>>>; 2],
}

impl BlockItems {
    pub(super) fn read(
        reader: &dyn Reader,
        topic: Topic,
        numbers: &[u32],
    ) -> Result<Vec<Self>, ReadError> {
        let blocks = reader.blocks(numbers)?;
        let happenings = reader.happenings(topic, numbers)?;
        let both = numbers.iter().zip(blocks).zip(happenings);
        both.map(|((number, block), happenings)| {
            Ok(Self {
                // It was there a moment ago.
                block: block.ok_or(ReadError::Dropped(*number))?,
                happenings,
                values: Default::default(),
            })
        })
        .collect()
    }

    /// One of the items as JSON. All of a block are made at once, for all clients.
    pub(super) async fn value(
        &self,
        hub: &Hub,
        finalized: bool,
        index: usize,
    ) -> Result<Arc<Value>, ReadError> {
        let [before, after] = &self.values;
        let cell = if finalized { after } else { before };
        let values = cell
            .get_or_try_init(|| async {
                let mut values = Vec::with_capacity(self.happenings.len());
                for happening in &self.happenings {
                    values.push(Arc::new(self.shown(hub, finalized, happening).await?));
                }
                Ok(values)
            })
            .await?;
        Ok(values.get(index).cloned().unwrap_or_default())
    }

    async fn shown(
        &self,
        hub: &Hub,
        finalized: bool,
        happening: &Happening,
    ) -> Result<Value, ReadError> {
        let block = &self.block;
        Ok(match happening {
            Happening::Block(block, epochs) => json!({
                "number": block.number,
                "hash": hash(block.hash),
                "parentHash": hash(block.parent_hash),
                "specVersion": block.spec_version,
                "timestampMs": block.timestamp_ms.map(|ms| ms.to_string()),
                "extrinsicCount": block.extrinsic_count,
                "eventCount": block.event_count,
                "epochs": epochs.iter().map(|netuid| netuid.0).collect::<Vec<_>>(),
            }),
            Happening::Epoch(epoch) => {
                let (number, netuid, mechanism) = (block.number, epoch.netuid, epoch.mechanism);
                // Only what is final is computed again.
                let found = if finalized {
                    hub.read("verification", move |reader| {
                        reader.verification(number, netuid, mechanism)
                    })
                    .await?
                } else {
                    None
                };
                json!({
                    "number": number,
                    "hash": hash(block.hash),
                    "specVersion": block.spec_version,
                    "netuid": netuid.0,
                    "mechanism": mechanism.0,
                    "epochIndex": epoch.index.map(|index| index.to_string()),
                    "verification": found.as_ref().map(verification),
                })
            }
            Happening::Weights(row) => json!({
                "number": block.number,
                "hash": hash(block.hash),
                "specVersion": block.spec_version,
                "netuid": row.netuid.0,
                "mechanism": row.mechanism.0,
                "uid": row.uid.0,
                "set": set(&row.set),
            }),
            Happening::Commit(told) => json!({
                "number": block.number,
                "hash": hash(block.hash),
                "specVersion": block.spec_version,
                "step": commit_step(told.step),
                "commit": commit(&told.commit),
            }),
            Happening::Stake(moved) => json!({
                "number": block.number,
                "hash": hash(block.hash),
                "specVersion": block.spec_version,
                "movement": movement(moved),
            }),
        })
    }
}

fn hash(hash: H256) -> String {
    hash.to_string()
}

fn account(account: Option<&AccountId>) -> Option<String> {
    account.map(ToString::to_string)
}

fn bytes(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn place(place: Option<&CallPlace>) -> Value {
    place.map_or(Value::Null, |place| {
        json!({
            "blockNumber": place.block,
            "extrinsicIndex": place.extrinsic,
            "path": place.path,
        })
    })
}

fn set(set: &WeightsSet) -> Value {
    json!({
        "kind": set_kind(set.kind),
        "hotkey": account(set.hotkey.as_ref()),
        "madeBy": place(set.made_by.as_ref()),
        "item": set.item,
        "versionKey": set.version_key.map(|key| key.to_string()),
        "commit": set.commit.map(|id| format!("{}-{}", id.block, id.index)),
    })
}

fn field_verdict(field: &FieldVerdict) -> Value {
    json!({
        "field": field.field,
        "stage": field.stage,
        "compared": field.compared,
        "differing": field.differing,
        "maxAbsDiff": field.max_abs_diff.to_string(),
        "firstUid": field.first_uid.map(|uid| uid.0),
    })
}

fn verification(record: &Verification) -> Value {
    json!({
        "verdict": verdict(record.verdict),
        "rules": record.rules,
        "what": record.what,
        "fields": record.fields.iter().map(field_verdict).collect::<Vec<_>>(),
        "firstDifference": record.first.as_ref().map(field_verdict),
        "inputsHash": record.inputs_hash.map(hash),
        "resultsHash": record.results_hash.map(hash),
    })
}

fn commit(commit: &Commit) -> Value {
    let states = commit
        .states
        .iter()
        .map(|(block, state)| json!({ "block": block, "state": commit_state(*state) }));
    let reveals = commit.reveals.iter().map(|reveal| {
        json!({
            "blockNumber": reveal.block,
            "madeBy": place(reveal.made_by.as_ref()),
            "verified": reveal.verified,
            "ambiguous": reveal.ambiguous,
            "revealed": reveal.revealed.iter().map(|b| bytes(b)).collect::<Vec<_>>(),
            "rowNetuid": reveal.row.as_ref().map(|row| row.netuid.0),
            "rowMechanism": reveal.row.as_ref().map(|row| row.mechanism.0),
            "rowUid": reveal.row.as_ref().map(|row| row.uid.0),
        })
    });
    let attempts = commit.attempts.iter().map(|attempt| {
        json!({
            "madeBy": place(Some(&attempt.made_by)),
            "error": attempt.error,
            "hashMatches": attempt.hash_matches,
        })
    });
    json!({
        "id": format!("{}-{}", commit.id.block, commit.id.index),
        "kind": commit_kind(commit.kind),
        "netuid": commit.netuid.0,
        "mechanism": commit.mechanism.0,
        "hotkey": commit.hotkey.to_string(),
        "uid": commit.uid.map(|uid| uid.0),
        "madeBy": place(commit.made_by.as_ref()),
        "hash": commit.hash.map(hash),
        "revealRound": commit.round.map(|round| round.to_string()),
        "epoch": commit.epoch.map(|epoch| epoch.to_string()),
        "fields": commit.fields,
        "state": commit_state(commit.state),
        "stateSince": commit.since,
        "reason": commit.reason,
        "inStorage": commit.held,
        "holder": commit.holder.to_string(),
        "states": states.collect::<Vec<_>>(),
        "reveals": reveals.collect::<Vec<_>>(),
        "attempts": attempts.collect::<Vec<_>>(),
    })
}

fn side(side: Option<&StakeSide>) -> Value {
    side.map_or(Value::Null, |side| {
        json!({
            "hotkey": account(side.hotkey.as_ref()),
            "coldkey": account(side.coldkey.as_ref()),
            "netuid": side.netuid.map(|netuid| netuid.0),
        })
    })
}

fn movement(moved: &StakeMovement) -> Value {
    json!({
        "id": format!("{}-{}", moved.id.block, moved.id.index),
        "eventIndex": moved.event,
        "kind": stake_kind(moved.kind),
        "from": side(moved.from.as_ref()),
        "to": side(moved.to.as_ref()),
        "tao": moved.tao.map(|rao| rao.to_string()),
        "alpha": moved.alpha.map(|alpha| alpha.to_string()),
        "fee": moved.fee.map(|rao| rao.to_string()),
        "madeBy": place(moved.made_by.as_ref()),
    })
}

/// A record of results.
pub(super) fn record(record: &ResultRecord) -> Value {
    let reporter = match &record.reporter {
        ResultReporter::Hotkey(hotkey, uid) => {
            json!({ "kind": "HOTKEY", "hotkey": hotkey.to_string(), "uid": uid.0, "name": null })
        }
        ResultReporter::File(name) => {
            json!({ "kind": "FILE", "hotkey": null, "uid": null, "name": name })
        }
        ResultReporter::Service(name) => {
            json!({ "kind": "SERVICE", "hotkey": null, "uid": null, "name": name })
        }
        ResultReporter::Computed => {
            json!({ "kind": "COMPUTED", "hotkey": null, "uid": null, "name": null })
        }
    };
    json!({
        "number": record.number.to_string(),
        "netuid": record.netuid.0,
        "challenge": record.challenge,
        "subject": record.subject,
        "reporter": reporter,
        "receivedMs": record.received_ms.to_string(),
        "checkedAt": record.checked_at,
        "signature": record.signature,
        "payload": record.payload,
        "kind": record_kind(&record.body),
        "record": body(&record.body),
    })
}

fn body(body: &ResultBody) -> Value {
    let ms = |ms: &u64| ms.to_string();
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    match body {
        ResultBody::Run {
            id,
            started_ms,
            ended_ms,
            success,
            error,
            details,
        } => {
            put("id", json!(id));
            put("startedMs", json!(ms(started_ms)));
            put("endedMs", json!(ended_ms.as_ref().map(ms)));
            put("success", json!(success));
            put("error", json!(error));
            put("details", details.clone());
        }
        ResultBody::Submission { id, at_ms, details } => {
            put("id", json!(id));
            put("atMs", json!(at_ms.as_ref().map(ms)));
            put("details", details.clone());
        }
        ResultBody::Score {
            of,
            profile,
            inputs,
            score,
            reason,
            details,
        } => {
            put("of", json!(of));
            put("profile", json!(profile));
            put("inputs", json!(inputs));
            put("score", json!(score));
            put("reason", json!(reason));
            put("details", details.clone());
        }
        ResultBody::Comparison {
            of,
            with,
            similarity,
            reason,
            details,
        } => {
            put("of", json!(of));
            put("with", json!(with));
            put("similarity", json!(similarity));
            put("reason", json!(reason));
            put("details", details.clone());
        }
        ResultBody::Finalization {
            period,
            profile,
            inputs,
            details,
        } => {
            put("period", json!(period));
            put("profile", json!(profile));
            put("inputs", json!(inputs));
            put("details", details.clone());
        }
    }
    Value::Object(shown)
}
