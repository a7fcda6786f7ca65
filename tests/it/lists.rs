//! Lists, epochs and accounts as the program serves them from a real store: what one way of asking
//! says, every other says too.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::served::{Served, query, start, wait_until_ready};

fn data(served: &Served, text: &str) -> Value {
    let mut answer = query(&served.address, text);
    assert_eq!(answer.get("errors"), None, "{text}\n{answer:#}");
    answer["data"].take()
}

/// All items of a list and their cursors, read from one end in small pages.
fn walked(served: &Served, list: &str, key: &str, back: bool) -> Vec<Value> {
    let (field, arguments) = list.split_once('(').unwrap();
    let (side, edge, end, more) = match back {
        false => ("first", "after", "endCursor", "hasNextPage"),
        true => ("last", "before", "startCursor", "hasPreviousPage"),
    };
    let (mut all, mut from) = (Vec::new(), String::new());
    loop {
        let text = format!(
            "{{ {field}({arguments} {side}: 7 {from}) {{ edges {{ cursor node {{ {key} }} }}
               pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let found = data(served, &text)[field].take();
        let edges = found["edges"].as_array().unwrap().clone();
        let at = if back { 0 } else { all.len() };
        all.splice(at..at, edges);
        if found["pageInfo"][more] == false {
            return all;
        }
        from = format!("{edge}: {}", found["pageInfo"][end]);
    }
}

#[test]
fn every_way_of_asking_says_the_same() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    let at = "asOf: { block: 320 }";
    let neuron = data(
        &served,
        &format!("{{ neuron(netuid: 1, uid: 0, {at}) {{ hotkey coldkey }} }}"),
    );
    let (hotkey, coldkey) = (&neuron["neuron"]["hotkey"], &neuron["neuron"]["coldkey"]);
    for (list, key, least) in [
        (format!("commits({at}"), "id state", 10),
        (
            format!("commits(netuid: 2, kind: HASH, {at}"),
            "id state",
            2,
        ),
        (format!("commits(hotkey: {hotkey}, {at}"), "id", 0),
        (format!("stakeMovements({at}"), "id kind", 10),
        (format!("stakeMovements(netuid: 1, {at}"), "id", 2),
        (
            format!("stake(coldkey: {coldkey}, {at}"),
            "hotkey netuid",
            1,
        ),
        (
            "tenancies(netuid: 1, uid: 0".to_owned(),
            "fromBlock hotkey",
            1,
        ),
        (
            format!("tenancies(netuid: 1, hotkey: {hotkey}"),
            "fromBlock uid",
            1,
        ),
        (
            "weightChanges(netuid: 1, uid: 1".to_owned(),
            "blockNumber values",
            1,
        ),
        (
            "bondChanges(netuid: 1, uid: 1".to_owned(),
            "blockNumber values",
            1,
        ),
        ("epochs(netuid: 1".to_owned(), "outputBlock index", 8),
        (
            "epochs(netuid: 2, from: 50, to: 250".to_owned(),
            "outputBlock",
            8,
        ),
        (
            "verifications(netuid: 2".to_owned(),
            "blockNumber mechanism verdict",
            8,
        ),
    ] {
        let forwards = walked(&served, &list, key, false);
        let backwards = walked(&served, &list, key, true);
        assert!(forwards.len() >= least, "{list}: {}", forwards.len());
        assert_eq!(forwards, backwards, "{list}");
    }
}

#[test]
fn epochs_are_found_by_index_and_by_place_and_stamps_name_them() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    for netuid in 1..=3 {
        let list = format!("epochs(netuid: {netuid}");
        let epochs = walked(&served, &list, "outputBlock inputBlock index", false);
        let mut by_index: BTreeMap<u64, u64> = BTreeMap::new();
        for (behind, edge) in epochs.iter().rev().enumerate() {
            let epoch = &edge["node"];
            let block = epoch["outputBlock"].as_u64().unwrap();
            let stamp = "stamp { block epoch { appliedBlock inputBlock index specVersion inputSpecVersion } }";
            let next = block + 1;
            let text = format!(
                "{{ behind: subnet(netuid: {netuid}, asOf: {{ epoch: {{ behindLast: {behind} }} }}) {{ {stamp} lastEpochBlock }}
                   next: metagraph(netuid: {netuid}, asOf: {{ block: {next} }}) {{ {stamp} }}
                   block(number: {block}) {{ specVersion parent {{ specVersion }} }} }}"
            );
            let found = data(&served, &text);
            let stamp = &found["behind"]["stamp"];
            assert_eq!(stamp["block"], block);
            assert_eq!(found["behind"]["lastEpochBlock"], block.to_string());
            let applied = &stamp["epoch"];
            assert_eq!(applied["appliedBlock"], block);
            assert_eq!(applied["inputBlock"], epoch["inputBlock"]);
            assert_eq!(applied["index"], epoch["index"]);
            assert_eq!(applied["specVersion"], found["block"]["specVersion"]);
            assert_eq!(
                applied["inputSpecVersion"],
                found["block"]["parent"]["specVersion"]
            );
            // The block after it still has its results, but where the next epoch ran right then.
            let later = found["next"]["stamp"]["epoch"]["appliedBlock"].as_u64();
            assert!(later == Some(block) || later == Some(next), "{found}");
            if let Some(index) = epoch["index"].as_str() {
                by_index.insert(index.parse().unwrap(), block);
            }
        }
        for (index, block) in &by_index {
            let text = format!(
                "{{ subnet(netuid: {netuid}, asOf: {{ epoch: {{ index: {index} }} }}) {{ stamp {{ block }} }} }}"
            );
            assert_eq!(
                data(&served, &text)["subnet"]["stamp"]["block"],
                *block,
                "{index}"
            );
        }
        let beyond = by_index.keys().last().map_or(5, |last| last + 1);
        let text = format!(
            "{{ subnet(netuid: {netuid}, asOf: {{ epoch: {{ index: {beyond} }} }}) {{ netuid }} }}"
        );
        let answer = query(&served.address, &text);
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "OUT_OF_RANGE",
            "{answer}"
        );
        let behind = epochs.len();
        let text = format!(
            "{{ subnet(netuid: {netuid}, asOf: {{ epoch: {{ behindLast: {behind} }} }}) {{ netuid }} }}"
        );
        let answer = query(&served.address, &text);
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "OUT_OF_RANGE",
            "{answer}"
        );
    }
}

#[test]
fn accounts_are_what_metagraphs_and_stakes_say() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    for block in [40, 200, 329] {
        let mut seen = 0;
        for netuid in 0..=3 {
            let text = format!(
                "{{ metagraph(netuid: {netuid}, asOf: {{ block: {block} }}) {{ neuronCount neurons(first: 32) {{ uid hotkey coldkey
                     account {{ asOfBlock owner {{ address ownedHotkeys(first: 200) {{ nodes {{ address }} }} }}
                       memberships {{ netuid uid neuron {{ hotkey }} tenancy {{ hotkey }} }} }} }} }} }}"
            );
            let found = data(&served, &text);
            let metagraph = &found["metagraph"];
            for neuron in metagraph["neurons"].as_array().into_iter().flatten() {
                seen += 1;
                let account = &neuron["account"];
                assert_eq!(account["asOfBlock"], block);
                assert_eq!(account["owner"]["address"], neuron["coldkey"], "{neuron}");
                let members = account["memberships"].as_array().unwrap();
                let here: Vec<_> = members.iter().filter(|m| m["netuid"] == netuid).collect();
                assert_eq!(here.len(), 1, "{neuron}");
                assert_eq!(here[0]["uid"], neuron["uid"], "{neuron}");
                assert_eq!(here[0]["neuron"]["hotkey"], neuron["hotkey"]);
                assert_eq!(here[0]["tenancy"]["hotkey"], neuron["hotkey"]);
                let owned = &account["owner"]["ownedHotkeys"];
                if let Some(owned) = owned["nodes"].as_array() {
                    let address = json!({ "address": neuron["hotkey"] });
                    assert!(owned.contains(&address), "{neuron}");
                }
            }
        }
        assert!(seen > 10, "{seen} at {block}");
    }
    // Rows, columns and slices are one matrix.
    let mut found = json!({});
    for which in ["weights", "bonds"] {
        let sides = "rows { uid uids values } columns { uid uids values }";
        let text = format!("{{ {which}(netuid: 1) {{ {sides} }} }}");
        found[which] = data(&served, &text)[which].take();
    }
    for which in ["weights", "bonds"] {
        let entries = |side: &str, rows: bool| {
            let mut all = Vec::new();
            for line in found[which][side].as_array().unwrap() {
                let others = line["uids"].as_array().unwrap().iter();
                for (other, value) in others.zip(line["values"].as_array().unwrap()) {
                    let (uid, other) = (line["uid"].as_u64(), other.as_u64());
                    let (row, column) = if rows { (uid, other) } else { (other, uid) };
                    all.push((row, column, value.as_u64()));
                }
            }
            all.sort_unstable();
            all
        };
        assert!(!entries("rows", true).is_empty(), "{which}");
        assert_eq!(entries("rows", true), entries("columns", false), "{which}");
    }
}
