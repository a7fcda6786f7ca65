//! A test over an answer.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::super::source::{Facts, Found, Source};
use super::{Comparison, Op, Operand, Right, Slot, Test, Truth, Way};
use crate::number::Number;

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
    pub(in crate::rule) fn shown(&self) -> String {
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
    pub(super) fn holds(&self, facts: &Facts<'_>, memory: &mut [Slot]) -> Truth {
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
