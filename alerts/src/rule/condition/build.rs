//! A test as written, checked.

use serde_json::Value;

use super::super::source::Source;
use super::{Comparison, Op, Operand, RawCondition, Right, Test, Way};
use crate::number::Number;

const OPS: &str = "<, <=, >, >=, ==, !=, is_null, changed, changed_by_more_than, rose_by_more_than, fell_by_more_than, absent, among_lowest";

/// Checks a test.
pub(super) fn test(
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
