//! A column of numbers: a guess for each, and what the guess was off by.
//!
//! A column begins with a byte: how its numbers are guessed, and how the
//! differences are written.

use std::collections::{BTreeMap, HashMap};

use super::Columns;
use super::bits::{Reader, Writer, take_varint, varint};

/// Guesses.
const ZERO: u8 = 0;
const LEFT: u8 = 1;
const BEFORE: u8 = 2;

/// Ways to write differences.
const NONE: u8 = 0;
const FEW: u8 = 1;
const MANY: u8 = 2;

/// Ones after which a number is written as it is.
const ESCAPE: u32 = 18;
/// What a number may be guessed as: the one that stood before at the same uid, or
/// at the same place; `None` where there was none.
pub(super) fn aligned(before: &Columns, about: &[u64], count: usize) -> Vec<Option<u64>> {
    if before.about == about {
        return (0..count)
            .map(|at| before.numbers.get(at).copied())
            .collect();
    }
    let known: HashMap<u64, u64> = before
        .about
        .iter()
        .copied()
        .zip(before.numbers.iter().copied())
        .collect();
    about
        .iter()
        .map(|about| known.get(about).copied())
        .collect()
}

/// Writes the uids of a row.
pub(super) fn write_about(out: &mut Vec<u8>, now: &[u64], before: Option<&[u64]>, width: usize) {
    if before == Some(now) {
        out.push(BEFORE << 4 | NONE);
        return;
    }
    let left = |at: usize| match at.checked_sub(1).and_then(|at| now.get(at)) {
        Some(left) => left.wrapping_add(1),
        None => 0,
    };
    let guesses: Vec<u64> = (0..now.len()).map(left).collect();
    let mut rest = Vec::new();
    differences(&mut rest, LEFT, now, &guesses, &[], width);
    // The numbers follow: whoever reads must know where.
    out.push(LEFT << 4 | NONE);
    varint(out, rest.len() as u64);
    out.extend(rest);
}

/// Undoes [`write_about`].
pub(super) fn read_about(
    input: &mut &[u8],
    count: usize,
    before: Option<&[u64]>,
    width: usize,
) -> Option<Vec<u64>> {
    let (head, rest) = input.split_first()?;
    *input = rest;
    if *head == BEFORE << 4 | NONE {
        let before = before?;
        return (before.len() == count).then(|| before.to_vec());
    }
    if *head != LEFT << 4 | NONE {
        return None;
    }
    let len = usize::try_from(take_varint(input)?).ok()?;
    let (own, rest) = input.split_at_checked(len)?;
    *input = rest;
    let (head, mut own) = own.split_first()?;
    let offs = read_differences(&mut own, head & 15, count, &[], width)?;
    if head >> 4 != LEFT || !own.is_empty() {
        return None;
    }
    let mut last = None::<u64>;
    let mut list = Vec::with_capacity(count);
    for off in offs {
        let guess = last.map_or(0, |left| left.wrapping_add(1));
        let number = apply(guess, off, width);
        list.push(number);
        last = Some(number);
    }
    Some(list)
}

/// Writes numbers, in the way that takes least.
pub(super) fn write(out: &mut Vec<u8>, now: &[u64], before: Option<&[Option<u64>]>, width: usize) {
    if let Some(before) = before {
        let guesses = filled(before, now);
        let kinds = kinds(before);
        differences(out, BEFORE, now, &guesses, &kinds, width);
        return;
    }
    let (mut plain, mut left) = (Vec::new(), Vec::new());
    differences(&mut plain, ZERO, now, &vec![0; now.len()], &[], width);
    let mut guesses = vec![0];
    guesses.extend_from_slice(now);
    differences(&mut left, LEFT, now, &guesses, &[], width);
    out.extend(if left.len() < plain.len() {
        left
    } else {
        plain
    });
}

/// Guesses from before; where there is none, the number to the left.
fn filled(before: &[Option<u64>], now: &[u64]) -> Vec<u64> {
    let left = |at: usize| at.checked_sub(1).and_then(|at| now.get(at)).copied();
    let guess = |(at, guess): (usize, &Option<u64>)| guess.or_else(|| left(at)).unwrap_or(0);
    before.iter().enumerate().map(guess).collect()
}

/// Undoes [`write`].
pub(super) fn read(
    input: &mut &[u8],
    count: usize,
    before: Option<&[Option<u64>]>,
    width: usize,
) -> Option<Vec<u64>> {
    let (head, rest) = input.split_first()?;
    *input = rest;
    let (guessed, way) = (head >> 4, head & 15);
    let kinds: Vec<u8> = match (guessed, before) {
        (BEFORE, Some(before)) => kinds(before),
        (ZERO | LEFT, None) => Vec::new(),
        _ => return None,
    };
    let offs = read_differences(input, way, count, &kinds, width)?;
    let mut list: Vec<u64> = Vec::with_capacity(count);
    for (at, off) in offs.into_iter().enumerate() {
        let left = list.last().copied().unwrap_or(0);
        let guess = match guessed {
            ZERO => 0,
            LEFT => left,
            _ => before?.get(at)?.unwrap_or(left),
        };
        list.push(apply(guess, off, width));
    }
    Some(list)
}

/// Kind of a number that is guessed from its neighbour.
const UNKNOWN: u8 = 65;

/// What is known of each number before it is read.
fn kinds(before: &[Option<u64>]) -> Vec<u8> {
    before
        .iter()
        .map(|guess| guess.map_or(UNKNOWN, size))
        .collect()
}

/// Bits of a guess: what moves in proportion to itself is off by about as many.
fn size(guess: u64) -> u8 {
    u8::try_from(64 - guess.leading_zeros()).unwrap_or(64)
}

/// What must be added to a guess, folded so that small ones of both signs are small.
fn off(guess: u64, number: u64, width: usize) -> u64 {
    let shift = 64 - 8 * width.min(8);
    let by = number.wrapping_sub(guess) << shift;
    // The sign bit of the width stands at the top now.
    let negative = by >> 63 == 1;
    let by = by >> shift;
    let mask = u64::MAX >> shift;
    if negative {
        (by.wrapping_neg() & mask).wrapping_mul(2).wrapping_sub(1) & mask
    } else {
        by.wrapping_mul(2) & mask
    }
}

/// Undoes [`off`].
fn apply(guess: u64, off: u64, width: usize) -> u64 {
    let mask = u64::MAX >> (64 - 8 * width.min(8));
    let half = off / 2;
    let number = if off % 2 == 1 {
        guess.wrapping_sub(half).wrapping_sub(1)
    } else {
        guess.wrapping_add(half)
    };
    number & mask
}

/// Writes what the guesses are off by, sorted into kinds that are written alike.
fn differences(
    out: &mut Vec<u8>,
    guessed: u8,
    now: &[u64],
    guesses: &[u64],
    kinds: &[u8],
    width: usize,
) {
    let both = now.iter().zip(guesses);
    let offs: Vec<u64> = both.map(|(n, guess)| off(*guess, *n, width)).collect();
    if offs.iter().all(|off| *off == 0) {
        out.push(guessed << 4 | NONE);
        return;
    }
    let (few, many) = (few(&offs), many(&offs, kinds, width));
    let (way, bytes) = if few.len() <= many.len() {
        (FEW, few)
    } else {
        (MANY, many)
    };
    out.push(guessed << 4 | way);
    out.extend(bytes);
}

fn read_differences(
    input: &mut &[u8],
    way: u8,
    count: usize,
    kinds: &[u8],
    width: usize,
) -> Option<Vec<u64>> {
    match way {
        NONE => Some(vec![0; count]),
        FEW => read_few(input, count),
        MANY => read_many(input, count, kinds, width),
        _ => None,
    }
}

/// Only those that are not 0, with the distance from one to the next.
fn few(offs: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    let changed = || offs.iter().enumerate().filter(|(_, off)| **off != 0);
    varint(&mut out, changed().count() as u64);
    let mut next = 0;
    for (at, off) in changed() {
        varint(&mut out, (at - next) as u64);
        varint(&mut out, *off);
        next = at + 1;
    }
    out
}

fn read_few(input: &mut &[u8], count: usize) -> Option<Vec<u64>> {
    let mut list = vec![0; count];
    let mut next = 0_usize;
    for _ in 0..take_varint(input)? {
        let at = next.checked_add(usize::try_from(take_varint(input)?).ok()?)?;
        *list.get_mut(at)? = take_varint(input)?;
        next = at + 1;
    }
    Some(list)
}

/// How many low bits the numbers of a kind are written with, plus one; 0 when
/// all of them are 0.
fn lows(offs: &[u64], kinds: &[u8], width: usize) -> Vec<(u8, u32)> {
    let mut groups: BTreeMap<u8, Vec<u64>> = BTreeMap::new();
    for (at, off) in offs.iter().enumerate() {
        let kind = kinds.get(at).copied().unwrap_or(0);
        groups.entry(kind).or_default().push(*off);
    }
    let bits = width_bits(width);
    let best = |group: &[u64]| {
        if group.iter().all(|off| *off == 0) {
            return 0;
        }
        let sum: u128 = group.iter().copied().map(u128::from).sum();
        let mean = u64::try_from(sum / group.len() as u128).unwrap_or(u64::MAX);
        let about = (64 - mean.leading_zeros()).saturating_sub(2);
        let cost = |low: &u32| -> u64 { group.iter().map(|off| cost(*off, *low, bits)).sum() };
        let most = bits.saturating_sub(1);
        (about.min(most)..=(about + 3).min(most))
            .min_by_key(cost)
            .unwrap_or(0)
            + 1
    };
    groups
        .iter()
        .map(|(kind, group)| (*kind, best(group)))
        .collect()
}

fn width_bits(width: usize) -> u32 {
    u32::try_from(8 * width.min(8)).unwrap_or(64)
}

/// Bits that say how many low bits there are.
fn low_bits(bits: u32) -> u32 {
    bits.ilog2() + 1
}

/// Bits that a number takes.
fn cost(off: u64, low: u32, bits: u32) -> u64 {
    match off >> low {
        high if high < u64::from(ESCAPE) => high + 1 + u64::from(low),
        _ => u64::from(ESCAPE + bits),
    }
}

/// All of them, up to the end of the bytes: for each kind how many low bits, then for each number its high
/// bits as so many ones, and its low bits.
fn many(offs: &[u64], kinds: &[u8], width: usize) -> Vec<u8> {
    let lows = lows(offs, kinds, width);
    let bits = width_bits(width);
    let mut table = [0_u32; 256];
    let mut writer = Writer::default();
    for (kind, low) in &lows {
        if let Some(place) = table.get_mut(usize::from(*kind)) {
            *place = *low;
        }
        writer.put(u64::from(*low), low_bits(bits));
    }
    for (at, off) in offs.iter().enumerate() {
        let kind = kinds.get(at).copied().unwrap_or(0);
        let Some(low) = table
            .get(usize::from(kind))
            .and_then(|low| low.checked_sub(1))
        else {
            continue;
        };
        match u32::try_from(off >> low) {
            Ok(high) if high < ESCAPE => {
                writer.put((1 << high) - 1, high + 1);
                writer.put(off & !(u64::MAX << low), low);
            }
            _ => {
                writer.put((1 << ESCAPE) - 1, ESCAPE);
                writer.put(*off, bits);
            }
        }
    }
    writer.finish()
}

fn read_many(input: &mut &[u8], count: usize, kinds: &[u8], width: usize) -> Option<Vec<u64>> {
    let bits = width_bits(width);
    let mut present = [false; 256];
    for at in 0..count {
        let kind = kinds.get(at).copied().unwrap_or(0);
        *present.get_mut(usize::from(kind))? = true;
    }
    let mut reader = Reader::new(input);
    let mut table = [0_u32; 256];
    for (place, present) in table.iter_mut().zip(present) {
        if present {
            *place = u32::try_from(reader.take(low_bits(bits))?).ok()?;
            if *place > bits {
                return None;
            }
        }
    }
    let mut list = Vec::with_capacity(count);
    for at in 0..count {
        let kind = kinds.get(at).copied().unwrap_or(0);
        let Some(low) = table.get(usize::from(kind))?.checked_sub(1) else {
            list.push(0);
            continue;
        };
        let high = reader.ones(ESCAPE)?;
        list.push(if high < ESCAPE {
            u64::from(high).checked_shl(low)? | reader.take(low)?
        } else {
            reader.take(bits)?
        });
    }
    *input = &[];
    reader.ended().then_some(list)
}
