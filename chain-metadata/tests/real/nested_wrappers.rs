//! The other wrappers: derived accounts, multisigs, the scheduler, unknown ones.

use chain_metadata::{
    AccountId, Call, DispatchError, Event, Extrinsic, ExtrinsicKind, Origin, Outcome, Value,
    decode_extrinsic, derivative_account, dispatch_error, encode_extrinsic, extrinsic_outcome,
    multisig_account, nested_calls,
};

use crate::scene::{ALICE, BOB, CAROL, Scene, id, short, variant};

const RUNTIME: &str = "localdevnet_spec439_v15";
const DONE: &str = "Utility.ItemCompleted";
const ALL: &str = "Utility.BatchCompleted";

fn number(width: u8, value: u128) -> Value {
    Value::Uint { width, value }
}

fn of(scene: &Scene, name: &str, call: &Call, mut given: Vec<(&str, Value)>) -> Call {
    given.push(("call", call.to_value()));
    scene.call(name, given)
}

#[test]
fn derived_accounts() {
    let scene = Scene::new(RUNTIME);
    let leaf = scene.leaf(1);
    let inner = of(
        &scene,
        "Utility.as_derivative",
        &leaf,
        vec![("index", number(16, 7))],
    );
    let call = of(
        &scene,
        "Utility.as_derivative",
        &inner,
        vec![("index", number(16, 1))],
    );
    let first = derivative_account(ALICE, 1);
    let list = scene.nested(&call, &[]);
    assert_eq!(list[1].origin, Origin::Signed(first));
    assert_eq!(list[2].origin, Origin::Signed(derivative_account(first, 7)));
    assert_eq!(
        scene.outcomes(&call, &["System.Remarked"]),
        ["/ ok", "/0 ok", "/0/0 ok"]
    );
    // It has no report of its own: it passes the error of its call on.
    assert_eq!(
        scene.outcomes(&call, &["!System.ExtrinsicFailed"]),
        ["/ failed", "/0 failed", "/0/0 failed"]
    );
    let batch = scene.batch("batch", &[call, leaf]);
    assert_eq!(
        scene.outcomes(&batch, &["System.Remarked", DONE, DONE, ALL]),
        ["/ ok", "/0 ok", "/0/0 ok", "/0/0/0 ok", "/1 ok"]
    );
}

#[test]
fn a_derived_account_is_the_hash_of_its_parts() {
    let mut bytes = b"modlpy/utilisuba".to_vec();
    bytes.extend([0xa1; 32]);
    bytes.extend([1, 2]);
    assert_eq!(
        derivative_account(ALICE, 0x0201).0,
        chain_metadata::blake2_256(&bytes).0
    );
}

fn multisig(scene: &Scene, call: &Call, others: &[AccountId], threshold: Option<u16>) -> Call {
    let others = others
        .iter()
        .map(|account| Value::Account(account.0))
        .collect();
    let mut given = vec![("other_signatories", Value::Seq(others))];
    match threshold {
        None => of(scene, "Multisig.as_multi_threshold_1", call, given),
        Some(threshold) => {
            given.push(("threshold", number(16, threshold.into())));
            of(scene, "Multisig.as_multi", call, given)
        }
    }
}

#[test]
fn multisigs() {
    let scene = Scene::new(RUNTIME);
    let call = multisig(&scene, &scene.leaf(1), &[BOB, CAROL], Some(2));
    let account = multisig_account(&[CAROL, ALICE, BOB], 2);
    assert_eq!(scene.nested(&call, &[])[1].origin, Origin::Signed(account));
    for waiting in ["Multisig.NewMultisig", "Multisig.MultisigApproval"] {
        assert_eq!(scene.outcomes(&call, &[waiting]), ["/ ok", "/0 not run"]);
    }
    let executed = "Multisig.MultisigExecuted";
    assert_eq!(
        scene.outcomes(&call, &["System.Remarked", executed]),
        ["/ ok", "/0 ok"]
    );
    assert_eq!(
        scene.outcomes(&call, &["!Multisig.MultisigExecuted"]),
        ["/ ok", "/0 failed"]
    );

    // An approval by hash has a report but no call; its neighbours are not disturbed.
    let approve = scene.call("Multisig.approve_as_multi", vec![]);
    let batch = scene.batch(
        "force_batch",
        &[call, approve, scene.proxy(BOB, &scene.leaf(2))],
    );
    let events = [
        "!Multisig.MultisigExecuted",
        DONE,
        "Multisig.MultisigApproval",
        DONE,
        "Proxy.ProxyExecuted",
        DONE,
        ALL,
    ];
    assert_eq!(
        scene.outcomes(&batch, &events),
        ["/ ok", "/0 ok", "/0/0 failed", "/1 ok", "/2 ok", "/2/0 ok"]
    );
}

#[test]
fn multisigs_of_threshold_one() {
    let scene = Scene::new(RUNTIME);
    let call = multisig(&scene, &scene.proxy(CAROL, &scene.leaf(1)), &[BOB], None);
    let account = multisig_account(&[ALICE, BOB], 1);
    let list = scene.nested(&call, &[]);
    assert_eq!(list[1].origin, Origin::Signed(account));
    assert_eq!(list[2].origin, Origin::Signed(CAROL));
    // Without a report, as most runtimes have it.
    let executed = "Proxy.ProxyExecuted";
    assert_eq!(
        scene.outcomes(&call, &[executed]),
        ["/ ok", "/0 ok", "/0/0 ok"]
    );
    // With one, in its own name.
    let own = scene.event(
        "Multisig.MultisigExecuted",
        vec![("multisig", Value::Account(account.0))],
    );
    let mut events = scene.events(&[executed]);
    events.push(own);
    events.extend(scene.events(&["System.ExtrinsicSuccess"]));
    assert_eq!(
        short(&scene.nested(&call, &events)),
        ["/ ok", "/0 ok", "/0/0 ok"]
    );
    // The report of a multisig inside is not taken for its own.
    let inner = multisig(&scene, &scene.leaf(1), &[CAROL], Some(2));
    let call = multisig(&scene, &inner, &[BOB], None);
    assert_eq!(
        scene.outcomes(&call, &["!Multisig.MultisigExecuted"]),
        ["/ ok", "/0 ok", "/0/0 failed"]
    );
    // An error of its own is not that of its call; another one is.
    assert_eq!(
        scene.outcomes(&call, &["!System.ExtrinsicFailed"]),
        ["/ failed", "/0 failed", "/0/0 not run"]
    );
    let mut failed = scene.events(&["!System.ExtrinsicFailed"]);
    failed[0].fields[0].1 = scene.pallet_error("Multisig", "TooManySignatories");
    let list = scene.nested(&call, &failed);
    assert!(matches!(&list[0].outcome, Outcome::Failed(_)));
    assert_eq!(list[1].outcome, Outcome::NotRun);
}

#[test]
fn scheduled_calls_do_not_run_now() {
    let scene = Scene::new(RUNTIME);
    let schedule = of(&scene, "Scheduler.schedule", &scene.leaf(1), vec![]);
    let later = ["Scheduler.Scheduled"];
    assert_eq!(scene.outcomes(&schedule, &later), ["/ ok", "/0 not run"]);
    assert_eq!(
        scene.nested(&schedule, &[])[1].origin,
        Origin::Other("scheduled".into())
    );
    let call = scene.sudo(&schedule);
    let events = ["Scheduler.Scheduled", "Sudo.Sudid"];
    assert_eq!(
        scene.outcomes(&call, &events),
        ["/ ok", "/0 ok", "/0/0 not run"]
    );
    assert_eq!(scene.nested(&call, &[])[2].origin, Origin::Root);
}

#[test]
fn origins_written_out() {
    let scene = Scene::new(RUNTIME);
    let signed = variant(
        "system",
        0,
        vec![variant("Signed", 1, vec![Value::Account(BOB.0)])],
    );
    let call = of(
        &scene,
        "Utility.dispatch_as",
        &scene.leaf(1),
        vec![("as_origin", signed.clone())],
    );
    assert_eq!(scene.nested(&call, &[])[1].origin, Origin::Signed(BOB));
    let call = scene.sudo(&call);
    let events = ["!Utility.DispatchedAs", "Sudo.Sudid"];
    assert_eq!(
        scene.outcomes(&call, &events),
        ["/ ok", "/0 ok", "/0/0 failed"]
    );

    let fallible = "Utility.dispatch_as_fallible";
    let call = scene.sudo(&of(
        &scene,
        fallible,
        &scene.leaf(1),
        vec![("as_origin", signed)],
    ));
    let events = ["Utility.DispatchedAs", "Sudo.Sudid"];
    assert_eq!(scene.outcomes(&call, &events), ["/ ok", "/0 ok", "/0/0 ok"]);
    assert_eq!(
        scene.outcomes(&call, &["!Sudo.Sudid"]),
        ["/ ok", "/0 failed", "/0/0 failed"]
    );

    let root = variant("system", 0, vec![variant("Root", 0, vec![])]);
    let call = of(
        &scene,
        "Utility.dispatch_as",
        &scene.leaf(1),
        vec![("as_origin", root)],
    );
    assert_eq!(scene.nested(&call, &[])[1].origin, Origin::Root);

    let weight = scene.sudo(&of(&scene, "Utility.with_weight", &scene.leaf(1), vec![]));
    assert_eq!(scene.nested(&weight, &[])[2].origin, Origin::Root);
    assert_eq!(
        scene.outcomes(&weight, &["!Sudo.Sudid"]),
        ["/ ok", "/0 failed", "/0/0 failed"]
    );
    // Not root: it fails before it comes to its call.
    let weight = of(&scene, "Utility.with_weight", &scene.leaf(1), vec![]);
    assert_eq!(
        scene.outcomes(&weight, &["!System.ExtrinsicFailed"]),
        ["/ failed", "/0 not run"]
    );
}

#[test]
fn one_or_the_other() {
    let scene = Scene::new(RUNTIME);
    let given = vec![
        ("main", scene.proxy(BOB, &scene.leaf(1)).to_value()),
        ("fallback", scene.leaf(2).to_value()),
    ];
    let call = scene.call("Utility.if_else", given);
    assert_eq!(
        scene.outcomes(&call, &["Proxy.ProxyExecuted", "Utility.IfElseMainSuccess"]),
        ["/ ok", "/0 ok", "/0/0 ok", "/1 not run"]
    );
    assert_eq!(
        scene.outcomes(&call, &["System.Remarked", "!Utility.IfElseFallbackCalled"]),
        ["/ ok", "/0 failed", "/0/0 not run", "/1 ok"]
    );
    assert_eq!(
        scene.outcomes(&call, &["!System.ExtrinsicFailed"]),
        ["/ failed", "/0 not run", "/0/0 not run", "/1 failed"]
    );
}

#[test]
fn calls_in_unknown_wrappers_are_listed() {
    // A proposal is voted on first.
    let scene = Scene::new("upgrades_spec143_v14");
    let proposal = scene.batch("batch", &[scene.leaf(1)]);
    let call = scene.call(
        "Triumvirate.propose",
        vec![("proposal", proposal.to_value())],
    );
    assert_eq!(
        scene.outcomes(&call, &["Triumvirate.Proposed"]),
        ["/ ok", "/0 unknown", "/0/0 unknown",]
    );
    let list = scene.nested(&call, &[]);
    assert_eq!(list[1].origin, Origin::Other("Triumvirate.propose".into()));
    assert_eq!(list[2].origin, list[1].origin);

    // A call inside an option, of a pallet that knows nothing of wrappers.
    let scene = Scene::new(RUNTIME);
    let some = variant("Some", 1, vec![scene.leaf(1).to_value()]);
    let call = scene.call("Crowdloan.create", vec![("call", some)]);
    assert_eq!(
        scene.outcomes(&call, &["Crowdloan.Created"]),
        ["/ ok", "/0 unknown"]
    );
    let list = scene.nested(&call, &[]);
    assert_eq!(list[1].origin, Origin::Other("Crowdloan.create".into()));
    assert_eq!(
        list[0].call.arg("call"),
        Some(&variant("Some", 1, vec![Value::Unit]))
    );
    assert_eq!(list[1].call, scene.leaf(1));
}

/// The forms of extrinsics that nobody signs, through their bytes.
#[test]
fn unsigned_and_general() {
    let scene = Scene::new("subtensor_spec393_v16");
    let mut xt = scene.signed(&scene.leaf(1));
    let extensions = std::mem::take(&mut xt.extensions);
    for version in [4, 5] {
        let bare = Extrinsic {
            version,
            kind: ExtrinsicKind::Bare,
            ..xt.clone()
        };
        let back = through_bytes(&scene, &bare);
        assert_eq!(
            nested_calls(&scene.meta, &back, &[])[0].origin,
            Origin::None
        );
        assert_eq!(
            (back.signer(), back.nonce(), back.era()),
            (None, None, None)
        );
    }
    let general = Extrinsic {
        version: 5,
        kind: ExtrinsicKind::General {
            extension_version: 0,
        },
        extensions,
        ..xt.clone()
    };
    let back = through_bytes(&scene, &general);
    assert_eq!((back.nonce(), back.tip()), (Some(0), Some(0)));
    let origin = &nested_calls(&scene.meta, &back, &[])[0].origin;
    assert_eq!(*origin, Origin::Other("transaction extensions".into()));
    // Signed needs version 4, general version 5 and a known set of extensions.
    let mut wrong = general.clone();
    wrong.version = 4;
    assert!(encode_extrinsic(&scene.meta, &wrong).is_err());
    wrong.version = 5;
    wrong.kind = ExtrinsicKind::General {
        extension_version: 3,
    };
    let error = encode_extrinsic(&scene.meta, &wrong).unwrap_err();
    assert_eq!(error.entry, "extensions of version 3");
}

fn through_bytes(scene: &Scene, xt: &Extrinsic) -> Extrinsic {
    let raw = encode_extrinsic(&scene.meta, xt).unwrap();
    let back = decode_extrinsic(&scene.meta, &raw).unwrap();
    assert_eq!(
        (&back.kind, &back.extensions, &back.call),
        (&xt.kind, &xt.extensions, &xt.call)
    );
    assert_eq!(back.version, xt.version);
    assert_eq!(encode_extrinsic(&scene.meta, &back).unwrap(), raw);
    back
}

#[test]
fn dispatch_errors_in_words() {
    let scene = Scene::new(RUNTIME);
    let error = dispatch_error(&scene.meta, &scene.error());
    assert_eq!(
        error.to_string(),
        "Balances.InsufficientBalance: Balance too low to send value."
    );
    // The older form: one byte.
    let module = Value::Composite(vec![
        (Some("index".into()), number(8, 5)),
        (Some("error".into()), number(8, 2)),
    ]);
    let older = dispatch_error(&scene.meta, &variant("Module", 3, vec![module]));
    assert_eq!(older, error);
    let gone = Value::Composite(vec![
        (Some("index".into()), number(8, 200)),
        (Some("error".into()), number(8, 2)),
    ]);
    let gone = dispatch_error(&scene.meta, &variant("Module", 3, vec![gone]));
    assert_eq!(gone, DispatchError::Other("Module(200, 2)".into()));
    let other = |value: &Value| dispatch_error(&scene.meta, value).to_string();
    assert_eq!(other(&variant("BadOrigin", 2, vec![])), "BadOrigin");
    let token = variant("Token", 7, vec![variant("FundsUnavailable", 0, vec![])]);
    assert_eq!(other(&token), "Token.FundsUnavailable");
    assert_eq!(other(&Value::Unit), "nothing instead of an error");
}

#[test]
fn outcomes_of_extrinsics() {
    let scene = Scene::new(RUNTIME);
    let xt = scene.signed(&scene.leaf(1));
    let own =
        |events: &[Event]| extrinsic_outcome(&scene.meta, &xt, &events.iter().collect::<Vec<_>>());
    let nothing = own(&[]);
    assert_eq!(
        (nothing.success, nothing.fee, nothing.tip),
        (None, None, Some(0))
    );
    let paid = scene.event(
        "TransactionPayment.TransactionFeePaid",
        vec![
            ("who", Value::Account(ALICE.0)),
            ("actual_fee", number(64, 1234)),
            ("tip", number(64, 34)),
        ],
    );
    let mut events = vec![paid];
    events.extend(scene.events(&["!System.ExtrinsicFailed"]));
    let failed = own(&events);
    assert_eq!(
        (failed.success, failed.fee, failed.tip),
        (Some(false), Some(1234), Some(34))
    );
    assert_eq!(
        failed.error,
        Some(dispatch_error(&scene.meta, &scene.error()))
    );
    let fine = own(&scene.events(&["System.ExtrinsicSuccess"]));
    assert_eq!(
        (fine.success, fine.error, fine.fee),
        (Some(true), None, None)
    );
    let _ = id(BOB);
}
