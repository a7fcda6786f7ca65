//! Series of neurons against a walk over the metagraphs of all blocks.

use std::collections::BTreeMap;

use chain_metadata::{BlockNumber, MechId, NetUid, Uid};
use indexer::store::Store;
use indexer::store::history::How;
use indexer::view::series::{Every, Series, Vector, Wanted, series};
use indexer::view::tenancy::Whose;
use indexer::view::{self, Neuron};

use crate::context::{RECORDINGS, indexed};

const ENTRIES: [&str; 10] = [
    "Incentive",
    "Dividends",
    "Consensus",
    "Trust",
    "Rank",
    "Emission",
    "StakeWeight",
    "ValidatorTrust",
    "Active",
    "ValidatorPermit",
];

fn values(neuron: &Neuron) -> Vec<Option<u64>> {
    let share = |value: Option<u16>| value.map(u64::from);
    vec![
        share(neuron.incentive),
        share(neuron.dividends),
        share(neuron.consensus),
        share(neuron.trust),
        share(neuron.rank),
        neuron.emission,
        share(neuron.stake_weight),
        share(neuron.validator_trust),
        neuron.active.map(u64::from),
        neuron.validator_permit.map(u64::from),
    ]
}

fn wanted(netuid: NetUid, whose: Whose, every: Every, to: BlockNumber) -> Wanted {
    let vector = |entry| Vector {
        entry,
        by_mechanism: entry == "Incentive",
    };
    Wanted {
        netuid,
        mechanism: MechId(0),
        whose,
        vectors: ENTRIES.map(vector).to_vec(),
        range: (0, to),
        every,
        after: None,
    }
}

/// All pages, joined.
fn all(store: &Store, mut wanted: Wanted, first: usize) -> Series {
    let mut joined = Series {
        segments: Vec::new(),
        next: None,
    };
    loop {
        let page = series(store, &wanted, first).unwrap();
        for (tenancy, points) in page.segments {
            match joined.segments.iter_mut().find(|(t, _)| *t == tenancy) {
                Some((_, known)) => known.extend(points),
                None => joined.segments.push((tenancy, points)),
            }
        }
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => return joined,
        }
    }
}

type Walked = BTreeMap<(u16, u16, BlockNumber), Neuron>;

fn walk(store: &Store, last: BlockNumber) -> Walked {
    let mut walked = BTreeMap::new();
    for number in 0..=last {
        let at = view::at(store, number).unwrap().unwrap();
        for netuid in view::subnets(store, &at).unwrap() {
            let neurons = view::metagraph(store, &at, netuid, MechId(0)).unwrap();
            for neuron in neurons.unwrap() {
                walked.insert((netuid.0, neuron.uid.0, number), neuron);
            }
        }
    }
    walked
}

#[tokio::test(flavor = "multi_thread")]
async fn series_are_what_a_walk_over_the_metagraphs_finds() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let last = store.last().unwrap().unwrap();
        let walked = walk(&store, last);
        let (mut points, mut changes) = (0, 0);
        let uids: std::collections::BTreeSet<_> = walked.keys().map(|(n, u, _)| (*n, *u)).collect();
        for (netuid, uid) in uids {
            let whose = Whose::Uid(Uid(uid));
            let ask = |every| wanted(NetUid(netuid), whose, every, last);
            let found = all(&store, ask(Every::Epoch), 7);
            let mut expected = store.epochs(netuid, last, usize::MAX).unwrap();
            expected.reverse();
            expected.retain(|block| walked.contains_key(&(netuid, uid, *block)));
            let mut seen = Vec::new();
            for (tenancy, its) in &found.segments {
                for point in its {
                    let neuron = &walked[&(netuid, uid, point.block)];
                    assert_eq!(neuron.hotkey, tenancy.hotkey, "{name} {netuid}/{uid}");
                    assert_eq!(
                        point.values,
                        values(neuron),
                        "{name} {netuid}/{uid} {}",
                        point.block
                    );
                    seen.push(point.block);
                }
                // Whoever registered in the block of an epoch has no part in it.
                if tenancy.began == How::Registered && expected.contains(&tenancy.from) {
                    expected.retain(|block| *block != tenancy.from);
                }
            }
            assert_eq!(seen, expected, "{name} {netuid}/{uid}");
            points += seen.len();
            // Changes are walked for every third uid: the walk is long.
            if uid % 3 != 0 {
                continue;
            }
            let found = all(&store, ask(Every::Change), 40);
            for (tenancy, its) in &found.segments {
                let end = tenancy.until.unwrap_or(last + 1);
                let of = |block| values(&walked[&(netuid, uid, block)]);
                let expected: Vec<_> = (tenancy.from + 1..end)
                    .filter(|b| of(*b) != of(b - 1))
                    .collect();
                let blocks: Vec<_> = its
                    .iter()
                    .map(|p| p.block)
                    .filter(|b| *b > tenancy.from)
                    .collect();
                assert_eq!(blocks, expected, "{name} {netuid}/{uid} {}", tenancy.hotkey);
                assert!(its.iter().all(|p| p.values == of(p.block)));
                changes += expected.len();
            }
        }
        assert!(points > 100 && changes > 50, "{name}: {points} {changes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hotkey_is_followed_over_its_swap_and_a_uid_is_cut_there() {
    let store = indexed("mini-300").await;
    let at = |number| view::at(&store, number).unwrap().unwrap();
    let events = view::events(&store, &at(254)).unwrap();
    let event = events.iter().find(|e| &*e.name == "HotkeySwapped").unwrap();
    let account = |field| event.field(field).and_then(|v| v.as_account()).unwrap();
    let (old, new) = (account("old_hotkey"), account("new_hotkey"));
    let mut seen = 0;
    for netuid in view::subnets(&store, &at(253)).unwrap() {
        let of = |hotkey| {
            all(
                &store,
                wanted(netuid, Whose::Hotkey(hotkey), Every::Epoch, 329),
                3,
            )
        };
        let series = of(old);
        if series.segments.is_empty() {
            continue;
        }
        seen += 1;
        let holders: Vec<_> = series.segments.iter().map(|(t, _)| t.hotkey).collect();
        assert_eq!(holders, [old, new]);
        assert_eq!(series, of(new));
        assert!(series.segments[0].1.iter().all(|p| p.block < 254));
        assert!(series.segments[1].1.iter().all(|p| p.block >= 254));
        let uid = series.segments[0].0.uid;
        let by_uid = all(
            &store,
            wanted(netuid, Whose::Uid(uid), Every::Epoch, 329),
            100,
        );
        assert_eq!(by_uid, series);
        let epochs = store.epochs_in(netuid.0, 0..=329, 1000).unwrap();
        let points: usize = series.segments.iter().map(|(_, points)| points.len()).sum();
        assert!(points > 2 && points <= epochs.len());
        assert!(
            epochs
                .iter()
                .all(|(_, row)| (row.mechanisms, row.index) == (1, None))
        );
    }
    assert!(seen > 0);
}
