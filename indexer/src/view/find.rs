//! Searches for extrinsics and events, newest first, with a bound on what one
//! search reads.
//!
//! Topics are looked up in table activity and the lists are joined while they are
//! read, newest first: where one list has nothing, the others are not read
//! either. What is found is decoded and compared, since topics are kept by 16
//! bytes. Without a topic every block of the range is decoded.

use chain_metadata::{AccountId, BlockNumber, Event};

use super::{At, Body, at, events, extrinsics};
use crate::activity::{Topic, accounts_of_call, topics_of_event, topics_of_extrinsic};
use crate::store::{Store, StoreError};

/// Steps through lists of places, and blocks decoded, by one search at most.
const STEPS: usize = 4_000;
const BLOCKS: usize = 200;
/// Places of a topic read at a time.
const CHUNK: usize = 128;

/// A block and a position in it.
pub type Place = (BlockNumber, u32);

/// Some of what was found, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<T> {
    /// What was found.
    pub items: Vec<T>,
    /// Where to go on, when there may be more.
    pub next: Option<Place>,
}

/// Which extrinsics are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Extrinsics {
    /// It signed, or is among the arguments of a call.
    pub account: Option<AccountId>,
    /// Pallet of a call.
    pub pallet: Option<String>,
    /// Name of that call.
    pub call: Option<String>,
    /// `Pallet.Error`.
    pub error: Option<String>,
    /// Whether it succeeded.
    pub success: Option<bool>,
}

/// Which events are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// It is among the fields.
    pub account: Option<AccountId>,
    /// Pallet.
    pub pallet: Option<String>,
    /// Name.
    pub name: Option<String>,
}

/// The part of the chain that is searched.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Lowest block.
    pub from: BlockNumber,
    /// Highest block.
    pub to: BlockNumber,
    /// Only what is before this place.
    pub before: Option<Place>,
}

/// The places of one topic, newest first, read as they are needed.
struct List<'a> {
    store: &'a Store,
    topic: Topic,
    chunk: std::vec::IntoIter<Place>,
    head: Option<Place>,
    /// Where the next chunk is read from.
    below: Place,
    over: bool,
}

impl<'a> List<'a> {
    fn new(store: &'a Store, topic: Topic, below: Place) -> List<'a> {
        List {
            store,
            topic,
            chunk: Vec::new().into_iter(),
            head: None,
            below,
            over: false,
        }
    }

    /// The newest place at or below `most`; counts its steps.
    fn seek(&mut self, most: Place, steps: &mut usize) -> Result<Option<Place>, StoreError> {
        loop {
            if let Some(head) = self.head.filter(|head| *head <= most) {
                return Ok(Some(head));
            }
            *steps += 1;
            if let Some(next) = self.chunk.next() {
                self.head = Some(next);
                continue;
            }
            if self.over {
                return Ok(None);
            }
            // Jump: what lies above `most` need not be read.
            let (block, position) = most;
            self.below = self.below.min((block, position.saturating_add(1)));
            let chunk = self.store.activity(&self.topic, Some(self.below), CHUNK)?;
            self.over = chunk.len() < CHUNK;
            self.below = chunk.last().copied().unwrap_or(self.below);
            self.chunk = chunk.into_iter();
        }
    }
}

/// What the search goes along.
enum Along<'a> {
    Topics(Vec<List<'a>>),
    Blocks,
}

impl<'a> Along<'a> {
    fn new(store: &'a Store, topics: Vec<Topic>, below: Place) -> Along<'a> {
        if topics.is_empty() {
            return Along::Blocks;
        }
        let lists = topics
            .into_iter()
            .map(|topic| List::new(store, topic, below));
        Along::Topics(lists.collect())
    }

    /// The newest place at or below `most` that every list has. `Err` in the inner
    /// result is how far it came when the bound was met.
    fn next(
        &mut self,
        most: Place,
        steps: &mut usize,
    ) -> Result<Result<Option<Place>, Place>, StoreError> {
        let Along::Topics(lists) = self else {
            return Ok(Ok(Some(most)));
        };
        let mut most = most;
        'again: loop {
            for list in &mut *lists {
                if *steps > STEPS {
                    return Ok(Err(most));
                }
                match list.seek(most, steps)? {
                    None => return Ok(Ok(None)),
                    Some(place) if place < most => {
                        most = place;
                        // Only one list agrees with itself at once.
                        if lists.len() > 1 {
                            continue 'again;
                        }
                        return Ok(Ok(Some(most)));
                    }
                    Some(_) => {}
                }
            }
            return Ok(Ok(Some(most)));
        }
    }
}

/// The place right before another one.
fn down((block, position): Place) -> Option<Place> {
    match position.checked_sub(1) {
        Some(position) => Some((block, position)),
        None => Some((block.checked_sub(1)?, u32::MAX)),
    }
}

/// Goes along places, newest first. `of` gives what passes in one block, ascending
/// by position.
fn search<T>(
    store: &Store,
    topics: Vec<Topic>,
    span: Span,
    first: usize,
    of: impl Fn(&At) -> Result<Vec<(u32, T)>, StoreError>,
) -> Result<Found<T>, StoreError> {
    let mut found = Found {
        items: Vec::new(),
        next: None,
    };
    let top = (span.to, u32::MAX);
    let start = match span.before {
        Some(before) => down(before).map(|place| place.min(top)),
        None => Some(top),
    };
    let Some(mut most) = start.filter(|_| first > 0) else {
        return Ok(found);
    };
    let below = (most.0, most.1.saturating_add(1));
    let mut along = Along::new(store, topics, below);
    let (mut steps, mut blocks) = (0, 0);
    let above = |(block, position): Place| (block, position.saturating_add(1));
    loop {
        let place = match along.next(most, &mut steps)? {
            Ok(Some(place)) if place.0 >= span.from => place,
            Ok(_) => return Ok(found),
            Err(place) => {
                // Below the range there is nothing to go on for.
                found.next = (place.0 >= span.from).then(|| above(place));
                return Ok(found);
            }
        };
        if blocks >= BLOCKS {
            found.next = Some(above(place));
            return Ok(found);
        }
        blocks += 1;
        let Some(block) = at(store, place.0)? else {
            return Ok(found);
        };
        // The whole block at once: it is decoded only once.
        let mut items = of(&block)?;
        while let Some((position, item)) = items.pop() {
            if (place.0, position) > most {
                continue;
            }
            found.items.push(item);
            if found.items.len() >= first {
                found.next = Some((place.0, position));
                return Ok(found);
            }
        }
        most = match place.0.checked_sub(1) {
            Some(block) => (block, u32::MAX),
            None => return Ok(found),
        };
    }
}

impl Extrinsics {
    fn topics(&self) -> Vec<Topic> {
        let call = self.pallet.as_ref().zip(self.call.as_ref());
        let call = call.map(|(pallet, call)| Topic::Calls(format!("{pallet}.{call}")));
        let account = self.account.map(Topic::ExtrinsicsOf);
        let error = self.error.clone().map(Topic::Errors);
        [error, call, account].into_iter().flatten().collect()
    }

    /// Where the calls of an extrinsic stand that are meant; `None` when it does
    /// not pass.
    fn passes(&self, body: &Body, topics: &[Topic]) -> Option<Vec<Vec<u32>>> {
        if self.success.is_some() && body.outcome.success != self.success {
            return None;
        }
        let error = body.outcome.error.as_ref();
        let all = topics_of_extrinsic(&body.extrinsic, &body.nested, error);
        if !topics.iter().all(|topic| all.contains(topic)) {
            return None;
        }
        let named =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
        let calls = body.nested.iter().filter(|nested| {
            named(&self.pallet, &nested.call.pallet) && named(&self.call, &nested.call.name)
        });
        let calls: Vec<_> = calls.collect();
        if calls.is_empty() {
            return None;
        }
        // Of the calls meant, those that name the account, if one does; who only
        // signed is named by none.
        let naming = |account: &AccountId| {
            let names = calls
                .iter()
                .filter(|n| accounts_of_call(&n.call).contains(account));
            names.map(|n| n.path.clone()).collect::<Vec<_>>()
        };
        let narrowed = self.account.as_ref().map(naming).unwrap_or_default();
        let any = self.pallet.is_some() || self.call.is_some();
        Some(match (narrowed.is_empty(), any) {
            (false, _) => narrowed,
            (true, true) => calls.iter().map(|n| n.path.clone()).collect(),
            (true, false) => vec![Vec::new()],
        })
    }
}

/// An extrinsic that was found: its block, itself, the paths of the calls meant.
pub type FoundBody = (BlockNumber, Body, Vec<Vec<u32>>);

/// Extrinsics, newest first, each with the places of the calls that are meant.
pub fn find_extrinsics(
    store: &Store,
    wanted: &Extrinsics,
    span: Span,
    first: usize,
) -> Result<Found<FoundBody>, StoreError> {
    let topics = wanted.topics();
    let all = topics.clone();
    search(store, topics, span, first, |at| {
        let bodies = extrinsics(store, at)?.into_iter();
        let passing = bodies.filter_map(|body| {
            let paths = wanted.passes(&body, &all)?;
            Some((body.extrinsic.index, (at.number, body, paths)))
        });
        Ok(passing.collect())
    })
}

/// Events, newest first.
pub fn find_events(
    store: &Store,
    wanted: &Events,
    span: Span,
    first: usize,
) -> Result<Found<(BlockNumber, Event)>, StoreError> {
    let name = wanted.pallet.as_ref().zip(wanted.name.as_ref());
    let name = name.map(|(pallet, name)| Topic::Events(format!("{pallet}.{name}")));
    let account = wanted.account.map(Topic::EventsOf);
    let topics: Vec<_> = [name, account].into_iter().flatten().collect();
    let all = topics.clone();
    let named = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
    search(store, topics, span, first, |at| {
        let passing = events(store, at)?.into_iter().filter(|event| {
            let its = topics_of_event(event);
            all.iter().all(|topic| its.contains(topic))
                && named(&wanted.pallet, &event.pallet)
                && named(&wanted.name, &event.name)
        });
        Ok(passing
            .map(|event| (event.index, (at.number, event)))
            .collect())
    })
}
