//! What `docker/` promises, as far as it can be held without a Docker engine. `docker/check` does
//! the rest: rules and queries by promtool, steps of the Dockerfile in a clean folder.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::context::{outcome, program};
use crate::served::{http, query, start, wait_until_ready};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names of metrics in a query: words that are no function, label or keyword.
fn metrics(query: &str) -> Vec<String> {
    const WORDS: [&str; 9] = [
        "histogram_quantile",
        "sum",
        "by",
        "rate",
        "increase",
        "le",
        "for",
        "offset",
        "bool",
    ];
    let mut bare = String::new();
    let mut depth = 0_u32;
    let mut is_list = false;
    // Labels stand in braces, lists of labels in the parentheses behind `by`.
    for (at, char) in query.char_indices() {
        match char {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            '(' if query[..at].trim_end().ends_with(" by") => is_list = true,
            ')' if is_list => is_list = false,
            _ => {}
        }
        bare.push(if depth > 0 || is_list { ' ' } else { char });
    }
    bare.split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
        .filter(|word| word.starts_with(|char: char| char.is_ascii_lowercase()))
        .filter(|word| !WORDS.contains(word) && *word != "up")
        .map(str::to_owned)
        .collect()
}

/// The queries of dashboard and alert rules.
fn queries() -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&file("docker/grafana/dashboards/yumascope.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut all: Vec<String> = targets
        .map(|t| t["expr"].as_str().unwrap().to_owned())
        .collect();
    let rules = file("docker/prometheus/alerts.yml");
    all.extend(
        rules
            .lines()
            .filter_map(|l| l.trim().strip_prefix("expr: "))
            .map(str::to_owned),
    );
    assert!(all.len() > 30, "{}", all.len());
    all
}

#[test]
fn names_are_found_in_queries() {
    assert_eq!(
        metrics("histogram_quantile(0.99, sum by (le, read) (rate(a_seconds_bucket[$__i])))"),
        ["a_seconds_bucket"]
    );
    assert_eq!(metrics("b_total{x=~\"5..\", y=\"c\"} > 0.01"), ["b_total"]);
}

/// What is counted by something that need not happen, and by labels nobody knows before.
const RARE: [(&str, &str); 3] = [
    (
        "indexer_rpc_errors_total",
        "indexer/src/source/rpc/retry.rs",
    ),
    ("alerts_deliveries_total", "alerts/src/worker.rs"),
    ("alerts_rules_fired_total", "alerts/src/engine.rs"),
];

#[test]
fn dashboard_and_rules_ask_only_for_what_is_measured() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    query(&served.address, "{ subnets { netuid } }");
    let deep = "{ block { parent ".repeat(3) + &"{ parent ".repeat(40);
    http(
        &served.address,
        "POST",
        "/graphql",
        &serde_json::json!({ "query": deep }).to_string(),
    );
    let aliases: String = (0..5000)
        .map(|n| format!("a{n}: status {{ last }} "))
        .collect();
    let wide = serde_json::json!({ "query": format!("{{ {aliases} }}") }).to_string();
    http(&served.address, "POST", "/graphql", &wide);
    let mut page = String::new();
    let mut missing = BTreeSet::new();
    // Heights are read every few seconds.
    for _ in 0..60 {
        page = http(&served.address, "GET", "/metrics", "").1;
        let shown = |name: &str| {
            page.lines().any(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
            })
        };
        let asked = queries().into_iter().flat_map(|query| metrics(&query));
        missing = asked
            .filter(|name| !shown(name) && !RARE.iter().any(|(rare, _)| rare == name))
            .collect();
        if missing.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    assert!(missing.is_empty(), "not measured: {missing:?}\n{page}");
    for (name, path) in RARE {
        assert!(file(path).contains(name), "{name} is not counted in {path}");
    }
}

#[test]
fn the_image_runs_what_the_program_knows() {
    let text = file("docker/Dockerfile");
    let after = |word: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(word));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    // The compiler of the workspace.
    let manifest = file("Cargo.toml");
    let version = manifest
        .split("rust-version = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(
        after("FROM ")[0].starts_with(&format!("rust:{version}-")),
        "{version}"
    );
    // Nobody is root, and a stop is heard.
    assert_eq!(after("USER "), ["65532:65532"]);
    assert_eq!(after("STOPSIGNAL "), ["SIGTERM"]);
    // Settings and commands are real.
    let mut run = program(&["run", "--print-config"]);
    for setting in after("ENV ") {
        let (name, value) = setting.split_once('=').unwrap();
        run.env(name, value);
    }
    for line in file("docker/compose.yml").lines() {
        let Some((name, value)) = line.trim().split_once(": ${YUMASCOPE") else {
            continue;
        };
        let default = value.split(":-").nth(1).unwrap().trim_end_matches('}');
        run.env(name, default);
    }
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let settings = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        settings.contains("data_dir = \"/data/store\""),
        "{settings}"
    );
    // The probe is told by the environment what it asks, so that HTTPS need not break it.
    assert!(text.contains("CMD [\"/usr/local/bin/yumascope\", \"probe\"]"));
    assert!(text.contains("ENV YUMASCOPE_PROBE_URL=http://127.0.0.1:8787/health"));
    assert!(outcome(&["probe", "--help"]).status.success());
}

#[test]
fn a_probe_tells_alive_from_ready_from_nothing() {
    let served = start(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_ready(&served.address);
    let probe = |path: &str| {
        let output = outcome(&[
            "probe",
            "--url",
            &format!("http://{}{path}", served.address),
        ]);
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert!(probe("/health").0);
    assert!(probe("/ready").0);
    let (good, said) = probe("/v1/nothing");
    assert!(!good && said.contains("answered 404"), "{said}");
    let by_variable = |url: &str| {
        let mut probe = program(&["probe"]);
        let output = probe.env("YUMASCOPE_PROBE_URL", url).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    let url = format!("http://{}", served.address);
    assert!(by_variable(&format!("{url}/health")).0);
    let (good, said) = by_variable(&format!("{url}/v1/nothing"));
    assert!(!good && said.contains("answered 404"), "{said}");
    let address = served.address.clone();
    drop(served);
    let output = outcome(&["probe", "--url", &format!("http://{address}/health")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("is yumascope running there?"),
        "{said}"
    );
}
