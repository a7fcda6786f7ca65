//! One position of a rule: the answer looked at, item by item.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition::Truth;
use super::machine::{Event, Manner, Subject};
use super::source::{Facts, Found, walk};
use super::{MAX_SUBJECTS, On, Rule, RuleState, Severity};
use crate::chain::Position;

/// What a rule tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Name of the rule.
    pub rule: String,
    /// What happened.
    pub event: Event,
    /// How bad it is.
    pub severity: Severity,
    /// Height of the block at whose end it was so.
    pub block: u32,
    /// Number of the subnet; null for rules without subnets.
    pub netuid: Option<u16>,
    /// Name of the item; null for rules without `each`.
    pub subject: Option<String>,
    /// The height at which it fired; null when it had not.
    pub since: Option<u32>,
    /// What to say.
    pub message: String,
    /// Why it cannot be told, or why it ended; null where the condition says it all.
    pub reason: Option<String>,
    /// The values in the message, by where they are.
    pub values: Map<String, Value>,
    /// When it was asked, in milliseconds since 1970, of rules on time; null for others.
    #[serde(rename = "atMs")]
    pub at_ms: Option<u64>,
}

impl Alert {
    /// Names it among all alerts of its rule, also when they are made anew.
    pub fn cursor(&self) -> String {
        let netuid = self.netuid.map(|n| n.to_string()).unwrap_or_default();
        let subject = self.subject.as_deref().unwrap_or_default();
        let at = self.at_ms.map(|ms| format!("@{ms}")).unwrap_or_default();
        format!(
            "{}{at}.{netuid}.{}.{subject}",
            self.block,
            self.event.name()
        )
    }
}

impl Rule {
    /// The variables at a position.
    pub fn variables_at(&self, position: &Position) -> Map<String, Value> {
        let mut variables = self.variables.clone();
        variables.insert("block".into(), position.block.into());
        if let Some(netuid) = position.netuid {
            variables.insert("netuid".into(), netuid.into());
        }
        variables
    }

    /// Looks at the answer at a position, moves the state on, and tells what is to be told.
    /// `answer` is the `data` of the query, or why there is none.
    pub fn evaluate(
        &self,
        state: &mut RuleState,
        position: &Position,
        answer: Result<&Value, &str>,
    ) -> Vec<Alert> {
        let variables = self.variables_at(position);
        let mut step = Step {
            rule: self,
            state,
            position,
            variables: &variables,
            told: Vec::new(),
        };
        match answer {
            Err(why) => step.all_unknown(why),
            Ok(answer) => match self.items(answer) {
                Ok(None) => step.one("", answer, answer, &[]),
                Ok(Some(items)) => step.each(answer, items),
                Err(why) => step.all_unknown(&why),
            },
        }
        step.told
    }

    /// The items, where the rule looks at a list.
    fn items<'a>(&self, answer: &'a Value) -> Result<Option<&'a [Value]>, String> {
        let Some(each) = &self.each else {
            return Ok(None);
        };
        let at = format!("/{}", each.join("/"));
        let found = match walk(answer, each) {
            Found::Value(std::borrow::Cow::Borrowed(value)) => value,
            Found::Value(_) | Found::Null => return Err(format!("{at} is null")),
            Found::Missing(why) => return Err(why),
        };
        match found.as_array() {
            Some(items) if items.len() > MAX_SUBJECTS => Err(format!(
                "{at} has {} items, at most {MAX_SUBJECTS} are looked at",
                items.len()
            )),
            Some(items) => Ok(Some(items)),
            None => Err(format!("{at} is no list")),
        }
    }

    fn manner(&self) -> Manner {
        Manner {
            hits: self.hits,
            repeat: self.repeat,
            cleared: self.tell_cleared,
            unknown: self.tell_unknown,
        }
    }
}

struct Step<'a> {
    rule: &'a Rule,
    state: &'a mut RuleState,
    position: &'a Position,
    variables: &'a Map<String, Value>,
    told: Vec<Alert>,
}

impl Step<'_> {
    /// The subjects of one subnet have a prefix of their own.
    fn prefix(&self) -> String {
        let netuid = self.position.netuid.map(|n| n.to_string());
        format!("{}/", netuid.unwrap_or_default())
    }

    fn each(&mut self, answer: &Value, items: &[Value]) {
        let prefix = self.prefix();
        let mut seen = BTreeSet::new();
        for item in items {
            let key = self.rule.key.as_deref().unwrap_or_default();
            let name = match walk(item, key) {
                Found::Value(name) => match &*name {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                },
                Found::Null | Found::Missing(_) => {
                    let at = key.join("/");
                    return self.all_unknown(&format!("an item has no name at /{at}"));
                }
            };
            let wanted = self.rule.only.as_ref();
            if wanted.is_some_and(|only| !only.contains(&name)) || !seen.insert(name.clone()) {
                continue;
            }
            self.one(&name, answer, item, items);
        }
        // Told before, and not in the list any more.
        let ours = self.state.subjects.range(prefix.clone()..);
        let ours = ours.take_while(|(name, _)| name.starts_with(&prefix));
        let gone: Vec<String> = ours
            .filter_map(|(name, _)| name.get(prefix.len()..))
            .filter(|name| !name.is_empty() && !seen.contains(*name))
            .map(str::to_owned)
            .collect();
        for name in gone {
            if let Some(mut subject) = self.state.subjects.remove(&format!("{prefix}{name}")) {
                let since = subject.since;
                if let Some(event) = subject.clear(self.rule.manner()) {
                    let reason = Some("it is not in the answer any more".to_owned());
                    self.tell(event, &name, since, reason, (answer, &Value::Null, items));
                }
            }
        }
        self.settle("");
    }

    fn one(&mut self, name: &str, answer: &Value, item: &Value, items: &[Value]) {
        let full = format!("{}{name}", self.prefix());
        let mut subject = self.state.subjects.remove(&full).unwrap_or_default();
        subject.slots.resize(self.rule.slots, Default::default());
        let facts = Facts {
            variables: self.variables,
            answer,
            item,
            items,
        };
        let truth = self.rule.when.holds(&facts, &mut subject.slots);
        let before = subject.since;
        let event = subject.step(&truth, self.position.block, self.rule.manner());
        let since = subject.since.or(before);
        if subject != self.blank() {
            self.state.subjects.insert(full, subject);
        }
        if let Some(event) = event {
            let reason = match truth {
                Truth::Unknown(why) => Some(why),
                _ => None,
            };
            self.tell(event, name, since, reason, (answer, item, items));
        }
    }

    /// A subject of which nothing is to be remembered.
    fn blank(&self) -> Subject {
        Subject {
            slots: vec![Default::default(); self.rule.slots],
            ..Subject::default()
        }
    }

    /// Nothing can be told of the whole answer: that is told once, and the subjects stay as they
    /// were.
    fn all_unknown(&mut self, why: &str) {
        let full = self.prefix();
        let manner = self.rule.manner();
        let subject = self.state.subjects.entry(full).or_default();
        let event = subject.step(&Truth::Unknown(why.to_owned()), self.position.block, manner);
        let since = subject.since;
        if let Some(event) = event {
            let nothing = (&Value::Null, &Value::Null, [].as_slice());
            self.tell(event, "", since, Some(why.to_owned()), nothing);
        }
    }

    /// The whole answer is known again, in a rule that looks at items.
    fn settle(&mut self, name: &str) {
        let full = format!("{}{name}", self.prefix());
        self.state.subjects.remove(&full);
    }

    fn tell(
        &mut self,
        event: Event,
        name: &str,
        since: Option<u32>,
        reason: Option<String>,
        (answer, item, items): (&Value, &Value, &[Value]),
    ) {
        let facts = Facts {
            variables: self.variables,
            answer,
            item,
            items,
        };
        let (message, values) = self.rule.message.fill(&facts);
        let time = self.rule.on == On::Time;
        self.told.push(Alert {
            rule: self.rule.name.clone(),
            event,
            severity: self.rule.severity,
            block: self.position.block,
            netuid: self.position.netuid,
            subject: (!name.is_empty()).then(|| name.to_owned()),
            since,
            message,
            reason,
            values,
            at_ms: self.position.at_ms.filter(|_| time),
        });
    }
}

#[cfg(test)]
mod tests;
