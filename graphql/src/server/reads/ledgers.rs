//! `/v1/stake`, `/v1/stake/movements`, `/v1/epochs`, `/v1/commits`, `/v1/scores`.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::response::Response;
use chain_metadata::{MechId, NetUid};

use super::chain::range;
use super::params::{At, Formed, Paged, account, word};
use super::subnets::{all_told, whole_history};
use super::{Answer, No, head, out_of_range, told};
use crate::ports::{self, Reader, VerificationFilter, VerificationId};
use crate::rest::reads::Page;
use crate::rest::reads::ledgers::{
    Commit, CommitKind, CommitState, Epoch, MovementKind, Score, StakeMovement, StakeRow,
};
use crate::schema::paging::{Cursor, Kind};
use crate::server::App;
use crate::server::openapi::{ArrowStream, Refusals};
use crate::server::rest::{bad, number};

/// Most rows of stake, epochs and scores on one page.
const MANY: usize = 1000;
/// Most commits and movements on one page.
const FEW: usize = 100;

fn cursor(kind: Kind, block: u32, index: u32) -> String {
    let cursor = Cursor { kind, block, index };
    cursor.encode_cursor()
}

/// What is staked at a block, as the chain stores it: a row for each hotkey, coldkey and subnet.
/// Give a hotkey, a coldkey or both. 100 on a page, 1000 at most.
#[utoipa::path(
    get,
    path = "/v1/stake",
    tag = "ledgers",
    params(
        ("hotkey" = Option<String>, Query, description = "Only stake on this hotkey: an ss58 address, or 0x and 64 hex digits."),
        ("coldkey" = Option<String>, Query, description = "Only stake of this coldkey."),
        ("netuid" = Option<i32>, Query, minimum = 0, maximum = 65535, description = "Only stake in this subnet."),
        ("block" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "Height; without it the highest stored block."),
        ("hash" = Option<String>, Query, pattern = "^0x[0-9a-fA-F]{64}$",
            description = "Hash of the block, instead of its height."),
        ("blocksBehindHead" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "So many blocks below the highest stored block."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of rows.", content(
        (Page<StakeRow> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn stake(State(app): State<App>, parts: Parts) -> Response {
    let known = [
        "hotkey",
        "coldkey",
        "netuid",
        "block",
        "hash",
        "blocksBehindHead",
        "first",
        "after",
    ];
    told(&app, &parts, "stake", &known, |parameters| {
        let (hotkey, coldkey) = (
            account(parameters, "hotkey")?,
            account(parameters, "coldkey")?,
        );
        let of = match (coldkey, hotkey) {
            (Some(coldkey), _) => ports::StakeOf::Coldkey(coldkey),
            (None, Some(hotkey)) => ports::StakeOf::Hotkey(hotkey),
            (None, None) => return Err(bad("give `hotkey`, `coldkey` or both".to_owned())),
        };
        let netuid = parameters.number("netuid")?.map(NetUid);
        let at = At::of(parameters)?;
        let page = Paged::of(parameters, FEW, MANY)?;
        let after = page.cursor(Kind::Stake)?;
        // The head moves on between two pages.
        let at = at.of_page(after);
        Ok(move |reader: &dyn Reader| {
            let found = at.find(reader, None)?;
            let block = found.stamp.block;
            // Rows at one block never change, so a row's place in the list names it.
            let from = match after {
                None => 0,
                Some(cursor) if cursor.block == block => {
                    usize::try_from(cursor.index).unwrap_or(usize::MAX)
                }
                Some(cursor) => {
                    return Err(No::Problem(bad(format!(
                        "the cursor belongs to block {}, not to block {block}; give the same `block` for all pages, or none",
                        cursor.block
                    ))));
                }
            };
            let mut rows = reader.stake(block, of, netuid)?;
            rows.retain(|row| hotkey.is_none_or(|hotkey| hotkey == row.hotkey));
            let next = from.saturating_add(page.first);
            let more = next < rows.len();
            let rows = rows.into_iter().skip(from).take(page.first);
            let index = u32::try_from(next).unwrap_or(u32::MAX);
            Ok(Answer {
                body: Page {
                    stamp: Some(found.stamp),
                    items: rows.map(StakeRow::from).collect(),
                    next: more.then(|| cursor(Kind::Stake, block, index)),
                },
                stamp: Some(found.stamp),
                for_good: found.fixed
                    && whole_history(reader, block)?
                    && all_told(reader, block, netuid)?,
            })
        })
    })
    .await
}

/// The ledger of stake up to a block, newest first: an entry for every event that tells of stake
/// added, removed, moved, transferred, swapped, claimed, burned or taken as a fee. 20 on a page,
/// 100 at most.
#[utoipa::path(
    get,
    path = "/v1/stake/movements",
    tag = "ledgers",
    params(
        ("hotkey" = Option<String>, Query, description = "Only those from or to this hotkey."),
        ("coldkey" = Option<String>, Query, description = "Only those from or to this coldkey."),
        ("netuid" = Option<i32>, Query, minimum = 0, maximum = 65535, description = "Only those from or to this subnet."),
        ("kind" = Option<MovementKind>, Query, description = "Only those of this kind."),
        ("block" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "Only those up to this height; without it the highest stored block."),
        ("hash" = Option<String>, Query, pattern = "^0x[0-9a-fA-F]{64}$",
            description = "Hash of that block, instead of its height."),
        ("blocksBehindHead" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "So many blocks below the highest stored block."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of movements.", content(
        (Page<StakeMovement> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn movements(State(app): State<App>, parts: Parts) -> Response {
    let known = [
        "hotkey",
        "coldkey",
        "netuid",
        "kind",
        "block",
        "hash",
        "blocksBehindHead",
        "first",
        "after",
    ];
    told(&app, &parts, "stake_movements", &known, |parameters| {
        let filter = ports::StakeFilter {
            hotkey: account(parameters, "hotkey")?,
            coldkey: account(parameters, "coldkey")?,
            netuid: parameters.number("netuid")?.map(NetUid),
            kind: word::<MovementKind>(parameters, "kind")?.map(Into::into),
        };
        let at = At::of(parameters)?;
        let page = Paged::of(parameters, 20, FEW)?;
        let before = page.cursor(Kind::StakeMovement)?;
        let before = before.map(|cursor| ports::StakeMovementId {
            block: cursor.block,
            index: cursor.index,
        });
        Ok(move |reader: &dyn Reader| {
            let found = at.find(reader, None)?;
            let read = reader.stake_movements(found.stamp.block, &filter, before, page.first)?;
            let items = read.movements.into_iter().map(StakeMovement::from);
            let next = read.next;
            Ok(Answer {
                body: Page {
                    stamp: Some(found.stamp),
                    items: items.collect(),
                    next: next.map(|id| cursor(Kind::StakeMovement, id.block, id.index)),
                },
                stamp: Some(found.stamp),
                for_good: false,
            })
        })
    })
    .await
}

/// Epochs of a subnet that ran, oldest first, each mechanism with its verdict. 100 epochs on a
/// page, 1000 at most.
#[utoipa::path(
    get,
    path = "/v1/epochs/{netuid}",
    tag = "ledgers",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("from" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "Lowest height; without it the first block of the stored range that has `to`, or of the newest one."),
        ("to" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "Highest height; without it the last block of the stored range that has `from`, or of the newest one. No block between may be missing."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of epochs.", content(
        (Page<Epoch> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn epochs(
    State(app): State<App>,
    Path(netuid): Path<String>,
    parts: Parts,
) -> Response {
    let known = ["from", "to", "first", "after"];
    told(&app, &parts, "epochs", &known, |parameters| {
        let netuid = NetUid(number("netuid", &netuid)?);
        let (from, to) = (parameters.number("from")?, parameters.number("to")?);
        range(parameters)?;
        let page = Paged::of(parameters, FEW, MANY)?;
        let after = page.cursor(Kind::Epoch)?;
        Ok(move |reader: &dyn Reader| {
            let stamp = head(reader)?;
            let (from, to) = stretch(reader, from, to)?;
            let behind = after.map_or(0, |cursor| cursor.block.saturating_add(1));
            let from = from.max(behind);
            let mut found = match from <= to {
                true => reader.epochs(netuid, from, to, page.first.saturating_add(1))?,
                false => Vec::new(),
            };
            let more = found.len() > page.first;
            found.truncate(page.first);
            let mut verdicts = verdicts(reader, netuid, &found)?;
            let items = found.iter().flat_map(|epoch| {
                let mechanisms = (0..epoch.mechanisms).map(MechId);
                let rows = mechanisms.map(|mechanism| {
                    let record = verdicts.remove(&(epoch.block, mechanism));
                    Epoch::new(epoch, mechanism.0, record)
                });
                rows.collect::<Vec<_>>()
            });
            let items = items.collect();
            let last = found.last().filter(|_| more);
            Ok(Answer {
                body: Page {
                    stamp,
                    items,
                    next: last.map(|epoch| cursor(Kind::Epoch, epoch.block, 0)),
                },
                stamp,
                for_good: false,
            })
        })
    })
    .await
}

/// The blocks from one to another, which must be stored without a hole between them, as GraphQL's
/// lists over ranges have it. What is not given is the end of the stored range that has the other,
/// or of the newest one.
fn stretch(reader: &dyn Reader, from: Option<u32>, to: Option<u32>) -> Result<(u32, u32), No> {
    let spans = reader.status()?.spans;
    let asked = from.or(to);
    let has = |span: &&(u32, u32)| asked.is_none_or(|asked| (span.0..=span.1).contains(&asked));
    let Some((first, last)) = spans.iter().rev().find(has).copied() else {
        return Err(match asked {
            Some(asked) => out_of_range(reader, asked),
            None => out_of_range(reader, "head"),
        });
    };
    match to {
        // Stored behind a hole, or not at all.
        Some(to) if to > last => Err(out_of_range(reader, last.saturating_add(1))),
        _ => Ok((from.unwrap_or(first), to.unwrap_or(last))),
    }
}

type Verdicts = HashMap<(u32, MechId), ports::Verification>;

/// The stored verdicts of some epochs.
fn verdicts(reader: &dyn Reader, netuid: NetUid, epochs: &[ports::Epoch]) -> Result<Verdicts, No> {
    let mut found = Verdicts::new();
    let (Some(first), Some(last)) = (epochs.first(), epochs.last()) else {
        return Ok(found);
    };
    let wanted = VerificationFilter {
        netuid: Some(netuid),
        from: first.block,
        to: last.block,
        verdict: None,
    };
    let mut before: Option<VerificationId> = None;
    loop {
        let page = reader.verifications(&wanted, before, MANY)?;
        let records = page.records.into_iter();
        found.extend(records.map(|record| ((record.block, record.mechanism), record)));
        match page.next {
            // Each page goes on below the one before.
            Some(next) if before.is_none_or(|before| next < before) => before = Some(next),
            _ => return Ok(found),
        }
    }
}

/// The commit ledger at a block, newest first: weights under a hash, weights under a time lock,
/// and commitments, each with what became of it. 20 on a page, 100 at most.
#[utoipa::path(
    get,
    path = "/v1/commits",
    tag = "ledgers",
    params(
        ("netuid" = Option<i32>, Query, minimum = 0, maximum = 65535, description = "Only those of this subnet, all mechanisms."),
        ("hotkey" = Option<String>, Query, description = "Only those that this hotkey made."),
        ("kind" = Option<CommitKind>, Query, description = "Only those of this kind."),
        ("state" = Option<CommitState>, Query, description = "Only those in this state at the block."),
        ("block" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "As they stood at this height; without it the highest stored block."),
        ("hash" = Option<String>, Query, pattern = "^0x[0-9a-fA-F]{64}$",
            description = "Hash of that block, instead of its height."),
        ("blocksBehindHead" = Option<i64>, Query, minimum = 0, maximum = 4294967295i64,
            description = "So many blocks below the highest stored block."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of commits.", content(
        (Page<Commit> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn commits(State(app): State<App>, parts: Parts) -> Response {
    let known = [
        "netuid",
        "hotkey",
        "kind",
        "state",
        "block",
        "hash",
        "blocksBehindHead",
        "first",
        "after",
    ];
    told(&app, &parts, "commits", &known, |parameters| {
        let filter = ports::CommitFilter {
            netuid: parameters.number("netuid")?.map(NetUid),
            hotkey: account(parameters, "hotkey")?,
            kind: word::<CommitKind>(parameters, "kind")?.map(Into::into),
            state: word::<CommitState>(parameters, "state")?.map(Into::into),
        };
        let at = At::of(parameters)?;
        let page = Paged::of(parameters, 20, FEW)?;
        let before = page.cursor(Kind::Commit)?.map(|cursor| ports::CommitId {
            block: cursor.block,
            index: cursor.index,
        });
        Ok(move |reader: &dyn Reader| {
            let found = at.find(reader, None)?;
            let read = reader.commits(found.stamp.block, &filter, before, page.first)?;
            let items = read.commits.into_iter().map(Commit::from);
            let next = read.next;
            Ok(Answer {
                body: Page {
                    stamp: Some(found.stamp),
                    items: items.collect(),
                    next: next.map(|id| cursor(Kind::Commit, id.block, id.index)),
                },
                stamp: Some(found.stamp),
                for_good: false,
            })
        })
    })
    .await
}

/// The newest score of every challenge and subject of a subnet, in the order in which they came in.
/// 100 on a page, 1000 at most.
#[utoipa::path(
    get,
    path = "/v1/scores/{netuid}",
    tag = "results",
    params(
        ("netuid" = i32, Path, minimum = 0, maximum = 65535, description = "Number of the subnet."),
        ("profile" = Option<String>, Query, description = "Only scores by this profile; without it by whichever was last."),
        ("challenge" = Option<String>, Query, description = "Only those of this challenge."),
        ("reporter" = Option<String>, Query, description = "As this hotkey reported them; without it our own."),
        Paged, Formed,
    ),
    responses((status = 200, description = "A page of scores.", content(
        (Page<Score> = "application/json"),
        (String = "text/csv"),
        (ArrowStream = "application/vnd.apache.arrow.stream"),
    )), Refusals),
)]
pub(in crate::server) async fn scores(
    State(app): State<App>,
    Path(netuid): Path<String>,
    parts: Parts,
) -> Response {
    let known = ["profile", "challenge", "reporter", "first", "after"];
    told(&app, &parts, "scores", &known, |parameters| {
        let wanted = ports::ScoreFilter {
            netuid: NetUid(number("netuid", &netuid)?),
            profile: parameters.text("profile")?,
            challenge: parameters.text("challenge")?,
            reporter: account(parameters, "reporter")?,
        };
        let page = Paged::of(parameters, FEW, MANY)?;
        let after = page.cursor(Kind::Result)?;
        let after = after.map(|at| (u64::from(at.block) << 32) | u64::from(at.index));
        Ok(move |reader: &dyn Reader| {
            let stamp = head(reader)?;
            let mut records = reader.scores(&wanted)?;
            records.retain(|record| after.is_none_or(|after| record.number > after));
            let more = records.len() > page.first;
            records.truncate(page.first);
            let last = records.last().filter(|_| more);
            let next =
                last.map(|record| crate::schema::results::cursor(record.number).encode_cursor());
            let items = records.into_iter().filter_map(Score::of);
            Ok(Answer {
                body: Page {
                    stamp,
                    items: items.collect(),
                    next,
                },
                stamp,
                for_good: false,
            })
        })
    })
    .await
}
