//! What `ARCHITECTURE.md` promises, held.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Normal dependencies of every crate of the workspace.
fn edges() -> Vec<(String, Vec<String>)> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let depends = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|d| d["kind"].is_null())
                .map(|d| d["name"].as_str().unwrap().to_owned())
                .collect();
            (package["name"].as_str().unwrap().to_owned(), depends)
        })
        .collect()
}

#[test]
fn who_may_import_whom() {
    let forbidden: &[(&str, &[&str])] = &[
        (
            "chain-metadata",
            &[
                "indexer",
                "graphql",
                "scoring",
                "replay-node",
                "yumascope",
                "tokio",
                "jsonrpsee",
                "sled",
            ],
        ),
        (
            "scoring",
            &[
                "chain-metadata",
                "indexer",
                "graphql",
                "replay-node",
                "yumascope",
                "tokio",
                "jsonrpsee",
                "sled",
            ],
        ),
        (
            "indexer",
            &[
                "graphql",
                "replay-node",
                "yumascope",
                "axum",
                "async-graphql",
            ],
        ),
        (
            "challenges",
            &[
                "graphql",
                "replay-node",
                "yumascope",
                "weights-out",
                "axum",
                "async-graphql",
                "sled",
            ],
        ),
        (
            "alerts",
            &[
                "indexer",
                "graphql",
                "challenges",
                "scoring",
                "weights-out",
                "replay-node",
                "yumascope",
                "axum",
                "async-graphql",
                "sled",
            ],
        ),
        (
            "weights-out",
            &["indexer", "graphql", "challenges", "yumascope", "sled"],
        ),
        (
            "graphql",
            &[
                "indexer",
                "challenges",
                "weights-out",
                "replay-node",
                "yumascope",
                "sled",
                "subxt",
                "jsonrpsee",
            ],
        ),
        (
            "replay-node",
            &["indexer", "graphql", "scoring", "yumascope", "sled"],
        ),
    ];
    let edges = edges();
    assert!(edges.len() >= 5);
    for (name, depends) in &edges {
        let Some((_, never)) = forbidden.iter().find(|(n, _)| n == name) else {
            assert!(
                ["yumascope", "synthetic"].contains(&name.as_str()),
                "{name} has no rule"
            );
            continue;
        };
        for dependency in depends {
            assert!(
                !never.contains(&dependency.as_str()),
                "{name} imports {dependency}"
            );
        }
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_file_is_longer_than_600_lines_and_none_is_called_mod() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 50);
    for file in files {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines", file.display());
        assert_ne!(file.file_name().unwrap(), "mod.rs", "{}", file.display());
    }
}

#[test]
fn the_readme_names_the_two_commands_and_only_flags_that_exist() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for command in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(readme.contains(command), "README does not name {command}");
    }
    let help: String = [
        "run",
        "index",
        "serve",
        "demo",
        "decode",
        "check",
        "preflight",
        "compact",
        "verify",
        "copying",
        "simulate",
        "profiles",
        "score",
        "audit sn64",
        "weights plan",
        "weights read-back",
        "results reports",
        "challenge create",
        "bench",
        "keys create",
    ]
    .iter()
    .map(|command| {
        let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let output = crate::context::outcome(&words);
        assert!(output.status.success(), "{command}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
    .collect();
    for line in readme
        .lines()
        .filter(|l| l.contains("yumascope ") || l.contains("-- demo"))
    {
        for word in line
            .split_whitespace()
            .filter(|w| w.starts_with("--") && w.len() > 2)
        {
            let flag = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let cargo = [
                "--release",
                "--workspace",
                "--locked",
                "--path",
                "--features",
            ]
            .contains(&flag);
            assert!(cargo || help.contains(flag), "README names {flag}");
        }
    }
}
