//! Conditions: what holds, what does not, and what cannot be told.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::source::{Facts, Found, Source};
use crate::number::Number;

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

const OPS: &str = "<, <=, >, >=, ==, !=, is_null, changed, changed_by_more_than, rose_by_more_than, fell_by_more_than, absent, among_lowest";

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

fn test(
    raw: &RawCondition,
    at: &str,
    known: &dyn Fn(&str) -> bool,
    in_list: bool,
    slots: &mut usize,
) -> Result<Test, String> {
    let name = raw.op.as_deref().unwrap_or_default();
    let mut slot = || {
        *slots += 1;
        *slots - 1
    };
    let op = match name {
        "<" => Op::Compare(Comparison::Less),
        "<=" => Op::Compare(Comparison::LessOrEqual),
        ">" => Op::Compare(Comparison::More),
        ">=" => Op::Compare(Comparison::MoreOrEqual),
        "==" => Op::Compare(Comparison::Equal),
        "!=" => Op::Compare(Comparison::NotEqual),
        "is_null" => Op::IsNull,
        "changed" => Op::Changed { slot: slot() },
        "changed_by_more_than" => Op::Moved {
            slot: slot(),
            way: Way::Either,
        },
        "rose_by_more_than" => Op::Moved {
            slot: slot(),
            way: Way::Up,
        },
        "fell_by_more_than" => Op::Moved {
            slot: slot(),
            way: Way::Down,
        },
        "absent" => Op::Absent { slot: slot() },
        "among_lowest" => Op::AmongLowest,
        other => return Err(format!("at {at}: {other:?} is no `op`; there are {OPS}")),
    };
    let operand = |value: &Value| match value
        .as_str()
        .filter(|text| text.starts_with(['$', '/', '^']))
    {
        Some(text) => Source::parse(text, known).map(Operand::At),
        None => Ok(Operand::Constant(value.clone())),
    };
    let base = match (&raw.value, &raw.value_at, &raw.percent) {
        (Some(Value::Null), ..) => {
            return Err(format!("at {at}: nothing equals null; use is_null"));
        }
        (Some(value), None, None) => Some(Operand::Constant(value.clone())),
        (None, Some(at), None) => Some(Operand::At(Source::parse(at, known)?)),
        (None, None, Some(percent)) => Some(operand(percent)?),
        (None, None, None) => None,
        _ => {
            return Err(format!(
                "at {at}: give one of `value`, `value_at` and `percent`"
            ));
        }
    };
    let bare = [&raw.times, &raw.plus, &raw.less]
        .iter()
        .all(|part| part.is_none());
    let bare = bare && raw.minus.is_none();
    match op {
        Op::IsNull | Op::Changed { .. } if base.is_some() || !bare => {
            return Err(format!(
                "at {at}: {name} compares with nothing; leave the rest out"
            ));
        }
        Op::IsNull | Op::Changed { .. } => {}
        Op::Absent { .. } | Op::AmongLowest if base.is_none() || raw.percent.is_some() || !bare => {
            return Err(format!(
                "at {at}: {name} needs `value`, how many, and nothing else"
            ));
        }
        Op::AmongLowest if !in_list => {
            return Err(format!(
                "at {at}: among_lowest compares the items of `each`"
            ));
        }
        _ if base.is_none() => {
            return Err(format!(
                "at {at}: {name} needs `value`, or `value_at` for where it is"
            ));
        }
        Op::Moved { .. } => {}
        _ if raw.percent.is_some() => {
            return Err(format!(
                "at {at}: `percent` is for changes; {name} takes `value`"
            ));
        }
        _ => {}
    }
    let check = |operand: &Option<Operand>, what: &str| match operand {
        Some(Operand::Constant(value)) if Number::of(value).is_none() => {
            Err(format!("at {at}: `{what}` is {value}, it must be a number"))
        }
        _ => Ok(()),
    };
    let optional = |value: &Option<Value>| value.as_ref().map(&operand).transpose();
    let right = Right {
        base,
        times: optional(&raw.times)?,
        plus: optional(&raw.plus)?,
        less: optional(&raw.less)?,
        percent: raw.percent.is_some(),
    };
    check(&right.times, "times")?;
    check(&right.plus, "plus")?;
    check(&right.less, "less")?;
    let any_value = matches!(op, Op::Compare(Comparison::Equal | Comparison::NotEqual)) && bare;
    if !any_value {
        check(&right.base, if right.percent { "percent" } else { "value" })?;
    }
    Ok(Test {
        left: Source::parse(at, known)?,
        minus: raw
            .minus
            .as_deref()
            .map(|at| Source::parse(at, known))
            .transpose()?,
        op,
        right,
    })
}

/// Why a number is not there.
fn numeric(found: Found<'_>, what: &Source) -> Result<Number, Truth> {
    match found {
        Found::Value(value) => Number::of(&value)
            .ok_or_else(|| Truth::Unknown(format!("{} is {value}, not a number", what.shown()))),
        Found::Null => Err(Truth::Unknown(format!("{} is null", what.shown()))),
        Found::Missing(why) => Err(Truth::Unknown(why)),
    }
}

impl Source {
    /// As it is written.
    pub(super) fn shown(&self) -> String {
        match self {
            Source::Variable(name) => format!("${name}"),
            Source::Answer(path) => format!("^/{}", path.join("/")),
            Source::Item(path) => format!("/{}", path.join("/")),
        }
    }
}

impl Operand {
    fn number(&self, facts: &Facts<'_>) -> Result<Number, Truth> {
        match self {
            Operand::Constant(value) => {
                Number::of(value).ok_or_else(|| Truth::Unknown(format!("{value} is not a number")))
            }
            Operand::At(source) => numeric(source.find(facts), source),
        }
    }

    fn value<'a>(&'a self, facts: &Facts<'a>) -> Result<Cow<'a, Value>, Truth> {
        match self {
            Operand::Constant(value) => Ok(Cow::Borrowed(value)),
            Operand::At(source) => found(source, facts),
        }
    }
}

fn found<'a>(source: &Source, facts: &Facts<'a>) -> Result<Cow<'a, Value>, Truth> {
    match source.find(facts) {
        Found::Value(value) => Ok(value),
        Found::Null => Err(Truth::Unknown(format!("{} is null", source.shown()))),
        Found::Missing(why) => Err(Truth::Unknown(why)),
    }
}

impl Right {
    fn plain(&self) -> bool {
        self.times.is_none() && self.plus.is_none() && self.less.is_none()
    }

    fn number(&self, facts: &Facts<'_>) -> Result<Number, Truth> {
        let part = |part: &Option<Operand>, or: u64| match part {
            Some(operand) => operand.number(facts),
            None => Ok(Number::from(or)),
        };
        let base = part(&self.base, 0)?;
        let base = base.times(&part(&self.times, 1)?);
        Ok(base
            .plus(&part(&self.plus, 0)?)
            .minus(&part(&self.less, 0)?))
    }
}

impl Test {
    fn holds(&self, facts: &Facts<'_>, memory: &mut [Slot]) -> Truth {
        let told = match self.op {
            Op::Compare(comparison) => self.compare(comparison, facts),
            Op::IsNull => match self.left.find(facts) {
                Found::Value(_) => Ok(false),
                Found::Null => Ok(true),
                Found::Missing(why) => Err(Truth::Unknown(why)),
            },
            Op::Changed { slot } => self.changed(facts, memory.get_mut(slot)),
            Op::Moved { slot, way } => self.moved(way, facts, memory.get_mut(slot)),
            Op::Absent { slot } => self.absent(facts, memory.get_mut(slot)),
            Op::AmongLowest => self.among_lowest(facts),
        };
        match told {
            Ok(true) => Truth::True,
            Ok(false) => Truth::False,
            Err(unknown) => unknown,
        }
    }

    fn left(&self, facts: &Facts<'_>) -> Result<Number, Truth> {
        let left = numeric(self.left.find(facts), &self.left)?;
        match &self.minus {
            Some(minus) => Ok(left.minus(&numeric(minus.find(facts), minus)?)),
            None => Ok(left),
        }
    }

    fn compare(&self, comparison: Comparison, facts: &Facts<'_>) -> Result<bool, Truth> {
        let wanted = match comparison {
            Comparison::Equal => true,
            Comparison::NotEqual => false,
            _ => {
                let order = self.left(facts)?.cmp(&self.right.number(facts)?);
                return Ok(match comparison {
                    Comparison::Less => order == Ordering::Less,
                    Comparison::LessOrEqual => order != Ordering::Greater,
                    Comparison::More => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                });
            }
        };
        let equal = match &self.right.base {
            Some(base) if self.minus.is_none() && self.right.plain() => {
                equal(&*found(&self.left, facts)?, &*base.value(facts)?).ok_or_else(|| {
                    let at = self.left.shown();
                    Truth::Unknown(format!(
                        "{at} is of another kind than what it is compared with"
                    ))
                })?
            }
            _ => self.left(facts)? == self.right.number(facts)?,
        };
        Ok(equal == wanted)
    }

    /// What is null is known to be null, so that coming and going are changes.
    fn changed(&self, facts: &Facts<'_>, slot: Option<&mut Slot>) -> Result<bool, Truth> {
        let now = match self.left.find(facts) {
            Found::Value(value) => value.into_owned(),
            Found::Null => Value::Null,
            Found::Missing(why) => return Err(Truth::Unknown(why)),
        };
        let before = slot.and_then(|slot| slot.before.replace(now.clone()));
        let before = before.ok_or(Truth::Early)?;
        Ok(!equal(&before, &now).unwrap_or(false) && before != now)
    }

    fn moved(&self, way: Way, facts: &Facts<'_>, slot: Option<&mut Slot>) -> Result<bool, Truth> {
        let now = match self.left.find(facts) {
            Found::Value(value) => value.into_owned(),
            Found::Null => Value::Null,
            Found::Missing(why) => return Err(Truth::Unknown(why)),
        };
        let earlier = slot.and_then(|slot| slot.before.replace(now.clone()));
        let at = self.left.shown();
        let unknown = |when: &str| Truth::Unknown(format!("{at} {when} a number"));
        let now = Number::of(&now).ok_or_else(|| unknown("is not"))?;
        let earlier = earlier.ok_or(Truth::Early)?;
        let earlier = Number::of(&earlier).ok_or_else(|| unknown("was not"))?;
        let moved = now.minus(&earlier);
        if (way == Way::Up && moved.is_negative()) || (way == Way::Down && !moved.is_negative()) {
            return Ok(false);
        }
        let bound = self.right.number(facts)?;
        let moved = moved.abs();
        Ok(match self.right.percent {
            true => moved.times(&Number::from(100)) > bound.times(&earlier.abs()),
            false => moved > bound,
        })
    }

    fn absent(&self, facts: &Facts<'_>, slot: Option<&mut Slot>) -> Result<bool, Truth> {
        let gone = !matches!(self.left.find(facts), Found::Value(_));
        let times = slot.map_or(0, |slot| {
            slot.absent = if gone {
                slot.absent.saturating_add(1)
            } else {
                0
            };
            slot.absent
        });
        Ok(gone && Number::from(u64::from(times)) >= self.right.number(facts)?)
    }

    /// Fewer than so many items have less. Items whose number is not known could have.
    fn among_lowest(&self, facts: &Facts<'_>) -> Result<bool, Truth> {
        let own = self.left(facts)?;
        let bound = self.right.number(facts)?;
        let (mut less, mut unknown) = (0_u64, 0_u64);
        for item in facts.items {
            let facts = Facts { item, ..*facts };
            match self.left(&facts) {
                Ok(number) if number < own => less += 1,
                Ok(_) => {}
                Err(_) => unknown += 1,
            }
        }
        if Number::from(less) >= bound {
            return Ok(false);
        }
        if Number::from(less + unknown) < bound {
            return Ok(true);
        }
        let at = self.left.shown();
        Err(Truth::Unknown(format!(
            "{at} of {unknown} items is not known"
        )))
    }
}

/// Whether two values are the same; `None` when they are of different kinds.
fn equal(a: &Value, b: &Value) -> Option<bool> {
    if let (Some(a), Some(b)) = (Number::of(a), Number::of(b)) {
        return Some(a == b);
    }
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::String(a), Value::String(b)) => Some(a == b),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => Some(a == b),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
