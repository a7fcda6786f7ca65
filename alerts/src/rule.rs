//! An alert rule: a query at the positions of a chain, a condition over its answer, and what has
//! become of it so far.
//!
//! All of it is a function of the answers: the same answers in the same order give the same
//! alerts, whether they are of today or of last year.

mod condition;
mod evaluate;
mod machine;
mod message;
mod presets;
mod source;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use condition::Condition;
pub use condition::RawCondition;
pub use evaluate::Alert;
pub use machine::{Event, Subject};
use message::Template;
pub use presets::{PRESETS, Preset};
use source::{Pointer, pointer};

/// Most subjects that one answer may have.
pub const MAX_SUBJECTS: usize = 4_096;

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}: {what}")]
pub struct RuleError {
    /// Its name, or its place in the file.
    pub rule: String,
    /// A sentence that says what to do.
    pub what: String,
}

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// At the end of each block in which an epoch of the subnet ran.
    Epoch,
    /// At the end of each block, or of every so many.
    Block,
    /// Every so many seconds, at the highest stored block. There is no history of it.
    Time,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Somebody should get up.
    Critical,
}

/// A rule as written in the file; [`Rule::build`] checks it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    /// Name, by which hooks ask for it.
    pub name: String,
    /// The preset that it goes out from.
    #[serde(default)]
    pub preset: Option<String>,
    /// When it is asked.
    pub on: On,
    /// Which subnets; without it, all for rules on epochs, none for others.
    #[serde(default)]
    pub netuids: Option<Vec<u16>>,
    /// Every so many blocks (or seconds): at block heights that are multiples of it.
    #[serde(default)]
    pub every: Option<u32>,
    /// The document of GraphQL.
    pub query: String,
    /// Its own variables, besides `$netuid` and `$block`.
    #[serde(default)]
    pub variables: Map<String, Value>,
    /// Where the list is of which each item is looked at by itself.
    #[serde(default)]
    pub each: Option<String>,
    /// What names an item of that list.
    #[serde(default)]
    pub key: Option<String>,
    /// Only items with these names.
    #[serde(default)]
    pub only: Option<Vec<String>>,
    /// The condition.
    pub when: RawCondition,
    /// How many times in a row it must hold.
    #[serde(default = "one", rename = "for")]
    pub hits: u32,
    /// While it holds, tell again every so many times; 0 is never.
    #[serde(default)]
    pub repeat: u32,
    /// Whether the end is told.
    #[serde(default = "yes")]
    pub tell_cleared: bool,
    /// Whether it is told that the condition cannot be judged.
    #[serde(default = "yes")]
    pub tell_unknown: bool,
    /// How bad it is.
    #[serde(default = "warning")]
    pub severity: Severity,
    /// What to say, with values in braces.
    pub message: String,
    /// Where it begins when it is new: `tip`, `first`, or a block.
    #[serde(default)]
    pub from: From,
}

/// Where something new begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum From {
    /// After the highest block that is stored then.
    #[default]
    Tip,
    /// At the lowest stored block.
    First,
    /// At this block.
    Block(u32),
}

impl TryFrom<Value> for From {
    type Error = String;

    fn try_from(value: Value) -> Result<From, String> {
        let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        match (value.as_str(), number(&value)) {
            (Some("tip"), _) => Ok(From::Tip),
            (Some("first"), _) => Ok(From::First),
            (_, Some(block)) => Ok(From::Block(block)),
            _ => Err(format!(
                "from is {value}; give \"tip\", \"first\" or the height of a block"
            )),
        }
    }
}

impl std::convert::From<From> for Value {
    fn from(from: From) -> Value {
        match from {
            From::Tip => "tip".into(),
            From::First => "first".into(),
            From::Block(block) => block.into(),
        }
    }
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn warning() -> Severity {
    Severity::Warning
}

/// A rule that can be asked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// When it is asked.
    pub on: On,
    /// Which subnets; `None` is all for rules on epochs, and no subnet at all for others.
    pub netuids: Option<Vec<u16>>,
    /// Every so many blocks or seconds, 1 or more.
    pub every: u32,
    /// Where it begins when it is new.
    pub from: From,
    /// How bad it is.
    pub severity: Severity,
    /// The document.
    pub query: String,
    /// Its own variables.
    pub variables: Map<String, Value>,
    each: Option<Pointer>,
    key: Option<Pointer>,
    only: Option<Vec<String>>,
    when: Condition,
    slots: usize,
    hits: u32,
    repeat: u32,
    tell_cleared: bool,
    tell_unknown: bool,
    message: Template,
    digest: String,
}

/// What has become of a rule so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleState {
    /// By subnet (or nothing) and name of the item (or nothing).
    #[serde(default)]
    pub subjects: BTreeMap<String, Subject>,
}

/// Whether a text may name a rule or a hook, and so a file.
pub fn named_well(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(good) && !name.starts_with('-')
}

impl Rule {
    /// Checks a rule.
    ///
    /// # Errors
    /// [`RuleError`], with a sentence about the first thing that is wrong.
    pub fn build(raw: RawRule) -> Result<Rule, RuleError> {
        let rule = raw.name.clone();
        Rule::checked(raw).map_err(|what| RuleError { rule, what })
    }

    fn checked(raw: RawRule) -> Result<Rule, String> {
        if !named_well(&raw.name) {
            return Err("a name has 1 to 63 small letters, digits and hyphens".into());
        }
        let digest = serde_json::to_vec(&raw).map_err(|error| error.to_string())?;
        if raw.query.trim().is_empty() {
            return Err("`query` is empty; give a GraphQL document".into());
        }
        let every = raw.every.unwrap_or(1);
        if every == 0 || (raw.on == On::Epoch && raw.every.is_some()) {
            return Err("`every` counts blocks (on = \"block\") or seconds (on = \"time\"), 1 or more; rules on epochs have none".into());
        }
        if raw.on == On::Time && raw.from != From::Tip {
            return Err("a rule on time has no history; leave `from` out".into());
        }
        for name in ["netuid", "block"] {
            if raw.variables.contains_key(name) {
                return Err(format!(
                    "`${name}` is given by the position; leave it out of `variables`"
                ));
            }
        }
        if raw.hits == 0 {
            return Err("`for` is 0; give 1 or more".into());
        }
        let in_list = raw.each.is_some();
        if in_list != raw.key.is_some() || (raw.only.is_some() && !in_list) {
            return Err("`each` names a list, `key` what names its items, `only` which of them: give `each` and `key` together".into());
        }
        if raw.netuids.as_ref().is_some_and(Vec::is_empty) {
            return Err("`netuids` is empty; name a subnet or leave it out".into());
        }
        let mut netuids = raw.netuids;
        if let Some(list) = &mut netuids {
            list.sort_unstable();
            list.dedup();
        }
        let has_netuid = netuids.is_some() || raw.on == On::Epoch;
        let known = |name: &str| {
            name == "block" || (name == "netuid" && has_netuid) || raw.variables.contains_key(name)
        };
        let mut slots = 0;
        let when = Condition::build(&raw.when, &known, in_list, &mut slots)?;
        let message = Template::parse(&raw.message, &known)?;
        let mut pointers = [raw.each, raw.key].into_iter().map(|text| match text {
            Some(text) => pointer(&text).map(Some),
            None => Ok(None),
        });
        let mut next = || pointers.next().unwrap_or(Ok(None));
        let (each, key) = (next()?, next()?);
        Ok(Rule {
            name: raw.name,
            on: raw.on,
            netuids,
            every,
            from: raw.from,
            severity: raw.severity,
            query: raw.query,
            variables: raw.variables,
            each,
            key,
            only: raw.only,
            when,
            slots,
            hits: raw.hits,
            repeat: raw.repeat,
            tell_cleared: raw.tell_cleared,
            tell_unknown: raw.tell_unknown,
            message,
            digest: hex::encode(Sha256::digest(digest)),
        })
    }

    /// Names what the rule says: another one when anything in it changed.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}
