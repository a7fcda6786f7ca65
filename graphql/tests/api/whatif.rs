//! Explanations, differences, simulations and copying, by GraphQL and by REST.

use chain_metadata::AccountId;
use graphql::{Limits, ServerOptions};
use serde_json::{Value, json};

use crate::fake::{Fake, WIDE};
use crate::http::{Server, start, start_with};

fn bits(value: &Value) -> i64 {
    value["bits"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_explained() {
    let server = start(Fake::new()).await;
    let query = |netuid: u16, uid: u16| {
        format!(
            "{{ explainEpoch(netuid: {netuid}, block: 12, uid: {uid}) {{
                 uid specVersion doubts voice {{ total lost stake {{ bits decimal value }} }}
                 weights {{ validator raw removedBy masks {{ mask left }} rowSum
                   voice {{ lost activeStake {{ decimal }} }} normalised {{ bits }}
                   clipped {{ bits }} contribution {{ bits }} }}
                 median {{ decidedBy stored minority {{ bits decimal }} consensus {{ bits }}
                   votes {{ validator score {{ bits }} upTo {{ decimal }} }} }}
                 rank {{ bits }} storedIncentive
                 dividends {{ yuma3 stored bonds {{ miner before after contribution {{ bits }} }}
                   held {{ bits }} }} }} }}"
        )
    };
    let data = server.data(&query(1, 3)).await;
    let told = &data["explainEpoch"];
    assert_eq!(told["uid"], 3);
    assert_eq!(told["specVersion"], 425);
    assert_eq!(told["doubts"], json!(["the weather"]));
    let weights = told["weights"].as_array().unwrap();
    assert_eq!(weights.len(), 3);
    let sum: i64 = weights.iter().map(|w| bits(&w["contribution"])).sum();
    assert_eq!(sum, bits(&told["rank"]));
    assert!(sum > 0);
    // The third has stake and no permit.
    assert_eq!(weights[2]["removedBy"], "NO_PERMIT");
    assert_eq!(weights[2]["voice"]["lost"], "NO_PERMIT");
    assert_eq!(
        weights[2]["masks"],
        json!([
            { "mask": "FOREIGN_UID", "left": 7 }, { "mask": "NO_PERMIT", "left": 0 },
            { "mask": "OWN_WEIGHT", "left": 0 }, { "mask": "OUTDATED", "left": 0 },
            { "mask": "COMMITTED_BEFORE", "left": 0 },
        ])
    );
    assert_eq!(weights[0]["voice"]["activeStake"]["decimal"], "0.75");
    // Its weight for itself is in no sum.
    assert_eq!(weights[1]["rowSum"], "18");
    assert_eq!(told["median"]["decidedBy"], 0);
    let votes = told["median"]["votes"].as_array().unwrap();
    assert_eq!(votes.last().unwrap()["upTo"]["decimal"], "1");

    let data = server.data(&query(1, 0)).await;
    let told = &data["explainEpoch"];
    assert_eq!(told["voice"]["total"], "3");
    assert_eq!(
        told["median"]["minority"]["decimal"]
            .as_str()
            .unwrap()
            .get(..3),
        Some("0.5")
    );
    let dividends = &told["dividends"];
    let bonds = dividends["bonds"].as_array().unwrap();
    assert_eq!(bonds[0]["before"], 65_535);
    assert_eq!(bonds[1]["before"], Value::Null);
    let sum: i64 = bonds.iter().map(|b| bits(&b["contribution"])).sum();
    assert_eq!(sum, bits(&dividends["held"]));

    for (netuid, uid, code, part) in [
        (1, 4, "NOT_FOUND", "below 4"),
        (2, 0, "NOT_FOUND", "block 9 is not stored"),
        (3, 0, "LIMIT_EXCEEDED", "at most 10"),
        (9, 0, "NOT_FOUND", "no epoch ran"),
    ] {
        let (message, extensions) = server.error(&query(netuid, uid)).await;
        assert_eq!(extensions["code"], code, "{message}");
        assert!(message.contains(part), "{message}");
    }
    let (_, extensions) = server.error(&query(3, 0)).await;
    assert_eq!(
        extensions,
        json!({ "code": "LIMIT_EXCEEDED", "limit": "cost", "measured": 12, "allowed": 10 })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_split() {
    let server = start(Fake::new()).await;
    let hotkey = AccountId([2; 32]);
    let data = server
        .data(&format!(
            "{{ incentiveDiff(netuid: 1, hotkey: \"{hotkey}\", fromBlock: 12, toBlock: 13) {{
                 hotkey field fromBlock toBlock fromUid toUid from to difference doubts
                 terms {{ cause name hotkey change unclipped clipping }} }} }}"
        ))
        .await;
    let told = &data["incentiveDiff"];
    let terms = told["terms"].as_array().unwrap();
    let sum: i64 = terms.iter().map(|t| t["change"].as_i64().unwrap()).sum();
    assert_eq!(sum, told["difference"].as_i64().unwrap());
    let (from, to) = (told["from"].as_i64(), told["to"].as_i64());
    assert_eq!(to.unwrap() - from.unwrap(), sum);
    assert!(sum < 0, "{told}");
    let causes: Vec<_> = terms.iter().map(|t| t["cause"].as_str().unwrap()).collect();
    assert_eq!(causes, ["CLOCK", "WEIGHTS", "NUMBERING"]);
    assert_eq!(terms[1]["hotkey"], AccountId([0; 32]).to_string());
    assert_eq!(terms[0]["hotkey"], Value::Null);
    assert_eq!(told["field"], "INCENTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_is_simulated() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ simulate(netuid: 1, block: 12, horizon: 3, patch: {
                 stakes: [{ uid: 1, rao: \"9\" }], weights: [{ uid: 0, entries: [{ uid: 3, weight: 1 }] }],
                 kappa: 32000, movingAverage: 900000, remove: [2] }) {
                 permalink inputsHash cost costLimit notes
                 epochs { index blockNumber isStored isChanged permitsLost neurons {
                   uid incentive { without with delta } emission { without with delta }
                   validatorPermit { without with } } all: neurons(changed: false) { uid } } } }",
        )
        .await;
    let told = &data["simulate"];
    assert_eq!(told["cost"], WIDE.to_string());
    assert_eq!(told["notes"], json!(["a note"]));
    let epochs = told["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 3);
    assert_eq!(
        (&epochs[1]["isStored"], &epochs[2]["isStored"]),
        (&json!(true), &json!(false))
    );
    for epoch in epochs {
        assert_eq!(epoch["isChanged"], true);
        assert_eq!(epoch["all"].as_array().unwrap().len(), 4);
        for neuron in epoch["neurons"].as_array().unwrap() {
            let share = &neuron["incentive"];
            let delta = share["with"].as_i64().unwrap() - share["without"].as_i64().unwrap();
            assert_eq!(share["delta"], delta);
            let amount = &neuron["emission"];
            let whole = |key: &str| amount[key].as_str().unwrap().parse::<i128>().unwrap();
            assert_eq!(whole("delta"), whole("with") - whole("without"));
        }
    }
    for (patch, part) in [
        (
            "stakes: [{ uid: 1, rao: \"9223372036854775808\" }]",
            "below 2^63",
        ),
        ("remove: [1, 1]", "uid 1 twice"),
        ("remove: [4]", "below 4"),
        ("copy: [{ uid: 1, from: 1 }]", "cannot copy its own"),
        ("remove: [70000]", "from 0 to 65535"),
        ("kapa: 3", "kapa"),
    ] {
        let query =
            format!("{{ simulate(netuid: 1, block: 12, patch: {{ {patch} }}) {{ permalink }} }}");
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["code"], "BAD_INPUT", "{message}");
        assert!(message.contains(part), "{message}");
    }
    // More epochs than any answer has are refused before anything is read.
    server.fake.take_counts();
    let query = "{ simulate(netuid: 1, block: 12, horizon: 60000, patch: {}) { epochs { neurons {
                   uid incentive { delta } dividends { delta } } } } }";
    let (_, extensions) = server.error(query).await;
    assert_eq!(extensions["limit"], "complexity");
    assert!(server.fake.take_counts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_is_counted_by_the_values_that_it_gives() {
    let complexity = 9_000;
    let limits = Limits {
        complexity,
        ..Limits::default()
    };
    let options = ServerOptions {
        limits,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    // Nine values of a neuron, four neurons an epoch.
    let field = |horizon: u32, filter: &str| {
        format!(
            "simulate(netuid: 1, block: 12, horizon: {horizon}, patch: {{ kappa: 1 }}) {{
               epochs {{ neurons(changed: false{filter}) {{
                 uid incentive {{ without with delta }} dividends {{ without with delta }} }} }} }}"
        )
    };
    for (horizon, filter, neurons) in [(250, "", 4), (300, ", uids: [1, 2, 3]", 3)] {
        let data = server
            .data(&format!("{{ {} }}", field(horizon, filter)))
            .await;
        let epochs = data["simulate"]["epochs"].as_array().unwrap();
        assert_eq!(epochs.len(), usize::try_from(horizon).unwrap());
        for epoch in epochs {
            assert_eq!(epoch["neurons"].as_array().unwrap().len(), neurons);
        }
    }
    for filter in ["", ", uids: null"] {
        let query = format!("{{ {} }}", field(300, filter));
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["code"], "LIMIT_EXCEEDED", "{message}");
        assert_eq!(extensions["limit"], "complexity");
        assert_eq!(extensions["measured"], 300 * 4 * 9);
        assert_eq!(extensions["allowed"], complexity);
        assert!(message.contains("shorter horizon"), "{message}");
    }
    // Two in one request share what is allowed, and so do two lists of neurons.
    let limits = Limits {
        complexity: 20_000,
        ..Limits::default()
    };
    let options = ServerOptions {
        limits,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let one = field(300, "");
    server.data(&format!("{{ {one} }}")).await;
    let neurons = &one[one.find("neurons").unwrap()..];
    let neurons = &neurons[..neurons.rfind("} } }").unwrap() + 1];
    let lists = one.replace(neurons, &format!("a: {neurons} b: {neurons}"));
    for query in [format!("{{ a: {one} b: {one} }}"), format!("{{ {lists} }}")] {
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["limit"], "complexity", "{query}");
        assert_eq!(extensions["measured"], 2 * 300 * 4 * 9, "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_tells_of_copying() {
    let server = start(Fake::new()).await;
    let answer = server
        .get("/v1/weights/1/copying?from=10&to=20&lag=2&relations=1&mechanism=0")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    let wanted = server
        .data(
            "{ weightCopying(netuid: 1, from: 10, to: 20, maxLag: 2) { steps validators {
                 hotkey changes score leader relations(first: 1) { leader follows score timing
                   repeated lag compared identical correlation cosine reverse together } } } }",
        )
        .await;
    assert_eq!(told, wanted["weightCopying"]);
    assert_eq!(
        told["validators"][0]["leader"],
        AccountId([0; 32]).to_string()
    );
    // Without them the defaults of the schema are meant.
    let told = server
        .get("/v1/weights/1/copying?from=10&to=20")
        .await
        .json();
    let wanted = server
        .data("{ weightCopying(netuid: 1, from: 10, to: 20) { validators { score relations { lag } } } }")
        .await;
    let validators = wanted["weightCopying"]["validators"].as_array().unwrap();
    for (told, wanted) in told["validators"]
        .as_array()
        .unwrap()
        .iter()
        .zip(validators)
    {
        assert_eq!(told["score"], wanted["score"]);
        assert_eq!(told["relations"][0]["lag"], wanted["relations"][0]["lag"]);
    }
    for (path, status, part) in [
        ("/v1/weights/x/copying?from=1&to=2", 400, "`netuid` is `x`"),
        ("/v1/weights/1/copying?to=2", 400, "`from` is missing"),
        ("/v1/weights/1/copying?from=10", 400, "`to` is missing"),
        ("/v1/weights/1/copying?from=10&to=-1", 400, "`to` is `-1`"),
        ("/v1/weights/1/copying?from=10&to=20&lag=x", 400, "`lag`"),
        (
            "/v1/weights/1/copying?from=10&to=20&relations=70000",
            400,
            "16 bits",
        ),
        (
            "/v1/weights/1/copying?from=10&to=20&first=1",
            400,
            "`first` is not known",
        ),
        (
            "/v1/weights/1/copying?from=10&to=99",
            404,
            "outside the stored range",
        ),
        ("/v1/weights/2/copying?from=10&to=20", 404, "not stored"),
        ("/v1/weights/3/copying?from=10&to=20", 422, "at most 10"),
        (
            "/v1/weights/1/copying?from=10&to=20&relations=65535",
            422,
            "complexity",
        ),
        ("/v1/weights/1/nothing", 404, "/v1/openapi.json"),
    ] {
        let (told, body) = problem(&server, path).await;
        assert_eq!(told, status, "{path}: {body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{path}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copier_is_named() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ weightCopying(netuid: 1, from: 10, to: 20, maxLag: 2) { steps validators {
                 hotkey changes score leader relations(first: 1) { leader follows lag compared
                   identical repeated correlation } } } }",
        )
        .await;
    let told = &data["weightCopying"];
    assert_eq!(told["steps"].as_array().unwrap().len(), 11);
    let first = &told["validators"][0];
    assert_eq!(first["hotkey"], AccountId([1; 32]).to_string());
    assert_eq!(first["leader"], AccountId([0; 32]).to_string());
    assert_eq!(first["score"], 1.0);
    assert_eq!(first["relations"][0]["repeated"], 1.0);
    assert_eq!(told["validators"][1]["leader"], Value::Null);
}

async fn problem(server: &Server, path: &str) -> (u16, Value) {
    let answer = server.get(path).await;
    let head = answer.head.to_lowercase();
    assert!(
        head.contains("content-type: application/problem+json"),
        "{path}: {head}"
    );
    let body = answer.json();
    assert_eq!(body["status"], answer.status);
    for key in ["type", "title", "detail", "code"] {
        assert!(body[key].is_string(), "{path}: {body}");
    }
    (answer.status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_answers_as_json() {
    let server = start(Fake::new()).await;
    let answer = server.get("/v1/epochs/1/12").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        answer
            .head
            .to_lowercase()
            .contains("content-type: application/json")
    );
    let record = answer.json();
    assert_eq!(record["verdict"], "EXACT");
    assert_eq!(record["drained"], WIDE.to_string());

    let explained = server
        .get("/v1/epochs/1/12/explain?uid=3&mechanism=0")
        .await
        .json();
    assert_eq!(explained["uid"], 3);
    assert!(explained["rank"]["bits"].is_string());

    let hotkey = AccountId([2; 32]);
    let path = format!("/v1/epochs/1/diff?hotkey={hotkey}&from=12&to=13&field=dividends&detail=0");
    let diff = server.get(&path).await.json();
    assert_eq!(diff["field"], "DIVIDENDS");
    let hex = format!("0x{}", "02".repeat(32));
    let again = server.get(&path.replace(&hotkey.to_string(), &hex)).await;
    assert_eq!(again.json(), diff);

    let body =
        json!({ "horizon": 2, "patch": { "kappa": 1, "stakes": [{ "uid": 0, "rao": "5" }] } });
    let simulated = server
        .post_to("/v1/epochs/1/12/simulate", &body.to_string())
        .await;
    assert_eq!(simulated.status, 200, "{}", simulated.body);
    let all = simulated.json();
    assert_eq!(all["epochs"].as_array().unwrap().len(), 2);

    // Only some of the neurons.
    let mut body = body;
    body["uids"] = json!([2, 60_000]);
    let some = server
        .post_to("/v1/epochs/1/12/simulate", &body.to_string())
        .await
        .json();
    for (some, all) in some["epochs"]
        .as_array()
        .unwrap()
        .iter()
        .zip(all["epochs"].as_array().unwrap())
    {
        let all = all["neurons"].as_array().unwrap().iter();
        let wanted: Vec<_> = all.filter(|neuron| neuron["uid"] == 2).cloned().collect();
        assert_eq!(some["neurons"], json!(wanted));
    }
    assert!(
        all["epochs"][0]["neurons"].as_array().unwrap().len() > 1,
        "{all}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_tells_problems() {
    let server = start(Fake::new()).await;
    for (path, status, part) in [
        ("/v1/epochs/x/12", 400, "`netuid` is `x`"),
        ("/v1/epochs/70000/12", 400, "16 bits"),
        ("/v1/epochs/1/-1", 400, "`block`"),
        ("/v1/epochs/1/99", 404, "outside the stored range"),
        ("/v1/epochs/1/12?mechanism=1", 404, "no epoch of subnet 1"),
        ("/v1/epochs/1/12?mechanism=256", 400, "8 bits"),
        ("/v1/epochs/1/12?what=1", 400, "`what` is not known"),
        ("/v1/epochs/1/12/explain", 400, "`uid` is missing"),
        ("/v1/epochs/1/12/explain?uid=4", 404, "below 4"),
        ("/v1/epochs/1/12/explain?uid=1&uid=2", 400, "given twice"),
        ("/v1/epochs/3/12/explain?uid=1", 422, "at most 10"),
        (
            "/v1/epochs/1/diff?from=12&to=13",
            400,
            "`hotkey` is missing",
        ),
        ("/v1/epochs/1/diff?hotkey=5abc&from=12&to=13", 400, "ss58"),
        (
            "/v1/epochs/1/diff?hotkey=5&from=12&to=13&field=rank",
            400,
            "incentive or dividends",
        ),
        ("/v1/epochs/1/12/simulate", 405, "does not take GET"),
        ("/v1/nothing", 404, "nothing at /v1/nothing"),
        ("/v1/epochs/%ff/12", 400, ""),
    ] {
        let (told, body) = problem(&server, path).await;
        assert_eq!(told, status, "{path}: {body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{path}: {detail}");
    }
    let (_, body) = problem(&server, "/v1/epochs/3/12/explain?uid=1").await;
    assert_eq!(
        (&body["limit"], &body["measured"]),
        (&json!("cost"), &json!(12))
    );

    let path = "/v1/epochs/1/12/simulate";
    let large = format!("{{\"patch\":{{\"remove\":[{}1]}}}}", "1,".repeat(40_000));
    let deep = format!("{{\"patch\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    for (body, status, part) in [
        ("", 400, "not JSON"),
        ("[]", 400, "not a JSON object"),
        ("{}", 400, "no `patch`"),
        ("{\"patch\":{},\"x\":1}", 400, "`x`"),
        ("{\"patch\":{},\"horizon\":-1}", 400, "`horizon`"),
        ("{\"patch\":{},\"horizon\":0}", 400, "0 epochs"),
        ("{\"patch\":{},\"uids\":7}", 400, "`uids`"),
        ("{\"patch\":{},\"uids\":[65536]}", 400, "from 0 to 65535"),
        ("{\"patch\":{\"kapa\":1}}", 400, "kapa"),
        ("{\"patch\":{\"kappa\":65536}}", 400, "from 0 to 65535"),
        ("{\"patch\":{\"remove\":[1,1]}}", 400, "twice"),
        (
            "{\"patch\":{\"stakes\":[{\"uid\":0,\"rao\":9223372036854775808}]}}",
            400,
            "2^63",
        ),
        (
            "{\"patch\":{\"stakes\":[{\"uid\":0,\"rao\":1e99}]}}",
            400,
            "decimal integer",
        ),
        (&large, 413, "larger than"),
        (&deep, 400, "not JSON"),
    ] {
        let answer = server.post_to(path, body).await;
        assert_eq!(answer.status, status, "{body:.60}: {}", answer.body);
        let told = answer.json();
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{body:.60}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_keeps_the_limits() {
    let limits = Limits {
        response_bytes: 100,
        ..Limits::default()
    };
    let options = ServerOptions {
        limits,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let (status, body) = problem(&server, "/v1/epochs/1/12").await;
    assert_eq!((status, &body["code"]), (422, &json!("LIMIT_EXCEEDED")));
}
