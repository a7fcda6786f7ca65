//! Histories as a client gets them from the program over HTTP, against what a walk
//! over all blocks finds.

use std::collections::BTreeSet;

use chain_metadata::AccountId;
use indexer::activity::{Topic, topics_of_extrinsic};
use indexer::view;
use serde_json::Value;

use crate::context::indexed;
use crate::served::{query, start, wait_until_ready};

/// The demo with all of the recording.
pub(crate) fn served() -> crate::served::Served {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    let started = std::time::Instant::now();
    while query(&served.address, "{ status { last } }")["data"]["status"]["last"] != 329 {
        assert!(started.elapsed() < std::time::Duration::from_secs(60));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    served
}

/// All pages of a list, with the arguments that come before the cursor.
pub(crate) fn pages(address: &str, field: &str, arguments: &str, nodes: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let asked = format!(
            "{{ page: {field}({arguments}{after}) {{ hasNextPage endCursor nodes {{ {nodes} }} }} }}"
        );
        let answer = query(address, &asked);
        let page = &answer["data"]["page"];
        all.extend(
            page["nodes"]
                .as_array()
                .unwrap_or_else(|| panic!("{answer}"))
                .clone(),
        );
        match page["endCursor"].as_str() {
            Some(cursor) => after = format!(", after: \"{cursor}\""),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_what_a_walk_finds() {
    let (store, served) = (indexed("mini-300").await, served());
    let mut walked = Vec::new();
    for number in 0..=329 {
        let at = view::at(&store, number).unwrap().unwrap();
        walked.extend(
            view::extrinsics(&store, &at)
                .unwrap()
                .into_iter()
                .map(|b| (number, b)),
        );
    }
    let place = |block: u32, index: u32| (block, index);
    let signer = walked
        .iter()
        .find_map(|(block, b)| (*block == 110).then(|| b.extrinsic.signer()).flatten());
    let signer: AccountId = signer.unwrap();
    let topics =
        |b: &view::Body| topics_of_extrinsic(&b.extrinsic, &b.nested, b.outcome.error.as_ref());
    type Passes<'a> = Box<dyn Fn(&view::Body) -> bool + 'a>;
    let set = Topic::Calls("SubtensorModule.set_weights".into());
    let wrong = Topic::Errors("SubtensorModule.InvalidRevealCommitHashNotMatch".into());
    let of = Topic::ExtrinsicsOf(signer);
    let cases: Vec<(String, Passes<'_>, usize)> = vec![
        (
            "pallet: \"SubtensorModule\", call: \"set_weights\"".into(),
            Box::new(|b| topics(b).contains(&set)),
            50,
        ),
        (
            "error: \"SubtensorModule.InvalidRevealCommitHashNotMatch\"".into(),
            Box::new(|b| topics(b).contains(&wrong)),
            1,
        ),
        (
            format!("account: \"{signer}\""),
            Box::new(|b| topics(b).contains(&of)),
            2,
        ),
        (
            format!("account: \"{signer}\", pallet: \"SubtensorModule\", call: \"set_weights\""),
            Box::new(|b| topics(b).contains(&of) && topics(b).contains(&set)),
            1,
        ),
        (
            "success: false".into(),
            Box::new(|b| b.outcome.success == Some(false)),
            4,
        ),
        (
            "pallet: \"Sudo\", fromBlock: 3, toBlock: 12".into(),
            Box::new(|b| b.nested.iter().any(|n| &*n.call.pallet == "Sudo")),
            1,
        ),
        (
            "pallet: \"SubtensorModule\", call: \"never\"".into(),
            Box::new(|_| false),
            0,
        ),
    ];
    for (conditions, passes, least) in cases {
        let in_range = |block: u32| !conditions.contains("fromBlock") || (3..=12).contains(&block);
        let mut expected: Vec<_> = walked
            .iter()
            .filter(|(block, body)| in_range(*block) && passes(body))
            .map(|(block, body)| place(*block, body.extrinsic.index))
            .collect();
        expected.reverse();
        assert!(expected.len() >= least, "{conditions}: {expected:?}");
        let arguments = format!("{conditions}, first: 7");
        let nodes = "paths extrinsic { blockNumber index nestedCalls { path } }";
        let found = pages(&served.address, "findExtrinsics", &arguments, nodes);
        let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let places: Vec<_> = found
            .iter()
            .map(|one| &one["extrinsic"])
            .map(|x| place(number(&x["blockNumber"]), number(&x["index"])))
            .collect();
        assert_eq!(places, expected, "{conditions}");
        for one in &found {
            let nested = one["extrinsic"]["nestedCalls"].as_array().unwrap();
            let mut known: BTreeSet<String> =
                nested.iter().map(|n| n["path"].to_string()).collect();
            known.insert("[]".into());
            let paths = one["paths"].as_array().unwrap();
            assert!(!paths.is_empty() && paths.iter().all(|p| known.contains(&p.to_string())));
        }
    }
    // A call inside a batch is found where it stands.
    let arguments =
        "pallet: \"SubtensorModule\", call: \"set_weights\", fromBlock: 100, toBlock: 112";
    let found = pages(
        &served.address,
        "findExtrinsics",
        arguments,
        "paths extrinsic { call { name } }",
    );
    let batch = found
        .iter()
        .find(|one| one["extrinsic"]["call"]["name"] != "set_weights");
    assert!(
        batch.is_some_and(|one| one["paths"][0] != serde_json::json!([])),
        "{found:?}"
    );
    for (conditions, topic) in [
        (
            "pallet: \"SubtensorModule\", name: \"WeightsSet\"".to_owned(),
            Topic::Events("SubtensorModule.WeightsSet".into()),
        ),
        (format!("account: \"{signer}\""), Topic::EventsOf(signer)),
    ] {
        let expected = store.activity(&topic, None, usize::MAX).unwrap();
        let arguments = format!("{conditions}, first: 9");
        let found = pages(
            &served.address,
            "findEvents",
            &arguments,
            "blockNumber index",
        );
        let places: Vec<_> = found
            .iter()
            .map(|e| (e["blockNumber"].as_u64(), e["index"].as_u64()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(b, i)| (Some(u64::from(*b)), Some(u64::from(*i))))
            .collect();
        assert_eq!(places, expected, "{conditions}");
        assert!(!expected.is_empty(), "{conditions}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenancies_and_causes_are_served() {
    let served = served();
    let ask = |text: &str| query(&served.address, text)["data"].clone();
    // The hotkey that was swapped in block 254, from both sides.
    let events = ask(
        "{ findEvents(pallet: \"SubtensorModule\", name: \"HotkeySwapped\") { nodes { blockNumber fields } } }",
    );
    let swap = &events["findEvents"]["nodes"];
    assert_eq!(
        (
            swap.as_array().map(Vec::len),
            swap[0]["blockNumber"].as_u64()
        ),
        (Some(1), Some(254))
    );
    let (old, new) = (
        &swap[0]["fields"]["old_hotkey"],
        &swap[0]["fields"]["new_hotkey"],
    );
    let mut joined = 0;
    for netuid in 0..4 {
        let all = "uid hotkey fromBlock untilBlock began ended next { hotkey fromBlock } previous { hotkey }";
        let of = |hotkey: &Value| {
            pages(
                &served.address,
                "tenancies",
                &format!("netuid: {netuid}, hotkey: {hotkey}"),
                all,
            )
        };
        for before in of(old) {
            joined += 1;
            assert_eq!(before["ended"], "SWAPPED", "{before}");
            assert_eq!(
                (&before["untilBlock"], &before["next"]["hotkey"]),
                (&254.into(), new)
            );
            let after = of(new);
            assert_eq!((after.len(), &after[0]["began"]), (1, &"SWAPPED".into()));
            assert_eq!(
                (&after[0]["previous"]["hotkey"], &after[0]["uid"]),
                (old, &before["uid"])
            );
            let uid = &before["uid"];
            let at = |block: u32| {
                let text = format!(
                    "{{ neuron(netuid: {netuid}, uid: {uid}, asOf: {{ block: {block} }}) {{ hotkey tenancy {{ hotkey fromBlock }} }} }}"
                );
                ask(&text)["neuron"].clone()
            };
            assert_eq!(
                (&at(253)["tenancy"]["hotkey"], &at(254)["tenancy"]["hotkey"]),
                (old, new)
            );
            assert_eq!(at(254)["tenancy"]["fromBlock"], 254);
        }
    }
    assert!(joined > 0);
    // A row that a reveal set leads to its commit.
    let row = ask(
        "{ weights(netuid: 2, asOf: { block: 126 }, uids: [1]) { rows { changedAt setBy {
             blockNumber kind versionKey commit { id state }
             madeBy { extrinsic { call { name } } } } } } }",
    );
    let set = &row["weights"]["rows"][0]["setBy"];
    assert_eq!(
        (&set["kind"], &set["commit"]["id"]),
        (&"HASH_REVEAL".into(), &"112-0".into()),
        "{row}"
    );
    assert_eq!(set["madeBy"]["extrinsic"]["call"]["name"], "reveal_weights");
    assert_eq!(set["commit"]["state"], "REVEALED");
    // All versions of a row, and the matrix at the block of each.
    let arguments = "netuid: 2, uid: 1, first: 2";
    let versions = pages(
        &served.address,
        "weightChanges",
        arguments,
        "blockNumber uids values setBy { kind blockNumber }",
    );
    assert!(versions.len() > 2, "{versions:?}");
    for version in &versions {
        let block = &version["blockNumber"];
        assert_eq!(&version["setBy"]["blockNumber"], block);
        let text = format!(
            "{{ weights(netuid: 2, asOf: {{ block: {block} }}, uids: [1]) {{ rows {{ changedAt uids values }} }} }}"
        );
        let row = &ask(&text)["weights"]["rows"][0];
        assert_eq!(&row["changedAt"], block);
        assert_eq!(
            (&row["uids"], &row["values"]),
            (&version["uids"], &version["values"])
        );
    }
}
