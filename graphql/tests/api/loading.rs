//! How many reads a query costs.

use std::collections::BTreeMap;

use crate::fake::Fake;
use crate::http::start;

fn counts(list: &[(&'static str, usize)]) -> BTreeMap<&'static str, usize> {
    list.iter().copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_subnets_with_all_neurons_are_a_handful_of_reads() {
    let server = start(Fake::with(|held| {
        held.subnets = 128;
        held.neurons = 256;
    }))
    .await;
    // Again and again, because the number must not depend on the scheduler.
    for _ in 0..5 {
        server.fake.take_counts();
        let data = server
            .data("{ subnets { netuid metagraph { neurons { uid incentive } } } }")
            .await;
        assert_eq!(data["subnets"].as_array().unwrap().len(), 128);
        let neurons = data["subnets"][127]["metagraph"]["neurons"].as_array();
        assert_eq!(neurons.unwrap().len(), 256);
        assert_eq!(
            server.fake.take_counts(),
            counts(&[
                ("status", 1),
                ("subnets", 1),
                ("subnet", 1),
                ("metagraphs", 1)
            ])
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_lists_join_their_reads_at_every_level() {
    let server = start(Fake::with(|held| {
        held.subnets = 128;
        held.last = Some(200);
    }))
    .await;
    server
        .data(
            "{ subnets { weights { rowCount } bonds { rowCount }
                 metagraph { subnet { tempo } neurons(first: 8) { uid weights { entryCount } } } } }",
        )
        .await;
    assert_eq!(
        server.fake.take_counts(),
        counts(&[
            ("status", 1),
            ("subnets", 1),
            // Once for the list and once more on the way back up from the metagraphs.
            ("subnet", 2),
            ("metagraphs", 1),
            // The matrices of the subnets join their metagraphs; the rows of neurons come later.
            ("weights", 2),
            ("bonds", 1),
        ])
    );
    server
        .data(
            "{ blocks(first: 50) { nodes { parent { number }
                 extrinsics(first: 5) { nodes { index block { number } events { index } } }
                 events(first: 10) { nodes { index extrinsic { index } } } } } }",
        )
        .await;
    let counted = server.fake.take_counts();
    assert_eq!(counted["status"], 1);
    assert!(counted["blocks"] <= 3, "{counted:?}");
    assert!(counted["extrinsics"] <= 2, "{counted:?}");
    assert!(counted["events"] <= 2, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aliases_join_their_reads() {
    let server = start(Fake::with(|held| held.last = Some(100))).await;
    let fields: String = (0..80)
        .map(|i| {
            let block = i + 10;
            format!(
                "m{i}: metagraph(netuid: 1, asOf: {{ block: {block} }}) {{ stamp {{ block }} neuronCount }} "
            )
        })
        .collect();
    let data = server.data(&format!("{{ {fields} }}")).await;
    for i in 0..80 {
        assert_eq!(data[format!("m{i}")]["stamp"]["block"], i + 10);
    }
    assert_eq!(
        server.fake.take_counts(),
        counts(&[("status", 1), ("metagraphs", 1)])
    );
}
