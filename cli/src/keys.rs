//! The file of API keys: hashes by name, replaced as a whole.
//!
//! It lies beside the store and not in it, because the store is locked by the program that runs.
//! That one looks at the file every second; see `door.rs`.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use alerts::owner;
use anyhow::{Context, Result, bail};
use challenges::date;
use graphql::{ApiKey, ID_DIGITS, Rate, SECRET_BYTES, Scopes, key_hash, key_text};
use serde::{Deserialize, Serialize};

/// Name of the file in the folder of the store.
pub(crate) const FILE: &str = "keys.json";
/// Largest file that is read, in bytes.
const MOST_BYTES: u64 = 16 << 20;
/// Most keys in a file, revoked ones too.
const MOST_KEYS: usize = 10_000;
/// Longest name, in characters.
const MOST_NAME: usize = 64;
/// Milliseconds in a day.
const DAY_MS: u64 = 86_400_000;

/// All keys, as the file has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyFile {
    /// Of the file's form; 1.
    format: u32,
    /// In the order in which they were made.
    pub(crate) keys: Vec<Kept>,
}

/// A key in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The part of the key that names it.
    pub(crate) id: String,
    /// What its holder is called.
    pub(crate) name: String,
    /// Hash of the key, hex.
    hash: String,
    /// `read`, `ingest`.
    pub(crate) scopes: Vec<String>,
    /// Tokens a second; that of the settings when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// Tokens it may save up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<u32>,
    /// Day on which it was made, UTC.
    pub(crate) created: String,
    /// Day from which on it is worth nothing, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<String>,
    /// Day on which it was revoked, UTC; its name is free again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<String>,
}

/// What a new key is to be.
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) rate: Option<String>,
    pub(crate) burst: Option<u32>,
    pub(crate) expires: Option<String>,
}

impl Default for KeyFile {
    fn default() -> Self {
        Self {
            format: 1,
            keys: Vec::new(),
        }
    }
}

impl KeyFile {
    /// Reads a file; one that is not there holds no keys.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let told = || format!("the keys in {} cannot be read", path.display());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(told),
        };
        let mut text = String::new();
        let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
        if read.with_context(told)? as u64 > MOST_BYTES {
            bail!("{}: it has more than {MOST_BYTES} bytes", told());
        }
        let file = Self::parse(&text).with_context(told)?;
        Ok(file)
    }

    fn parse(text: &str) -> Result<Self> {
        let file: Self = serde_json::from_str(text).context(
            "it is not as `yumascope keys` writes it; restore it, or remove it and make keys anew",
        )?;
        if file.format != 1 {
            bail!(
                "it has format {}, but 1 is known; use the program that wrote it",
                file.format
            );
        }
        if file.keys.len() > MOST_KEYS {
            bail!(
                "it has {} keys, but at most {MOST_KEYS} are taken",
                file.keys.len()
            );
        }
        file.in_force()?;
        Ok(file)
    }

    /// The keys that are not revoked, for the window.
    pub(crate) fn in_force(&self) -> Result<Vec<ApiKey>> {
        let mut found: Vec<ApiKey> = Vec::new();
        for kept in &self.keys {
            let key = kept
                .key()
                .with_context(|| format!("the key {:?}", kept.id))?;
            if found.iter().any(|other| other.id == key.id) {
                bail!("the id {:?} is there twice; remove one of the two", key.id);
            }
            if kept.revoked.is_none() {
                found.push(key);
            }
        }
        Ok(found)
    }

    /// Makes a key; gives its text, which is nowhere else.
    pub(crate) fn create(&mut self, wanted: Wanted, now_ms: u64) -> Result<String> {
        let name = checked_name(&wanted.name)?;
        let active = |kept: &&Kept| kept.revoked.is_none();
        if let Some(other) = self
            .keys
            .iter()
            .filter(active)
            .find(|kept| kept.name == name)
        {
            bail!(
                "there is a key {name:?} already (id {}); give another --name, or revoke that one first",
                other.id
            );
        }
        if self.keys.len() >= MOST_KEYS {
            bail!(
                "there are {MOST_KEYS} keys already, revoked ones too; remove some from the file"
            );
        }
        let rate = wanted.rate.as_deref().map(rate).transpose()?;
        let today = day(now_ms);
        let expires = wanted
            .expires
            .as_deref()
            .map(|text| end(text, now_ms))
            .transpose()?;
        let id = loop {
            let id = hex::encode(random::<{ ID_DIGITS / 2 }>()?);
            if self.keys.iter().all(|kept| kept.id != id) {
                break id;
            }
        };
        let secret = random::<SECRET_BYTES>()?;
        let kept = Kept {
            hash: hex::encode(key_hash(&id, &secret)),
            name: name.to_owned(),
            scopes: wanted.scopes,
            rate,
            burst: wanted.burst,
            created: today,
            expires,
            revoked: None,
            id,
        };
        kept.key()?;
        let text = key_text(&kept.id, &secret);
        self.keys.push(kept);
        Ok(text)
    }

    /// Revokes keys by id or name; gives those.
    pub(crate) fn revoke(&mut self, which: &str, now_ms: u64) -> Result<Vec<Kept>> {
        // A whole key may have been pasted; its id is enough.
        let id = which.strip_prefix("ysk_").unwrap_or(which);
        let id = id.split('_').next().unwrap_or(id);
        let mut found = Vec::new();
        for kept in self.keys.iter_mut().filter(|kept| kept.revoked.is_none()) {
            if kept.id == id || kept.name == which {
                kept.revoked = Some(day(now_ms));
                found.push(kept.clone());
            }
        }
        if found.is_empty() {
            bail!("there is no key in force with that name or id; see `yumascope keys list`");
        }
        Ok(found)
    }

    /// Writes the file beside its place and puts it there, so that a reader sees all of the old or
    /// all of the new one. It keeps its owner and mode, whoever writes it: the program that serves
    /// must be able to read it. A new one is the folder's owner's, and nobody else may read it.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let told = || format!("the keys cannot be written to {}", path.display());
        let folder = owner::folder_of(path);
        owner::make_folder(folder).with_context(told)?;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let mut fresh = tempfile::NamedTempFile::new_in(folder).with_context(told)?;
        fresh.write_all(text.as_bytes()).with_context(told)?;
        owner::fit(fresh.as_file(), path).with_context(told)?;
        fresh.as_file().sync_all().with_context(told)?;
        fresh.persist(path).with_context(told)?;
        Ok(())
    }
}

impl Kept {
    /// As the window keeps it; refuses what cannot be.
    fn key(&self) -> Result<ApiKey> {
        if self.id.len() != ID_DIGITS || !self.id.bytes().all(|b| b.is_ascii_hexdigit()) {
            bail!("its id is not {ID_DIGITS} hex digits");
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(&self.hash, &mut hash).context("its hash is not 64 hex digits")?;
        let mut scopes = Scopes::default();
        for scope in &self.scopes {
            match scope.as_str() {
                "read" => scopes.read = true,
                "ingest" => scopes.ingest = true,
                other => bail!("{other:?} is no scope; give read, ingest, or both"),
            }
        }
        if scopes == Scopes::default() {
            bail!("it has no scope; give read, ingest, or both");
        }
        let rate = match self.rate {
            Some(rate) if !(0.0..=1e9).contains(&rate) => {
                bail!("its rate is {rate}, it must be 0 to 1000000000 a second")
            }
            Some(per_second) => Some(Rate {
                per_second,
                burst: self.burst.map_or((per_second * 10.0).max(10.0), f64::from),
            }),
            None => None,
        };
        let expires_ms = self.expires.as_deref().map(day_ms).transpose()?;
        Ok(ApiKey {
            id: self.id.clone(),
            name: checked_name(&self.name)?.to_owned(),
            hash,
            scopes,
            rate,
            expires_ms,
        })
    }
}

/// A name that can stand in a log line.
fn checked_name(name: &str) -> Result<&str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || " ._@-".contains(c);
    let is_name = (1..=MOST_NAME).contains(&name.len()) && name.chars().all(fine);
    if !is_name || name.trim() != name {
        bail!("the name must be 1 to {MOST_NAME} letters, digits, spaces, or any of . _ @ -");
    }
    Ok(name)
}

/// `50/s`, `600/m`, `10000/h` as tokens a second.
fn rate(text: &str) -> Result<f64> {
    let wrong = || {
        format!(
            "{text:?} is no rate; give as many as a second, minute or hour has, as 50/s, 600/m or 10000/h"
        )
    };
    let (number, unit) = text.split_once('/').with_context(wrong)?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => bail!(wrong()),
    };
    let number: f64 = number.trim().parse().ok().with_context(wrong)?;
    if !(number.is_finite() && number > 0.0) {
        bail!(wrong());
    }
    Ok(number / seconds)
}

/// The day of a time, UTC.
fn day(ms: u64) -> String {
    let micros = i64::try_from(ms)
        .unwrap_or(i64::MAX / 1_000)
        .saturating_mul(1_000);
    date::day_of(micros)
}

/// When a day begins, in milliseconds since 1970.
fn day_ms(text: &str) -> Result<u64> {
    let wrong = || format!("{text:?} is no day after 1970; give it as 2030-01-31");
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        bail!(wrong());
    };
    let plain = [(year, 4), (month, 2), (day, 2)]
        .iter()
        .all(|(part, digits)| {
            part.len() == *digits && part.bytes().all(|byte| byte.is_ascii_digit())
        });
    if !plain {
        bail!(wrong());
    }
    let days = date::days(year.parse()?, month.parse()?, day.parse()?).with_context(wrong)?;
    Ok(u64::try_from(days)
        .ok()
        .with_context(wrong)?
        .saturating_mul(DAY_MS))
}

/// The day from which on a key is worth nothing: a day to come, or `90d` from now.
fn end(text: &str, now_ms: u64) -> Result<String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u64>().ok());
    let text = match days {
        Some(days) if (1..=36_500).contains(&days) => day(now_ms.saturating_add(days * DAY_MS)),
        _ => text.to_owned(),
    };
    if day_ms(&text).context("--expires takes a day (2030-01-31) or days from now (90d)")? <= now_ms
    {
        bail!("{text} is over already; give a day to come");
    }
    Ok(text)
}

/// Random bytes of the system.
fn random<const N: usize>() -> Result<[u8; N]> {
    use rand::TryRngCore;
    let mut bytes = [0; N];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .context("the system gives no random bytes")?;
    Ok(bytes)
}

/// Keeps others who change the file away until it is dropped.
pub(crate) struct Turn {
    path: PathBuf,
}

impl Turn {
    /// Takes a turn, or says who has it.
    pub(crate) fn take(keys: &Path) -> Result<Self> {
        let mut name = keys.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let folder = owner::folder_of(&path);
        owner::make_folder(folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let made = OpenOptions::new().write(true).create_new(true).open(&path);
        match made {
            Ok(_) => Ok(Self { path }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
                "another `yumascope keys` is at work; try again, or remove {} if none is",
                path.display()
            ),
            Err(error) => Err(error).with_context(|| format!("{} cannot be made", path.display())),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // If it stays, the next one is told which file to remove.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01.
    const NOW: u64 = 1_767_225_600_000;

    fn wanted(name: &str) -> Wanted {
        Wanted {
            name: name.to_owned(),
            scopes: vec!["read".to_owned()],
            rate: None,
            burst: None,
            expires: None,
        }
    }

    #[test]
    fn a_key_is_kept_as_a_hash_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/keys.json");
        assert_eq!(KeyFile::load(&path).unwrap(), KeyFile::default());
        let mut file = KeyFile::default();
        let first = file.create(wanted("a"), NOW).unwrap();
        let second = Wanted {
            rate: Some("600/m".into()),
            expires: Some("90d".into()),
            ..wanted("b")
        };
        file.create(second, NOW).unwrap();
        file.save(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let secret = first.rsplit('_').next().unwrap();
        assert_eq!(secret.len(), 64);
        assert!(!text.contains(secret), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let read = KeyFile::load(&path).unwrap();
        assert_eq!(read, file);
        let keys = read.in_force().unwrap();
        assert_eq!(
            keys[1].rate,
            Some(Rate {
                per_second: 10.0,
                burst: 100.0
            })
        );
        assert_eq!(keys[1].expires_ms, Some(NOW + 90 * DAY_MS));
        assert_eq!(read.keys[1].expires.as_deref(), Some("2026-04-01"));
    }

    /// A service that runs as another user must be able to read what root revoked.
    #[cfg(unix)]
    #[test]
    fn the_file_keeps_its_owner_and_mode() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/keys.json");
        // Only root may give files away; the mode is held for everybody.
        let is_root = chown(dir.path(), Some(12_345), Some(12_346)).is_ok();
        let of = || {
            let there = std::fs::metadata(&path).unwrap();
            (there.uid(), there.gid(), there.mode() & 0o777)
        };
        let mut file = KeyFile::default();
        file.create(wanted("a"), NOW).unwrap();
        file.save(&path).unwrap();
        let made = of();
        assert_eq!(made.2, 0o600);
        if is_root {
            assert_eq!((made.0, made.1), (12_345, 12_346));
            chown(&path, Some(12_347), Some(12_348)).unwrap();
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let before = of();
        file.revoke("a", NOW).unwrap();
        file.save(&path).unwrap();
        assert_eq!(of(), before);
    }

    #[test]
    fn a_revoked_key_is_out_of_force_and_its_name_free() {
        let mut file = KeyFile::default();
        let text = file.create(wanted("a"), NOW).unwrap();
        let error = file.create(wanted("a"), NOW).unwrap_err().to_string();
        assert!(error.contains("already"), "{error}");
        // By name, by id, or by the whole key.
        assert_eq!(file.revoke("a", NOW).unwrap().len(), 1);
        assert!(file.in_force().unwrap().is_empty());
        assert!(file.revoke("a", NOW).is_err());
        file.create(wanted("a"), NOW).unwrap();
        let id = file.keys[1].id.clone();
        file.revoke(&id, NOW).unwrap();
        let third = file.create(wanted("a"), NOW).unwrap();
        assert_ne!(third, text);
        file.revoke(&third, NOW).unwrap();
        assert!(file.in_force().unwrap().is_empty());
    }

    #[test]
    fn nonsense_is_refused_in_a_sentence() {
        let refused = |wanted: Wanted, word: &str| {
            let error = KeyFile::default().create(wanted, NOW).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(word), "{error}");
        };
        for name in ["", " a", "a\nb", "é", "\u{1b}[31m", &"x".repeat(65)] {
            refused(wanted(name), "letters, digits");
        }
        for rate in ["", "5", "5/d", "-1/s", "0/s", "NaN/s", "inf/s", "1e99/s"] {
            let word = if rate == "1e99/s" {
                "rate is"
            } else {
                "no rate"
            };
            refused(
                Wanted {
                    rate: Some(rate.into()),
                    ..wanted("a")
                },
                word,
            );
        }
        for scope in ["", "write", "READ"] {
            refused(
                Wanted {
                    scopes: vec![scope.into()],
                    ..wanted("a")
                },
                "no scope",
            );
        }
        for expires in [
            "",
            "soon",
            "2030-02-30",
            "30-01-01",
            "0d",
            "-1d",
            "99999999d",
        ] {
            refused(
                Wanted {
                    expires: Some(expires.into()),
                    ..wanted("a")
                },
                "2030-01-31",
            );
        }
        refused(
            Wanted {
                expires: Some("2026-01-01".into()),
                ..wanted("a")
            },
            "over already",
        );
    }

    #[test]
    fn hostile_files_are_refused() {
        let mut good = KeyFile::default();
        good.create(wanted("a"), NOW).unwrap();
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(KeyFile::parse(&text).unwrap(), good);
        let mut twice = good.clone();
        twice.keys.push(good.keys[0].clone());
        let twice = serde_json::to_string(&twice).unwrap();
        let deep = "[".repeat(100_000);
        for (wrong, word) in [
            ("", "not as"),
            ("{}", "not as"),
            (deep.as_str(), "not as"),
            (&text[..text.len() - 1], "not as"),
            (&text.replace("\"format\":1", "\"format\":2"), "format 2"),
            (
                &text.replace("\"name\":\"a\"", "\"name\":\"a\\nfake\""),
                "letters",
            ),
            (&text.replace("\"read\"", "\"admin\""), "no scope"),
            (&text.replace("\"hash\":\"", "\"hash\":\"zz"), "hash"),
            (&text.replace("\"created\"", "\"made\""), "not as"),
            (&twice, "twice"),
        ] {
            let error = format!("{:#}", KeyFile::parse(wrong).unwrap_err());
            assert!(error.contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        let turn = Turn::take(&path).unwrap();
        assert!(Turn::take(&path).is_err());
        drop(turn);
        assert!(Turn::take(&path).is_ok());
    }
}
