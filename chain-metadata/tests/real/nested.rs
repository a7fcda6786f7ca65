//! Batches, proxies and sudo inside each other: what became of every call.

use chain_metadata::{Origin, Outcome, Value};

use crate::scene::{ALICE, BOB, Scene, short};

const RUNTIME: &str = "localdevnet_spec439_v15";
const DONE: &str = "Utility.ItemCompleted";
const ALL: &str = "Utility.BatchCompleted";

#[test]
fn a_single_call() {
    let scene = Scene::new(RUNTIME);
    let call = scene.leaf(1);
    assert_eq!(scene.outcomes(&call, &["System.Remarked"]), ["/ ok"]);
    assert_eq!(
        scene.outcomes(&call, &["!System.ExtrinsicFailed"]),
        ["/ failed"]
    );
    let nested = scene.nested(&call, &[]);
    assert_eq!(short(&nested), ["/ unknown"]);
    assert_eq!(nested[0].origin, Origin::Signed(ALICE));
    assert_eq!(nested[0].call, call);
}

#[test]
fn a_batch_that_completes() {
    let scene = Scene::new(RUNTIME);
    for name in ["batch", "batch_all", "force_batch"] {
        let call = scene.batch(name, &[scene.leaf(1), scene.leaf(2)]);
        let events = ["System.Remarked", DONE, "Balances.Transfer", DONE, ALL];
        assert_eq!(scene.outcomes(&call, &events), ["/ ok", "/0 ok", "/1 ok"]);
        let empty = scene.batch(name, &[]);
        assert_eq!(scene.outcomes(&empty, &[ALL]), ["/ ok"]);
    }
}

#[test]
fn a_batch_that_stops() {
    let scene = Scene::new(RUNTIME);
    let call = scene.batch("batch", &[scene.leaf(1), scene.leaf(2), scene.leaf(3)]);
    let mut events = scene.events(&["System.Remarked", DONE, "!Utility.BatchInterrupted"]);
    let index = Value::Uint {
        width: 32,
        value: 1,
    };
    events[2].fields[0].1 = index;
    events.extend(scene.events(&["System.ExtrinsicSuccess"]));
    let found = short(&scene.nested(&call, &events));
    assert_eq!(found, ["/ ok", "/0 ok", "/1 failed", "/2 not run"]);
    // Stopped at the first: nothing was completed.
    let events = ["!Utility.BatchInterrupted"];
    assert_eq!(
        scene.outcomes(&call, &events),
        ["/ ok", "/0 failed", "/1 not run", "/2 not run"]
    );
}

#[test]
fn a_failing_batch_all_undoes_everything() {
    let scene = Scene::new(RUNTIME);
    let inner = scene.batch("batch", &[scene.leaf(1)]);
    let call = scene.batch("batch_all", &[inner, scene.leaf(2)]);
    assert_eq!(
        scene.outcomes(&call, &["!System.ExtrinsicFailed"]),
        ["/ failed", "/0 not run", "/0/0 not run", "/1 not run"]
    );
}

#[test]
fn a_forced_batch_says_which_failed() {
    let scene = Scene::new(RUNTIME);
    let leaves: Vec<_> = (0..5).map(|number| scene.leaf(number)).collect();
    let call = scene.batch("force_batch", &leaves);
    let failed = "!Utility.ItemFailed";
    let events = [
        failed,
        "System.Remarked",
        "System.Remarked",
        DONE,
        failed,
        failed,
        DONE,
        "Utility.BatchCompletedWithErrors",
    ];
    assert_eq!(
        scene.outcomes(&call, &events),
        [
            "/ ok",
            "/0 failed",
            "/1 ok",
            "/2 failed",
            "/3 failed",
            "/4 ok"
        ]
    );
}

#[test]
fn a_batch_in_a_proxy_and_a_proxy_in_a_batch() {
    let scene = Scene::new(RUNTIME);
    let batch = scene.batch("batch", &[scene.leaf(1), scene.leaf(2)]);
    let proxy = scene.proxy(BOB, &batch);
    let events = [DONE, "System.Remarked", DONE, ALL, "Proxy.ProxyExecuted"];
    assert_eq!(
        scene.outcomes(&proxy, &events),
        ["/ ok", "/0 ok", "/0/0 ok", "/0/1 ok"]
    );
    let origins = scene.nested(&proxy, &[]);
    assert_eq!(origins[0].origin, Origin::Signed(ALICE));
    assert!(
        origins[1..]
            .iter()
            .all(|inner| inner.origin == Origin::Signed(BOB))
    );

    // The proxied batch_all fails: its items leave no events, the proxy succeeds all the same.
    let failing = scene.proxy(
        BOB,
        &scene.batch("batch_all", &[scene.leaf(1), scene.leaf(2)]),
    );
    assert_eq!(
        scene.outcomes(&failing, &["!Proxy.ProxyExecuted"]),
        ["/ ok", "/0 failed", "/0/0 not run", "/0/1 not run"]
    );

    let outer = scene.batch(
        "batch",
        &[
            scene.proxy(BOB, &scene.leaf(1)),
            scene.leaf(2),
            failing,
            scene.proxy(BOB, &batch),
        ],
    );
    let executed = "Proxy.ProxyExecuted";
    let events = [
        "System.Remarked",
        executed,
        DONE, // the first proxy
        "Balances.Transfer",
        DONE, // the leaf
        "!Proxy.ProxyExecuted",
        DONE, // the failing proxy
        DONE,
        DONE,
        ALL,
        executed,
        DONE, // the proxied batch
        ALL,
    ];
    assert_eq!(
        scene.outcomes(&outer, &events),
        [
            "/ ok",
            "/0 ok",
            "/0/0 ok",
            "/1 ok",
            "/2 ok",
            "/2/0 failed",
            "/2/0/0 not run",
            "/2/0/1 not run",
            "/3 ok",
            "/3/0 ok",
            "/3/0/0 ok",
            "/3/0/1 ok",
        ]
    );
    let origins = scene.nested(&outer, &[]);
    let of = |path: &[u32]| {
        origins
            .iter()
            .find(|call| call.path == path)
            .unwrap()
            .origin
            .clone()
    };
    assert_eq!(of(&[1]), Origin::Signed(ALICE));
    assert_eq!(of(&[3, 0, 1]), Origin::Signed(BOB));
}

#[test]
fn batches_in_batches() {
    let scene = Scene::new(RUNTIME);
    let two = scene.batch("batch_all", &[scene.leaf(1), scene.leaf(2)]);
    let forced = scene.batch("force_batch", &[scene.leaf(3), two.clone(), scene.leaf(4)]);
    let call = scene.batch("batch", &[two, forced, scene.leaf(5)]);
    let events = [
        DONE,
        DONE,
        ALL,
        DONE, // the first
        "System.Remarked",
        DONE,
        "!Utility.ItemFailed",
        DONE,
        "Utility.BatchCompletedWithErrors",
        DONE, // the forced one, in which the inner batch failed
        "System.Remarked",
        DONE,
        ALL,
    ];
    assert_eq!(
        scene.outcomes(&call, &events),
        [
            "/ ok",
            "/0 ok",
            "/0/0 ok",
            "/0/1 ok",
            "/1 ok",
            "/1/0 ok",
            "/1/1 failed",
            "/1/1/0 not run",
            "/1/1/1 not run",
            "/1/2 ok",
            "/2 ok",
        ]
    );
}

#[test]
fn sudo_in_its_forms() {
    let scene = Scene::new(RUNTIME);
    let call = scene.sudo(&scene.leaf(1));
    assert_eq!(
        scene.outcomes(&call, &["System.Remarked", "Sudo.Sudid"]),
        ["/ ok", "/0 ok"]
    );
    assert_eq!(
        scene.outcomes(&call, &["!Sudo.Sudid"]),
        ["/ ok", "/0 failed"]
    );
    assert_eq!(
        scene.outcomes(&call, &["!System.ExtrinsicFailed"]),
        ["/ failed", "/0 not run"]
    );
    assert_eq!(scene.nested(&call, &[])[1].origin, Origin::Root);

    let given = vec![("call", scene.leaf(1).to_value())];
    let unchecked = scene.call("Sudo.sudo_unchecked_weight", given);
    assert_eq!(
        scene.outcomes(&unchecked, &["Sudo.Sudid"]),
        ["/ ok", "/0 ok"]
    );

    let given = vec![
        ("who", crate::scene::id(BOB)),
        ("call", scene.leaf(1).to_value()),
    ];
    let acting = scene.call("Sudo.sudo_as", given);
    assert_eq!(
        scene.outcomes(&acting, &["Sudo.SudoAsDone"]),
        ["/ ok", "/0 ok"]
    );
    assert_eq!(scene.nested(&acting, &[])[1].origin, Origin::Signed(BOB));

    // The report of another wrapper is not taken for it.
    assert_eq!(
        scene.outcomes(&acting, &["Sudo.Sudid"]),
        ["/ ok", "/0 unknown"]
    );
    assert_eq!(scene.outcomes(&call, &[]), ["/ ok", "/0 unknown"]);
}

#[test]
fn sudo_of_early_subtensor() {
    let scene = Scene::new("upgrades_spec143_v14");
    let given = vec![("call", scene.leaf(1).to_value())];
    let call = scene.call("SubtensorModule.sudo_unchecked_weight", given);
    assert_eq!(
        scene.outcomes(&call, &["SubtensorModule.Sudid"]),
        ["/ ok", "/0 ok"]
    );
    assert_eq!(
        scene.outcomes(&call, &["!SubtensorModule.Sudid"]),
        ["/ ok", "/0 failed"]
    );
    assert_eq!(scene.nested(&call, &[])[1].origin, Origin::Root);
}

#[test]
fn stray_reports_make_only_what_hangs_on_them_unknown() {
    let scene = Scene::new(RUNTIME);
    // `Crowdloan.finalize` executes a stored call; here a batch of one, whose reports look like
    // those of the batch around it.
    let finalize = scene.call("Crowdloan.finalize", vec![]);
    let stored = ["System.Remarked", DONE, ALL];
    let call = scene.batch(
        "batch",
        &[scene.proxy(BOB, &scene.leaf(1)), finalize.clone()],
    );
    let mut events = vec!["Proxy.ProxyExecuted", DONE];
    events.extend(stored);
    events.extend([DONE, ALL]);
    // Whether the proxied call succeeded hangs on which reports are whose.
    assert_eq!(
        scene.outcomes(&call, &events),
        ["/ ok", "/0 ok", "/0/0 unknown", "/1 ok"]
    );

    // Where all reports follow from the end, they are certain.
    let call = scene.batch(
        "batch",
        &[finalize.clone(), scene.proxy(BOB, &scene.leaf(1))],
    );
    let mut events = stored.to_vec();
    events.extend([DONE, "!Proxy.ProxyExecuted", DONE, ALL]);
    assert_eq!(
        scene.outcomes(&call, &events),
        ["/ ok", "/0 ok", "/1 ok", "/1/0 failed"]
    );

    let forced = scene.batch("force_batch", &[scene.leaf(1), finalize, scene.leaf(2)]);
    let mut events = vec!["!Utility.ItemFailed"];
    events.extend(stored);
    events.extend([
        DONE,
        "!Utility.ItemFailed",
        "Utility.BatchCompletedWithErrors",
    ]);
    assert_eq!(
        scene.outcomes(&forced, &events),
        ["/ ok", "/0 unknown", "/1 ok", "/2 failed"]
    );
}

#[test]
fn missing_reports_are_not_guessed() {
    let scene = Scene::new(RUNTIME);
    let call = scene.batch("batch", &[scene.leaf(1), scene.proxy(BOB, &scene.leaf(2))]);
    // The batch reports its end, but not its items.
    assert_eq!(
        scene.outcomes(&call, &[ALL]),
        ["/ ok", "/0 ok", "/1 ok", "/1/0 unknown"]
    );
    // An interruption beyond the last item cannot be.
    let mut events = scene.events(&["!Utility.BatchInterrupted", "System.ExtrinsicSuccess"]);
    events[0].fields[0].1 = Value::Uint {
        width: 32,
        value: 9,
    };
    assert_eq!(
        short(&scene.nested(&call, &events)),
        ["/ ok", "/0 unknown", "/1 unknown", "/1/0 unknown"]
    );
}

#[test]
fn arguments_do_not_repeat_inner_calls() {
    let scene = Scene::new(RUNTIME);
    let inner = scene.leaf(1);
    let call = scene.batch("batch", &[inner.clone(), scene.proxy(BOB, &inner)]);
    let list = scene.nested(&call, &[]);
    assert_eq!(
        list[0].call.arg("calls"),
        Some(&Value::Seq(vec![Value::Unit, Value::Unit]))
    );
    assert_eq!(list[1].call, inner);
    assert_eq!(list[2].call.arg("call"), Some(&Value::Unit));
    assert_eq!(list[2].call.arg("real"), Some(&crate::scene::id(BOB)));
    assert_eq!(list[3].call, inner);
    assert!(list.iter().all(|call| call.outcome == Outcome::Unknown));
}
