//! Conditions: what holds, what does not, and what cannot be told.

mod build;
mod compare;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::source::{Facts, Source};
use build::test;

/// Deepest nesting of `all`, `any` and `not`.
const MAX_DEPTH: usize = 16;

/// A condition as written in the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCondition {
    /// All of these hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<RawCondition>>,
    /// One of these holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Vec<RawCondition>>,
    /// This does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<RawCondition>>,
    /// Where the value is that is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Where a number is that is taken from it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<String>,
    /// How it is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// With what it is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Where that is, instead of `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_at: Option<String>,
    /// That, so many times: a number, or where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Value>,
    /// That, and so much more: a number, or where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plus: Option<Value>,
    /// That, and so much less: a number, or where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less: Option<Value>,
    /// Of changes: by more than so many hundredths of the value before; a number, or where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Value>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    /// It cannot be told; why, in a sentence.
    Unknown(String),
    /// It cannot be told yet: there is no earlier value.
    Early,
}

/// What a condition remembers from one position to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// The value at the position before; `None` when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// How many times in a row nothing was there.
    #[serde(default, skip_serializing_if = "is_zero")]
    absent: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Debug, Clone)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Box<Test>),
}

#[derive(Debug, Clone)]
pub(super) struct Test {
    left: Source,
    minus: Option<Source>,
    op: Op,
    right: Right,
}

/// What is compared with.
#[derive(Debug, Clone, Default)]
struct Right {
    base: Option<Operand>,
    times: Option<Operand>,
    plus: Option<Operand>,
    less: Option<Operand>,
    percent: bool,
}

#[derive(Debug, Clone)]
enum Operand {
    Constant(Value),
    At(Source),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Compare(Comparison),
    IsNull,
    Changed { slot: usize },
    Moved { slot: usize, way: Way },
    Absent { slot: usize },
    AmongLowest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    Equal,
    NotEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Either,
    Up,
    Down,
}

impl Condition {
    /// Checks a condition; `slots` counts what remembers something.
    pub(super) fn build(
        raw: &RawCondition,
        known: &dyn Fn(&str) -> bool,
        in_list: bool,
        slots: &mut usize,
    ) -> Result<Condition, String> {
        Condition::at_depth(raw, known, in_list, slots, MAX_DEPTH)
    }

    fn at_depth(
        raw: &RawCondition,
        known: &dyn Fn(&str) -> bool,
        in_list: bool,
        slots: &mut usize,
        depth: usize,
    ) -> Result<Condition, String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(format!("`when` is nested deeper than {MAX_DEPTH} times"));
        };
        let mut list = |list: &[RawCondition]| match list.is_empty() {
            true => Err("`all` and `any` need conditions; theirs are empty".to_owned()),
            false => list
                .iter()
                .map(|raw| Condition::at_depth(raw, known, in_list, slots, depth))
                .collect::<Result<Vec<_>, _>>(),
        };
        match (&raw.all, &raw.any, &raw.not, &raw.at) {
            (Some(all), None, None, None) => list(all).map(Condition::All),
            (None, Some(any), None, None) => list(any).map(Condition::Any),
            (None, None, Some(not), None) => {
                let not = Condition::at_depth(not, known, in_list, slots, depth)?;
                Ok(Condition::Not(Box::new(not)))
            }
            (None, None, None, Some(at)) => {
                let test = test(raw, at, known, in_list, slots)?;
                Ok(Condition::Test(Box::new(test)))
            }
            _ => Err("a condition has one of `all`, `any`, `not`, or `at` with `op`".into()),
        }
    }

    /// Looks at everything, also where the outcome is known already: what remembers must see
    /// every position.
    pub(super) fn holds(&self, facts: &Facts<'_>, memory: &mut [Slot]) -> Truth {
        match self {
            Condition::All(list) => joined(list, facts, memory, Truth::False, Truth::True),
            Condition::Any(list) => joined(list, facts, memory, Truth::True, Truth::False),
            Condition::Not(inner) => match inner.holds(facts, memory) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                unknown => unknown,
            },
            Condition::Test(test) => test.holds(facts, memory),
        }
    }
}

/// `decides` is what one part decides alone; `otherwise` is when all are the other way.
fn joined(
    list: &[Condition],
    facts: &Facts<'_>,
    memory: &mut [Slot],
    decides: Truth,
    otherwise: Truth,
) -> Truth {
    let (mut decided, mut unknown) = (false, None);
    for part in list {
        match part.holds(facts, memory) {
            truth if truth == decides => decided = true,
            why @ Truth::Unknown(_) if !matches!(unknown, Some(Truth::Unknown(_))) => {
                unknown = Some(why);
            }
            Truth::Early if unknown.is_none() => unknown = Some(Truth::Early),
            _ => {}
        }
    }
    match (decided, unknown) {
        (true, _) => decides,
        (false, Some(unknown)) => unknown,
        (false, None) => otherwise,
    }
}

#[cfg(test)]
mod tests;
