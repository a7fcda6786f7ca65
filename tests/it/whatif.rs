//! What made a number, what changed it, what would have: as the program serves and prints it.

mod computed;
mod upgrades;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::context::{outcome, text};
use crate::served::{Served, http, start};

fn demo() -> Served {
    start(&["demo", "--listen", "127.0.0.1:0", "--log", "warn"])
}

fn ask(served: &Served, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let (status, answer) = http(&served.address, "POST", "/graphql", &body);
    assert_eq!(status, 200, "{answer}");
    let mut answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer.get("errors"), None, "{query}\n{answer:#}");
    answer["data"].take()
}

/// Waits until the demo's recording is stored.
fn complete(served: &Served) {
    for _ in 0..600 {
        if ask(served, "{ status { last } }")["status"]["last"] == 329 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the demo did not end");
}

/// Blocks of the epochs of a subnet.
fn epochs(served: &Served, netuid: u16) -> Vec<u64> {
    let query = format!("{{ epochs(netuid: {netuid}, first: 100) {{ nodes {{ outputBlock }} }} }}");
    let data = ask(served, &query);
    let nodes = data["epochs"]["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["outputBlock"].as_u64().unwrap())
        .collect()
}

/// Stored numbers of all neurons after a block: hotkey, incentive, dividends and the others.
fn neurons(served: &Served, netuid: u16, block: u64) -> Vec<Value> {
    let query = format!(
        "{{ metagraph(netuid: {netuid}, asOf: {{ block: {block} }}) {{ neurons {{
             uid hotkey incentive dividends consensus validatorTrust emission }} }} }}"
    );
    let mut data = ask(served, &query);
    serde_json::from_value(data["metagraph"]["neurons"].take()).unwrap()
}

/// Several fields in one request, each under an alias, in parts that the limits allow.
fn all(served: &Served, fields: &[String], at_once: usize) -> Vec<Value> {
    let mut answers = Vec::new();
    for part in fields.chunks(at_once) {
        let aliased = part.iter().enumerate();
        let aliased: Vec<_> = aliased.map(|(n, field)| format!("a{n}: {field}")).collect();
        let mut data = ask(served, &format!("{{ {} }}", aliased.join(" ")));
        answers.extend((0..part.len()).map(|n| data[format!("a{n}")].take()));
    }
    answers
}

#[test]
fn what_is_served_is_what_is_stored() {
    let served = demo();
    complete(&served);
    let (mut explained, mut split, mut moved) = (0, 0, 0);
    for netuid in 1..=3 {
        let blocks = epochs(&served, netuid);
        assert!(blocks.len() >= 15, "{netuid}: {blocks:?}");
        // All epochs are computed without a server, in `computed`.
        let blocks = blocks.into_iter().rev().take(2).rev();
        let mut before: Option<(u64, Vec<Value>)> = None;
        for block in blocks {
            let after = neurons(&served, netuid, block);
            let fields: Vec<_> = (0..after.len())
                .map(|uid| {
                    format!(
                        "explainEpoch(netuid: {netuid}, block: {block}, uid: {uid}) {{
                           storedIncentive median {{ stored }} dividends {{ stored }} }}"
                    )
                })
                .collect();
            for (told, neuron) in all(&served, &fields, 40).iter().zip(&after) {
                let label = format!("{netuid} {block} {neuron}: {told}");
                assert_eq!(told["storedIncentive"], neuron["incentive"], "{label}");
                assert_eq!(told["dividends"]["stored"], neuron["dividends"], "{label}");
                assert_eq!(told["median"]["stored"], neuron["consensus"], "{label}");
                explained += 1;
            }
            // All hotkeys of both epochs, incentive and dividends.
            if let Some((from, before)) = &before {
                let hotkeys: BTreeSet<_> = before
                    .iter()
                    .chain(&after)
                    .map(|neuron| neuron["hotkey"].as_str().unwrap())
                    .collect();
                let number = |side: &[Value], hotkey: &str, field: &str| {
                    let neuron = side.iter().find(|neuron| neuron["hotkey"] == hotkey);
                    neuron.map_or(0, |neuron| neuron[field].as_i64().unwrap())
                };
                let (mut fields, mut wanted) = (Vec::new(), Vec::new());
                for hotkey in hotkeys {
                    for field in ["incentive", "dividends"] {
                        fields.push(format!(
                            "incentiveDiff(netuid: {netuid}, hotkey: \"{hotkey}\", fromBlock: {from},
                               toBlock: {block}, field: {}) {{ from to terms {{ change unclipped clipping }} }}",
                            field.to_uppercase()
                        ));
                        wanted.push((number(before, hotkey, field), number(&after, hotkey, field)));
                    }
                }
                for (told, (from, to)) in all(&served, &fields, 20).iter().zip(wanted) {
                    assert_eq!((&told["from"], &told["to"]), (&json!(from), &json!(to)));
                    let terms = told["terms"].as_array().unwrap();
                    let sum =
                        |key: &str| terms.iter().map(|t| t[key].as_i64().unwrap()).sum::<i64>();
                    assert_eq!(sum("change"), to - from, "{told}");
                    assert_eq!(sum("unclipped") + sum("clipping"), to - from, "{told}");
                    split += 1;
                    moved += u32::from(from != to);
                }
            }
            before = Some((block, after));
        }
    }
    assert!(
        explained > 20 && split > 20 && moved > 2,
        "{explained} {split} {moved}"
    );
}

#[test]
fn nothing_patched_is_the_chain_itself() {
    let served = demo();
    complete(&served);
    for netuid in 1..=3 {
        let blocks = epochs(&served, netuid);
        let horizon = blocks.len().min(15);
        let query = format!(
            "{{ simulate(netuid: {netuid}, block: {}, horizon: {horizon}, patch: {{}}) {{
                 permalink notes epochs {{ blockNumber isStored isChanged neurons(changed: false) {{
                   uid incentive {{ without with }} dividends {{ without with }}
                   consensus {{ without with }} validatorTrust {{ without with }}
                   emission {{ without with }} }} }} }} }}",
            blocks[0]
        );
        let data = ask(&served, &query);
        let told = &data["simulate"];
        let simulated = told["epochs"].as_array().unwrap();
        assert_eq!(simulated.len(), horizon);
        for (epoch, block) in simulated.iter().zip(&blocks) {
            assert_eq!(epoch["blockNumber"], block.to_string());
            assert_eq!(
                (&epoch["isStored"], &epoch["isChanged"]),
                (&json!(true), &json!(false))
            );
            let stored = neurons(&served, netuid, *block);
            let given = epoch["neurons"].as_array().unwrap();
            assert_eq!(given.len(), stored.len());
            for (neuron, stored) in given.iter().zip(&stored) {
                for field in ["incentive", "dividends", "consensus", "validatorTrust"] {
                    let value = json!({ "without": stored[field], "with": stored[field] });
                    assert_eq!(neuron[field], value, "{netuid} {block} {stored} {field}");
                }
                let amount = &neuron["emission"];
                if !amount.is_null() {
                    assert_eq!(
                        amount["with"], stored["emission"],
                        "{netuid} {block} {stored}"
                    );
                }
            }
        }
        // The same question has the same name, another one another.
        assert_eq!(ask(&served, &query), data);
        let other = ask(&served, &query.replace("patch: {}", "patch: { kappa: 1 }"));
        assert_ne!(other["simulate"]["permalink"], told["permalink"]);
    }
}

#[test]
fn a_patch_goes_beyond_what_is_stored_and_wrong_ones_are_told() {
    let served = demo();
    complete(&served);
    let blocks = epochs(&served, 1);
    let last = *blocks.last().unwrap();
    let path = format!("/v1/epochs/1/{last}/simulate");
    let post = |path: &str, body: &Value| {
        let (status, answer) = http(&served.address, "POST", path, &body.to_string());
        (status, serde_json::from_str::<Value>(&answer).unwrap())
    };
    let top = neurons(&served, 1, last);
    let validator = top.iter().max_by_key(|n| n["dividends"].as_u64()).unwrap();
    let uid = validator["uid"].as_u64().unwrap();
    let body = json!({ "horizon": 3, "patch": { "remove": [uid] } });
    let (status, told) = post(&path, &body);
    assert_eq!(status, 200, "{told}");
    let simulated = told["epochs"].as_array().unwrap();
    let stored: Vec<_> = simulated
        .iter()
        .map(|e| e["isStored"].as_bool().unwrap())
        .collect();
    assert_eq!(stored, [true, false, false]);
    assert!(
        told["notes"]
            .to_string()
            .contains("2 of 3 epochs are not stored")
    );
    let removed = &simulated[0]["neurons"].as_array().unwrap();
    let removed = removed.iter().find(|n| n["uid"] == uid).unwrap();
    assert_eq!(removed["dividends"]["with"], 0);

    // A delayed copy looks at the epochs before.
    let other = (uid + 1) % u64::try_from(top.len()).unwrap();
    let copy = json!({ "patch": { "copy": [{ "uid": other, "from": uid, "delay": 2 }] } });
    assert_eq!(post(&path, &copy).0, 200);
    let early = post(&format!("/v1/epochs/1/{}/simulate", blocks[0]), &copy);
    assert!(
        early.1["notes"]
            .to_string()
            .contains("2 of 2 epochs before"),
        "{early:?}"
    );

    let foreign = json!([{ "uid": 0, "entries": [{ "uid": 4000, "weight": 1 }] }]);
    let twice = json!([{ "uid": 0, "entries": [] }, { "uid": 0, "entries": [] }]);
    let entries =
        json!([{ "uid": 0, "entries": [{ "uid": 1, "weight": 1 }, { "uid": 1, "weight": 2 }] }]);
    for (patch, part) in [
        (json!({ "weights": foreign }), "4000"),
        (json!({ "weights": twice }), "uid 0 twice"),
        (json!({ "weights": entries }), "uid 1 twice"),
        (json!({ "remove": [60_000] }), "60000"),
        (
            json!({ "stakes": [{ "uid": 0, "rao": "9223372036854775808" }] }),
            "below 2^63",
        ),
        (
            json!({ "stakes": [{ "uid": 0, "rao": "9223372036854775807" }, { "uid": 1, "rao": "9223372036854775807" }] }),
            "2^63",
        ),
        (json!({ "movingAverage": "1000001" }), "1000000"),
        (
            json!({ "remove": [0], "stakes": [{ "uid": 0, "rao": 1 }] }),
            "only one of them",
        ),
        (json!({ "copy": [{ "uid": 0, "from": 0 }] }), "own weights"),
        (json!({ "nothing": 1 }), "nothing"),
        (json!(7), "SimulationPatch"),
    ] {
        let (status, told) = post(&path, &json!({ "patch": patch }));
        assert_eq!(status, 400, "{patch}: {told}");
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{patch}: {detail}");
    }
    // As long as it may be, for a subnet of this size: the work is what is limited.
    let longest = json!({ "horizon": 360, "patch": { "remove": [uid] }, "uids": [uid, other] });
    let (status, told) = post(&path, &longest);
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["epochs"].as_array().unwrap().len(), 360);
    let neurons = told["epochs"].as_array().unwrap().iter();
    let neurons = neurons.flat_map(|epoch| epoch["neurons"].as_array().unwrap());
    let told: BTreeSet<_> = neurons.map(|n| n["uid"].as_u64().unwrap()).collect();
    assert!(told.contains(&uid) && told.is_subset(&BTreeSet::from([uid, other])));
    let long = json!({ "horizon": 361, "patch": {} });
    let (status, told) = post(&path, &long);
    assert_eq!(
        (status, &told["code"]),
        (422, &json!("LIMIT_EXCEEDED")),
        "{told}"
    );
    assert!(
        told["measured"].is_u64() && told["allowed"].is_u64(),
        "{told}"
    );

    let get = |path: &str| {
        let (status, answer) = http(&served.address, "GET", path, "");
        (status, serde_json::from_str::<Value>(&answer).unwrap())
    };
    let hotkey = validator["hotkey"].as_str().unwrap();
    let nobody = format!("0x{}", "ee".repeat(32));
    for (path, wanted, part) in [
        (
            format!("/v1/epochs/1/{}/explain?uid=0", last + 1),
            404,
            "the nearest ones ran in block",
        ),
        (
            "/v1/epochs/77/100/explain?uid=0".to_owned(),
            404,
            "no epoch of subnet 77 is stored",
        ),
        (
            "/v1/epochs/1/4000000/explain?uid=0".to_owned(),
            404,
            "outside the stored range",
        ),
        (
            format!("/v1/epochs/1/{last}/explain?uid=4000"),
            404,
            "below",
        ),
        (
            format!("/v1/epochs/1/{last}/explain?uid=0&mechanism=3"),
            404,
            "mechanisms",
        ),
        (
            format!(
                "/v1/epochs/1/diff?hotkey={nobody}&from={}&to={last}",
                blocks[0]
            ),
            404,
            "no uid in subnet 1",
        ),
        (
            format!("/v1/epochs/1/diff?hotkey={hotkey}&from=1&to={last}"),
            404,
            "no epoch",
        ),
        (
            format!("/v1/epochs/1/diff?hotkey={hotkey}&from={last}&to={last}&detail=300"),
            400,
            "256",
        ),
        (format!("/v1/epochs/1/{}", last + 1), 404, "no epoch"),
    ] {
        let (status, told) = get(&path);
        assert_eq!(status, wanted, "{path}: {told}");
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{path}: {detail}");
    }
    let (status, record) = get(&format!("/v1/epochs/1/{last}"));
    assert_eq!((status, &record["verdict"]), (200, &json!("EXACT")));
    let (status, told) = get(&format!(
        "/v1/epochs/1/diff?hotkey={hotkey}&from={}&to={last}",
        blocks[0]
    ));
    assert_eq!((status, &told["hotkey"]), (200, &json!(hotkey)));
}

#[test]
fn copying_is_measured_over_the_stored_rows() {
    let served = demo();
    complete(&served);
    let data = ask(
        &served,
        "{ weightCopying(netuid: 1, from: 0, to: 329) { steps validators {
             hotkey changes score leader relations(first: 50) { leader score compared correlation } } } }",
    );
    let told = &data["weightCopying"];
    assert_eq!(
        told["steps"].as_array().unwrap().len(),
        epochs(&served, 1).len()
    );
    let validators = told["validators"].as_array().unwrap();
    assert!(validators.len() > 1, "{told}");
    let names: BTreeSet<_> = validators
        .iter()
        .map(|v| v["hotkey"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), validators.len());
    let mut changed = 0;
    for validator in validators {
        changed += validator["changes"].as_u64().unwrap();
        let relations = validator["relations"].as_array().unwrap();
        assert_eq!(relations.len(), validators.len() - 1);
        for relation in relations {
            assert_ne!(relation["leader"], validator["hotkey"]);
            assert!(names.contains(relation["leader"].as_str().unwrap()));
        }
    }
    assert!(changed > 0, "{told}");

    let path = "/v1/weights/1/copying?from=0&to=329&relations=50";
    let (status, answer) = http(&served.address, "GET", path, "");
    let rest: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(status, 200, "{rest}");
    assert_eq!(rest["steps"], told["steps"]);
    for (rest, told) in rest["validators"]
        .as_array()
        .unwrap()
        .iter()
        .zip(validators)
    {
        for field in ["hotkey", "changes", "score", "leader"] {
            assert_eq!(rest[field], told[field]);
        }
        let relations = rest["relations"].as_array().unwrap();
        assert_eq!(relations.len(), told["relations"].as_array().unwrap().len());
    }
    let (status, answer) = http(
        &served.address,
        "GET",
        &path.replace("from=0", "from=325"),
        "",
    );
    assert!(status == 404 && answer.contains("two at least"), "{answer}");
}

fn folder(name: &str) -> std::path::PathBuf {
    let fixtures = "../tests/replay-node/fixtures";
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(fixtures)
        .join(name)
}

#[test]
fn the_program_prints_the_same() {
    let dir = folder("upgrades");
    let on = ["--recording", text(&dir), "--netuid", "1"];
    let run = |command: &str, args: &[&str]| {
        let mut all = vec![command];
        all.extend(on);
        all.extend(args);
        let output = outcome(&all);
        let (out, err) = (output.stdout, output.stderr);
        let out = String::from_utf8(out).unwrap();
        (
            output.status.success(),
            out,
            String::from_utf8(err).unwrap(),
        )
    };
    let explain = ["--block", "57", "--uid", "1"];
    let (good, page, err) = run("explain", &explain);
    assert!(good, "{err}");
    for part in ["incentive", "decided by uid", "dividends", "rules of spec"] {
        assert!(page.contains(part), "{page}");
    }
    let (good, line, _) = run("explain", &[&explain[..], &["--json"]].concat());
    let told: Value = serde_json::from_str(&line).unwrap();
    assert!(
        good && told["uid"] == 1 && told["rank"]["bits"].is_string(),
        "{told}"
    );

    let patch = tempfile::tempdir().unwrap();
    let file = patch.path().join("patch.json");
    std::fs::write(&file, "{\"remove\": [0]}").unwrap();
    let simulate = ["--block", "57", "--horizon", "2", "--patch", text(&file)];
    let (good, page, err) = run("simulate", &simulate);
    assert!(
        good && page.contains("permalink 0x") && page.contains(" → "),
        "{err}{page}"
    );
    let (_, line, _) = run("simulate", &[&simulate[..], &["--json"]].concat());
    let told: Value = serde_json::from_str(&line).unwrap();
    assert!(page.contains(told["permalink"].as_str().unwrap()), "{page}");

    let copying = ["--from", "30", "--to", "129", "--relations", "1"];
    let (good, page, err) = run("copying", &copying);
    assert!(good && page.contains("epochs, from block"), "{err}{page}");
    let (good, line, err) = run("copying", &[&copying[..], &["--json"]].concat());
    assert!(good, "{err}");
    let told: Value = serde_json::from_str(&line).unwrap();
    let validators = told["validators"].as_array().unwrap();
    assert!(!validators.is_empty(), "{told}");
    for validator in validators {
        let (hotkey, changes) = (&validator["hotkey"], &validator["changes"]);
        let line = format!("{}: {changes} changes", hotkey.as_str().unwrap());
        assert!(page.contains(&line), "no {line} in {page}");
        assert!(validator["relations"].as_array().unwrap().len() <= 1);
    }
    let (good, _, err) = run("copying", &["--from", "9", "--to", "8"]);
    assert!(!good && err.contains("give the lower one first"), "{err}");
    let (good, _, err) = run("copying", &["--from", "30", "--to", "129", "--lag", "1001"]);
    assert!(!good && err.contains("1000 at most"), "{err}");

    let nobody = format!("0x{}", "ee".repeat(32));
    let diff = ["--from", "57", "--to", "57", "--hotkey", &nobody];
    let (good, _, err) = run("diff", &diff);
    assert!(!good && err.contains("no uid in subnet 1"), "{err}");
    let (good, _, err) = run("explain", &["--block", "58", "--uid", "1"]);
    assert!(
        !good && err.contains("nearest") && !err.contains("panicked"),
        "{err}"
    );
    std::fs::write(&file, "{\"remove\": [0, 0]}").unwrap();
    let (good, _, err) = run("simulate", &simulate);
    assert!(!good && err.contains("uid 0 twice"), "{err}");
    std::fs::write(&file, "remove").unwrap();
    let (good, _, err) = run("simulate", &simulate);
    assert!(!good && err.contains("is not JSON"), "{err}");
}
