//! Changes of the store in memory: a change of Tempo in every even block.

use chain_metadata::{BlockNumber, NetUid};
use graphql::ReadError;
use graphql::ports::*;
use serde_json::json;

use super::{Fake, WIDE, account};

fn change(block: BlockNumber, item: &str) -> StateChange {
    let known = block != 10;
    let told = block.is_multiple_of(4);
    StateChange {
        block,
        place: 1,
        spec_version: 300,
        item: item.into(),
        mechanism: None,
        found_at_start: !known,
        old: known.then(StateValue::default),
        new: StateValue {
            value: Some(json!(WIDE.to_string())),
            stored: true,
        },
        made_by: told.then(|| CallPlace {
            block,
            extrinsic: 2,
            path: Some(vec![0]),
        }),
        signer: told.then(|| account(7)),
    }
}

/// Heights of changes in a range, before a cursor, newest first.
fn heights(
    (from, to): (BlockNumber, BlockNumber),
    before: Option<(BlockNumber, u32)>,
    first: usize,
) -> Found<BlockNumber> {
    let all = (from..=to).rev().filter(|block| block.is_multiple_of(2));
    let items: Vec<_> = all
        .filter(|block| before.is_none_or(|before| (*block, 1) < before))
        .take(first)
        .collect();
    let next = items.last().filter(|_| items.len() >= first);
    Found {
        next: next.map(|block| (*block, 1)),
        items,
    }
}

impl Changes for Fake {
    fn subnet_changes(
        &self,
        wanted: &SubnetChangesWanted,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Result<Found<StateChange>, String>, ReadError> {
        self.count("subnet_changes");
        let mut names = wanted.items.iter().flatten();
        if let Some(name) = names.find(|name| *name != "Tempo") {
            return Ok(Err(format!("{name} is no item; ask for Tempo")));
        }
        let found = heights((wanted.from, wanted.to), before, first);
        let blocks = found.items.into_iter();
        Ok(Ok(Found {
            items: blocks.map(|block| change(block, "Tempo")).collect(),
            next: found.next,
        }))
    }

    fn state_changes(
        &self,
        wanted: &StateChangesWanted,
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Result<Found<StateChange>, String>, ReadError> {
        self.count("state_changes");
        if wanted.hotkey.is_none() || wanted.netuid.is_some() {
            return Ok(Err("give the hotkey alone".into()));
        }
        let found = heights((wanted.from, wanted.to), before, first);
        let blocks = found.items.into_iter();
        Ok(Ok(Found {
            items: blocks.map(|block| change(block, &wanted.entry)).collect(),
            next: found.next,
        }))
    }

    fn subnet_history(
        &self,
        netuid: Option<NetUid>,
        range: (BlockNumber, BlockNumber),
        before: Option<(BlockNumber, u32)>,
        first: usize,
    ) -> Result<Found<SubnetEvent>, ReadError> {
        self.count("subnet_history");
        let found = heights(range, before, first);
        let event = |block: BlockNumber| SubnetEvent {
            netuid: netuid.unwrap_or(NetUid(9)),
            kind: match block {
                12 => SubnetEventKind::Created,
                14 => SubnetEventKind::Dissolved,
                _ => SubnetEventKind::OwnerHotkey,
            },
            registered_at: (block != 16).then_some(WIDE),
            change: change(block, "NetworksAdded"),
        };
        Ok(Found {
            items: found.items.into_iter().map(event).collect(),
            next: found.next,
        })
    }
}
