//! The commit ledger at a stored block, with what each commit holds and what
//! became of it.

use chain_metadata::{
    AccountId, BlockNumber, Call, MechId, NetUid, Uid, Value, decode_extrinsic, nested_calls,
    split_storage_index,
};

use super::{At, Held, held};
use crate::commits::{self, CallAt, Entry, Id, Kind, State};
use crate::store::commits::Among;
use crate::store::{Store, StoreError};

/// Entries looked through for one page, at most: a filter that hardly anything
/// passes must not read a whole ledger.
const LOOKED_THROUGH: usize = 20_000;

/// Which commits are meant; what is `None` does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Subnet, all mechanisms.
    pub netuid: Option<NetUid>,
    /// Who committed.
    pub hotkey: Option<AccountId>,
    /// Kind.
    pub kind: Option<Kind>,
    /// State at the block asked about.
    pub state: Option<State>,
}

impl Filter {
    fn passes(&self, entry: &Entry) -> bool {
        let (netuid, _) = split_storage_index(entry.row.index);
        self.netuid.is_none_or(|n| n == netuid)
            && self.hotkey.is_none_or(|h| h.0 == entry.row.hotkey)
            && self.kind.is_none_or(|k| k == entry.row.kind)
            && self.state.is_none_or(|s| s == entry.state)
    }
}

/// The row of W that a reveal set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetRow {
    /// Block of the reveal, in which it was set.
    pub block: BlockNumber,
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism.
    pub mechanism: MechId,
    /// The neuron whose row it is.
    pub uid: Uid,
    /// The first epoch that read it; `None` when there was none up to the block
    /// asked about, or the row was set again before.
    pub first_epoch: Option<BlockNumber>,
}

/// A commit with all its links.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The entry of the ledger.
    pub entry: Entry,
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism; 0 for commitments.
    pub mechanism: MechId,
    /// The encrypted bytes of a timelocked commit, out of its call.
    pub bytes: Option<Vec<u8>>,
    /// The fields of a commitment, out of its call.
    pub fields: Vec<Value>,
    /// Rows of W, as many as reveals that set one.
    pub rows: Vec<SetRow>,
    /// What was revealed of a commitment, with the block in which it was.
    pub revealed: Vec<(BlockNumber, Vec<u8>)>,
}

/// Some commits, in the order asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The commits.
    pub commits: Vec<Commit>,
    /// Where to go on, when there may be more.
    pub next: Option<Id>,
}

/// Commits made at or before a block, as they stood at its end, newest first,
/// those older than `before`.
pub fn page(
    store: &Store,
    at: &At,
    filter: &Filter,
    before: Option<Id>,
    first: usize,
) -> Result<Page, StoreError> {
    walk(store, at, filter, before, first, |among, next| {
        store.commit_ids(among, at.number, next, 256)
    })
}

/// The same, oldest first, those newer than `after`.
pub fn page_up(
    store: &Store,
    at: &At,
    filter: &Filter,
    after: Option<Id>,
    first: usize,
) -> Result<Page, StoreError> {
    walk(store, at, filter, after, first, |among, next| {
        store.commit_ids_up(among, at.number, next, 256)
    })
}

/// Goes through the names that `ids` gives behind a name, chunk by chunk.
fn walk(
    store: &Store,
    at: &At,
    filter: &Filter,
    from: Option<Id>,
    first: usize,
    ids: impl Fn(Among, Option<Id>) -> Result<Vec<Id>, StoreError>,
) -> Result<Page, StoreError> {
    let among = match (filter.hotkey, filter.netuid) {
        (Some(hotkey), _) => Among::Hotkey(hotkey),
        (None, Some(netuid)) => Among::Subnet(netuid.0),
        (None, None) => Among::All,
    };
    let mut page = Page {
        commits: Vec::new(),
        next: from,
    };
    let mut looked = 0;
    loop {
        let ids = ids(among, page.next)?;
        if ids.is_empty() {
            page.next = None;
            return Ok(page);
        }
        for id in ids {
            if page.commits.len() >= first || looked >= LOOKED_THROUGH {
                return Ok(page);
            }
            looked += 1;
            page.next = Some(id);
            if let Some(entry) = store.commit_entry(id, at.number)?
                && filter.passes(&entry)
            {
                page.commits.push(linked(store, at, entry)?);
            }
        }
    }
}

/// One commit by its name; `None` when there is none at that block.
pub fn one(store: &Store, at: &At, id: Id) -> Result<Option<Commit>, StoreError> {
    match store.commit_entry(id, at.number)? {
        Some(entry) => linked(store, at, entry).map(Some),
        None => Ok(None),
    }
}

fn linked(store: &Store, at: &At, entry: Entry) -> Result<Commit, StoreError> {
    let (netuid, mechanism) = split_storage_index(entry.row.index);
    let call = match &entry.row.made_by {
        Some(made_by) if entry.row.kind != Kind::Hash => called(store, entry.id.block, made_by)?,
        _ => None,
    };
    let bytes = call.as_ref().and_then(commits::timelocked);
    let bytes = bytes.map(|(bytes, _)| bytes.to_vec());
    let fields = call.as_ref().and_then(commits::fields);
    let fields = fields.map(<[Value]>::to_vec).unwrap_or_default();
    let mut rows = Vec::new();
    for (block, reveal) in &entry.reveals {
        let Some((index, uid)) = reveal.row else {
            continue;
        };
        let (netuid, mechanism) = split_storage_index(index);
        // What the chain reveals itself, it reveals before the block's epochs.
        let from = match reveal.made_by {
            None => *block,
            Some(_) => block.saturating_add(1),
        };
        let mut first_epoch = store.epoch_from(netuid.0, from, at.number)?;
        if let Some(epoch) = first_epoch
            && epoch > *block
            && set_again(store, index, uid, *block, epoch - 1)?
        {
            first_epoch = None;
        }
        rows.push(SetRow {
            block: *block,
            netuid,
            mechanism,
            uid: Uid(uid),
            first_epoch,
        });
    }
    let revealed = revealed(store, &entry)?;
    Ok(Commit {
        entry,
        revealed,
        netuid,
        mechanism,
        bytes,
        fields,
        rows,
    })
}

/// What the chain keeps of the reveals of a commitment: each is stored with the
/// block in which it came out.
fn revealed(store: &Store, entry: &Entry) -> Result<Vec<(BlockNumber, Vec<u8>)>, StoreError> {
    let mut all = Vec::new();
    for (block, _) in &entry.reveals {
        let Some(at) = super::at(store, *block)? else {
            continue;
        };
        if entry.row.kind != Kind::Commitment {
            continue;
        }
        let keys: [&[u8]; 2] = [&entry.row.index.to_le_bytes(), &entry.row.hotkey];
        let Held::Stored(list, _) = held(store, &at, "RevealedCommitments", &keys)? else {
            continue;
        };
        for item in list.items() {
            if let [bytes, came] = item.items()
                && came.as_u64() == Some(u64::from(*block))
                && let Some(bytes) = bytes.as_bytes()
            {
                all.push((*block, bytes.to_vec()));
            }
        }
    }
    Ok(all)
}

/// Whether a row of W changed after `block`, up to `until`.
fn set_again(
    store: &Store,
    index: u16,
    uid: u16,
    block: BlockNumber,
    until: BlockNumber,
) -> Result<bool, StoreError> {
    let Some(at) = super::at(store, until)? else {
        return Ok(false);
    };
    let keys: [&[u8]; 2] = [&index.to_le_bytes(), &uid.to_le_bytes()];
    Ok(match held(store, &at, "Weights", &keys)? {
        Held::Stored(_, changed_at) => changed_at > block,
        _ => false,
    })
}

/// The call at a place of a stored block; `None` when a contract made it.
pub fn called(
    store: &Store,
    block: BlockNumber,
    place: &CallAt,
) -> Result<Option<Call>, StoreError> {
    let (Some(path), Some(at)) = (&place.path, super::at(store, block)?) else {
        return Ok(None);
    };
    let body = store.body(block)?.unwrap_or_default();
    let raw = usize::try_from(place.extrinsic)
        .ok()
        .and_then(|i| body.get(i));
    let Some(raw) = raw else {
        return Ok(None);
    };
    let metadata = &at.layout.metadata;
    let extrinsic = decode_extrinsic(metadata, raw).map_err(|e| StoreError::Row {
        table: "body",
        key: hex::encode(block.to_be_bytes()),
        what: e.in_spec(at.row.spec).at_block(block).to_string(),
    })?;
    // What became of the calls is known already; here only their places matter.
    let nested = nested_calls(metadata, &extrinsic, &[]);
    let found = nested.into_iter().find(|call| call.path == *path);
    Ok(found.map(|nested| nested.call))
}
