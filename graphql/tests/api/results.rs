//! Results of challenges, by GraphQL and by REST, and reports taken in.

use std::sync::Arc;

use chain_metadata::AccountId;
use graphql::ServerOptions;
use serde_json::{Value, json};

use crate::fake::results::FakeIntake;
use crate::fake::{Fake, WIDE};
use crate::http::{Answer, Server, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn records_are_told_page_by_page() {
    let server = start(Fake::new()).await;
    let all: Vec<u64> = (0..300).filter(|n| n % 3 != 0).collect();
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let query =
            "query($after: String) { challengeResults(netuid: 1, first: 60, after: $after) {
            edges { cursor node { number } } nodes { number }
            pageInfo { hasNextPage hasPreviousPage endCursor } endCursor next } }";
        let answer = server.ask_with(query, json!({ "after": after })).await;
        let page = &answer["data"]["challengeResults"];
        let edges = page["edges"].as_array().unwrap();
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !seen.is_empty());
        for (edge, node) in edges.iter().zip(page["nodes"].as_array().unwrap()) {
            assert_eq!(edge["node"], *node);
            seen.push(node["number"].as_str().unwrap().parse::<u64>().unwrap());
        }
        assert_eq!(
            edges.last().unwrap()["cursor"],
            page["pageInfo"]["endCursor"]
        );
        after = page["endCursor"].clone();
        assert_eq!(page["pageInfo"]["hasNextPage"], !after.is_null());
        if after.is_null() {
            break;
        }
        assert_eq!(page["next"], page["nodes"][59]["number"]);
    }
    assert_eq!(seen, all);
    let data = server
        .data(
            "{ challengeResults(netuid: 1, challenge: \"late\", kind: SCORE, subject: \"m1\") {
                 nodes { number challenge subject netuid } } }",
        )
        .await;
    let nodes = data["challengeResults"]["nodes"].as_array().unwrap();
    assert!(!nodes.is_empty());
    for node in nodes {
        let number: u64 = node["number"].as_str().unwrap().parse().unwrap();
        assert!(
            number >= 100 && number % 5 == 2 && number % 7 == 1,
            "{node}"
        );
    }
    let long = "x".repeat(256);
    for (arguments, part) in [
        ("first: 501", "0 to 500"),
        ("first: -1", "0 to 500"),
        ("after: \"zz\"", "not a cursor"),
        ("after: \"620000000000000000\"", "not a cursor"),
        (&format!("challenge: \"{long}\""), "255 at most"),
        (&format!("subject: \"{long}\""), "255 at most"),
    ] {
        let query = format!("{{ challengeResults(netuid: 1, {arguments}) {{ next }} }}");
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["code"], "BAD_INPUT");
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_record_and_reporter_is_shown() {
    let server = start(Fake::new()).await;
    let data = server
        .data(
            "{ challengeResults(netuid: 1, first: 10) { nodes { number receivedMs checkedAt signature
                 payload reporter { kind hotkey uid name } record { __typename
                   ... on ResultRun { id startedMs endedMs success error details }
                   ... on ResultSubmission { id atMs details }
                   ... on ResultScore { of profile inputs score reason details }
                   ... on ResultComparison { of with similarity reason details }
                   ... on ResultFinalization { period profile inputs details } } } } }",
        )
        .await;
    let node = |number: u64| {
        let nodes = data["challengeResults"]["nodes"].as_array().unwrap();
        let wanted = number.to_string();
        let found = nodes
            .iter()
            .find(|n| n["number"].as_str() == Some(&*wanted));
        found.unwrap().clone()
    };
    let wide = WIDE.to_string();
    assert_eq!(
        node(5)["record"],
        json!({ "__typename": "ResultRun", "id": "run-5", "startedMs": wide, "endedMs": null,
                "success": true, "error": null, "details": { "n": 5 } })
    );
    assert_eq!(
        node(1)["record"],
        json!({ "__typename": "ResultSubmission", "id": "sub-1", "atMs": wide, "details": null })
    );
    assert_eq!(node(2)["record"]["score"], 0.1 + 0.2);
    assert_eq!(node(13)["record"]["similarity"], Value::Null);
    assert_eq!(node(4)["record"]["period"], "2025-10-15");
    let hotkey = AccountId([7; 32]).to_string();
    assert_eq!(
        node(4)["reporter"],
        json!({ "kind": "HOTKEY", "hotkey": hotkey, "uid": 9, "name": null })
    );
    assert_eq!(
        (&node(4)["checkedAt"], &node(5)["checkedAt"]),
        (&json!(12), &Value::Null)
    );
    assert_eq!(node(1)["reporter"]["name"], "results.json");
    assert_eq!(node(2)["reporter"]["kind"], "SERVICE");
    assert_eq!(node(7)["reporter"]["kind"], "COMPUTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_and_profiles_are_listed() {
    let server = start(Fake::new()).await;
    let data = server
        .data("{ profiles { name netuid from until summary source } }")
        .await;
    let profile = json!({ "name": "fake-1", "netuid": 1, "from": "2025-10", "until": null,
                          "summary": "Gives everybody one.", "source": "nowhere" });
    assert_eq!(data["profiles"], json!([profile]));
    let rest = server.get("/v1/profiles").await.json();
    assert_eq!(rest, data["profiles"]);

    let ask = async |arguments: &str| {
        let query =
            format!("{{ scores(netuid: 1, {arguments}) {{ nodes {{ number }} endCursor }} }}");
        let data = server.data(&query).await;
        let nodes = data["scores"]["nodes"].as_array().unwrap();
        let numbers: Vec<String> = nodes
            .iter()
            .map(|n| n["number"].as_str().unwrap().to_owned())
            .collect();
        (numbers, data["scores"]["endCursor"].clone())
    };
    let (all, end) = ask("first: 500").await;
    assert!(all.len() > 20 && end.is_null());
    let (mut paged, mut arguments) = (Vec::new(), "first: 7".to_owned());
    loop {
        let (numbers, end) = ask(&arguments).await;
        paged.extend(numbers);
        match end.as_str() {
            Some(end) => arguments = format!("first: 7, after: \"{end}\""),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let (of_p, _) = ask("profile: \"p\"").await;
    assert!(of_p.len() < all.len() && !of_p.is_empty());
    let hotkey = AccountId([7; 32]);
    let (reported, _) = ask(&format!("reporter: \"{hotkey}\"")).await;
    assert!(!reported.is_empty() && reported.iter().all(|n| !all.contains(n)));

    let rest = server
        .get("/v1/results/1/scores?first=2&profile=p")
        .await
        .json();
    assert_eq!(rest["nodes"].as_array().unwrap().len(), 2);
    let next = rest["next"].as_str().unwrap();
    let path = format!("/v1/results/1/scores?first=2&profile=p&after={next}");
    let more = server.get(&path).await.json();
    assert_eq!(more["nodes"][0]["number"], of_p[2].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_stand_beside_an_epoch() {
    let server = start(Fake::new()).await;
    let query = "{ scoreJoin(netuid: 1, block: 12) { netuid mechanism blockNumber specVersion doubts
        forecastMissing forecast { blockNumber doubts validators { uid validatorTrust wasted { bits } } }
        rows { uid hotkey score rank scoreNumber challenge profile clippedShare incentive storedIncentive
          consensus { decimal } beforeClipping { decimal } afterClipping { decimal }
          weights { validator raw normalised { decimal } clipped { decimal } }
          one: weights(validators: [1]) { validator } }
        some: rows(uids: [4]) { uid hotkey }
        validators { uid hotkey compared pearson spearman validatorTrust storedValidatorTrust
          activeStake { decimal } wasted { decimal } } } }";
    let data = server.data(query).await;
    let join = &data["scoreJoin"];
    assert_eq!(
        (&join["specVersion"], &join["blockNumber"]),
        (&json!(425), &json!(12))
    );
    let row = &join["rows"][0];
    assert_eq!(row["score"], 0.1 + 0.2);
    assert_eq!(
        (&row["rank"], &row["scoreNumber"]),
        (&json!(1), &json!(WIDE.to_string()))
    );
    assert_eq!(row["consensus"]["decimal"], "0.5");
    assert_eq!(
        (&row["incentive"], &row["storedIncentive"]),
        (&json!(65_535), &Value::Null)
    );
    assert_eq!(
        row["weights"][1],
        json!({ "validator": 1, "raw": null, "normalised": { "decimal": "0.75" },
                "clipped": { "decimal": "0.5" } })
    );
    assert_eq!(row["one"], json!([{ "validator": 1 }]));
    assert_eq!(join["some"], json!([{ "uid": 4, "hotkey": null }]));
    let validator = &join["validators"][0];
    assert_eq!(
        (&validator["pearson"], &validator["spearman"]),
        (&json!(-0.5), &Value::Null)
    );
    assert_eq!(validator["wasted"]["decimal"], "0.25");
    assert_eq!(join["forecast"]["blockNumber"], 21);
    assert_eq!(join["forecast"]["validators"][0]["validatorTrust"], 7);
    assert_eq!(join["forecastMissing"], Value::Null);
    let data = server
        .data(
            "{ scoreJoin(netuid: 1, block: 13, profile: \"unknown\") { forecast { blockNumber }
                 forecastMissing rows { score } } }",
        )
        .await;
    assert_eq!(data["scoreJoin"]["forecast"], Value::Null);
    assert!(data["scoreJoin"]["forecastMissing"].is_string());
    assert_eq!(data["scoreJoin"]["rows"][0]["score"], Value::Null);
    let (_, extensions) = server
        .error("{ scoreJoin(netuid: 2, block: 12) { netuid } }")
        .await;
    assert_eq!(extensions["code"], "NOT_FOUND");
    let (_, extensions) = server
        .error("{ scoreJoin(netuid: 1, block: 99) { netuid } }")
        .await;
    assert_eq!(extensions["code"], "OUT_OF_RANGE");
    let rest = server.get("/v1/epochs/1/12/scores?profile=p").await;
    assert_eq!(rest.status, 200, "{}", rest.body);
    let rest = rest.json();
    assert_eq!(rest["rows"][0]["score"], 0.1 + 0.2);
    assert_eq!(rest["forecast"]["blockNumber"], 21);
}

fn problem(answer: &Answer) -> (u16, Value) {
    assert!(
        answer
            .head
            .contains("content-type: application/problem+json"),
        "{}\n{}",
        answer.head,
        answer.body
    );
    let body = answer.json();
    assert_eq!(body["status"], answer.status);
    for key in ["type", "title", "detail", "code"] {
        assert!(body[key].is_string(), "{body}");
    }
    (answer.status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_read_by_rest() {
    let server = start(Fake::new()).await;
    let answer = server
        .get("/v1/results/1?challenge=late&kind=score&subject=m%31&first=3")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    assert_eq!(told["nodes"][0]["record"]["kind"], "ResultScore");
    assert_eq!(told["nodes"][0]["subject"], "m1");
    let (mut numbers, mut after) = (0, String::new());
    loop {
        let path = format!("/v1/results/2?first=30{after}");
        let told = server.get(&path).await.json();
        numbers += told["nodes"].as_array().unwrap().len();
        match told["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(numbers, 100);
    for (path, status, part) in [
        ("/v1/results/x", 400, "`netuid`"),
        ("/v1/results/70000", 400, "16 bits"),
        ("/v1/results/1?kind=Score", 400, "give one of"),
        ("/v1/results/1?first=501", 400, "0 to 500"),
        ("/v1/results/1?first=99999999999", 400, "`first`"),
        ("/v1/results/1?after=-1", 400, "`after`"),
        ("/v1/results/1?who=x", 400, "not known"),
        ("/v1/results/1?subject=%ff", 400, "not UTF-8"),
        ("/v1/results/1?subject=%4", 400, "not UTF-8"),
        ("/v1/results/1/scores?reporter=5abc", 400, "ss58"),
        ("/v1/profiles?x=1", 400, "not known"),
        ("/v1/profiles/fake-1/score", 405, "does not take GET"),
        ("/v1/results/1/nothing", 404, "nothing at"),
        ("/v1/epochs/2/12/scores", 404, "no epoch"),
    ] {
        let (told, body) = problem(&server.get(path).await);
        assert_eq!(told, status, "{path}: {body}");
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{path}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_is_scored_and_nothing_kept() {
    let server = start(Fake::new()).await;
    let answer = server.post_to("/v1/profiles/fake-1/score", "[1]").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.json(),
        json!({ "profile": "fake-1", "inputsHash": "ef".repeat(32), "notes": {}, "rows": [
            { "subject": "m1", "score": 0.1 + 0.2, "reason": null, "parts": [
                { "name": "z", "value": 1.0 }, { "name": "a", "value": 2.0 } ] } ] })
    );
    let (status, body) = problem(&server.post_to("/v1/profiles/fake-1/score", "{}").await);
    assert_eq!((status, &body["code"]), (422, &json!("BAD_INPUT")));
    let (status, _) = problem(&server.post_to("/v1/profiles/other/score", "[1]").await);
    assert_eq!(status, 404);
    let large = " ".repeat((4 << 20) + 1);
    let (status, body) = problem(&server.post_to("/v1/profiles/fake-1/score", &large).await);
    assert_eq!((status, &body["code"]), (413, &json!("BODY_TOO_LARGE")));
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_told_as_documented() {
    let server = start(Fake::new()).await;
    let path = "/get_scoring_result";
    let body = json!({ "challenge_name": "known", "encrypted_commits": ["t1", "t2"], "more": 1 });
    let answer = server.post_to(path, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.json(),
        json!({ "status": "success", "message": "Scoring results retrieved successfully",
                "data": { "commits": { "t1": { "score": 0.5 }, "t2": null }, "is_done": true } })
    );
    let body = json!({ "challenge_name": "other", "encrypted_commits": [] });
    let (status, told) = problem(&server.post_to(path, &body.to_string()).await);
    assert_eq!((status, &told["code"]), (404, &json!("NOT_FOUND")));
    let body = json!({ "challenge_name": "long", "encrypted_commits": ["t1"] });
    let (status, told) = problem(&server.post_to(path, &body.to_string()).await);
    assert_eq!(status, 422, "{told}");
    assert_eq!(told["detail"], "ask for fewer commits at a time", "{told}");
    let many = json!({ "challenge_name": "known", "encrypted_commits": vec!["t"; 1025] });
    for body in [
        "",
        "[]",
        "{}",
        "{\"challenge_name\":\"known\"}",
        "{\"challenge_name\":1,\"encrypted_commits\":[]}",
        "{\"challenge_name\":\"known\",\"encrypted_commits\":[1]}",
        "{\"challenge_name\":\"known\",\"encrypted_commits\":\"t1\"}",
        &many.to_string(),
    ] {
        let (status, told) = problem(&server.post_to(path, body).await);
        assert_eq!(status, 422, "{body:.80}: {told}");
    }
    let (status, _) = problem(&server.get(path).await);
    assert_eq!(status, 405);
}

async fn deliver(server: &Server, path: &str, signature: &str, body: &[u8]) -> Answer {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nSignature: {signature}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    server.raw([head.as_bytes(), body].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_taken_in_only_where_that_is_wanted() {
    let closed = start(Fake::new()).await;
    let (status, body) = problem(&deliver(&closed, "/v1/results/1", "good", b"{}").await);
    assert_eq!((status, &body["code"]), (403, &json!("NOT_TAKEN_IN")));
    assert!(body["detail"].as_str().unwrap().contains("--ingest"));

    let intake = Arc::new(FakeIntake::default());
    let options = ServerOptions {
        intake: Some(intake.clone()),
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    // Larger than a query may be, and any bytes.
    let body = [b"\x1f\x8b".to_vec(), vec![0xff; 90_000]].concat();
    let answer = deliver(&server, "/v1/results/61", "good", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let told = json!({ "first": WIDE.to_string(), "count": 3, "payload": "ab".repeat(32),
                       "repeated": false });
    assert_eq!(answer.json(), told);
    let again = deliver(&server, "/v1/results/61", "again", &body).await;
    assert_eq!(
        (again.status, &again.json()["repeated"]),
        (200, &json!(true))
    );
    assert_eq!(*intake.came.lock().unwrap(), vec![(61, body); 2]);

    let refused = async |path: &str, signature: &str, body: &[u8]| {
        let (status, told) = problem(&deliver(&server, path, signature, body).await);
        (status, told["code"].as_str().unwrap().to_owned(), told)
    };
    let (status, code, _) = refused("/v1/results/61", "bad", b"{}").await;
    assert_eq!((status, code.as_str()), (401, "BAD_SIGNATURE"));
    // What is wrong inside stays inside.
    let (status, code, told) = refused("/v1/results/61", "broken", b"{}").await;
    assert_eq!((status, code.as_str()), (500, "INTERNAL"));
    assert!(!told.to_string().contains("SECRET"));
    let (status, code, _) = refused("/v1/results/61", "good", &vec![b' '; 100_001]).await;
    assert_eq!((status, code.as_str()), (413, "BODY_TOO_LARGE"));
    let (status, _, _) = refused("/v1/results/61", "good", &vec![b' '; 10 << 20]).await;
    assert_eq!(status, 413);
    let (status, code, _) = refused("/v1/results/70000", "good", b"{}").await;
    assert_eq!((status, code.as_str()), (400, "BAD_INPUT"));
    let (status, code, _) = refused("/v1/results/61", "g\u{e9}", b"{}").await;
    assert_eq!((status, code.as_str()), (400, "BAD_HEADER"));
    assert_eq!(intake.came.lock().unwrap().len(), 2);
    // Reading is not changed by it.
    assert_eq!(server.get("/v1/results/1?first=1").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_keep_nobody_waiting() {
    let server = start(Fake::new()).await;
    // More than are worked on at once; none of them ever sends its body.
    let head = "POST /get_scoring_result HTTP/1.1\r\nhost: test\r\ncontent-length: 100\r\n\r\n{";
    let slow: Vec<_> = (0..12)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(server.addr).unwrap();
            std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let asked = json!({ "challenge_name": "none", "encrypted_commits": [] }).to_string();
    for _ in 0..8 {
        let answer = deliver(&server, "/get_scoring_result", "good", asked.as_bytes());
        let answer = tokio::time::timeout(std::time::Duration::from_secs(8), answer).await;
        assert_eq!(answer.expect("it waits for the slow ones").status, 404);
    }
    drop(slow);
}
