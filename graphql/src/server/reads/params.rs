//! Parameters that many reads share: which block, which page, which form.

use chain_metadata::{AccountId, BlockNumber, H256, NetUid};
use utoipa::IntoParams;

use super::{Form, No, nothing, out_of_range, stamp};
use crate::ports::{EpochPlace, Reader};
use crate::rest::Problem;
use crate::rest::reads::{Stamp, Words};
use crate::schema::paging::{Cursor, Kind};
use crate::server::rest::{Parameters, bad, number};

/// Names of the parameters that say which block.
pub(in crate::server) const AT: [&str; 4] = ["block", "hash", "epoch", "blocksBehindHead"];

/// Which block: one of these, or none for the highest stored one.
#[derive(Debug, Clone, Copy, Default, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(in crate::server) struct At {
    /// Height of a stored block, or of an unfinalized one up to the best block.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4294967295i64)]
    block: Option<BlockNumber>,
    /// Hash of a stored block, or of an unfinalized one of the best chain: 0x and 64 hex digits.
    #[param(value_type = Option<String>, pattern = "^0x[0-9a-fA-F]{64}$")]
    hash: Option<H256>,
    /// Number of an epoch of the subnet as the chain counts (SubnetEpochIndex): the end of the
    /// block in which it ran, in the newest stored range and since the subnet was registered.
    /// Runtimes that do not count have none.
    #[param(value_type = Option<i64>, minimum = 0)]
    epoch: Option<u64>,
    /// So many blocks below the highest stored block; 0 is that block itself.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 4294967295i64)]
    blocks_behind_head: Option<u32>,
}

/// A block that is there.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Found {
    pub(in crate::server) stamp: Stamp,
    /// Whether it is final and was named by number or hash, so that it is the same for good.
    pub(in crate::server) fixed: bool,
}

impl At {
    /// Out of the parameters.
    pub(in crate::server) fn of(parameters: &Parameters<'_>) -> Result<Self, Problem> {
        let given = AT.iter().filter(|name| parameters.get(name).is_some());
        let given: Vec<&str> = given.copied().collect();
        if given.len() > 1 {
            let given = given.join(" and ");
            return Err(bad(format!(
                "{given} exclude each other; name one block by one of them"
            )));
        }
        Ok(Self {
            block: parameters.number("block")?,
            hash: parameters.get("hash").map(hash).transpose()?,
            epoch: parameters.number("epoch")?,
            blocks_behind_head: parameters.number("blocksBehindHead")?,
        })
    }

    /// The same for a page behind a cursor: with the block of the cursor, unless a block is named.
    pub(in crate::server) fn of_page(self, cursor: Option<Cursor>) -> Self {
        match cursor {
            Some(cursor) if self.block.is_none() && self.hash.is_none() => Self {
                block: Some(cursor.block),
                ..Self::default()
            },
            _ => self,
        }
    }

    /// The block; `netuid` is the subnet whose epochs are meant.
    pub(in crate::server) fn find(
        self,
        reader: &dyn Reader,
        netuid: Option<NetUid>,
    ) -> Result<Found, No> {
        let found = |number, named| {
            let stamp = stamp(reader, number)?;
            Ok(Found {
                stamp,
                fixed: named && stamp.finalized,
            })
        };
        if let Some(number) = self.block {
            return found(number, true);
        }
        if let Some(hash) = self.hash {
            return found(by_hash(reader, hash)?, true);
        }
        if let (Some(index), Some(netuid)) = (self.epoch, netuid) {
            // Another subnet may take the number and count anew.
            return found(by_epoch(reader, netuid, index)?, false);
        }
        let status = reader.status()?;
        let behind = self.blocks_behind_head.unwrap_or(0);
        match status.last.and_then(|last| last.checked_sub(behind)) {
            Some(number) => found(number, false),
            None => Err(out_of_range(
                reader,
                match behind {
                    0 => "head".to_owned(),
                    _ => format!("head-{behind}"),
                },
            )),
        }
    }
}

/// A block named in a path: a height or a hash.
pub(in crate::server) fn block_named(text: &str) -> Result<At, Problem> {
    if text.starts_with("0x") {
        return Ok(At {
            hash: Some(hash(text)?),
            ..At::default()
        });
    }
    Ok(At {
        block: Some(number("block", text)?),
        ..At::default()
    })
}

fn hash(text: &str) -> Result<H256, Problem> {
    text.parse().map_err(|_| {
        let text: String = text.chars().take(80).collect();
        bad(format!(
            "`hash` is `{text}`, but must be 0x and 64 hex digits"
        ))
    })
}

fn by_hash(reader: &dyn Reader, hash: H256) -> Result<BlockNumber, No> {
    let number = reader.block_numbers(&[hash])?.into_iter().next().flatten();
    number.ok_or_else(|| {
        nothing(format!(
            "no stored block has the hash {hash}; see /v1/status for what is stored"
        ))
    })
}

/// The block of an epoch, as GraphQL finds it: of the subnet that has the number now.
fn by_epoch(reader: &dyn Reader, netuid: NetUid, index: u64) -> Result<BlockNumber, No> {
    let found = reader.epoch_blocks(&[(netuid, EpochPlace::Index(index))])?;
    found.into_iter().next().flatten().ok_or_else(|| {
        nothing(format!(
            "no stored epoch of subnet {netuid} has the number {index}; see /v1/epochs/{netuid}"
        ))
    })
}

/// Which page of a list.
#[derive(Debug, Clone, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::server) struct Paged {
    /// Size of the page. The most and what is taken without it are told with the route.
    #[param(value_type = Option<i32>, minimum = 0, maximum = 1000)]
    pub(in crate::server) first: usize,
    /// Only what comes after this cursor: `next` of the page before.
    #[param(value_type = Option<String>)]
    after: Option<String>,
}

impl Paged {
    pub(in crate::server) fn of(
        parameters: &Parameters<'_>,
        default: usize,
        most: usize,
    ) -> Result<Self, Problem> {
        let first = parameters.number("first")?.unwrap_or(default);
        if first > most {
            return Err(bad(format!(
                "`first` is {first}, but must be from 0 to {most}; take further pages with a cursor"
            )));
        }
        Ok(Self {
            first,
            after: parameters.text("after")?,
        })
    }

    /// The text of the cursor.
    pub(in crate::server) fn text(&self) -> Option<String> {
        self.after.clone()
    }

    /// The cursor, which must be of this kind.
    pub(in crate::server) fn cursor(&self, kind: Kind) -> Result<Option<Cursor>, Problem> {
        match self.after.as_deref().map(Cursor::decode_cursor) {
            None => Ok(None),
            Some(Ok(cursor)) if cursor.kind == kind => Ok(Some(cursor)),
            Some(_) => Err(bad(
                "`after` is not a cursor of this list; take `next` of the page before".to_owned(),
            )),
        }
    }
}

/// In which form, and after which block at the earliest.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it describes; the form is read with Accept, the wait by its layer"
)]
pub(in crate::server) struct Formed {
    /// The form of the answer, instead of `Accept`.
    format: Option<Form>,
    /// Wait up to 30 seconds until this block is stored, as the header `X-Min-Block` does.
    #[param(rename = "minBlock", minimum = 0, maximum = 4294967295i64)]
    min_block: Option<i64>,
}

/// An account, as an address or hex digits.
pub(in crate::server) fn account(
    parameters: &Parameters<'_>,
    name: &str,
) -> Result<Option<AccountId>, Problem> {
    let Some(text) = parameters.text(name)? else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|error| {
        let text: String = text.chars().take(80).collect();
        bad(format!(
            "`{name}` is `{text}`, which is no account ({error}); give an ss58 address, or 0x and 64 hex digits"
        ))
    })
}

/// One of some words.
pub(in crate::server) fn word<T: Words>(
    parameters: &Parameters<'_>,
    name: &str,
) -> Result<Option<T>, Problem> {
    let Some(text) = parameters.text(name)? else {
        return Ok(None);
    };
    let found = T::ALL
        .iter()
        .find(|(word, _)| text.eq_ignore_ascii_case(word));
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let text: String = text.chars().take(80).collect();
        let words: Vec<&str> = T::ALL.iter().map(|(word, _)| *word).collect();
        bad(format!(
            "`{name}` is {text}; give one of {}",
            words.join(", ")
        ))
    })
}

/// Some uids, separated by commas.
pub(in crate::server) fn uids(parameters: &Parameters<'_>) -> Result<Option<Vec<u16>>, Problem> {
    let Some(text) = parameters.text("uids")? else {
        return Ok(None);
    };
    let uids = text.split(',').map(|uid| number("uids", uid));
    let uids: Result<Vec<u16>, Problem> = uids.collect();
    let mut uids = uids?;
    uids.sort_unstable();
    uids.dedup();
    Ok(Some(uids))
}
