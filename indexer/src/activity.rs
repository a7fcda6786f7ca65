//! Where accounts, calls, events and errors occur: positions in blocks, found
//! again newest first without reading the blocks between.

use std::collections::BTreeMap;

use chain_metadata::{
    AccountId, Call, DispatchError, Event, Extrinsic, NestedCall, Value, blake2_256,
};

/// What is looked for. Names are `Pallet.Name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Extrinsics signed by an account, or with it among the arguments of a call.
    ExtrinsicsOf(AccountId),
    /// Extrinsics with a call of this name, nested ones too, whatever became of it.
    Calls(String),
    /// Extrinsics that failed with this error.
    Errors(String),
    /// Events that name an account.
    EventsOf(AccountId),
    /// Events of this name.
    Events(String),
}

impl Topic {
    /// Whether positions are those of events; else of extrinsics.
    pub fn is_of_events(&self) -> bool {
        matches!(self, Topic::EventsOf(_) | Topic::Events(_))
    }

    /// Its bytes in keys: a kind and 16 bytes of the account or of the name's hash.
    pub fn tag(&self) -> [u8; 17] {
        let (kind, bytes) = match self {
            Topic::ExtrinsicsOf(account) => (1, account.0),
            Topic::Calls(name) => (2, blake2_256(name.as_bytes()).0),
            Topic::Errors(name) => (3, blake2_256(name.as_bytes()).0),
            Topic::EventsOf(account) => (4, account.0),
            Topic::Events(name) => (5, blake2_256(name.as_bytes()).0),
        };
        let mut tag = [kind; 17];
        tag[1..].copy_from_slice(&bytes[..16]);
        tag
    }
}

/// Positions by tag in one block, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity {
    /// By [`Topic::tag`].
    pub positions: BTreeMap<[u8; 17], Vec<u32>>,
}

impl Activity {
    fn note(&mut self, topic: &Topic, position: u32) {
        let list = self.positions.entry(topic.tag()).or_default();
        if list.last() != Some(&position) {
            list.push(position);
        }
    }

    /// Notes an event.
    pub fn event(&mut self, event: &Event) {
        for topic in topics_of_event(event) {
            self.note(&topic, event.index);
        }
    }

    /// Notes an extrinsic with the calls in it and its error.
    pub fn extrinsic(
        &mut self,
        extrinsic: &Extrinsic,
        calls: &[NestedCall],
        error: Option<&DispatchError>,
    ) {
        for topic in topics_of_extrinsic(extrinsic, calls, error) {
            self.note(&topic, extrinsic.index);
        }
    }
}

/// Everything under which an event is found.
pub fn topics_of_event(event: &Event) -> Vec<Topic> {
    let mut accounts = Vec::new();
    for (_, value) in &event.fields {
        collect(value, &mut accounts);
    }
    let mut topics = vec![Topic::Events(format!("{}.{}", event.pallet, event.name))];
    topics.extend(accounts.into_iter().map(Topic::EventsOf));
    topics
}

/// Everything under which an extrinsic is found.
pub fn topics_of_extrinsic(
    extrinsic: &Extrinsic,
    calls: &[NestedCall],
    error: Option<&DispatchError>,
) -> Vec<Topic> {
    let mut accounts: Vec<AccountId> = extrinsic.signer().into_iter().collect();
    let mut topics = Vec::new();
    for nested in calls {
        topics.push(Topic::Calls(nested.call.full_name()));
        for (_, value) in &nested.call.args {
            collect(value, &mut accounts);
        }
    }
    if let Some(DispatchError::Module { pallet, name, .. }) = error {
        topics.push(Topic::Errors(format!("{pallet}.{name}")));
    } else if let Some(DispatchError::Other(name)) = error {
        topics.push(Topic::Errors(name.clone()));
    }
    topics.extend(accounts.into_iter().map(Topic::ExtrinsicsOf));
    topics
}

/// Accounts among the arguments of a call, each once.
pub fn accounts_of_call(call: &Call) -> Vec<AccountId> {
    let mut accounts = Vec::new();
    for (_, value) in &call.args {
        collect(value, &mut accounts);
    }
    accounts
}

/// Accounts as the metadata names them: a hash of 32 bytes is none.
fn collect(value: &Value, accounts: &mut Vec<AccountId>) {
    match value {
        Value::Account(bytes) => {
            let account = AccountId(*bytes);
            if !accounts.contains(&account) {
                accounts.push(account);
            }
        }
        Value::Seq(items) | Value::Tuple(items) => {
            for item in items {
                collect(item, accounts);
            }
        }
        Value::Composite(fields) | Value::Variant { fields, .. } => {
            for (_, field) in fields {
                collect(field, accounts);
            }
        }
        _ => {}
    }
}
