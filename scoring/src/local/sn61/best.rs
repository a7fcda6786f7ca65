//! The best commit of a miner, and the commits that others are compared with.

use std::collections::HashSet;

/// What a judged commit does to the best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The best one stays.
    Stays,
    /// It becomes the best one.
    Replaces,
    /// It was the best one and is not accepted any more: there is none.
    Clears,
}

/// What a judged commit does to the best one, given as ciphertext and score.
///
/// A commit that is not accepted clears the best one if it is the same, and is ignored
/// otherwise; an accepted one replaces it when there is none, when its score is greater, or
/// when its score is exactly 1.
///
/// ```
/// use scoring::local::sn61::best::{Change, best};
/// assert_eq!(best(None, "a", true, 0.0), Change::Replaces);
/// assert_eq!(best(Some(("a", 0.5)), "b", true, 0.5), Change::Stays);
/// assert_eq!(best(Some(("a", 1.0)), "b", true, 1.0), Change::Replaces);
/// assert_eq!(best(Some(("a", 0.5)), "a", false, 0.9), Change::Clears);
/// ```
pub fn best(current: Option<(&str, f64)>, commit: &str, accepted: bool, score: f64) -> Change {
    match current {
        Some((same, _)) if !accepted && same == commit => Change::Clears,
        _ if !accepted => Change::Stays,
        Some((_, current)) if !(score > current || score == 1.0) => Change::Stays,
        _ => Change::Replaces,
    }
}

/// A commit of the unique set.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its score.
    pub score: f64,
    /// Its ciphertext.
    pub commit: String,
    /// Its image.
    pub docker: String,
}

/// The best commits so far, at most as many as it has room for.
#[derive(Debug, Clone, PartialEq)]
pub struct Unique {
    room: usize,
    /// Ascending by score, then ciphertext, then image.
    members: Vec<Member>,
    commits: HashSet<String>,
}

impl Unique {
    /// An empty set with room for so many commits.
    pub fn new(room: usize) -> Unique {
        Unique {
            room,
            members: Vec::new(),
            commits: HashSet::new(),
        }
    }

    /// Takes a commit in while there is room; then in place of the least one, when its score
    /// is greater. Tells whether it did. One that is there already stays as it is, and a score
    /// that is not a number is never taken.
    ///
    /// ```
    /// use scoring::local::sn61::best::Unique;
    /// let mut unique = Unique::new(1);
    /// assert!(unique.insert(0.5, "a", "x"));
    /// assert!(!unique.insert(0.5, "b", "y"));
    /// assert!(unique.insert(0.6, "b", "y"));
    /// assert!(!unique.holds("a"));
    /// ```
    pub fn insert(&mut self, score: f64, commit: &str, docker: &str) -> bool {
        if score.is_nan() || self.room == 0 || self.commits.contains(commit) {
            return false;
        }
        if self.members.len() >= self.room {
            match self.members.first() {
                Some(least) if score > least.score => {
                    let least = self.members.remove(0);
                    self.commits.remove(&least.commit);
                }
                _ => return false,
            }
        }
        let below = |member: &Member| {
            let order = member.score.partial_cmp(&score);
            let order = order.unwrap_or(std::cmp::Ordering::Less);
            let names = (member.commit.as_str(), member.docker.as_str());
            order.then_with(|| names.cmp(&(commit, docker))).is_lt()
        };
        let at = self.members.partition_point(below);
        self.commits.insert(commit.to_owned());
        self.members.insert(
            at,
            Member {
                score,
                commit: commit.to_owned(),
                docker: docker.to_owned(),
            },
        );
        true
    }

    /// Whether a commit is in it.
    pub fn holds(&self, commit: &str) -> bool {
        self.commits.contains(commit)
    }

    /// Its members, the least first.
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}
