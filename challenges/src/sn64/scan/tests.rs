use std::collections::BTreeMap;

use proptest::prelude::*;
use scoring::local::sn64::Rules;

use super::super::invocations::{Invocations, Medians, Work, medians};
use super::*;
use crate::date;

const HEADER: &str = "parent_invocation_id,invocation_id,chute_id,chute_user_id,function_name,image_id,image_user_id,instance_id,miner_uid,miner_hotkey,started_at,completed_at,error_message,compute_multiplier,bounty,metrics\n";

/// An export in memory.
struct Text(String, i64, String);

impl Export for Text {
    fn name(&self) -> &str {
        &self.0
    }

    fn end(&self) -> i64 {
        self.1
    }

    fn open(&self) -> std::io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.2.as_bytes()))
    }
}

fn time(micros: i64) -> String {
    super::super::audit::iso(micros).replace('Z', &format!(".{:06}", micros.rem_euclid(1_000_000)))
}

/// An invocation of a made-up chain of events.
#[derive(Debug, Clone)]
struct Event {
    id: u32,
    miner: u8,
    started: i64,
    /// Microseconds that it took; never ended when `None`.
    took: Option<i64>,
    bounty: u8,
}

impl Event {
    /// Its line in an export that was written at `seen`: what ended later has no end there.
    fn line(&self, seen: i64) -> String {
        let id = format!("{:032x}", self.id);
        let end = self
            .took
            .map(|took| self.started + took)
            .filter(|end| *end < seen);
        let end = end.map(time).unwrap_or_default();
        format!(
            "{id},{id},{:032x},,f,,,,{},miner{},{},{end},,2.0,{},\n",
            self.miner % 3,
            self.miner,
            self.miner,
            time(self.started),
            self.bounty
        )
    }
}

const BASE: i64 = 480_000 * HOUR;

/// Exports by the rule of buckets, written `late` after their hours.
fn exported(events: &[Event], hours: i64, late: i64) -> Vec<Text> {
    (1..=hours)
        .map(|hour| {
            let (start, end) = (BASE + (hour - 1) * HOUR, BASE + hour * HOUR);
            let mut text = HEADER.to_owned();
            for event in events {
                let begins = (start..end).contains(&event.started);
                let ends = event.took.map(|took| event.started + took);
                let ends = ends.is_some_and(|at| (start..end).contains(&at));
                if begins || (ends && event.started < start && event.started >= end - date::DAY) {
                    text.push_str(&event.line(end + late));
                }
            }
            Text(format!("{hour}.csv"), end, text)
        })
        .collect()
}

fn rules(now: i64) -> Invocations<'static> {
    static NONE: std::sync::LazyLock<HashSet<u128>> = std::sync::LazyLock::new(HashSet::new);
    Invocations {
        rules: Rules::P2,
        now,
        reported: &NONE,
        medians: &[],
    }
}

/// Invocations, bounties and units by hotkey.
fn sums(names: &Names, work: &Work) -> BTreeMap<String, (u64, u64, f64)> {
    let rows = names.hotkeys().into_iter().zip(&work.miners);
    rows.map(|(hotkey, s)| (hotkey, (s.invocations, s.bounties, s.units)))
        .collect()
}

fn scanned(files: &[Text], now: i64) -> (BTreeMap<String, (u64, u64, f64)>, Found) {
    let names = Names::default();
    let scanned = scan(files, &rules(now), &names, &HashSet::new()).unwrap();
    (sums(&names, &scanned.part), scanned.found)
}

/// Every event once, by what is known of it in the end.
fn plain(events: &[Event], hours: i64, late: i64) -> BTreeMap<String, (u64, u64, f64)> {
    let mut found: BTreeMap<String, (u64, u64, f64)> = BTreeMap::new();
    for event in events {
        let begin = (event.started - BASE).div_euclid(HOUR) + 1;
        let seen = |hour: i64| {
            event
                .took
                .is_some_and(|took| event.started + took < BASE + hour * HOUR + late)
        };
        let end_hour = event
            .took
            .map(|took| (event.started + took - BASE).div_euclid(HOUR) + 1);
        let in_end = end_hour
            .is_some_and(|hour| hour <= hours && event.started >= BASE + hour * HOUR - date::DAY);
        let done = seen(begin) || in_end;
        let sums = found.entry(format!("miner{}", event.miner)).or_default();
        sums.0 += u64::from(done);
        sums.1 += u64::from(event.bounty > 0);
        let took = event.took.filter(|_| done).unwrap_or(0);
        sums.2 += f64::from(event.bounty) + 2.0 * scoring::local::sn64::units::seconds(took);
    }
    found
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let took = prop_oneof![
        3 => (0..HOUR).prop_map(Some),
        // Whole seconds, so that sums are exact in every order.
        2 => (0..27 * HOUR).prop_map(Some),
        1 => Just(None),
    ];
    let one = (0_u8..5, 0..40 * HOUR, took, 0_u8..3);
    proptest::collection::vec(one, 0..60).prop_map(|events| {
        let events = events.into_iter().enumerate();
        events
            .map(|(id, (miner, at, took, bounty))| Event {
                id: u32::try_from(id).unwrap() + 1,
                miner,
                started: BASE + at - at % 1_000_000,
                took: took.map(|took| took - took % 1_000_000),
                bounty,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_invocation_counts_once(events in events(), late in prop_oneof![Just(1_i64), Just(300_000_000)]) {
        let files = exported(&events, 40, late);
        let (found, details) = scanned(&files, BASE + 40 * HOUR);
        prop_assert_eq!(&found, &plain(&events, 40, late));
        prop_assert_eq!(details.suspects, 0);
        // A gap in the exports changes what is known of ends, never the count of rows twice.
        let part: Vec<Text> = files.into_iter().enumerate().filter(|(i, _)| i % 5 != 3).map(|(_, f)| f).collect();
        let (found, _) = scanned(&part, BASE + 40 * HOUR);
        for (hotkey, (count, bounties, _)) in found {
            let most = events.iter().filter(|e| format!("miner{}", e.miner) == hotkey).count() as u64;
            prop_assert!(count <= most && bounties <= most);
        }
    }

    #[test]
    fn what_does_not_fit_is_put_right(events in events(), copies in proptest::collection::vec((0_usize..60, 0_usize..40), 1..8)) {
        let mut files = exported(&events, 40, 1);
        let mut copied = HashSet::new();
        for (event, file) in copies {
            let Some(event) = events.get(event) else { continue };
            // The whole truth once more, in an hour that it does not belong to.
            files[file].2.push_str(&event.line(i64::MAX));
            copied.insert(event.id);
        }
        let (found, _) = scanned(&files, BASE + 40 * HOUR);
        let mut wanted = plain(&events, 40, 1);
        for event in events.iter().filter(|e| copied.contains(&e.id)) {
            let alone = plain(std::slice::from_ref(event), 40, 1);
            let was = alone.values().next().unwrap();
            let sums = wanted.get_mut(&format!("miner{}", event.miner)).unwrap();
            let took = event.took.map(scoring::local::sn64::units::seconds);
            sums.0 += u64::from(took.is_some()) - was.0;
            sums.2 += f64::from(event.bounty) + 2.0 * took.unwrap_or(0.0) - was.2;
        }
        prop_assert_eq!(found, wanted);
    }
}

/// Events whose sums depend on the order of adding.
fn uneven() -> Vec<Event> {
    (0..4000_u32)
        .map(|id| {
            let at = i64::from(id.wrapping_mul(2_654_435_761) % 1_000_003);
            Event {
                id,
                miner: (id % 7) as u8,
                started: BASE + at * 30_000_017 % (30 * HOUR),
                took: (id % 11 != 0).then_some(at * 7_919_003 % (3 * HOUR)),
                bounty: (id % 3) as u8,
            }
        })
        .collect()
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut files = exported(&uneven(), 30, 300_000_000);
    // Some suspects too.
    let line = uneven()[5].line(i64::MAX);
    files[17].2.push_str(&line);
    files[18].2.push_str(&line);
    let bits = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let (sums, found) = pool.install(|| scanned(&files, BASE + 30 * HOUR));
        assert!(found.suspects > 0 && found.superseded > 100, "{found:?}");
        sums.into_iter()
            .map(|(hotkey, s)| (hotkey, s.2.to_bits()))
            .collect::<Vec<_>>()
    };
    let one = bits(1);
    assert_eq!(one.len(), 7);
    for threads in [2, 3, 8] {
        assert_eq!(bits(threads), one);
    }
}

#[test]
fn an_unfinished_invocation_is_finished_later() {
    let event = Event {
        id: 1,
        miner: 1,
        started: BASE + HOUR - 1_000_000,
        took: Some(2_000_000),
        bounty: 1,
    };
    let files = exported(&[event], 3, 1);
    assert_eq!(files[0].2.lines().count() + files[1].2.lines().count(), 4);
    let (found, details) = scanned(&files, BASE + 3 * HOUR);
    assert_eq!(found["miner1"], (1, 1, 1.0 + 2.0 * 2.0));
    assert_eq!(
        (details.rows, details.superseded, details.without_beginning),
        (2, 1, 0)
    );
    // Without the first file, and without the second.
    let (found, details) = scanned(&files[1..], BASE + 3 * HOUR);
    assert_eq!(
        (
            found["miner1"].0,
            details.without_beginning,
            details.suspects
        ),
        (1, 1, 0)
    );
    let (found, _) = scanned(&files[..1], BASE + 3 * HOUR);
    assert_eq!(found["miner1"], (0, 1, 1.0));
}

#[test]
fn errors_name_file_and_line() {
    let good = Event {
        id: 1,
        miner: 1,
        started: BASE,
        took: Some(1),
        bounty: 0,
    }
    .line(i64::MAX);
    for (text, wanted) in [
        (String::new(), "x.csv, line 1: the file is empty"),
        (
            "a,b\n".into(),
            "x.csv, line 1: the column `parent_invocation_id` is missing",
        ),
        (
            format!("{HEADER}{good}1,2\n"),
            "x.csv, line 3: 2 columns, the first line has 16",
        ),
        (
            format!("{HEADER}{good}\"{good}"),
            "x.csv, line 3: a quote is never closed",
        ),
        (
            format!("{HEADER}{}", good.replace("2.0", "nan")),
            "x.csv, line 2: compute_multiplier `nan`",
        ),
        (
            format!("{HEADER}{}", good.replace(",0,\n", ",0,exec('x')\n")),
            "x.csv, line 2: metrics `exec('x')`",
        ),
    ] {
        let files = [Text("x.csv".into(), BASE + HOUR, text)];
        let error = scan(&files, &rules(BASE), &Names::default(), &HashSet::new()).unwrap_err();
        assert!(error.to_string().starts_with(wanted), "{error}");
    }
}

#[test]
fn wanted_ids_and_hashes_are_found() {
    use sha2::Digest;
    let event = Event {
        id: 9,
        miner: 3,
        started: BASE,
        took: Some(1),
        bounty: 0,
    };
    let mut files = exported(&[event], 2, 1);
    files[1].2 = files[1].2.replace("metrics", "metrics,flavour");
    let wanted = HashSet::from([9, 10]);
    let found = scan(&files, &rules(BASE), &Names::default(), &wanted)
        .unwrap()
        .found;
    assert_eq!(
        found.wanted,
        HashMap::from([(9, vec!["miner3".to_owned()])])
    );
    let hash: [u8; 32] = sha2::Sha256::digest(&files[0].2).into();
    assert_eq!(found.hashes[0], hash);
    assert_eq!(
        found.unknown_columns,
        [("flavour".to_owned(), "2.csv".to_owned())]
    );
}

#[test]
fn medians_of_chutes() {
    let row = |id: u32, took: i64, steps: u32| {
        let line = Event {
            id,
            miner: 0,
            started: BASE,
            took: Some(took),
            bounty: 0,
        }
        .line(i64::MAX);
        line.replace(
            ",0,\n",
            &format!(",0,\"{{'steps': {steps}, 'tokens': None}}\"\n"),
        )
    };
    let text = format!(
        "{HEADER}{}{}{}",
        row(1, 4_000_000, 2),
        row(2, 9_000_000, 3),
        row(3, 5_000_000, 0)
    );
    let files = [Text("1.csv".into(), BASE + HOUR, text)];
    let measure = Medians { now: BASE + HOUR };
    let part = scan(&files, &measure, &Names::default(), &HashSet::new())
        .unwrap()
        .part;
    let found = medians(part);
    assert_eq!((found[0].step, found[0].token), (Some(2.5), None));
    let old = Medians {
        now: BASE + 48 * HOUR,
    };
    let part = scan(&files, &old, &Names::default(), &HashSet::new())
        .unwrap()
        .part;
    assert!(part.is_empty());
}

#[test]
fn limits_end_a_file_while_it_is_read() {
    let small = Limits {
        rows: 100,
        waiting: 20,
        suspects: 10,
    };
    let event = |id, started| Event {
        id,
        miner: 1,
        started,
        took: None,
        bounty: 0,
    };
    // 200 rows of a kind, the last of which is broken: it must not be reached.
    let refused = |rows: &dyn Fn(u32) -> Event, took: Option<i64>| {
        let lines = (0..199).map(|n| Event { took, ..rows(n) }.line(BASE + HOUR));
        let text = [HEADER.to_owned()]
            .into_iter()
            .chain(lines)
            .chain(["broken".to_owned()])
            .collect();
        let files = [Text("1.csv".into(), BASE + HOUR, text)];
        let none = HashSet::new();
        let found = within(&files, &rules(BASE), &Names::default(), &none, small);
        found.unwrap_err().to_string()
    };
    let done = refused(&|n| event(n, BASE), Some(1));
    assert!(done.starts_with("1.csv: has more than 100 rows"), "{done}");
    let waiting = refused(&|n| event(n, BASE), None);
    assert!(
        waiting.starts_with("1.csv: more than 20 invocations of a day (21)"),
        "{waiting}"
    );
    // Ends of the hour before.
    let ends = refused(&|n| event(n, BASE - 1), Some(2));
    assert!(ends.starts_with("1.csv: more than 20 invo"), "{ends}");
    let foreign = refused(&|n| event(n, BASE - 90 * HOUR), Some(1));
    assert!(
        foreign.starts_with("1.csv: more than 10 ids (11)"),
        "{foreign}"
    );
    // One id many times is one suspect.
    let same = refused(&|_| event(7, BASE), Some(1));
    assert!(same.starts_with("1.csv: has more than 100 rows"), "{same}");
}
