//! Hotkeys and chutes by numbers: a row then holds eight bytes of them.

use std::collections::HashMap;
use std::sync::Mutex;

/// Most hotkeys in the exports.
const MAX_HOTKEYS: usize = 65_536;
/// Most chutes in the exports.
const MAX_CHUTES: usize = 1_000_000;

/// Hotkeys and chutes by small numbers.
#[derive(Debug, Default)]
pub struct Names {
    hotkeys: Mutex<HashMap<String, u32>>,
    chutes: Mutex<HashMap<u128, u32>>,
}

impl Names {
    /// The hotkeys by their numbers.
    pub fn hotkeys(&self) -> Vec<String> {
        let held = lock(&self.hotkeys);
        let mut named: Vec<_> = held.iter().map(|(name, id)| (*id, name.clone())).collect();
        named.sort_unstable();
        named.into_iter().map(|(_, name)| name).collect()
    }

    /// The chutes by their numbers.
    pub fn chutes(&self) -> Vec<u128> {
        let held = lock(&self.chutes);
        let mut named: Vec<_> = held.iter().map(|(chute, id)| (*id, *chute)).collect();
        named.sort_unstable();
        named.into_iter().map(|(_, chute)| chute).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What one file knows of [`Names`] already.
#[derive(Debug)]
pub struct Numbers<'a> {
    names: &'a Names,
    hotkeys: HashMap<String, u32>,
    chutes: HashMap<u128, u32>,
}

impl Numbers<'_> {
    pub(super) fn of(names: &Names) -> Numbers<'_> {
        Numbers {
            names,
            hotkeys: HashMap::new(),
            chutes: HashMap::new(),
        }
    }

    /// The number of a hotkey.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn hotkey(&mut self, hotkey: &str) -> Result<u32, String> {
        if let Some(id) = self.hotkeys.get(hotkey) {
            return Ok(*id);
        }
        let mut all = lock(&self.names.hotkeys);
        let id = number(&mut all, hotkey.to_owned(), MAX_HOTKEYS, "hotkeys")?;
        self.hotkeys.insert(hotkey.to_owned(), id);
        Ok(id)
    }

    /// The number of a chute.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub fn chute(&mut self, chute: u128) -> Result<u32, String> {
        if let Some(id) = self.chutes.get(&chute) {
            return Ok(*id);
        }
        let mut all = lock(&self.names.chutes);
        let id = number(&mut all, chute, MAX_CHUTES, "chutes")?;
        self.chutes.insert(chute, id);
        Ok(id)
    }
}

fn number<K: std::hash::Hash + Eq>(
    all: &mut HashMap<K, u32>,
    key: K,
    most: usize,
    what: &str,
) -> Result<u32, String> {
    let next = all.len();
    if next >= most && !all.contains_key(&key) {
        return Err(format!(
            "more than {most} different {what}: the exports are not what they should be"
        ));
    }
    let next = u32::try_from(next).unwrap_or(u32::MAX);
    Ok(*all.entry(key).or_insert(next))
}
