//! The index of an audit: which reports there are.

use serde_json::Value;

use super::AuditError;
use super::ids::{entry_id, show, uuid};
use super::report::Place;
use chain_metadata::{AccountId, BlockNumber};
use scoring::local::sn64::coverage::REACH;

/// The largest index.
pub const MAX_BYTES: u64 = 64 << 20;

/// Whose report it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// A validator's, under `audit/validator/`.
    Validator,
    /// A miner's, under `audit/miner/`.
    Miner,
}

/// A report that was committed on chain. Times are microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id: of hotkey and block.
    pub id: u128,
    /// Who committed it.
    pub hotkey: AccountId,
    /// The block of the commitment.
    pub block: BlockNumber,
    /// Where the report is.
    pub path: String,
    /// Whose it is.
    pub whose: Whose,
    /// When it was entered.
    pub created_at: Option<i64>,
    /// The beginning of the time that it is about.
    pub start: i64,
    /// The end of it.
    pub end: i64,
}

/// An index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// Its entries, by block and path.
    pub entries: Vec<Entry>,
    /// Entries whose path is not that of a report of their hotkey and block: where they
    /// are and what is wrong. They are left out.
    pub refused: Vec<String>,
}

/// Reads an index: a list of entries. Unknown members are tolerated.
///
/// # Errors
///
/// When it is no such list, an id is not that of its hotkey and block, or an entry comes
/// twice.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Index, AuditError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|e| AuditError::field(file, "the file", format!("is not JSON: {e}")))?;
    let root = Place::root(file, &value);
    let mut index = Index::default();
    let mut seen = std::collections::HashSet::new();
    for place in root.items()? {
        let entry = match one(&place)? {
            Ok(entry) => entry,
            Err(refused) => {
                index.refused.push(refused.to_string());
                continue;
            }
        };
        if !seen.insert(entry.id) {
            return Err(place.refuse(format!("the entry {} comes twice", show(entry.id))));
        }
        index.entries.push(entry);
    }
    index
        .entries
        .sort_by(|a, b| (a.block, &a.path).cmp(&(b.block, &b.path)));
    Ok(index)
}

/// An entry, or why its path is wrong.
fn one(place: &Place<'_>) -> Result<Result<Entry, AuditError>, AuditError> {
    let id = place.member("entry_id")?;
    let hotkey = place.member("hotkey")?;
    let text = hotkey.text()?;
    let account: AccountId = text
        .parse()
        .map_err(|e: chain_metadata::IdError| hotkey.refuse(e.to_string()))?;
    let block = place.member("block")?;
    let number = block.whole()?;
    let number =
        u32::try_from(number).map_err(|_| block.refuse(format!("{number} is no block number")))?;
    let path = place.member("path")?;
    let given = uuid(id.text()?.as_bytes()).ok_or_else(|| id.refuse("is no UUID"))?;
    let wanted = entry_id(text, number);
    if given != wanted {
        return Err(id.refuse(format!(
            "is not the id of this hotkey and block, which is {}",
            show(wanted)
        )));
    }
    let whose = match path.text()? {
        given if given == format!("audit/validator/{text}/{number}.json") => Whose::Validator,
        given if given == format!("audit/miner/{text}/{number}.json") => Whose::Miner,
        given => {
            let given = super::error::quoted(given.as_bytes());
            return Ok(Err(path.refuse(format!(
                "{given} is left out; it must be audit/validator/{text}/{number}.json or audit/miner/{text}/{number}.json, of the hotkey and block of the entry"
            ))));
        }
    };
    Ok(Ok(Entry {
        id: given,
        hotkey: account,
        block: number,
        path: path.text()?.to_owned(),
        whose,
        created_at: place.optional("created_at").map(|p| p.time()).transpose()?,
        start: place.member("start_time")?.time()?,
        end: place.member("end_time")?.time()?,
    }))
}

/// The end of the newest validator's report, or of the newest report when there is none by
/// a validator: the time at which an audit of what is there is made.
pub fn newest(entries: &[Entry]) -> Option<i64> {
    let end = |whose: Option<Whose>| {
        let of = entries
            .iter()
            .filter(|e| whose.is_none_or(|whose| e.whose == whose));
        of.map(|e| e.end).max()
    };
    end(Some(Whose::Validator)).or_else(|| end(None))
}

/// Whether a report counts in an audit at `now`: it begins at most 169 hours before, and
/// not after.
pub fn in_window(entry: &Entry, now: i64) -> bool {
    entry.start >= now.saturating_sub(REACH) && entry.start <= now
}
