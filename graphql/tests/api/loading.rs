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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_of_subnets_are_read_when_they_are_asked_for() {
    let server = start(Fake::with(|held| held.subnets = 128)).await;
    let data = server
        .data("{ subnets { netuid neuronCount tempo owner } }")
        .await;
    assert_eq!(data["subnets"].as_array().unwrap().len(), 128);
    let plain = [("status", 1), ("subnets", 1), ("subnet", 1)];
    assert_eq!(server.fake.take_counts(), counts(&plain));
    let data = server
        .data("{ subnets { netuid items { name } some: items(names: [\"Kappa\"]) { name } } }")
        .await;
    let all = data["subnets"][127]["items"].as_array().unwrap();
    assert!(!all.is_empty());
    assert_eq!(
        server.fake.take_counts(),
        counts(&[
            ("status", 1),
            ("subnets", 1),
            ("subnet", 1),
            ("subnet_items", 1)
        ])
    );
}

/// Lists with what their items lead to: the number of reads does not follow from their length.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_items_lead_to_is_read_together() {
    let server = start(Fake::with(|held| {
        held.subnets = 128;
        held.neurons = 100;
        held.last = Some(120);
    }))
    .await;
    let who = crate::fake::account(60);
    for (query, reads) in [
        // Stamps with their epochs.
        (
            "{ subnets { stamp { epoch { appliedBlock index } } metagraph { stamp { epoch { index } } } } }".into(),
            vec![("subnets", 1), ("subnet", 1), ("metagraphs", 1), ("applied", 2)],
        ),
        (
            "{ subnets { metagraph { neurons(first: 20) { stamp { epoch { index } } tenancy { uid }
                 weights { uid } bonds { uid } } } } }".into(),
            vec![("subnets", 1), ("subnet", 1), ("metagraphs", 1), ("applied", 1), ("tenancy", 1), ("weights", 1), ("bonds", 1)],
        ),
        // Rows with what set them.
        (
            "{ weights(netuid: 1) { rows { setBy { account { owner { address } } } } } }".into(),
            vec![("subnet", 1), ("weights", 1), ("weights_set_by", 1), ("owners", 1)],
        ),
        (
            "{ weights(netuid: 1) { columns { uid entryCount } } }".into(),
            vec![("subnet", 1), ("weights", 1)],
        ),
        // Accounts of neurons.
        (
            "{ metagraph(netuid: 1) { neurons(first: 20) { account { stamp { block } owner { ownedHotkeys { totalCount } }
                 memberships { netuid subnet { netuid } neuron { uid } tenancy { uid } } } } } }".into(),
            vec![("metagraphs", 2), ("blocks", 1), ("owners", 1), ("owned_hotkeys", 1), ("memberships", 1), ("subnet", 1), ("tenancy", 1)],
        ),
        (
            "{ metagraph(netuid: 1) { neurons(first: 50) { account { stakeOnIt(first: 2) { nodes { hotkeyAccount { owner { address } } } } } } } }".into(),
            vec![("metagraphs", 1), ("stakes", 1), ("owners", 1)],
        ),
        (
            format!("{{ account(address: \"{who}\") {{ stakeHeld(first: 50) {{ nodes {{ stamp {{ block }} coldkeyAccount {{ stakeHeld {{ totalCount }} }} }} }} }} }}"),
            vec![("stakes", 2), ("blocks", 1)],
        ),
        // Lists with links.
        (
            "{ commits(first: 100) { nodes { stamp { epoch { index } } subnet { netuid } account { memberships { netuid } }
                 madeBy { extrinsic { hash } } reveals { madeBy { extrinsic { hash } } row { rowCount } } } } }".into(),
            vec![("commits", 1), ("blocks", 1), ("applied", 1), ("subnet", 2), ("memberships", 1), ("extrinsics", 2), ("weights", 1)],
        ),
        (
            "{ stakeMovements(first: 100) { edges { node { stamp { block } madeBy { extrinsic { block { number } } } } } } }".into(),
            vec![("stake_movements", 1), ("blocks", 2), ("extrinsics", 1)],
        ),
        (
            "{ tenancies(netuid: 1, uid: 3) { nodes { previous { uid } next { uid } account { owner { address } } } } }".into(),
            vec![("tenancies", 1), ("owners", 1)],
        ),
        (
            "{ weightChanges(netuid: 1, uid: 2, first: 100) { nodes { stamp { epoch { index } }
                 setBy { commit { id subnet { tempo } stamp { block } account { owner { address } } } } } } }".into(),
            vec![("weight_changes", 1), ("blocks", 2), ("applied", 1), ("commits_named", 1), ("subnet", 1), ("owners", 1)],
        ),
        (
            "{ epochs(netuid: 1, first: 100) { nodes { stamp { epoch { index } } } } }".into(),
            vec![("epochs", 1), ("blocks", 1), ("applied", 1)],
        ),
        (
            "{ series(netuid: 1, uid: 1, fields: [RANK]) { segments { tenancy { account { owner { address } } } points { stamp { epoch { index } } } } } }".into(),
            vec![("series", 1), ("blocks", 1), ("applied", 1), ("owners", 1)],
        ),
        (
            "{ findExtrinsics(first: 100) { nodes { extrinsic { block { number } events { name } } } } }".into(),
            vec![("find_extrinsics", 1), ("blocks", 1), ("events", 1)],
        ),
        (
            "{ findEvents(first: 100) { nodes { block { number } extrinsic { index } } } }".into(),
            vec![("find_events", 1), ("blocks", 1), ("extrinsics", 1)],
        ),
        (
            "{ subnetChanges(netuid: 1, first: 100) { nodes { madeBy { extrinsic { index } } } } }".into(),
            vec![("subnet_changes", 1), ("extrinsics", 1)],
        ),
        (
            "{ blocks(first: 100) { nodes { parent { number } subnet(netuid: 1) { metagraph { neuronCount } } } } }".into(),
            vec![("blocks", 2), ("subnet", 1), ("metagraphs", 1)],
        ),
    ] {
        let query: String = query;
        server.fake.take_counts();
        server.data(&query).await;
        let mut counted = server.fake.take_counts();
        counted.remove("status");
        for (read, most) in reads {
            let made = counted.remove(read).unwrap_or(0);
            assert!((1..=most).contains(&made), "{query}: {made} reads of {read}");
        }
        assert!(counted.is_empty(), "{query}: {counted:?}");
    }
}
