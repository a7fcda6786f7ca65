//! Where accounts, calls, events and errors occur: the index finds exactly what
//! a walk over all blocks finds, newest first, page by page.

use std::collections::BTreeMap;

use indexer::activity::{Topic, topics_of_event, topics_of_extrinsic};
use indexer::view;

use crate::context::{RECORDINGS, indexed};

#[tokio::test(flavor = "multi_thread")]
async fn the_index_finds_what_a_walk_finds() {
    for name in RECORDINGS {
        let store = indexed(name).await;
        let mut walked: BTreeMap<Topic, Vec<(u32, u32)>> = BTreeMap::new();
        for number in 0..=store.last().unwrap().unwrap() {
            let at = view::at(&store, number).unwrap().unwrap();
            for event in view::events(&store, &at).unwrap() {
                for topic in topics_of_event(&event) {
                    walked.entry(topic).or_default().push((number, event.index));
                }
            }
            for body in view::extrinsics(&store, &at).unwrap() {
                let error = body.outcome.error.as_ref();
                for topic in topics_of_extrinsic(&body.extrinsic, &body.nested, error) {
                    walked
                        .entry(topic)
                        .or_default()
                        .push((number, body.extrinsic.index));
                }
            }
        }
        assert!(walked.len() > 50, "{name}");
        for (topic, mut places) in walked {
            places.dedup();
            places.reverse();
            let all = store.activity(&topic, None, usize::MAX).unwrap();
            assert_eq!(all, places, "{name} {topic:?}");
            // Pages join without a seam.
            let mut paged = Vec::new();
            loop {
                let page = store.activity(&topic, paged.last().copied(), 7).unwrap();
                if page.is_empty() {
                    break;
                }
                paged.extend(page);
            }
            assert_eq!(paged, places, "{name} {topic:?}");
        }
        let failed = Topic::Errors("SubtensorModule.InvalidRevealCommitHashNotMatch".into());
        if name == "mini-300" {
            assert_eq!(
                store
                    .activity(&failed, None, 10)
                    .unwrap()
                    .first()
                    .map(|p| p.0),
                Some(126)
            );
        }
    }
}
