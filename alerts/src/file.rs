//! The file of TOML with rules and hooks.
//!
//! ```toml
//! [[rule]]
//! preset = "validator-silent"
//! netuids = [1]
//!
//! [[hook]]
//! name = "ops"
//! url = "https://example.com/hooks/yumascope"
//! secret_env = "OPS_SECRET"
//! alerts = ["validator-silent"]
//! topics = [{ topic = "epochs", netuids = [1] }]
//! ```

use std::collections::BTreeSet;

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use serde::Deserialize;

use crate::hook::{Hook, HookError, RawHook, Secrets};
use crate::rule::{PRESETS, RawRule, Rule, RuleError};

/// Most rules, and most hooks, in a file.
const MOST: usize = 256;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is not of the form.
    #[error("{0}")]
    Form(String),
    /// A rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A hook.
    #[error(transparent)]
    Hook(#[from] HookError),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    rule: Vec<Dict>,
    #[serde(default)]
    hook: Vec<RawHook>,
}

/// What a file says.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The rules, in their order.
    pub rules: Vec<Rule>,
    /// The hooks, in their order.
    pub hooks: Vec<Hook>,
}

impl Settings {
    /// Reads a file and finds everything that is wrong with it.
    ///
    /// # Errors
    /// Everything that is wrong, each with a sentence.
    pub fn read(text: &str, secrets: &dyn Secrets) -> Result<Settings, Vec<FileError>> {
        let raw: Raw = extract(Figment::from(Toml::string(text)), "")
            .map_err(|what| vec![FileError::Form(what)])?;
        let mut wrong = Vec::new();
        for (what, many) in [("rules", raw.rule.len()), ("hooks", raw.hook.len())] {
            if many > MOST {
                wrong.push(FileError::Form(format!(
                    "the file has {many} {what}, at most {MOST} are taken"
                )));
            }
        }
        let mut settings = Settings::default();
        let mut names = BTreeSet::new();
        for (place, given) in raw.rule.into_iter().enumerate() {
            match rule(place, given) {
                Ok(rule) if names.insert(rule.name.clone()) => settings.rules.push(rule),
                Ok(rule) => wrong.push(FileError::Rule(RuleError {
                    rule: rule.name,
                    what: "another rule has this name; give it a `name` of its own".into(),
                })),
                Err(error) => {
                    // Hooks that ask for it are not to blame.
                    names.insert(error.rule.clone());
                    wrong.push(FileError::Rule(error));
                }
            }
        }
        let mut hooks = BTreeSet::new();
        for raw in &raw.hook {
            match Hook::build(raw, &names, secrets) {
                Ok(hook) if hooks.insert(hook.name.clone()) => settings.hooks.push(hook),
                Ok(hook) => wrong.push(FileError::Hook(HookError {
                    hook: hook.name,
                    what: "another hook has this name".into(),
                })),
                Err(error) => wrong.push(FileError::Hook(error)),
            }
        }
        if settings.rules.is_empty() && settings.hooks.is_empty() && wrong.is_empty() {
            wrong.push(FileError::Form(
                "the file has neither [[rule]] nor [[hook]]".into(),
            ));
        }
        match wrong.is_empty() {
            true => Ok(settings),
            false => Err(wrong),
        }
    }

    /// A preset as it is.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn preset(name: &str, more: Dict) -> Result<Rule, RuleError> {
        let mut given = more;
        given.insert("preset".into(), Value::from(name));
        rule(0, given)
    }
}

fn extract<T: for<'de> Deserialize<'de>>(figment: Figment, of: &str) -> Result<T, String> {
    figment.extract().map_err(|error| {
        // The first of several is enough; the place is in the message.
        let first = error.into_iter().next();
        let said = first.map(|error| match error.path.is_empty() {
            true => error.kind.to_string(),
            false => format!("{} (at {})", error.kind, error.path.join(".")),
        });
        format!("{of}{}", said.unwrap_or_default())
    })
}

/// A rule over its preset, if it names one.
fn rule(place: usize, given: Dict) -> Result<Rule, RuleError> {
    let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
    let preset = text("preset");
    let name = text("name").or_else(|| preset.clone());
    let called = name.unwrap_or_else(|| format!("number {}", place + 1));
    let refuse = |what: String| RuleError {
        rule: called.clone(),
        what,
    };
    let mut figment = Figment::new();
    if let Some(preset) = preset {
        let Some(found) = PRESETS.iter().find(|known| known.name == preset) else {
            let known: Vec<&str> = PRESETS.iter().map(|known| known.name).collect();
            return Err(refuse(format!(
                "there is no preset {preset:?}; there are {}",
                known.join(", ")
            )));
        };
        figment = figment.merge(Toml::string(found.text));
        // A condition takes the place of the preset's, it is not mixed with it.
        if given.contains_key("when") {
            let mut dict: Dict = extract(figment, "").map_err(refuse)?;
            dict.remove("when");
            figment = Figment::from(Serialized::defaults(dict));
        }
    }
    let figment = figment.merge(Serialized::defaults(given));
    let raw: RawRule = extract(figment, "").map_err(refuse)?;
    Rule::build(raw)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    struct Given;

    impl Secrets for Given {
        fn variable(&self, _name: &str) -> Option<String> {
            Some("a-secret-of-some-length".into())
        }

        fn file(&self, _path: &Path, _most: u64) -> std::io::Result<Vec<u8>> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    fn wrong(text: &str) -> Vec<String> {
        let errors = Settings::read(text, &Given).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_preset_is_a_rule() {
        for preset in PRESETS {
            let rule = Settings::preset(preset.name, Dict::new()).unwrap();
            assert_eq!(rule.name, preset.name);
            let names: Vec<_> = PRESETS.iter().map(|p| p.name).collect();
            assert!(names.is_sorted());
        }
    }

    #[test]
    fn what_stands_beside_a_preset_wins() {
        let text = r#"
            [[rule]]
            preset = "validator-silent"
            name = "mine"
            netuids = [7, 1, 7]
            variables = { tempos = 5 }
            for = 2
            [[rule]]
            preset = "verdict-differs"
            when = { at = "/verification", op = "is_null" }
            [[hook]]
            name = "ops"
            url = "https://example.com/x"
            secret_env = "X"
            alerts = ["mine"]
        "#;
        let settings = Settings::read(text, &Given).unwrap();
        let rule = &settings.rules[0];
        assert_eq!(rule.name, "mine");
        assert_eq!(rule.netuids.as_deref(), Some([1, 7].as_slice()));
        assert_eq!(rule.variables["tempos"], 5);
        assert_eq!(settings.hooks[0].alerts, ["mine"]);
        let plain = Settings::preset("validator-silent", Dict::new()).unwrap();
        assert_ne!(plain.digest(), rule.digest());
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let text = r#"
            [[rule]]
            preset = "nobody"
            [[rule]]
            preset = "incentive-fell"
            netuid = 5
            [[rule]]
            name = "x"
            on = "epoch"
            [[hook]]
            name = "ops"
            url = "http://localhost/"
            secret_env = "X"
            alerts = ["x"]
            [[hook]]
            name = "ops2"
            url = "https://example.com/"
            secret_env = "X"
            alerts = ["x", "y"]
        "#;
        let found = wrong(text);
        for (at, part) in ["no preset", "netuid", "query", "allow_http", "\"y\""]
            .iter()
            .enumerate()
        {
            assert!(found[at].contains(part), "{part}: {found:#?}");
        }
        assert_eq!(found.len(), 5);
        assert!(wrong("")[0].contains("neither"));
        assert!(
            wrong("[[rules]]\n")[0].contains("rules"),
            "{:?}",
            wrong("[[rules]]\n")
        );
        assert!(!wrong("= 5").is_empty());
        let twice = "[[rule]]\npreset = \"index-behind\"\n".repeat(2);
        assert!(wrong(&twice)[0].contains("another rule"));
    }
}
