//! Real extrinsics of mainnet blocks 5012778 to 5012780, and the events of block 7959608.

use chain_metadata::{
    AccountId, DecodeCause, Era, ExtrinsicKind, Origin, Phase, ScaleError, decode_events,
    decode_extrinsic, encode_events, encode_extrinsic, nested_calls,
};
use serde_json::Value as Json;

use crate::compare::{same_as_explorer, same_members};
use crate::support::{json, metadata, unhex};

#[test]
fn fifty_mainnet_extrinsics_agree_with_the_explorer() {
    let meta = metadata("subtensor_spec246_v15");
    let recorded = json("blocks/extrinsics_5012778_5012780.raw.json");
    let explorer = json("explorer/api_extrinsic_v1.json");
    let explained = explorer["data"].as_array().unwrap();
    let mut signed = 0;
    for recorded in recorded["extrinsics"].as_array().unwrap() {
        let id = &recorded["id"];
        let raw = unhex(&recorded["raw"]);
        let xt = decode_extrinsic(&meta, &raw).unwrap_or_else(|e| panic!("{id}: {e}"));
        assert_eq!(encode_extrinsic(&meta, &xt).unwrap(), raw, "{id}");
        assert_eq!(recorded["hash"], xt.hash.to_string(), "{id}");
        assert_eq!(xt.raw_len, raw.len());
        assert_eq!(recorded["call"], xt.call.full_name(), "{id}");

        let theirs = explained.iter().find(|other| other["id"] == *id).unwrap();
        assert_eq!(theirs["hash"], xt.hash.to_string(), "{id}");
        assert_eq!(theirs["version"], xt.version, "{id}");
        assert_eq!(theirs["full_name"], xt.call.full_name(), "{id}");
        let args = xt.call.args.iter().map(|(name, value)| (&**name, value));
        same_members(args.collect(), &theirs["call_args"], 0)
            .unwrap_or_else(|e| panic!("{id}: {e}"));
        match &xt.kind {
            ExtrinsicKind::Signed { address, signature } => {
                signed += 1;
                let sent = &theirs["signature"];
                same_as_explorer(address, &sent["address"]).unwrap();
                same_as_explorer(signature, &sent["signature"]).unwrap();
                let signer: AccountId = theirs["signer_address"].as_str().unwrap().parse().unwrap();
                assert_eq!(xt.signer(), Some(signer));
                let extensions = &sent["signedExtensions"];
                assert_eq!(extensions["checkNonce"], xt.nonce().unwrap());
                assert_eq!(
                    extensions["chargeTransactionPayment"],
                    xt.tip().unwrap().to_string()
                );
                assert_eq!(theirs["tip"], xt.tip().unwrap().to_string());
                let era = xt.extension("CheckMortality").unwrap();
                same_as_explorer_era(era, &extensions["checkMortality"]);
                let mode = xt.extension("CheckMetadataHash").unwrap();
                same_as_explorer(mode, &extensions["checkMetadataHash"]).unwrap();
                check_nested(&meta, &xt, &theirs["call_args"]);
            }
            other => {
                assert_eq!(*other, ExtrinsicKind::Bare);
                assert_eq!(theirs["signer_address"], Json::Null);
                assert_eq!((xt.signer(), xt.nonce(), xt.tip()), (None, None, None));
            }
        }
    }
    assert_eq!(
        (recorded["extrinsics"].as_array().unwrap().len(), signed),
        (50, 47)
    );
}

/// The explorer names the variants of an era by its first byte.
fn same_as_explorer_era(era: &chain_metadata::Value, theirs: &Json) {
    same_as_explorer(era, theirs).unwrap();
    match Era::from_value(era).unwrap() {
        Era::Immortal => assert_eq!(theirs["__kind"], "Immortal"),
        Era::Mortal { period, phase } => {
            let kind = theirs["__kind"].as_str().unwrap();
            let first: u64 = kind.strip_prefix("Mortal").unwrap().parse().unwrap();
            let encoded = first + 256 * theirs["value"].as_u64().unwrap();
            assert_eq!(period, 1 << ((encoded % 16) + 1));
            assert_eq!(phase, encoded / 16);
            assert!(phase < period);
        }
    }
}

fn check_nested(meta: &chain_metadata::Metadata, xt: &chain_metadata::Extrinsic, args: &Json) {
    let list = nested_calls(meta, xt, &[]);
    let inner = args["calls"].as_array().map_or(0, Vec::len);
    assert_eq!(list.len(), 1 + inner);
    for (at, call) in list.iter().skip(1).enumerate() {
        assert_eq!(call.path, [u32::try_from(at).unwrap()]);
        assert_eq!(call.origin, Origin::Signed(xt.signer().unwrap()));
        assert_eq!(args["calls"][at]["value"]["__kind"], *call.call.name);
    }
}

#[test]
fn errors_have_the_words_of_the_explorer() {
    let meta = metadata("subtensor_spec246_v15");
    let explorer = json("explorer/api_extrinsic_v1.json");
    let failed = explorer["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|xt| !xt["error"].is_null());
    let mut checked = 0;
    for xt in failed {
        let theirs = &xt["error"];
        assert_eq!(theirs["pallet"], "subtensorModule");
        let module = meta.pallet("SubtensorModule").unwrap();
        let errors = meta.types().variants(module.errors.unwrap()).unwrap();
        let error = errors.by_name(theirs["name"].as_str().unwrap()).unwrap();
        assert_eq!(theirs["extra_info"], error.docs);
        let (pallet, again) = meta.error(module.index, error.index).unwrap();
        assert_eq!((&pallet.name, &again.name), (&module.name, &error.name));
        checked += 1;
    }
    assert_eq!(checked, 16);
}

#[test]
fn trailing_and_missing_bytes_are_counted() {
    let meta = metadata("subtensor_spec246_v15");
    let recorded = json("blocks/extrinsics_5012778_5012780.raw.json");
    for recorded in recorded["extrinsics"].as_array().unwrap().iter().take(8) {
        let raw = unhex(&recorded["raw"]);
        let mut longer = raw.clone();
        longer.extend([0; 3]);
        let error = decode_extrinsic(&meta, &longer).unwrap_err();
        assert_eq!(
            error.cause,
            DecodeCause::Scale(ScaleError::TrailingBytes { left: 3 })
        );
        assert_eq!(
            error.to_string(),
            "cannot decode extrinsic.length: 3 bytes are left after the value"
        );
        // The same inside the announced length.
        let mut inner = raw.clone();
        inner.push(7);
        let announced = u32::from_le_bytes([raw[0], raw[1], 0, 0]) + 4;
        if raw[0] & 3 == 1 && announced < 1 << 16 {
            inner[..2].copy_from_slice(&announced.to_le_bytes()[..2]);
            let error = decode_extrinsic(&meta, &inner).unwrap_err();
            assert_eq!(
                error.cause,
                DecodeCause::Scale(ScaleError::TrailingBytes { left: 1 })
            );
            assert_eq!(
                recorded["call"],
                format!("{}.{}", error.pallet, error.entry)
            );
        }
        for end in 0..raw.len() {
            assert!(decode_extrinsic(&meta, &raw[..end]).is_err());
        }
    }
    let unsupported = decode_extrinsic(&meta, &[4, 0x83]).unwrap_err();
    assert_eq!(unsupported.cause, DecodeCause::UnsupportedExtrinsic(0x83));
}

#[test]
fn all_events_of_block_7959608_decode() {
    let recorded = json("blocks/events_7959608.json");
    let raw = unhex(&recorded["raw"]);
    for name in [
        "subtensor_spec393_v14",
        "subtensor_spec393_v15",
        "subtensor_spec393_v16",
    ] {
        let meta = metadata(name);
        let events = decode_events(&meta, &raw).unwrap();
        assert_eq!(events.len(), 166);
        assert_eq!(encode_events(&meta, &events).unwrap(), raw);
        for (at, event) in events.iter().enumerate() {
            assert_eq!(usize::try_from(event.index), Ok(at));
        }
        let sets = events
            .iter()
            .filter(|event| event.is("System", "ExtrinsicSuccess"));
        assert!(sets.count() > 1);
        let initial = events
            .iter()
            .filter(|event| event.phase == Phase::Initialization)
            .count();
        assert_eq!(initial, 30);
        let mut longer = raw.clone();
        longer.push(0);
        let error = decode_events(&meta, &longer).unwrap_err();
        assert_eq!(
            error.cause,
            DecodeCause::Scale(ScaleError::TrailingBytes { left: 1 })
        );
        let error = decode_events(&meta, &raw[..raw.len() - 1]).unwrap_err();
        assert!(error.entry.ends_with("(event 165)"), "{error}");
    }
}
