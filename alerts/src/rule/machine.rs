//! From holding and not holding to what is told: entering, staying, leaving, not knowing.

use serde::{Deserialize, Serialize};

use super::condition::{Slot, Truth};

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It holds now.
    Fired,
    /// It still holds.
    Repeated,
    /// It does not hold any more.
    Cleared,
    /// It cannot be told whether it holds.
    Unknown,
}

impl Event {
    /// Its name, as in messages.
    pub fn name(self) -> &'static str {
        match self {
            Event::Fired => "fired",
            Event::Repeated => "repeated",
            Event::Cleared => "cleared",
            Event::Unknown => "unknown",
        }
    }
}

/// How one subject of a rule stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// How many times in a row the condition held, while it has not fired.
    #[serde(default)]
    pub hits: u32,
    /// The block at which it fired; `None` when it has not, or has cleared.
    #[serde(default)]
    pub since: Option<u32>,
    /// How many times it held since it fired.
    #[serde(default)]
    pub held: u32,
    /// Whether it could not be told last time.
    #[serde(default)]
    pub unknown: bool,
    /// What the condition remembers.
    #[serde(default)]
    pub(super) slots: Vec<Slot>,
}

/// When the machine speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) hits: u32,
    pub(super) repeat: u32,
    pub(super) cleared: bool,
    pub(super) unknown: bool,
}

impl Subject {
    /// One step. What is not known neither counts as a hit nor ends a run of hits.
    pub(super) fn step(&mut self, truth: &Truth, block: u32, manner: Manner) -> Option<Event> {
        match truth {
            Truth::Early => None,
            Truth::Unknown(_) => {
                let told = self.unknown || !manner.unknown;
                self.unknown = true;
                (!told).then_some(Event::Unknown)
            }
            Truth::True => {
                self.unknown = false;
                if self.since.is_some() {
                    self.held = self.held.saturating_add(1);
                    let again = manner.repeat > 0 && self.held.is_multiple_of(manner.repeat);
                    return again.then_some(Event::Repeated);
                }
                self.hits = self.hits.saturating_add(1);
                if self.hits < manner.hits {
                    return None;
                }
                (self.since, self.held, self.hits) = (Some(block), 0, 0);
                Some(Event::Fired)
            }
            Truth::False => {
                self.unknown = false;
                self.hits = 0;
                self.clear(manner)
            }
        }
    }

    /// Ends it.
    pub(super) fn clear(&mut self, manner: Manner) -> Option<Event> {
        let was = self.since.take().is_some();
        self.held = 0;
        (was && manner.cleared).then_some(Event::Cleared)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(truths: &[Truth], manner: Manner) -> Vec<(u32, Event)> {
        let mut subject = Subject::default();
        let steps = (0_u32..).zip(truths);
        steps
            .filter_map(|(at, truth)| Some((at, subject.step(truth, at, manner)?)))
            .collect()
    }

    const PLAIN: Manner = Manner {
        hits: 1,
        repeat: 0,
        cleared: true,
        unknown: true,
    };

    fn truths(text: &str) -> Vec<Truth> {
        let truth = |c| match c {
            't' => Truth::True,
            'f' => Truth::False,
            'e' => Truth::Early,
            _ => Truth::Unknown("x".into()),
        };
        text.chars().map(truth).collect()
    }

    #[test]
    fn it_speaks_on_entering_and_on_leaving() {
        use Event::*;
        assert_eq!(
            run(&truths("fttttfft"), PLAIN),
            [(1, Fired), (5, Cleared), (7, Fired)]
        );
        let three = Manner { hits: 3, ..PLAIN };
        assert_eq!(run(&truths("ttfttt"), three), [(5, Fired)]);
        assert_eq!(run(&truths("tt?t"), three), [(2, Unknown), (3, Fired)]);
        let again = Manner { repeat: 2, ..PLAIN };
        assert_eq!(
            run(&truths("ttttt"), again),
            [(0, Fired), (2, Repeated), (4, Repeated)]
        );
        assert_eq!(
            run(&truths("et??tf?"), PLAIN),
            [(1, Fired), (2, Unknown), (5, Cleared), (6, Unknown)]
        );
        let quiet = Manner {
            cleared: false,
            unknown: false,
            ..PLAIN
        };
        assert_eq!(run(&truths("t?ft"), quiet), [(0, Fired), (3, Fired)]);
    }

    proptest! {
        #[test]
        fn firing_and_clearing_take_turns(text in "[tfe?]{0,60}", hits in 1_u32..4, repeat in 0_u32..4) {
            let told = run(&truths(&text), Manner { hits, repeat, ..PLAIN });
            let mut on = false;
            for (_, event) in told {
                match event {
                    Event::Fired => { prop_assert!(!on); on = true; }
                    Event::Cleared => { prop_assert!(on); on = false; }
                    Event::Repeated => prop_assert!(on),
                    Event::Unknown => {}
                }
            }
        }

        #[test]
        fn stopping_in_between_changes_nothing(text in "[tfe?]{0,60}", cut in 0_usize..60) {
            let truths = truths(&text);
            let manner = Manner { hits: 2, repeat: 3, ..PLAIN };
            let mut subject = Subject::default();
            let mut told = Vec::new();
            for (at, truth) in (0_u32..).zip(&truths) {
                if usize::try_from(at).unwrap() == cut {
                    let kept = serde_json::to_string(&subject).unwrap();
                    subject = serde_json::from_str(&kept).unwrap();
                }
                told.extend(subject.step(truth, at, manner).map(|event| (at, event)));
            }
            prop_assert_eq!(told, run(&truths, manner));
        }
    }
}
