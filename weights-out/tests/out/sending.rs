//! What arrives at the node is the plan, signed by the key of the file.

use chain_metadata::{
    AccountId, Era, ExtrinsicKind, H256, Value, blake2_256, decode_extrinsic, encode_call,
};
use scoring::local::sn42::chain::{Route, Row};
use weights_out::key::verify;
use weights_out::order::{Order, OrderError};
use weights_out::submit::{SubmitError, prepare, send};

use super::{extrinsics, meta, node_at, numbers, order, recording, signer, some_row, state};

fn genesis() -> H256 {
    recording().genesis_hash
}

/// The signature over the bytes that the runtime will put together, by hand.
fn assert_signed(raw: &[u8], birth: u32, nonce: u64) {
    let recording = recording();
    let meta = meta(&recording, 300);
    let found = decode_extrinsic(&meta, raw).unwrap();
    let era = Era::Mortal {
        period: 64,
        phase: u64::from(birth) % 64,
    };
    assert_eq!(
        (found.era(), found.nonce(), found.tip()),
        (Some(era), Some(nonce), Some(0))
    );
    let call = encode_call(&meta, &found.call).unwrap();
    // Version, kind of address, account, kind of signature, signature; then the extensions.
    let skip = raw.len() - found.call_position(&call);
    let body = &raw[skip..];
    assert_eq!((body[0], body[1], body[34]), (0x84, 0, 1));
    let extra = &body[99..body.len() - call.len()];
    let implicit = [
        &300_u32.to_le_bytes()[..],
        &1_u32.to_le_bytes(),
        &recording.genesis_hash.0,
        &recording.block(birth).unwrap().hash.0,
        &[0],
    ]
    .concat();
    let mut payload = [call.as_slice(), extra, &implicit].concat();
    if payload.len() > 256 {
        payload = blake2_256(&payload).0.to_vec();
    }
    let ExtrinsicKind::Signed {
        signature: Value::Variant { fields, .. },
        ..
    } = &found.kind
    else {
        panic!("{:?}", found.kind)
    };
    let signature = fields[0].1.as_bytes().unwrap();
    assert!(verify(&found.signer().unwrap(), &payload, signature));
}

trait Position {
    fn call_position(&self, call: &[u8]) -> usize;
}

impl Position for chain_metadata::Extrinsic {
    /// Bytes behind the length in front.
    fn call_position(&self, call: &[u8]) -> usize {
        let prefix = match self.raw_len {
            0..=64 => 1,
            65..=16_385 => 2,
            _ => 4,
        };
        assert!(self.raw_len > prefix + call.len());
        self.raw_len - prefix
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_arrives_as_planned() {
    let (played, node) = node_at(60).await;
    let (folder, _, signer) = signer();
    let order = order(signer.account(), Route::Direct);
    let prepared = prepare(&node, order, None, genesis()).await.unwrap();
    assert!(played.submitted().is_empty());
    let sent = send(&node, &prepared, &signer, folder.path())
        .await
        .unwrap();
    assert_eq!(played.submitted(), std::slice::from_ref(&sent.extrinsic));
    assert_eq!(sent.following.extrinsic, blake2_256(&sent.extrinsic));
    assert_eq!((sent.following.after, sent.following.last), (60, 123));
    let found = decode_extrinsic(&meta(&recording(), 300), &sent.extrinsic).unwrap();
    assert_eq!(found.signer(), Some(signer.account()));
    assert_eq!(found.call.full_name(), "SubtensorModule.set_weights");
    assert_eq!(found.call.arg("netuid").unwrap().as_u16(), Some(2));
    assert_eq!(found.call.arg("version_key").unwrap().as_u64(), Some(7));
    let row = Row {
        uids: numbers(&found.call, "dests"),
        values: numbers(&found.call, "weights"),
    };
    assert_eq!(row, some_row());
    assert_signed(&sent.extrinsic, 60, 0);

    // The next one has the next nonce, although no block has the first yet.
    played.advance(1);
    let next = super::order(signer.account(), Route::Direct);
    let prepared = prepare(&node, next, None, genesis()).await.unwrap();
    let sent = send(&node, &prepared, &signer, folder.path())
        .await
        .unwrap();
    assert_signed(&sent.extrinsic, 61, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nonce_of_an_account_is_the_states() {
    // A recorded validator had sent so many before.
    let recording = recording();
    let (_, last) = extrinsics(&recording, 83)
        .into_iter()
        .find(|(_, found)| &*found.call.name == "set_weights")
        .unwrap();
    let (_played, node) = node_at(82).await;
    let nonce = node.next_nonce(&last.signer().unwrap()).await.unwrap();
    assert_eq!(Some(nonce), last.nonce());
    assert!(nonce > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_row_is_signed_by_its_hash() {
    let (played, node) = node_at(70).await;
    let (folder, _, signer) = signer();
    let row = Row {
        uids: (0..256).collect(),
        values: (1..=256).collect(),
    };
    let order = Order::new(
        signer.account(),
        state(1, false),
        Route::Direct,
        row.clone(),
        0,
    );
    let prepared = prepare(&node, order.unwrap(), None, genesis())
        .await
        .unwrap();
    assert_eq!(prepared.unsigned.payload().len(), 32);
    let sent = send(&node, &prepared, &signer, folder.path())
        .await
        .unwrap();
    assert_signed(&played.submitted()[0], 70, 0);
    let found = decode_extrinsic(&prepared.metadata, &sent.extrinsic).unwrap();
    assert_eq!(numbers(&found.call, "weights"), row.values);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_would_refuse_is_not_sent() {
    let (played, node) = node_at(60).await;
    let (folder, _, signer) = signer();
    let mut poor = state(1, false);
    (poor.stake, poor.stake_threshold) = (Some(5), 6);
    let error = Order::new(signer.account(), poor, Route::Direct, some_row(), 0).unwrap_err();
    assert!(
        error.to_string().contains("NotEnoughStakeToSetWeights"),
        "{error}"
    );
    let error = Order::new(
        signer.account(),
        state(1, true),
        Route::Direct,
        some_row(),
        0,
    );
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("CommitRevealEnabled")
    );
    let mut free = state(1, false);
    free.min_allowed = 0;
    let error = Order::new(signer.account(), free, Route::Direct, Row::default(), 0);
    assert_eq!(error.unwrap_err(), OrderError::Empty);

    // A plan for somebody else.
    let stranger = order(AccountId([9; 32]), Route::Direct);
    let prepared = prepare(&node, stranger, None, genesis()).await.unwrap();
    let error = send(&node, &prepared, &signer, folder.path())
        .await
        .unwrap_err();
    assert!(matches!(error, SubmitError::Key { .. }), "{error}");

    // A node of another chain.
    played.faults().genesis(Some(H256([1; 32])));
    let mine = order(signer.account(), Route::Direct);
    let error = prepare(&node, mine, None, genesis()).await.unwrap_err();
    assert!(matches!(error, SubmitError::Chain { .. }), "{error}");
    assert!(played.submitted().is_empty());
}
