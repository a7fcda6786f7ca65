//! How far the road is, for whoever looks at the terminal or reads the log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indexer::pipeline::Progress;
use indexer::pipeline::pace::{Pace, spoken};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;

/// Between two lines of the log.
const LINE: Duration = Duration::from_secs(5);

/// What there is to do and how much of it is done; the head's steps do not count
/// as long as there are ranges to fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Work {
    done: u64,
    left: u64,
}

/// The work of a road that goes up to `until`, or to the finalized head.
fn work(now: &Progress, until: Option<u32>) -> Option<Work> {
    let wanted = now.wanted?;
    if wanted > 0 {
        return Some(Work {
            done: wanted.saturating_sub(now.left),
            left: now.left,
        });
    }
    let (committed, finalized) = (now.committed?, now.finalized?);
    let target = until.map_or(finalized, |until| until.min(finalized));
    Some(Work {
        done: now.stored,
        left: u64::from(target.saturating_sub(committed)),
    })
}

/// Bars on a terminal, a line every few seconds elsewhere.
pub(crate) async fn show(mut progress: watch::Receiver<Progress>, until: Option<u32>) {
    let bars = std::io::stderr().is_terminal().then(Bars::new);
    let (started, mut pace) = (Instant::now(), Pace::default());
    let mut told = started;
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        let Some(work) = work(&now, until) else {
            continue;
        };
        pace.note(started.elapsed(), work.done);
        if let Some(bars) = &bars {
            bars.show(&now, work, &pace);
        } else if told.elapsed() > LINE || (work.left == 0 && told.elapsed() > LINE / 5) {
            told = Instant::now();
            let eta = pace.left(work.left).map(spoken);
            let eta = eta.filter(|_| work.left > 0);
            tracing::info!(
                block = now.committed,
                head = now.finalized,
                left = work.left,
                eta,
                "indexed"
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if let Some(bars) = bars {
        bars.finish();
    }
}

/// One bar for what is missing, one for the head.
struct Bars {
    fill: ProgressBar,
    head: ProgressBar,
}

impl Bars {
    fn new() -> Bars {
        let all = MultiProgress::new();
        let bar = |template: &str| {
            let bar = all.add(ProgressBar::new(0));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        };
        Bars {
            fill: bar("{bar:40} {pos}/{len} blocks {msg}"),
            head: bar("head {pos} of {len}"),
        }
    }

    fn show(&self, now: &Progress, work: Work, pace: &Pace) {
        self.fill.set_length(work.done.saturating_add(work.left));
        self.fill.set_position(work.done);
        let rate = pace.milliblocks_a_second().unwrap_or(0) / 1000;
        let eta = match pace.left(work.left) {
            _ if work.left == 0 => "done".to_owned(),
            Some(time) => format!("{rate}/s eta {}", spoken(time)),
            None => "eta unknown".to_owned(),
        };
        self.fill.set_message(eta);
        self.head.set_length(u64::from(now.finalized.unwrap_or(0)));
        self.head
            .set_position(u64::from(now.committed.unwrap_or(0)));
    }

    fn finish(&self) {
        self.fill.finish();
        self.head.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_before_the_head() {
        let now = Progress {
            committed: Some(1_005),
            finalized: Some(1_010),
            stored: 105,
            wanted: Some(400),
            left: 300,
        };
        // Five of the 105 blocks are the head's, and five more are to come there.
        let told = work(&now, None);
        assert_eq!(
            told,
            Some(Work {
                done: 100,
                left: 300
            })
        );
        let head = Progress {
            wanted: Some(0),
            left: 0,
            ..now
        };
        assert_eq!(work(&head, None), Some(Work { done: 105, left: 5 }));
        assert_eq!(work(&head, Some(1_007)).unwrap().left, 2);
        assert_eq!(work(&Progress::default(), None), None);
    }
}
