//! Whatever decodes encodes back; whatever is encoded decodes back; nothing panics.

use std::sync::Arc;

use chain_metadata::{
    Call, Metadata, NestedCall, Shape, Types, Value, decode_all, decode_call, decode_events,
    decode_extrinsic, decode_type, encode_call, encode_events, encode_extrinsic, encode_type,
    extrinsic_json, nested_calls, skip_type, storage_json,
};
use proptest::prelude::*;

use crate::scene::Scene;
use crate::support::{bytes, metadata};

/// Random numbers from a seed that proptest can shrink and repeat.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.roll() & 1 == 1
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from(self.roll() % limit).unwrap()
    }

    fn wide(&mut self, bits: u8) -> u128 {
        let number = (u128::from(self.roll()) << 64) | u128::from(self.roll());
        // Small numbers are as interesting as large ones.
        let bits = u32::from(bits);
        let keep = 1 + u32::try_from(self.below(usize::try_from(bits).unwrap())).unwrap();
        number >> (128 - keep)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.roll().to_le_bytes()[0]).collect()
    }

    fn array(&mut self) -> [u8; 32] {
        self.bytes(32).try_into().unwrap()
    }

    fn character(&mut self) -> char {
        char::from_u32(u32::from_le_bytes(self.bytes(4).try_into().unwrap()) >> 11).unwrap_or('x')
    }

    /// A value of a type; deep down, enums and lists become as small as they can be.
    fn value(&mut self, types: &Types, ty: u32, depth: usize) -> Value {
        let deep = depth > 12;
        let fields = |dice: &mut Dice, fields: &[chain_metadata::Field]| {
            let values = fields
                .iter()
                .map(|field| (field.name.clone(), dice.value(types, field.ty, depth + 1)));
            values.collect::<Vec<(Option<Arc<str>>, Value)>>()
        };
        match &types.get(ty).unwrap().shape {
            Shape::Bool => Value::Bool(self.coin()),
            Shape::Char => Value::Char(self.character()),
            Shape::Str => Value::Str((0..self.below(9)).map(|_| self.character()).collect()),
            Shape::Uint(width) | Shape::Compact(width) => Value::Uint {
                width: *width,
                value: self.wide(*width),
            },
            Shape::Int(width) => {
                let half = i128::try_from(self.wide(*width) >> 1).unwrap();
                Value::Int {
                    width: *width,
                    value: if self.coin() { half } else { -half - 1 },
                }
            }
            Shape::U256 => Value::U256(self.array()),
            Shape::I256 => Value::I256(self.array()),
            Shape::Account => Value::Account(self.array()),
            Shape::Bytes => {
                let count = self.below(80);
                Value::Bytes(self.bytes(count))
            }
            Shape::ByteArray(len) => Value::Bytes(self.bytes(usize::try_from(*len).unwrap())),
            Shape::Sequence(item) => {
                let none = deep || is_empty(types, *item, 0);
                let count = if none { 0 } else { self.below(4) };
                Value::Seq(
                    (0..count)
                        .map(|_| self.value(types, *item, depth + 1))
                        .collect(),
                )
            }
            Shape::Array { len, item } => Value::Seq(
                (0..*len)
                    .map(|_| self.value(types, *item, depth + 1))
                    .collect(),
            ),
            Shape::Tuple(items) => Value::Tuple(
                items
                    .iter()
                    .map(|ty| self.value(types, *ty, depth + 1))
                    .collect(),
            ),
            Shape::Unit => Value::Unit,
            Shape::Composite(list) => Value::Composite(fields(self, list)),
            Shape::Variant(variants) => {
                let all = variants.all().iter();
                let all: Vec<_> = all
                    .filter(|v| !v.fields.iter().any(|f| is_empty(types, f.ty, 0)))
                    .collect();
                let chosen = if deep {
                    all.iter()
                        .min_by_key(|variant| variant.fields.len())
                        .unwrap()
                } else {
                    all[self.below(all.len())]
                };
                Value::Variant {
                    name: chosen.name.clone(),
                    index: chosen.index,
                    fields: fields(self, &chosen.fields),
                }
            }
            Shape::BitSequence { .. } => {
                Value::Bits((0..self.below(70)).map(|_| self.coin()).collect())
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Failing seeds are printed; nothing is written beside the sources.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

/// Whether a type has no values, because it is or needs an enum without variants.
fn is_empty(types: &Types, ty: u32, depth: usize) -> bool {
    let needs = |fields: &[chain_metadata::Field]| {
        depth < 12
            && fields
                .iter()
                .any(|field| is_empty(types, field.ty, depth + 1))
    };
    match &types.get(ty).unwrap().shape {
        Shape::Variant(variants) => variants.all().iter().all(|variant| needs(&variant.fields)),
        Shape::Composite(fields) => needs(fields),
        Shape::Tuple(items) => depth < 12 && items.iter().any(|ty| is_empty(types, *ty, depth + 1)),
        _ => false,
    }
}

fn recent() -> Arc<Metadata> {
    metadata("localdevnet_spec439_v15")
}

/// Lists the calls in an extrinsic and renders it all: must work for any call.
fn look_at(meta: &Metadata, call: &Call) -> Vec<NestedCall> {
    let mut xt = Scene::new("localdevnet_spec439_v15").signed(call);
    xt.index = 3;
    let nested = nested_calls(meta, &xt, &[]);
    let json = extrinsic_json(meta, &xt, &nested, None);
    assert_eq!(json["nested"].as_array().unwrap().len(), nested.len() - 1);
    nested
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn calls_survive(seed: u64) {
        let meta = recent();
        let types = meta.types();
        let value = Dice(seed).value(types, meta.extrinsic().call, 0);
        let mut raw = Vec::new();
        encode_type(types, meta.extrinsic().call, &value, &mut raw).unwrap();
        prop_assert_eq!(&decode_all(types, meta.extrinsic().call, &raw).unwrap(), &value);
        let call = decode_call(&meta, &raw).unwrap();
        prop_assert_eq!(call.to_value(), value);
        prop_assert_eq!(encode_call(&meta, &call).unwrap(), raw);
        look_at(&meta, &call);
    }

    #[test]
    fn values_of_every_type_survive(seed: u64) {
        let meta = recent();
        let types = meta.types();
        let mut dice = Dice(seed);
        for _ in 0..16 {
            let ty = u32::try_from(dice.below(types.len())).unwrap();
            if is_empty(types, ty, 0) {
                continue;
            }
            let value = dice.value(types, ty, 8);
            let mut raw = Vec::new();
            encode_type(types, ty, &value, &mut raw).unwrap();
            prop_assert_eq!(&decode_all(types, ty, &raw).unwrap(), &value);
            let mut rest = raw.as_slice();
            skip_type(types, ty, &mut rest).unwrap();
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn events_survive(seed: u64, count in 0usize..6) {
        let meta = recent();
        let entry = meta.storage("System", "Events").unwrap();
        let mut dice = Dice(seed);
        let Shape::Sequence(record) = meta.types().get(entry.value).unwrap().shape else {
            panic!("events are no list");
        };
        let records: Vec<Value> =
            (0..count).map(|_| dice.value(meta.types(), record, 4)).collect();
        let mut raw = Vec::new();
        encode_type(meta.types(), entry.value, &Value::Seq(records), &mut raw).unwrap();
        let events = decode_events(&meta, &raw).unwrap();
        prop_assert_eq!(events.len(), count);
        prop_assert_eq!(encode_events(&meta, &events).unwrap(), raw);
    }

    #[test]
    fn random_bytes_never_panic(seed: u64, raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        let meta = recent();
        let types = meta.types();
        let _ = Metadata::from_bytes(&raw);
        let _ = decode_events(&meta, &raw);
        let _ = decode_extrinsic(&meta, &raw);
        let _ = storage_json(&meta, &raw, Some(&raw));
        if let Ok(call) = decode_call(&meta, &raw) {
            prop_assert_eq!(encode_call(&meta, &call).unwrap(), raw.clone());
        }
        let mut dice = Dice(seed);
        for _ in 0..16 {
            let ty = u32::try_from(dice.below(types.len())).unwrap();
            let (mut rest, mut skipped) = (raw.as_slice(), raw.as_slice());
            let decoded = decode_type(types, ty, &mut rest);
            let skip = skip_type(types, ty, &mut skipped);
            prop_assert_eq!(decoded.is_ok(), skip.is_ok());
            if let Ok(value) = decoded {
                prop_assert_eq!(rest, skipped);
                let mut again = Vec::new();
                encode_type(types, ty, &value, &mut again).unwrap();
                prop_assert_eq!(&again, &raw[..raw.len() - rest.len()]);
            }
        }
    }

    #[test]
    fn damaged_extrinsics_never_panic(seed: u64) {
        let meta = recent();
        let mut dice = Dice(seed);
        let value = dice.value(meta.types(), meta.extrinsic().call, 0);
        let call = Call::from_value(&value).unwrap();
        let scene = Scene::new("localdevnet_spec439_v15");
        let mut raw = encode_extrinsic(&meta, &scene.signed(&call)).unwrap();
        for _ in 0..4 {
            let at = dice.below(raw.len());
            raw[at] = dice.roll().to_le_bytes()[0];
            if let Ok(xt) = decode_extrinsic(&meta, &raw) {
                prop_assert_eq!(&encode_extrinsic(&meta, &xt).unwrap(), &raw);
            }
        }
        raw.truncate(dice.below(raw.len()));
        let _ = decode_extrinsic(&meta, &raw);
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn damaged_metadata_never_panics(seed: u64) {
        static RAW: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut raw =
            RAW.get_or_init(|| bytes("metadata/upgrades_spec119_v14.scale")).clone();
        let mut dice = Dice(seed);
        for _ in 0..=dice.below(3) {
            let at = 5 + dice.below(raw.len() - 5);
            raw[at] = dice.roll().to_le_bytes()[0];
        }
        if dice.below(8) == 0 {
            raw.truncate(dice.below(raw.len()));
        }
        let Ok(meta) = Metadata::from_bytes(&raw) else {
            return Ok(());
        };
        let _ = (meta.spec_version(), meta.ss58_prefix());
        for _ in 0..20 {
            let noise = dice.bytes(64);
            let _ = decode_events(&meta, &noise);
            let _ = decode_call(&meta, &noise);
            let _ = decode_extrinsic(&meta, &noise);
            for entry in meta.pallets().iter().flat_map(|pallet| &pallet.storage).take(40) {
                let _ = entry.decode_value(meta.types(), &noise);
                let _ = entry.default_value(meta.types());
            }
        }
    }
}

#[test]
fn the_deepest_batch_is_handled_on_a_small_stack() {
    let meta = recent();
    let leaf = encode_call(&meta, &Scene::new("localdevnet_spec439_v15").leaf(1)).unwrap();
    let deep = move |levels: usize| {
        let mut raw = [11, 0, 4].repeat(levels);
        raw.extend(&leaf);
        raw
    };
    // Threads of the pipeline have 2 MiB.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let work = move || {
        let raw = deep(260);
        let call = decode_call(&meta, &raw).unwrap();
        assert_eq!(encode_call(&meta, &call).unwrap(), raw);
        let nested = look_at(&meta, &call);
        assert_eq!((nested.len(), nested[260].path.len()), (261, 260));
        assert!(call.clone() == call && !call.to_value().to_json(42).is_null());
        drop((call, nested));
        for levels in [300, 100_000] {
            assert!(decode_call(&meta, &deep(levels)).is_err());
        }
    };
    thread.spawn(work).unwrap().join().unwrap();
}
