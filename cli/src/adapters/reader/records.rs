//! Records of the port, made of what the store holds.

use chain_metadata::{AccountId, DispatchError, H256, NetUid, Origin, Outcome, Value};
use graphql::ports::{self, ReadError, Stamp};
use indexer::store::Store;
use indexer::view::{self, At, Held};

use super::read_error;

pub(super) fn stamp(at: &At) -> Stamp {
    Stamp {
        block: at.number,
        hash: H256(at.row.hash),
        spec_version: at.row.spec,
        finalized: at.finalized,
    }
}

fn call(ss58: u16, call: &chain_metadata::Call) -> ports::Call {
    let args = call
        .args
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_json(ss58)))
        .collect();
    ports::Call {
        pallet: call.pallet.to_string(),
        name: call.name.to_string(),
        args: serde_json::Value::Object(args),
    }
}

fn dispatch_error(error: &DispatchError) -> ports::DispatchError {
    match error {
        DispatchError::Module {
            pallet, name, docs, ..
        } => ports::DispatchError {
            pallet: Some(pallet.to_string()),
            name: name.to_string(),
            docs: docs.clone(),
        },
        DispatchError::Other(name) => ports::DispatchError {
            pallet: None,
            name: name.clone(),
            docs: String::new(),
        },
    }
}

fn origin(ss58: u16, origin: &Origin) -> String {
    match origin {
        Origin::Signed(account) => account.to_ss58(ss58),
        Origin::Root => "Root".into(),
        Origin::None => "None".into(),
        Origin::Other(name) => name.clone(),
    }
}

pub(super) fn extrinsic(at: &At, ss58: u16, body: view::Body) -> ports::Extrinsic {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Succeeded => (ports::CallOutcome::Succeeded, None),
        Outcome::Failed(error) => (ports::CallOutcome::Failed, Some(dispatch_error(error))),
        Outcome::NotRun => (ports::CallOutcome::NotRun, None),
        Outcome::Unknown => (ports::CallOutcome::Unknown, None),
    };
    let xt = &body.extrinsic;
    ports::Extrinsic {
        block: at.number,
        index: xt.index,
        hash: xt.hash,
        version: xt.version,
        signer: xt.signer(),
        nonce: xt.nonce(),
        tip: body.outcome.tip,
        fee: body.outcome.fee,
        success: body.outcome.success,
        error: body.outcome.error.as_ref().map(dispatch_error),
        call: call(ss58, &xt.call),
        nested: body
            .nested
            .iter()
            .filter(|nested| !nested.path.is_empty())
            .map(|nested| {
                let (outcome, error) = outcome(&nested.outcome);
                ports::NestedCall {
                    path: nested.path.clone(),
                    origin: origin(ss58, &nested.origin),
                    outcome,
                    error,
                    call: call(ss58, &nested.call),
                }
            })
            .collect(),
        spec_version: at.row.spec,
        raw: body.raw,
    }
}

/// A number of any width that must be one.
fn number<T: TryFrom<u128>>(value: &Value) -> Result<T, String> {
    let number = value
        .as_u128()
        .ok_or_else(|| "is not a number from 0 on".to_owned())?;
    T::try_from(number).map_err(|_| format!("is {number}, more than its field holds"))
}

/// A number in a structure; an absent one is an error, not zero.
fn field<T: TryFrom<u128>>(value: &Value, name: &str) -> Result<T, String> {
    let found = value
        .field(name)
        .ok_or_else(|| format!("has no field {name}"))?;
    number(found).map_err(|what| format!("field {name} {what}"))
}

/// An address as the chain keeps it, a number and 4 or 6; a number that is no
/// address of its type stays a number.
fn ip_text(ip: u128, ip_type: u8) -> String {
    match (ip_type, u32::try_from(ip)) {
        (4, Ok(v4)) => std::net::Ipv4Addr::from(v4).to_string(),
        (6, _) => std::net::Ipv6Addr::from(ip).to_string(),
        _ => ip.to_string(),
    }
}

/// The address of an axon in dotted or colon form; `None` when the structure has none.
pub(crate) fn axon_ip(value: &Value) -> Option<String> {
    let (ip, ip_type) = (field(value, "ip").ok()?, field(value, "ip_type").ok()?);
    Some(ip_text(ip, ip_type))
}

fn axon(value: &Value) -> Result<ports::Axon, String> {
    let (ip, ip_type): (u128, u8) = (field(value, "ip")?, field(value, "ip_type")?);
    Ok(ports::Axon {
        block: field(value, "block")?,
        version: field(value, "version")?,
        ip: ip.to_string(),
        ip_text: ip_text(ip, ip_type),
        port: field(value, "port")?,
        ip_type,
        protocol: field(value, "protocol")?,
        placeholder1: field(value, "placeholder1")?,
        placeholder2: field(value, "placeholder2")?,
    })
}

fn prometheus(value: &Value) -> Result<ports::Prometheus, String> {
    let (ip, ip_type): (u128, u8) = (field(value, "ip")?, field(value, "ip_type")?);
    Ok(ports::Prometheus {
        block: field(value, "block")?,
        version: field(value, "version")?,
        ip: ip.to_string(),
        ip_text: ip_text(ip, ip_type),
        port: field(value, "port")?,
        ip_type,
    })
}

/// A neuron of a subnet.
///
/// # Errors
///
/// When a structure lacks a field or a number does not fit, with the item's name.
pub(super) fn neuron(
    at: &At,
    netuid: NetUid,
    found: view::Neuron,
) -> Result<ports::Neuron, ReadError> {
    let wrong = |item: &str| {
        let place = format!(
            "{item} of uid {} in subnet {netuid} at block {} (spec {})",
            found.uid, at.number, at.row.spec
        );
        move |what: String| ReadError::Decode(format!("{place} {what}"))
    };
    Ok(ports::Neuron {
        axon: (found.axon.as_ref().map(axon).transpose()).map_err(wrong("Axons"))?,
        prometheus: (found.prometheus.as_ref().map(prometheus).transpose())
            .map_err(wrong("Prometheus"))?,
        uid: found.uid,
        hotkey: found.hotkey,
        coldkey: found.coldkey,
        block_at_registration: found.block_at_registration,
        active: found.active,
        rank: found.rank,
        trust: found.trust,
        consensus: found.consensus,
        incentive: found.incentive,
        dividends: found.dividends,
        emission: found.emission,
        validator_trust: found.validator_trust,
        validator_permit: found.validator_permit,
        stake_weight: found.stake_weight,
        pruning_score: found.pruning_score,
        last_update: found.last_update,
    })
}

/// A subnet and all its items.
///
/// # Errors
///
/// When a value is not of its kind or does not fit, with the item's name.
pub(super) fn subnet(
    at: &At,
    netuid: NetUid,
    held: Vec<(&'static str, Held)>,
) -> Result<ports::Subnet, ReadError> {
    let ss58 = at.layout.metadata.ss58_prefix();
    let items = Items { at, netuid, held };
    Ok(ports::Subnet {
        stamp: stamp(at),
        netuid,
        neuron_count: items.number("SubnetworkN", Take::Value)?,
        tempo: items.number("Tempo", Take::Value)?,
        // The metadata's defaults of these, 0 and an account of zeros, are no
        // block and nobody.
        last_epoch_block: items
            .number("LastMechansimStepBlock", Take::Stored)?
            .filter(|block: &u64| *block > 0),
        registered_at: items.number("NetworkRegisteredAt", Take::Stored)?,
        owner: items.account("SubnetOwner", Take::Stored)?,
        owner_hotkey: items.account("SubnetOwnerHotkey", Take::Stored)?,
        blocks_since_last_step: items.number("BlocksSinceLastStep", Take::Value)?,
        mechanism_count: items.number("MechanismCountCurrent", Take::Value)?,
        token_symbol: (items.value("TokenSymbol", Take::Value))
            .and_then(|v| String::from_utf8(v.as_bytes()?.to_vec()).ok()),
        items: items
            .held
            .into_iter()
            .map(|(name, held)| {
                let (changed_at, stored) = match &held {
                    Held::Stored(_, block) => (Some(*block), true),
                    _ => (None, false),
                };
                ports::Item {
                    name: name.into(),
                    value: held.value().map(|v| v.to_json(ss58)),
                    stored,
                    changed_at,
                }
            })
            .collect(),
    })
}

/// Items that a subnet's own fields are of.
const FIELDS: [&str; 9] = [
    "SubnetworkN",
    "Tempo",
    "LastMechansimStepBlock",
    "NetworkRegisteredAt",
    "SubnetOwner",
    "SubnetOwnerHotkey",
    "BlocksSinceLastStep",
    "MechanismCountCurrent",
    "TokenSymbol",
];

/// A subnet of whose items only those are read that its own fields are of; `None` where it does
/// not exist. None of them are given out.
pub(super) fn plain_subnet(
    store: &Store,
    at: &At,
    netuid: NetUid,
) -> Result<Option<ports::Subnet>, ReadError> {
    if !view::exists(store, at, netuid).map_err(read_error)? {
        return Ok(None);
    }
    let key = netuid.0.to_le_bytes();
    let mut held = Vec::with_capacity(FIELDS.len());
    for name in FIELDS {
        match view::held(store, at, name, &[&key]).map_err(read_error)? {
            Held::Gone => {}
            found => held.push((name, found)),
        }
    }
    let found = subnet(at, netuid, held)?;
    Ok(Some(ports::Subnet {
        items: Vec::new(),
        ..found
    }))
}

/// Which value of an item counts.
#[derive(Clone, Copy)]
enum Take {
    /// What the runtime would read: the metadata's default where none is stored.
    Value,
    /// Only a stored one.
    Stored,
}

/// Items of a subnet by name.
struct Items<'a> {
    at: &'a At,
    netuid: NetUid,
    held: Vec<(&'static str, Held)>,
}

impl Items<'_> {
    fn value(&self, name: &str, take: Take) -> Option<Value> {
        let (_, held) = self.held.iter().find(|(entry, _)| *entry == name)?;
        match (held, take) {
            (Held::Stored(..), _) | (_, Take::Value) => held.clone().value(),
            (_, Take::Stored) => None,
        }
    }

    fn of_kind<T>(
        &self,
        name: &str,
        take: Take,
        kind: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<Option<T>, ReadError> {
        let value = self.value(name, take);
        value.as_ref().map(kind).transpose().map_err(|what| {
            ReadError::Decode(format!(
                "{name} of subnet {} at block {} (spec {}) {what}",
                self.netuid, self.at.number, self.at.row.spec
            ))
        })
    }

    fn number<T: TryFrom<u128>>(&self, name: &str, take: Take) -> Result<Option<T>, ReadError> {
        self.of_kind(name, take, number)
    }

    fn account(&self, name: &str, take: Take) -> Result<Option<AccountId>, ReadError> {
        self.of_kind(name, take, |value| {
            value.as_account().ok_or_else(|| "is no account".to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uint(name: &str, value: u128) -> (Option<std::sync::Arc<str>>, Value) {
        (Some(name.into()), Value::Uint { width: 128, value })
    }

    fn served(change: impl Fn(&str, u128) -> Option<u128>) -> Value {
        let fields = [
            ("block", 5),
            ("version", 6),
            ("ip", 0x7f00_0001),
            ("port", 9),
            ("ip_type", 4),
            ("protocol", 1),
            ("placeholder1", 0),
            ("placeholder2", 2),
        ];
        let fields = fields.into_iter();
        Value::Composite(
            fields
                .filter_map(|(name, value)| Some(uint(name, change(name, value)?)))
                .collect(),
        )
    }

    #[test]
    fn a_field_that_is_absent_or_too_large_is_named() {
        let good = axon(&served(|_, value| Some(value))).unwrap();
        assert_eq!((good.port, good.ip_text.as_str()), (9, "127.0.0.1"));
        for name in ["block", "version", "ip", "port", "ip_type", "placeholder2"] {
            let without = served(|field, value| (field != name).then_some(value));
            let error = axon(&without).unwrap_err();
            assert_eq!(error, format!("has no field {name}"));
        }
        let wide = |wide: &'static str| {
            move |field: &str, value| Some(if field == wide { u128::MAX } else { value })
        };
        for name in ["block", "version", "port", "ip_type"] {
            for error in [
                axon(&served(wide(name))).unwrap_err(),
                prometheus(&served(wide(name))).unwrap_err(),
            ] {
                let begin = format!("field {name} is {}, more", u128::MAX);
                assert!(error.starts_with(&begin), "{error}");
            }
        }
        assert!(number::<u8>(&Value::Bool(true)).is_err());
    }

    #[test]
    fn addresses_are_written_by_their_type() {
        assert_eq!(ip_text(0x0102_0304, 4), "1.2.3.4");
        assert_eq!(ip_text(1, 6), "::1");
        assert_eq!(ip_text(1 << 32, 4), "4294967296");
        assert_eq!(ip_text(7, 0), "7");
    }
}
