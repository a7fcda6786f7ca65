//! Lists of changes as the window asks for them.

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Uid, storage_index};
use graphql::ports::{self, Changes, ReadError};
use indexer::items::{Item, MANIFEST, Refresh, Scope, item};
use indexer::store::Store;
use indexer::view::causes::{Cause, Causes};
use indexer::view::changes::{Change, Stretch, Track, of_subnet, sides, walk};
use indexer::view::subnets::{self, Happening};
use indexer::view::{At, Held};

use super::{StoreReader, read_error};

type Before = Option<(BlockNumber, u32)>;

fn value(at: &At, held: Held) -> ports::StateValue {
    let ss58 = at.layout.metadata.ss58_prefix();
    ports::StateValue {
        stored: matches!(held, Held::Stored(..)),
        value: held.value().map(|value| value.to_json(ss58)),
    }
}

fn place(block: BlockNumber, cause: &Cause) -> ports::CallPlace {
    ports::CallPlace {
        block,
        extrinsic: cause.extrinsic,
        path: Some(cause.path.clone()),
    }
}

fn change(
    store: &Store,
    causes: &mut Causes<'_>,
    track: &Track,
    found: &Change,
) -> Result<ports::StateChange, ReadError> {
    let (at, old, new) = sides(store, track.line, found).map_err(read_error)?;
    let of_subnet = matches!(track.line.scope, Scope::Subnet | Scope::Mech);
    let subnet = track.netuid.filter(|_| of_subnet && !found.found_at_start);
    let cause = match subnet {
        Some(netuid) => (causes.of(track.line, netuid, found.block)).map_err(read_error)?,
        None => None,
    };
    Ok(ports::StateChange {
        block: found.block,
        place: found.place,
        spec_version: at.row.spec,
        item: track.line.entry.into(),
        mechanism: track.mechanism,
        found_at_start: found.found_at_start,
        old: old.map(|old| value(&at, old)),
        new: value(&at, new),
        made_by: cause.as_ref().map(|cause| place(found.block, cause)),
        signer: cause.and_then(|cause| cause.signer),
    })
}

fn listed(
    store: &Store,
    tracks: &[Track],
    stretch: Stretch,
    first: usize,
) -> Result<ports::Found<ports::StateChange>, ReadError> {
    let found = walk(store, tracks, stretch, first).map_err(read_error)?;
    let mut causes = Causes::new(store);
    let mut items = Vec::with_capacity(found.items.len());
    for one in found.items {
        if let Some(track) = tracks.get(one.track) {
            items.push(change(store, &mut causes, track, &one)?);
        }
    }
    Ok(ports::Found {
        items,
        next: found.next,
    })
}

/// The items of a subnet that are meant, each once.
fn lines(items: Option<&[String]>) -> Result<Vec<&'static Item>, String> {
    let of_subnet = |line: &&Item| matches!(line.scope, Scope::Subnet | Scope::Mech);
    let Some(names) = items else {
        let settings = |line: &&Item| line.refresh == Refresh::Touched;
        return Ok(MANIFEST.iter().filter(of_subnet).filter(settings).collect());
    };
    let mut lines: Vec<&'static Item> = Vec::with_capacity(names.len());
    for name in names {
        let Some(line) = item(name).filter(of_subnet) else {
            return Err(format!(
                "`items` names {name:?}, which is no kept item of a subnet; query subnet {{ items {{ name }} }} for those there are"
            ));
        };
        if !lines.iter().any(|known| known.id == line.id) {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// What is given of a key.
struct Key<'a> {
    wanted: &'a ports::StateChangesWanted,
    /// Arguments that the item's scope takes.
    taken: Vec<&'static str>,
}

impl Key<'_> {
    fn part<T>(&mut self, name: &'static str, given: Option<T>) -> Result<T, String> {
        self.taken.push(name);
        given.ok_or_else(|| {
            let entry = &self.wanted.entry;
            format!("`{name}` is missing, by which {entry} is keyed; give it")
        })
    }

    fn netuid(&mut self) -> Result<NetUid, String> {
        self.part("netuid", self.wanted.netuid)
    }

    fn uid(&mut self) -> Result<Uid, String> {
        self.part("uid", self.wanted.uid)
    }

    fn hotkey(&mut self) -> Result<AccountId, String> {
        self.part("hotkey", self.wanted.hotkey)
    }

    fn coldkey(&mut self) -> Result<AccountId, String> {
        self.part("coldkey", self.wanted.coldkey)
    }

    /// Storage index; without a mechanism that of mechanism 0.
    fn index(&mut self) -> Result<(NetUid, MechId, u16), String> {
        let netuid = self.netuid()?;
        self.taken.push("mechanism");
        let mechanism = self.wanted.mechanism.unwrap_or_default();
        match storage_index(netuid, mechanism) {
            Some(index) => Ok((netuid, mechanism, index)),
            None => Err(format!(
                "subnet {netuid} with mechanism {mechanism} is no storage index; give a netuid below 4096 and a mechanism below 16"
            )),
        }
    }

    /// The only account, under either name.
    fn account(&mut self) -> Result<AccountId, String> {
        match (self.wanted.hotkey, self.wanted.coldkey) {
            (Some(account), None) | (None, Some(account)) => {
                self.taken.extend(["hotkey", "coldkey"]);
                Ok(account)
            }
            _ => Err(format!(
                "{} is keyed by one account; give either `hotkey` or `coldkey`",
                self.wanted.entry
            )),
        }
    }

    /// Refuses what the scope does not take.
    fn nothing_more(&self) -> Result<(), String> {
        let wanted = self.wanted;
        let given = [
            ("netuid", wanted.netuid.is_some()),
            ("mechanism", wanted.mechanism.is_some()),
            ("uid", wanted.uid.is_some()),
            ("hotkey", wanted.hotkey.is_some()),
            ("coldkey", wanted.coldkey.is_some()),
        ];
        let more = given
            .iter()
            .find(|(name, given)| *given && !self.taken.contains(name));
        match more {
            Some((name, _)) => Err(format!(
                "{} is not keyed by `{name}`; leave it out",
                wanted.entry
            )),
            None => Ok(()),
        }
    }
}

/// An item with what its key names: subnet, mechanism, and the parts as the chain has them.
type Parts = (Option<NetUid>, Option<MechId>, Vec<Vec<u8>>);

fn parts(line: &Item, wanted: &ports::StateChangesWanted) -> Result<Parts, String> {
    let mut key = Key {
        wanted,
        taken: Vec::new(),
    };
    let number = |number: u16| number.to_le_bytes().to_vec();
    let account = |account: AccountId| account.0.to_vec();
    let found: Parts = match line.scope {
        Scope::Global => (None, None, Vec::new()),
        Scope::Subnet => {
            let netuid = key.netuid()?;
            (Some(netuid), None, vec![number(netuid.0)])
        }
        Scope::Mech => {
            let (netuid, mechanism, index) = key.index()?;
            (Some(netuid), Some(mechanism), vec![number(index)])
        }
        Scope::SubnetUid => {
            let (netuid, uid) = (key.netuid()?, key.uid()?);
            (Some(netuid), None, vec![number(netuid.0), number(uid.0)])
        }
        Scope::MechUid => {
            let ((netuid, mechanism, index), uid) = (key.index()?, key.uid()?);
            let keys = vec![number(index), number(uid.0)];
            (Some(netuid), Some(mechanism), keys)
        }
        Scope::SubnetAccount => {
            let netuid = key.netuid()?;
            let keys = vec![number(netuid.0), account(key.account()?)];
            (Some(netuid), None, keys)
        }
        Scope::AccountSubnet => {
            let netuid = key.netuid()?;
            let keys = vec![account(key.account()?), number(netuid.0)];
            (Some(netuid), None, keys)
        }
        Scope::Account => (None, None, vec![account(key.account()?)]),
        Scope::Pair => {
            let keys = vec![account(key.hotkey()?), account(key.coldkey()?)];
            (None, None, keys)
        }
        Scope::PairSubnet => {
            let netuid = key.netuid()?;
            let (hotkey, coldkey) = (account(key.hotkey()?), account(key.coldkey()?));
            (Some(netuid), None, vec![hotkey, coldkey, number(netuid.0)])
        }
        Scope::SubnetPair => {
            let netuid = key.netuid()?;
            let (hotkey, coldkey) = (account(key.hotkey()?), account(key.coldkey()?));
            (Some(netuid), None, vec![number(netuid.0), hotkey, coldkey])
        }
    };
    key.nothing_more()?;
    Ok(found)
}

fn kind(what: Happening) -> ports::SubnetEventKind {
    match what {
        Happening::Created => ports::SubnetEventKind::Created,
        Happening::Dissolved => ports::SubnetEventKind::Dissolved,
        Happening::Replaced => ports::SubnetEventKind::Replaced,
        Happening::Owner => ports::SubnetEventKind::Owner,
        Happening::OwnerHotkey => ports::SubnetEventKind::OwnerHotkey,
        Happening::MechanismCount => ports::SubnetEventKind::MechanismCount,
        Happening::Name => ports::SubnetEventKind::Name,
        Happening::Symbol => ports::SubnetEventKind::Symbol,
        Happening::Identity => ports::SubnetEventKind::Identity,
    }
}

fn happened(event: subnets::Event) -> ports::SubnetEvent {
    let at = event.at;
    ports::SubnetEvent {
        netuid: event.netuid,
        kind: kind(event.what),
        registered_at: event.registered_at,
        change: ports::StateChange {
            block: at.number,
            place: event.place,
            spec_version: at.row.spec,
            item: event.line.entry.into(),
            mechanism: None,
            found_at_start: false,
            old: Some(value(&at, event.old)),
            new: value(&at, event.new),
            made_by: event.cause.as_ref().map(|cause| place(at.number, cause)),
            signer: event.cause.and_then(|cause| cause.signer),
        },
    }
}

impl Changes for StoreReader {
    fn subnet_changes(
        &self,
        wanted: &ports::SubnetChangesWanted,
        before: Before,
        first: usize,
    ) -> Result<Result<ports::Found<ports::StateChange>, String>, ReadError> {
        let lines = match lines(wanted.items.as_deref()) {
            Ok(lines) => lines,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let store = self.base();
        let tracks = of_subnet(store, lines, wanted.netuid, wanted.to).map_err(read_error)?;
        let stretch = Stretch {
            from: wanted.from,
            to: wanted.to,
            before,
            starts: false,
        };
        listed(store, &tracks, stretch, first).map(Ok)
    }

    fn state_changes(
        &self,
        wanted: &ports::StateChangesWanted,
        before: Before,
        first: usize,
    ) -> Result<Result<ports::Found<ports::StateChange>, String>, ReadError> {
        let Some(line) = item(&wanted.entry) else {
            return Ok(Err(format!(
                "{:?} is no storage item that is kept; query runtimes {{ manifest {{ entry }} }} for those there are",
                wanted.entry
            )));
        };
        let (netuid, mechanism, keys) = match parts(line, wanted) {
            Ok(parts) => parts,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let store = self.base();
        let track = Track::new(store, line, (netuid, mechanism), &keys, wanted.to);
        let tracks: Vec<Track> = track.map_err(read_error)?.into_iter().collect();
        let stretch = Stretch {
            from: wanted.from,
            to: wanted.to,
            before,
            starts: true,
        };
        listed(store, &tracks, stretch, first).map(Ok)
    }

    fn subnet_history(
        &self,
        netuid: Option<NetUid>,
        (from, to): (BlockNumber, BlockNumber),
        before: Before,
        first: usize,
    ) -> Result<ports::Found<ports::SubnetEvent>, ReadError> {
        let stretch = Stretch {
            from,
            to,
            before,
            starts: false,
        };
        let found = subnets::history(self.base(), netuid, stretch, first).map_err(read_error)?;
        Ok(ports::Found {
            items: found.items.into_iter().map(happened).collect(),
            next: found.next,
        })
    }
}
