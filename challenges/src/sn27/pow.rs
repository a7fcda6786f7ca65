//! Hash challenges: find the password that, followed by a salt, has a given hash.
//!
//! The password has as many characters as the challenge is difficult, each one of ten that
//! the challenge names: a search space of ten to the power of the difficulty. The hash is
//! BLAKE2b with 64 bytes.

use blake2::{Blake2b512, Digest};
use rand::seq::SliceRandom;
use rand::{Rng, RngCore};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Characters that passwords are made of.
pub const ALPHABET: &str =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!@#$%^&*()-_+=[]{};:,.<>";
/// How many of them a challenge names.
pub const CHARACTERS: usize = 10;
/// What a hash begins with.
pub const PREFIX: &str = "$BLAKE2$";
/// Number of the hash in the tool that miners use.
pub const MODE: &str = "610";
/// Length of a salt, in hex digits.
pub const SALT: usize = 16;
/// Longest password; beyond it the search space does not fit 64 bits.
pub const MAX_DIFFICULTY: u32 = 19;
/// Seconds that an answer may take.
pub const TIMEOUT: f64 = 30.0;

/// A challenge as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// [`PREFIX`] and 128 hex digits.
    pub challenge_hash: String,
    /// [`SALT`] hex digits.
    pub salt: String,
    /// [`MODE`].
    pub mode: String,
    /// [`CHARACTERS`] different ones of [`ALPHABET`].
    pub chars: String,
    /// `?1` for each character of the password.
    pub mask: String,
    /// Length of the password.
    pub difficulty: u32,
}

/// An answer as it comes back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The password, if it was found.
    #[serde(default)]
    pub password: Option<String>,
    /// Seconds, as the miner says; not used.
    #[serde(default)]
    pub local_execution_time: Option<f64>,
    /// Why it was not found.
    #[serde(default)]
    pub error: Option<String>,
}

/// A challenge that nobody can have made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Too long or no password.
    #[error("the difficulty is {0}; give a number from 1 to {MAX_DIFFICULTY}")]
    Difficulty(u32),
    /// Another hash.
    #[error("the mode is {0:?}; only {MODE} is known")]
    Mode(String),
    /// A mask for another length.
    #[error("the mask is {mask:?}; for a difficulty of {difficulty} it is `?1` as many times")]
    Mask {
        /// The mask.
        mask: String,
        /// The difficulty.
        difficulty: u32,
    },
    /// Characters that are too few, too many, equal or unknown.
    #[error("the characters are {0:?}; give {CHARACTERS} different ones of the alphabet")]
    Characters(String),
    /// No salt.
    #[error("the salt is {0:?}; give {SALT} hex digits in small letters")]
    Salt(String),
    /// No hash.
    #[error("the hash is {0:?}; give {PREFIX} and 128 hex digits in small letters")]
    Hash(String),
}

/// Why an answer is not right.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Refused {
    /// The challenge itself is wrong.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nothing was found.
    #[error("the miner found no password: {0}")]
    NotFound(String),
    /// Another length.
    #[error("the password has {len} characters, and {wanted} are wanted")]
    Length {
        /// Its length.
        len: usize,
        /// The difficulty.
        wanted: u32,
    },
    /// A character that the challenge does not name.
    #[error("the password has a character that the challenge does not name, at place {0}")]
    Character(usize),
    /// Another hash.
    #[error("the password and the salt have another hash than the challenge")]
    Hash,
    /// Too late, or a time that is none.
    #[error("the answer took {elapsed} seconds, and may take {limit}")]
    Late {
        /// Seconds it took.
        elapsed: f64,
        /// Seconds it may take.
        limit: f64,
    },
}

/// The hash of a password and a salt.
///
/// ```
/// let hash = challenges::sn27::pow::hash("abc", "0011223344556677");
/// assert!(hash.starts_with("$BLAKE2$c477fb030258a908bb099b6bd3805ec4"));
/// ```
pub fn hash(password: &str, salt: &str) -> String {
    let mut hasher = Blake2b512::new();
    hasher.update(password.as_bytes());
    hasher.update(salt.as_bytes());
    format!("{PREFIX}{}", hex::encode(hasher.finalize()))
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes a challenge; the password comes with it and must stay with whoever asks.
///
/// # Errors
///
/// When the difficulty is 0 or above [`MAX_DIFFICULTY`].
pub fn create(difficulty: u32, rng: &mut impl RngCore) -> Result<(Challenge, String), Malformed> {
    if !(1..=MAX_DIFFICULTY).contains(&difficulty) {
        return Err(Malformed::Difficulty(difficulty));
    }
    let mut alphabet: Vec<char> = ALPHABET.chars().collect();
    let (chars, _) = alphabet.partial_shuffle(rng, CHARACTERS);
    let chars: Vec<char> = chars.to_vec();
    let pick = |_| chars.get(rng.random_range(0..chars.len())).copied();
    let password: String = (0..difficulty).filter_map(pick).collect();
    let mut salt = [0; SALT / 2];
    rng.fill_bytes(&mut salt);
    let salt = hex::encode(salt);
    let challenge = Challenge {
        challenge_hash: hash(&password, &salt),
        salt,
        mode: MODE.to_owned(),
        chars: chars.iter().collect(),
        mask: mask(difficulty),
        difficulty,
    };
    Ok((challenge, password))
}

fn mask(difficulty: u32) -> String {
    (0..difficulty).map(|_| "?1").collect()
}

/// Checks the form of a challenge.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn check(challenge: &Challenge) -> Result<(), Malformed> {
    let difficulty = challenge.difficulty;
    if !(1..=MAX_DIFFICULTY).contains(&difficulty) {
        return Err(Malformed::Difficulty(difficulty));
    }
    if challenge.mode != MODE {
        return Err(Malformed::Mode(challenge.mode.clone()));
    }
    if challenge.mask != mask(difficulty) {
        return Err(Malformed::Mask {
            mask: challenge.mask.clone(),
            difficulty,
        });
    }
    let mut chars: Vec<char> = challenge.chars.chars().collect();
    let known = chars.iter().all(|char| ALPHABET.contains(*char));
    chars.sort_unstable();
    chars.dedup();
    if !known || chars.len() != CHARACTERS || challenge.chars.chars().count() != CHARACTERS {
        return Err(Malformed::Characters(challenge.chars.clone()));
    }
    if !is_hex(&challenge.salt, SALT) {
        return Err(Malformed::Salt(challenge.salt.clone()));
    }
    let digits = challenge.challenge_hash.strip_prefix(PREFIX);
    if !digits.is_some_and(|digits| is_hex(digits, 128)) {
        return Err(Malformed::Hash(challenge.challenge_hash.clone()));
    }
    Ok(())
}

/// Checks a password.
///
/// ```
/// use challenges::sn27::pow::{Refused, create, verify};
/// let (challenge, password) = create(6, &mut rand::rng())?;
/// assert_eq!(verify(&challenge, &password), Ok(()));
/// assert_eq!(verify(&challenge, "guess"), Err(Refused::Length { len: 5, wanted: 6 }));
/// # Ok::<(), challenges::sn27::pow::Malformed>(())
/// ```
///
/// # Errors
///
/// When the challenge is malformed, or the password has another length, a character that the
/// challenge does not name, or another hash.
pub fn verify(challenge: &Challenge, password: &str) -> Result<(), Refused> {
    check(challenge)?;
    let len = password.chars().count();
    if u32::try_from(len) != Ok(challenge.difficulty) {
        return Err(Refused::Length {
            len,
            wanted: challenge.difficulty,
        });
    }
    let foreign = password
        .chars()
        .position(|char| !challenge.chars.contains(char));
    if let Some(place) = foreign {
        return Err(Refused::Character(place));
    }
    if hash(password, &challenge.salt) != challenge.challenge_hash {
        return Err(Refused::Hash);
    }
    Ok(())
}

/// Judges an answer that came after so many seconds, measured by whoever asked.
///
/// # Errors
///
/// When it is late, names no password, or the password is not right: see [`verify`].
pub fn judge(
    challenge: &Challenge,
    answer: &Answer,
    elapsed: f64,
    limit: f64,
) -> Result<(), Refused> {
    if !(0.0..=limit).contains(&elapsed) {
        return Err(Refused::Late { elapsed, limit });
    }
    match answer.password.as_deref() {
        Some(password) if !password.is_empty() => verify(challenge, password),
        _ => {
            let why = answer.error.clone();
            Err(Refused::NotFound(
                why.unwrap_or_else(|| "it says nothing".into()),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn made(seed: u64, difficulty: u32) -> (Challenge, String) {
        create(difficulty, &mut StdRng::seed_from_u64(seed)).unwrap()
    }

    #[test]
    fn the_published_vector() {
        assert_eq!(
            hash("abc", "0011223344556677"),
            "$BLAKE2$c477fb030258a908bb099b6bd3805ec4f6d8c102722255514c611ad0979334d1\
             8a9be357a0065b80ce4b2c22aa93b8a5533970eaaaffd4b1e845f8d51475772b"
        );
    }

    #[test]
    fn a_challenge_as_it_is_sent() {
        let (challenge, password) = made(1, 7);
        assert_eq!(check(&challenge), Ok(()));
        assert_eq!(
            (challenge.mask.as_str(), challenge.mode.as_str()),
            ("?1?1?1?1?1?1?1", "610")
        );
        assert_eq!(password.len(), 7);
        let json = serde_json::to_value(&challenge).unwrap();
        assert_eq!(json["difficulty"], 7);
        assert_eq!(
            serde_json::from_value::<Challenge>(json).unwrap(),
            challenge
        );
        assert_eq!(create(0, &mut rand::rng()), Err(Malformed::Difficulty(0)));
        assert_eq!(create(20, &mut rand::rng()), Err(Malformed::Difficulty(20)));
    }

    #[test]
    fn each_wrong_part_of_a_challenge_is_named() {
        let (good, password) = made(2, 4);
        let wrong = |change: fn(&mut Challenge)| {
            let mut challenge = good.clone();
            change(&mut challenge);
            let Err(Refused::Malformed(found)) = verify(&challenge, &password) else {
                panic!("accepted {challenge:?}")
            };
            found
        };
        assert_eq!(wrong(|c| c.difficulty = 21), Malformed::Difficulty(21));
        assert_eq!(wrong(|c| c.mode = "0".into()), Malformed::Mode("0".into()));
        assert!(matches!(
            wrong(|c| c.mask.push_str("?1")),
            Malformed::Mask { .. }
        ));
        assert!(matches!(
            wrong(|c| c.chars = "aabcdefghi".into()),
            Malformed::Characters(_)
        ));
        assert!(matches!(
            wrong(|c| c.chars = "abcdefghi".into()),
            Malformed::Characters(_)
        ));
        assert!(matches!(
            wrong(|c| c.chars = "abcdefghi~".into()),
            Malformed::Characters(_)
        ));
        assert!(matches!(
            wrong(|c| c.salt = "0A".repeat(8)),
            Malformed::Salt(_)
        ));
        assert!(matches!(
            wrong(|c| c.challenge_hash.push('0')),
            Malformed::Hash(_)
        ));
        assert!(matches!(
            wrong(|c| c.challenge_hash.clear()),
            Malformed::Hash(_)
        ));
    }

    #[test]
    fn late_and_empty_answers() {
        let (challenge, password) = made(3, 6);
        let right = Answer {
            password: Some(password),
            ..Answer::default()
        };
        assert_eq!(judge(&challenge, &right, 29.9, TIMEOUT), Ok(()));
        let late = Err(Refused::Late {
            elapsed: 30.1,
            limit: 30.0,
        });
        assert_eq!(judge(&challenge, &right, 30.1, TIMEOUT), late);
        assert!(judge(&challenge, &right, f64::NAN, TIMEOUT).is_err());
        assert!(judge(&challenge, &right, -1.0, TIMEOUT).is_err());
        let gave_up = Answer {
            error: Some("timed out".into()),
            ..Answer::default()
        };
        let found = judge(&challenge, &gave_up, 1.0, TIMEOUT).unwrap_err();
        assert_eq!(found.to_string(), "the miner found no password: timed out");
        assert!(judge(&challenge, &Answer::default(), 1.0, TIMEOUT).is_err());
    }

    proptest! {
        #[test]
        fn what_was_made_is_right_and_nothing_else(
            seed: u64, difficulty in 1_u32..=19, place in 0_usize..19, other in 0_usize..10,
        ) {
            let (challenge, password) = made(seed, difficulty);
            prop_assert_eq!(verify(&challenge, &password), Ok(()));
            let place = place % password.len();
            let mut chars: Vec<char> = password.chars().collect();
            let other = challenge.chars.chars().nth(other).unwrap();
            prop_assume!(chars[place] != other);
            chars[place] = other;
            let forged: String = chars.iter().collect();
            prop_assert_eq!(verify(&challenge, &forged), Err(Refused::Hash));
            chars[place] = '~';
            let forged: String = chars.iter().collect();
            prop_assert_eq!(verify(&challenge, &forged), Err(Refused::Character(place)));
        }

        #[test]
        fn a_hash_that_is_forged_in_any_digit_is_refused(seed: u64, place in 0_usize..128) {
            let (mut challenge, password) = made(seed, 6);
            let at = PREFIX.len() + place;
            let digit = if &challenge.challenge_hash[at..=at] == "0" { "1" } else { "0" };
            challenge.challenge_hash.replace_range(at..=at, digit);
            prop_assert_eq!(verify(&challenge, &password), Err(Refused::Hash));
        }

        #[test]
        fn no_password_panics(password in ".{0,30}") {
            prop_assert!(verify(&made(4, 8).0, &password).is_err());
        }
    }
}
