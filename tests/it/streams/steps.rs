//! The steps of commits are found by block, though the ledger keeps them by commit.

use indexer::commits::Transition;
use indexer::view::steps::{Did, steps};

use super::truth::{Item, Topic, truth};
use crate::context::{RECORDINGS, indexed};

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_found_in_its_block() {
    let mut found_all = 0;
    for name in RECORDINGS {
        let store = indexed(name).await;
        let last = store.last().unwrap().unwrap();
        let truth = truth(&store, Topic::Commits, last);
        for length in [1, 8] {
            let mut found = Vec::new();
            let mut first = 0;
            while first <= last {
                let end = last.min(first + length - 1);
                for (block, id, did) in steps(&store, first..=end).unwrap() {
                    let did = match did {
                        Did::Made => "MADE".to_owned(),
                        Did::Took(step) => match step.what {
                            Transition::State(state, _) => format!("{state:?}").to_uppercase(),
                            Transition::Revealed(_) => "REVEALED".to_owned(),
                            Transition::Attempt(_) => "ATTEMPTED".to_owned(),
                            Transition::Holder(_) => "MOVED".to_owned(),
                            Transition::Released => "RELEASED".to_owned(),
                        },
                    };
                    let name = format!("{}-{} {did}", id.block, id.index);
                    found.push(Item { block, name });
                }
                first = end + 1;
            }
            found.sort();
            assert_eq!(found, truth, "{name}, {length} at once");
        }
        found_all += truth.len();
    }
    assert!(found_all > 50, "{found_all} steps in all recordings");
}
