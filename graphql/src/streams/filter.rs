//! Which items pass.

use std::collections::HashSet;

use chain_metadata::AccountId;

use super::{Filter, StreamError};
use crate::ports::{
    Commit, CommitKind, CommitState, CommitStep, Happening, ResultBody, ResultRecord,
    ResultReporter, StakeMovement, StakeMovementKind, Topic, VerdictKind, WeightsSetKind,
};

/// A filter that suits its topic.
#[derive(Debug, Clone, Default)]
pub(super) struct Sieve {
    netuids: Option<HashSet<u16>>,
    hotkeys: Option<HashSet<AccountId>>,
    kinds: Option<HashSet<&'static str>>,
}

/// What happened to commits, and after that kinds of commits.
const STEPS: [&str; 10] = [
    "MADE",
    "DUE",
    "REVEALED",
    "ATTEMPTED",
    "FAILED",
    "EXPIRED",
    "SUPERSEDED",
    "ORPHANED",
    "MOVED",
    "RELEASED",
];
const COMMITS: [&str; 3] = ["HASH", "TIMELOCKED", "COMMITMENT"];

/// The kinds that a topic's items have.
pub(super) fn kinds(topic: Topic) -> Vec<&'static str> {
    match topic {
        Topic::Blocks | Topic::Epochs => Vec::new(),
        Topic::Weights => vec![
            "DIRECT",
            "BATCH",
            "HASH_REVEAL",
            "TIMELOCK_REVEAL",
            "CONTRACT",
            "SCHEDULED",
        ],
        Topic::Commits => STEPS.into_iter().chain(COMMITS).collect(),
        Topic::Stake => vec![
            "ADDED",
            "REMOVED",
            "MOVED",
            "TRANSFERRED",
            "MOVED_AND_TRANSFERRED",
            "SWAPPED",
            "ROOT_CLAIMED",
            "AUTO_STAKED",
            "RECYCLED",
            "BURNED",
            "BOUGHT_AND_BURNED",
            "FEE_PAID",
            "LEASE_DIVIDENDS",
        ],
        Topic::Scores => vec!["RUN", "SUBMISSION", "SCORE", "COMPARISON", "FINALIZATION"],
    }
}

impl Sieve {
    pub(super) fn new(topic: Topic, filter: &Filter) -> Result<Self, StreamError> {
        let refuse = |name: &str| {
            Err(StreamError::Filter(format!(
                "the stream `{topic}` has no filter `{name}`; leave it out"
            )))
        };
        if filter.netuids.is_some() && topic == Topic::Blocks {
            return refuse("netuid");
        }
        if filter.hotkeys.is_some() && matches!(topic, Topic::Blocks | Topic::Epochs) {
            return refuse("hotkey");
        }
        let kinds = match &filter.kinds {
            None => None,
            Some(_) if kinds(topic).is_empty() => return refuse("kind"),
            Some(wanted) => Some(known(topic, wanted)?),
        };
        Ok(Self {
            netuids: filter.netuids.clone().map(HashSet::from_iter),
            hotkeys: filter.hotkeys.clone().map(HashSet::from_iter),
            kinds,
        })
    }

    fn netuid(&self, netuid: u16) -> bool {
        self.netuids
            .as_ref()
            .is_none_or(|set| set.contains(&netuid))
    }

    fn hotkey(&self, hotkey: Option<&AccountId>) -> bool {
        self.hotkeys
            .as_ref()
            .is_none_or(|set| hotkey.is_some_and(|hotkey| set.contains(hotkey)))
    }

    fn kind(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|set| set.contains(kind))
    }

    pub(super) fn passes(&self, happening: &Happening) -> bool {
        match happening {
            Happening::Block(..) => true,
            Happening::Epoch(epoch) => self.netuid(epoch.netuid.0),
            Happening::Weights(row) => {
                self.netuid(row.netuid.0)
                    && self.hotkey(row.set.hotkey.as_ref())
                    && self.kind(set_kind(row.set.kind))
            }
            Happening::Commit(told) => {
                self.netuid(told.commit.netuid.0)
                    && (self.hotkey(Some(&told.commit.hotkey))
                        || self.hotkey(Some(&told.commit.holder)))
                    && self.commit_kind(told.step, &told.commit)
            }
            Happening::Stake(moved) => self.moves(moved),
        }
    }

    /// Steps and kinds of commits are two questions; each that is asked must be answered. Nothing
    /// is among none.
    fn commit_kind(&self, step: CommitStep, commit: &Commit) -> bool {
        let Some(wanted) = &self.kinds else {
            return true;
        };
        if wanted.is_empty() {
            return false;
        }
        let among = |names: &[&str], name: &str| {
            !names.iter().any(|name| wanted.contains(name)) || wanted.contains(name)
        };
        among(&STEPS, commit_step(step)) && among(&COMMITS, commit_kind(commit.kind))
    }

    fn moves(&self, moved: &StakeMovement) -> bool {
        let sides = || [&moved.from, &moved.to].into_iter().flatten();
        self.kind(stake_kind(moved.kind))
            && (self.netuids.is_none()
                || sides().any(|side| side.netuid.is_some_and(|netuid| self.netuid(netuid.0))))
            && (self.hotkeys.is_none() || sides().any(|side| self.hotkey(side.hotkey.as_ref())))
    }

    pub(super) fn record(&self, record: &ResultRecord) -> bool {
        let subject = || record.subject.parse::<AccountId>().ok();
        let reporter = match &record.reporter {
            ResultReporter::Hotkey(hotkey, _) => Some(hotkey),
            _ => None,
        };
        self.netuid(record.netuid.0)
            && self.kind(record_kind(&record.body))
            && (self.hotkey(reporter) || self.hotkey(subject().as_ref()))
    }
}

fn known(topic: Topic, wanted: &[String]) -> Result<HashSet<&'static str>, StreamError> {
    let known = kinds(topic);
    let find = |word: &String| {
        let found = known.iter().find(|name| name.eq_ignore_ascii_case(word));
        found.copied().ok_or_else(|| {
            let word: String = word.chars().take(40).collect();
            StreamError::Filter(format!(
                "the stream `{topic}` has no kind `{word}`; it has {}",
                known.join(", ")
            ))
        })
    };
    wanted.iter().map(find).collect()
}

pub(super) fn set_kind(kind: WeightsSetKind) -> &'static str {
    match kind {
        WeightsSetKind::Direct => "DIRECT",
        WeightsSetKind::Batch => "BATCH",
        WeightsSetKind::HashReveal => "HASH_REVEAL",
        WeightsSetKind::TimelockReveal => "TIMELOCK_REVEAL",
        WeightsSetKind::Contract => "CONTRACT",
        WeightsSetKind::Scheduled => "SCHEDULED",
    }
}

pub(super) fn commit_step(step: CommitStep) -> &'static str {
    match step {
        CommitStep::Made => "MADE",
        CommitStep::Due => "DUE",
        CommitStep::Revealed => "REVEALED",
        CommitStep::Attempted => "ATTEMPTED",
        CommitStep::Failed => "FAILED",
        CommitStep::Expired => "EXPIRED",
        CommitStep::Superseded => "SUPERSEDED",
        CommitStep::Orphaned => "ORPHANED",
        CommitStep::Moved => "MOVED",
        CommitStep::Released => "RELEASED",
    }
}

pub(super) fn commit_kind(kind: CommitKind) -> &'static str {
    match kind {
        CommitKind::Hash => "HASH",
        CommitKind::Timelocked => "TIMELOCKED",
        CommitKind::Commitment => "COMMITMENT",
    }
}

pub(super) fn commit_state(state: CommitState) -> &'static str {
    match state {
        CommitState::Committed => "COMMITTED",
        CommitState::Due => "DUE",
        CommitState::Revealed => "REVEALED",
        CommitState::Failed => "FAILED",
        CommitState::Expired => "EXPIRED",
        CommitState::Superseded => "SUPERSEDED",
        CommitState::Orphaned => "ORPHANED",
    }
}

pub(super) fn stake_kind(kind: StakeMovementKind) -> &'static str {
    match kind {
        StakeMovementKind::Added => "ADDED",
        StakeMovementKind::Removed => "REMOVED",
        StakeMovementKind::Moved => "MOVED",
        StakeMovementKind::Transferred => "TRANSFERRED",
        StakeMovementKind::MovedAndTransferred => "MOVED_AND_TRANSFERRED",
        StakeMovementKind::Swapped => "SWAPPED",
        StakeMovementKind::RootClaimed => "ROOT_CLAIMED",
        StakeMovementKind::AutoStaked => "AUTO_STAKED",
        StakeMovementKind::Recycled => "RECYCLED",
        StakeMovementKind::Burned => "BURNED",
        StakeMovementKind::BoughtAndBurned => "BOUGHT_AND_BURNED",
        StakeMovementKind::FeePaid => "FEE_PAID",
        StakeMovementKind::LeaseDividends => "LEASE_DIVIDENDS",
    }
}

pub(super) fn record_kind(body: &ResultBody) -> &'static str {
    match body {
        ResultBody::Run { .. } => "RUN",
        ResultBody::Submission { .. } => "SUBMISSION",
        ResultBody::Score { .. } => "SCORE",
        ResultBody::Comparison { .. } => "COMPARISON",
        ResultBody::Finalization { .. } => "FINALIZATION",
    }
}

pub(super) fn verdict(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::Exact => "EXACT",
        VerdictKind::Differs => "DIFFERS",
        VerdictKind::InputIncomplete => "INPUT_INCOMPLETE",
        VerdictKind::RulesUnknown => "RULES_UNKNOWN",
        VerdictKind::NotRun => "NOT_RUN",
    }
}
