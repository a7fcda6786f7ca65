//! Movements of stake, as events speak of them.
//!
//! A movement is one event; what it does not say is not known. The chain tells of
//! some moves by several events: one from subnet to subnet is a removal, an
//! addition and the move itself, and each is an entry.

use chain_metadata::{
    AccountId, BlockNumber, Event, NestedCall, NetUid, Origin, Outcome, Phase, Value,
};
use parity_scale_codec::{Decode, Encode};

use crate::commits::CallAt;
use crate::items::PALLET;

/// Names a movement: its block, and its place among the movements of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Block.
    pub block: BlockNumber,
    /// Place in it, from 0, in the order of the events.
    pub index: u32,
}

/// Kinds of movements, by their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// `StakeAdded`.
    Added,
    /// `StakeRemoved`.
    Removed,
    /// `StakeMoved`: from hotkey to hotkey.
    Moved,
    /// `StakeTransferred`: from coldkey to coldkey.
    Transferred,
    /// `StakeAndHotkeyTransferred`: to another coldkey and hotkey.
    MovedAndTransferred,
    /// `StakeSwapped`: from subnet to subnet.
    Swapped,
    /// `RootClaimed`: what stake on root earned was paid out.
    RootClaimed,
    /// `AutoStakeAdded`: an incentive went to the hotkey its owner chose.
    AutoStaked,
    /// `AlphaRecycled`: given back to what may be emitted.
    Recycled,
    /// `AlphaBurned`: destroyed.
    Burned,
    /// `AddStakeBurn`: TAO became alpha, which was destroyed.
    BoughtAndBurned,
    /// `TransactionFeePaidWithAlpha`.
    FeePaid,
    /// `SubnetLeaseDividendsDistributed`: to a contributor of a lease.
    LeaseDividends,
}

/// One end of a movement; `None` is what the event does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Side {
    /// Hotkey.
    pub hotkey: Option<[u8; 32]>,
    /// Coldkey.
    pub coldkey: Option<[u8; 32]>,
    /// Subnet.
    pub netuid: Option<u16>,
}

/// A movement. Amounts are the event's own integers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Movement {
    /// Its kind.
    pub kind: Kind,
    /// Where stake came from; `None` when it came from no stake.
    pub from: Option<Side>,
    /// Where it went to; `None` when it went to no stake.
    pub to: Option<Side>,
    /// rao of TAO.
    pub tao: Option<u64>,
    /// Alpha of the subnet, 10^-9.
    pub alpha: Option<u64>,
    /// Fee, rao.
    pub fee: Option<u64>,
    /// Position of the event in the block.
    pub event: u32,
    /// The call that did it; `None` when the chain did it itself. Its path is
    /// `None` where no call of the extrinsic is about these accounts.
    pub made_by: Option<CallAt>,
}

impl Movement {
    /// Its ends.
    pub fn sides(&self) -> impl Iterator<Item = &Side> {
        self.from.iter().chain(&self.to)
    }
}

/// The fields of an event in order, by what they are.
struct Fields<'a> {
    event: &'a Event,
    accounts: Vec<AccountId>,
    numbers: Vec<u16>,
    amounts: Vec<u64>,
}

impl<'a> Fields<'a> {
    fn of(event: &'a Event) -> Fields<'a> {
        let values = || event.fields.iter().map(|(_, value)| value);
        let wide = |width: u8| {
            values().filter(move |v| matches!(v, Value::Uint { width: w, .. } if *w == width))
        };
        Fields {
            event,
            accounts: values().filter_map(Value::as_account).collect(),
            numbers: wide(16).filter_map(Value::as_u16).collect(),
            amounts: wide(64).filter_map(Value::as_u64).collect(),
        }
    }

    fn account(&self, place: usize) -> Option<[u8; 32]> {
        self.accounts.get(place).map(|account| account.0)
    }

    fn side(&self, hotkey: usize, coldkey: usize, netuid: usize) -> Option<Side> {
        Some(Side {
            hotkey: self.account(hotkey),
            coldkey: self.account(coldkey),
            netuid: self.numbers.get(netuid).copied(),
        })
    }

    fn amount(&self, place: usize) -> Option<u64> {
        self.amounts.get(place).copied()
    }

    /// An amount by the name of its field.
    fn named(&self, name: &str) -> Option<u64> {
        self.event.field(name)?.as_u64()
    }
}

/// What an event moved; `None` when it is about something else, or has another
/// shape than any runtime gave it.
pub fn movement(event: &Event) -> Option<Movement> {
    if &*event.pallet != PALLET {
        return None;
    }
    let f = Fields::of(event);
    let mut moved = Movement {
        kind: Kind::Added,
        from: None,
        to: None,
        tao: None,
        alpha: None,
        fee: None,
        event: event.index,
        made_by: None,
    };
    match (&*event.name, f.accounts.len()) {
        // Before subnets had tokens: hotkey and amount.
        (name @ ("StakeAdded" | "StakeRemoved"), found @ (1 | 2)) => {
            let side = match found {
                1 => f.side(0, 1, 0),
                _ => f.side(1, 0, 0),
            };
            (moved.tao, moved.alpha, moved.fee) = (f.amount(0), f.amount(1), f.amount(2));
            if name == "StakeAdded" {
                moved.to = side;
            } else {
                (moved.kind, moved.from) = (Kind::Removed, side);
            }
        }
        ("StakeMoved", 3) => {
            moved.kind = Kind::Moved;
            (moved.from, moved.to) = (f.side(1, 0, 0), f.side(2, 0, 1));
            moved.tao = f.amount(0);
        }
        ("StakeTransferred", 3) => {
            moved.kind = Kind::Transferred;
            (moved.from, moved.to) = (f.side(2, 0, 0), f.side(2, 1, 1));
            moved.tao = f.amount(0);
        }
        ("StakeAndHotkeyTransferred", 4) => {
            moved.kind = Kind::MovedAndTransferred;
            (moved.from, moved.to) = (f.side(2, 0, 0), f.side(3, 1, 1));
            moved.tao = f.amount(0);
        }
        ("StakeSwapped", 2) => {
            moved.kind = Kind::Swapped;
            (moved.from, moved.to) = (f.side(1, 0, 0), f.side(1, 0, 1));
            moved.tao = f.amount(0);
        }
        ("RootClaimed", 1) => {
            moved.kind = Kind::RootClaimed;
            moved.to = f.side(1, 0, 0);
            moved.tao = f.named("tao");
        }
        ("AutoStakeAdded", 3) => {
            moved.kind = Kind::AutoStaked;
            moved.to = f.side(0, 2, 0);
            moved.alpha = f.named("incentive");
        }
        (name @ ("AlphaRecycled" | "AlphaBurned"), 2) => {
            moved.kind = match name {
                "AlphaRecycled" => Kind::Recycled,
                _ => Kind::Burned,
            };
            moved.from = f.side(1, 0, 0);
            moved.alpha = f.amount(0);
        }
        ("AddStakeBurn", 1) => {
            moved.kind = Kind::BoughtAndBurned;
            moved.to = f.side(0, 1, 0);
            (moved.tao, moved.alpha) = (f.named("amount"), f.named("alpha"));
        }
        ("TransactionFeePaidWithAlpha", 1) => {
            moved.kind = Kind::FeePaid;
            moved.from = f.side(1, 0, 0);
            (moved.alpha, moved.tao) = (f.named("alpha_fee"), f.named("tao_amount"));
        }
        ("SubnetLeaseDividendsDistributed", 1) => {
            moved.kind = Kind::LeaseDividends;
            moved.to = f.side(1, 0, 0);
            moved.alpha = f.named("alpha");
        }
        _ => return None,
    }
    Some(moved)
}

/// A call of an extrinsic, as far as it may have moved stake.
#[derive(Debug)]
struct Mover<'a> {
    nested: &'a NestedCall,
    accounts: Vec<[u8; 32]>,
    netuids: Vec<NetUid>,
    /// Kind, hotkeys and subnets of movements that are put to it already.
    did: Vec<(Kind, Vec<Side>)>,
}

fn mover(nested: &NestedCall) -> Option<Mover<'_>> {
    if &*nested.call.pallet != PALLET || matches!(nested.outcome, Outcome::NotRun) {
        return None;
    }
    let mut accounts = Vec::new();
    if let Origin::Signed(account) = &nested.origin {
        accounts.push(account.0);
    }
    let args = nested.call.args.iter();
    let found = args.clone().filter_map(|(_, value)| value.as_account());
    accounts.extend(found.map(|account| account.0));
    let netuids = args.filter(|(name, _)| name.contains("netuid"));
    Some(Mover {
        accounts,
        netuids: netuids
            .filter_map(|(_, value)| value.as_u16().map(NetUid))
            .collect(),
        nested,
        did: Vec::new(),
    })
}

impl Mover<'_> {
    fn fits(&self, moved: &Movement) -> bool {
        let accounts = moved
            .sides()
            .flat_map(|s| s.hotkey.iter().chain(&s.coldkey));
        let subnets = moved.sides().filter_map(|s| s.netuid);
        accounts
            .into_iter()
            .all(|account| self.accounts.contains(account))
            && (self.netuids.is_empty()
                || subnets
                    .into_iter()
                    .all(|n| n == 0 || self.netuids.contains(&NetUid(n))))
    }
}

/// Movements of the events of one extrinsic, each with the call that did it: the
/// first that is about the same accounts and subnets and to which none alike is
/// put yet.
pub fn of_extrinsic(index: u32, events: &[&Event], calls: &[NestedCall]) -> Vec<Movement> {
    let mut movers: Vec<Mover<'_>> = Vec::new();
    let mut found = Vec::new();
    for event in events {
        let Some(mut moved) = movement(event) else {
            continue;
        };
        if movers.is_empty() {
            movers = calls.iter().filter_map(mover).collect();
        }
        let alike = (moved.kind, moved.sides().cloned().collect::<Vec<_>>());
        let fitting: Vec<usize> = (0_usize..)
            .zip(&movers)
            .filter(|(_, mover)| mover.fits(&moved))
            .map(|(place, _)| place)
            .collect();
        let fresh = fitting.iter().copied().find(|place| {
            let mover = movers.get(*place);
            mover.is_some_and(|mover| !mover.did.contains(&alike))
        });
        let mut path = None;
        if let Some(mover) = fresh
            .or(fitting.last().copied())
            .and_then(|place| movers.get_mut(place))
        {
            mover.did.push(alike);
            path = Some(mover.nested.path.clone());
            // Old events do not name the coldkey; the call acts for it.
            if let Origin::Signed(account) = &mover.nested.origin {
                for side in moved.from.iter_mut().chain(&mut moved.to) {
                    side.coldkey.get_or_insert(account.0);
                }
            }
        }
        moved.made_by = Some(CallAt {
            extrinsic: index,
            path,
        });
        found.push(moved);
    }
    found
}

/// Movements that belong to no extrinsic.
pub fn of_the_chain(events: &[Event]) -> impl Iterator<Item = Movement> {
    events
        .iter()
        .filter(|event| !matches!(event.phase, Phase::ApplyExtrinsic(_)))
        .filter_map(movement)
}
