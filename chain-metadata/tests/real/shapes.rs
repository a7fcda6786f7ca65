//! Types are told by what their bytes look like, not by what they are called.

use chain_metadata::{
    MetadataError, ScaleError, Shape, Types, Value, decode_all, decode_type, encode_type, skip_type,
};
use scale_info::form::PortableForm;
use scale_info::{
    Field, Path, PortableRegistryBuilder, Type, TypeDefArray, TypeDefBitSequence, TypeDefCompact,
    TypeDefComposite, TypeDefPrimitive, TypeDefSequence, TypeDefTuple, TypeDefVariant, Variant,
};
use serde_json::json;

type AnyType = Type<PortableForm>;

fn ty(path: &[&str], def: impl Into<scale_info::TypeDef<PortableForm>>) -> AnyType {
    let segments = path.iter().map(|segment| (*segment).to_owned());
    Type::new(Path::from_segments_unchecked(segments), vec![], def, vec![])
}

fn field(name: Option<&str>, ty: u32) -> Field<PortableForm> {
    Field::new(name.map(str::to_owned), ty.into(), None, vec![])
}

fn composite(path: &[&str], fields: Vec<Field<PortableForm>>) -> AnyType {
    ty(path, TypeDefComposite::new(fields))
}

/// A registry in the making.
#[derive(Default)]
struct Book(PortableRegistryBuilder);

impl Book {
    fn add(&mut self, ty: AnyType) -> u32 {
        self.0.register_type(ty)
    }

    fn primitive(&mut self, primitive: TypeDefPrimitive) -> u32 {
        self.add(ty(&[], primitive))
    }

    fn newtype(&mut self, name: &str, inner: u32) -> u32 {
        self.add(composite(&["some_crate", name], vec![field(None, inner)]))
    }

    fn vec(&mut self, item: u32) -> u32 {
        self.add(ty(&[], TypeDefSequence::new(item.into())))
    }

    fn finish(&self) -> Types {
        Types::new(&self.0.finish()).unwrap()
    }
}

fn uint(width: u8, value: u128) -> Value {
    Value::Uint { width, value }
}

fn round_trip(types: &Types, ty: u32, bytes: &[u8]) -> Value {
    let value = decode_all(types, ty, bytes).unwrap();
    let mut out = Vec::new();
    encode_type(types, ty, &value, &mut out).unwrap();
    assert_eq!(out, bytes);
    let mut rest = bytes;
    skip_type(types, ty, &mut rest).unwrap();
    assert!(rest.is_empty());
    value
}

#[test]
fn a_newtype_around_a_u16_changes_nothing() {
    // A row (netuid, [uid, weight]…, who) as two runtimes declare it: with bare numbers, and with
    // each of them wrapped, some of them twice.
    let row = |wrap: bool| {
        let mut book = Book::default();
        let u16_type = book.primitive(TypeDefPrimitive::U16);
        let u8_type = book.primitive(TypeDefPrimitive::U8);
        let (mut netuid, mut uid, mut weight, mut byte) = (u16_type, u16_type, u16_type, u8_type);
        if wrap {
            netuid = book.newtype("NetUid", u16_type);
            netuid = book.newtype("Id", netuid);
            uid = book.newtype("Uid", u16_type);
            weight = book.newtype("PerU16", u16_type);
            byte = book.newtype("Byte", u8_type);
        }
        let pair = book.add(ty(
            &[],
            TypeDefTuple::new_portable([uid.into(), weight.into()]),
        ));
        let mut pairs = book.vec(pair);
        let mut text = book.vec(byte);
        let mut fixed = book.add(ty(&[], TypeDefArray::new(2, byte.into())));
        let compact = book.add(ty(&[], TypeDefCompact::new(netuid.into())));
        if wrap {
            pairs = book.newtype("BoundedVec", pairs);
            text = book.newtype("BoundedVec", text);
            fixed = book.newtype("H16", fixed);
        }
        let row = book.add(composite(
            &["pallet", "Row"],
            vec![
                field(Some("netuid"), netuid),
                field(Some("weights"), pairs),
                field(Some("text"), text),
                field(Some("fixed"), fixed),
                field(Some("compact"), compact),
            ],
        ));
        (book.finish(), row)
    };
    let bytes = [
        7, 0, 8, 1, 0, 0xff, 0xff, 2, 0, 3, 0, 12, 1, 2, 3, 0xaa, 0xbb, 0x15, 0x01,
    ];
    let (bare_types, bare) = row(false);
    let (wrapped_types, wrapped) = row(true);
    let value = round_trip(&bare_types, bare, &bytes);
    assert_eq!(round_trip(&wrapped_types, wrapped, &bytes), value);
    let expected = json!({
        "netuid": 7, "weights": [[1, 65535], [2, 3]], "text": "0x010203", "fixed": "0xaabb",
        "compact": 69,
    });
    assert_eq!(value.to_json(42), expected);
}

#[test]
fn a_struct_with_a_named_field_is_kept() {
    let mut book = Book::default();
    let inner = book.primitive(TypeDefPrimitive::U64);
    let fixed = book.add(composite(&["FixedU128"], vec![field(Some("bits"), inner)]));
    let empty = book.add(composite(&["Nothing"], vec![]));
    let pair = book.add(composite(
        &["Pair"],
        vec![field(None, fixed), field(None, empty)],
    ));
    let types = book.finish();
    let value = round_trip(&types, fixed, &[1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(value.field("bits"), Some(&uint(64, 1)));
    assert_eq!(round_trip(&types, empty, &[]), Value::Unit);
    let value = round_trip(&types, pair, &[1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(value.to_json(42), json!([{"bits": "1"}, null]));
}

#[test]
fn accounts_and_wide_numbers() {
    let mut book = Book::default();
    let u8_type = book.primitive(TypeDefPrimitive::U8);
    let u64_type = book.primitive(TypeDefPrimitive::U64);
    let bytes32 = book.add(ty(&[], TypeDefArray::new(32, u8_type.into())));
    let words = book.add(ty(&[], TypeDefArray::new(4, u64_type.into())));
    let path = &["sp_core", "crypto", "AccountId32"];
    let account = book.add(composite(path, vec![field(None, bytes32)]));
    let hotkey = book.newtype("Hotkey", account);
    let wide = book.add(composite(
        &["primitive_types", "U256"],
        vec![field(None, words)],
    ));
    // The name alone does not make an account.
    let number = book.add(composite(&["AccountId32"], vec![field(None, u64_type)]));
    let types = book.finish();
    assert_eq!(
        round_trip(&types, hotkey, &[7; 32]),
        Value::Account([7; 32])
    );
    assert_eq!(
        round_trip(&types, bytes32, &[7; 32]),
        Value::Bytes(vec![7; 32])
    );
    assert_eq!(
        round_trip(&types, number, &[1, 0, 0, 0, 0, 0, 0, 0]),
        uint(64, 1)
    );
    let mut bytes = [0; 32];
    bytes[8] = 1;
    assert_eq!(
        round_trip(&types, wide, &bytes).to_json(42),
        json!("18446744073709551616")
    );
}

#[test]
fn leaves() {
    let mut book = Book::default();
    let text = book.primitive(TypeDefPrimitive::Str);
    let letter = book.primitive(TypeDefPrimitive::Char);
    let flag = book.primitive(TypeDefPrimitive::Bool);
    let small = book.primitive(TypeDefPrimitive::I16);
    let wide = book.primitive(TypeDefPrimitive::I256);
    let types = book.finish();
    assert_eq!(
        round_trip(&types, text, b"\x14h\xc3\xa9ya"),
        Value::Str("héya".into())
    );
    assert_eq!(
        round_trip(&types, letter, &[0xe9, 0, 0, 0]),
        Value::Char('é')
    );
    assert_eq!(round_trip(&types, flag, &[1]), Value::Bool(true));
    let minus = Value::Int {
        width: 16,
        value: -2,
    };
    assert_eq!(round_trip(&types, small, &[0xfe, 0xff]), minus);
    assert_eq!(
        round_trip(&types, wide, &[0xff; 32]).to_json(42),
        json!("-1")
    );
    assert_eq!(
        decode_all(&types, text, b"\x08\xc3\x28"),
        Err(ScaleError::InvalidUtf8)
    );
    assert_eq!(
        decode_all(&types, letter, &[0, 0xd8, 0, 0]),
        Err(ScaleError::InvalidChar(0xd800))
    );
    assert_eq!(
        decode_all(&types, flag, &[2]),
        Err(ScaleError::InvalidBool(2))
    );
    let end = ScaleError::UnexpectedEnd { needed: 2, left: 1 };
    assert_eq!(decode_all(&types, small, &[1]), Err(end));
    assert_eq!(
        decode_all(&types, flag, &[1, 2]),
        Err(ScaleError::TrailingBytes { left: 1 })
    );
    assert_eq!(
        decode_all(&types, 99, &[1]),
        Err(ScaleError::UnknownType(99))
    );
}

#[test]
fn bit_sequences() {
    let mut book = Book::default();
    let orders = ["Lsb0", "Msb0", "Other0"].map(|name| {
        let path = &["bitvec", "order", name];
        book.add(composite(path, vec![]))
    });
    let stores = [
        TypeDefPrimitive::U8,
        TypeDefPrimitive::U16,
        TypeDefPrimitive::U32,
    ];
    let stores = stores.map(|store| book.primitive(store));
    let bits = |store: u32, order: u32| {
        ty(
            &[],
            TypeDefBitSequence::new_portable(store.into(), order.into()),
        )
    };
    let lsb8 = book.add(bits(stores[0], orders[0]));
    let msb8 = book.add(bits(stores[0], orders[1]));
    let msb16 = book.add(bits(stores[1], orders[1]));
    let lsb32 = book.add(bits(stores[2], orders[0]));
    let other = book.add(bits(stores[0], orders[2]));
    let types = book.finish();
    let of = |text: &str| Value::Bits(text.chars().map(|bit| bit == '1').collect());
    assert_eq!(
        round_trip(&types, lsb8, &[40, 0b1000_0001, 0b10]),
        of("1000000101")
    );
    assert_eq!(
        round_trip(&types, msb8, &[40, 0b1000_0001, 0b0100_0000]),
        of("1000000101")
    );
    // The word is little-endian, its first bit the highest of the second byte.
    assert_eq!(
        round_trip(&types, msb16, &[40, 0b0100_0000, 0b1000_0001]),
        of("1000000101")
    );
    assert_eq!(round_trip(&types, lsb32, &[12, 5, 0, 0, 0]), of("101"));
    assert_eq!(round_trip(&types, lsb32, &[0]), of(""));
    assert_eq!(
        decode_all(&types, lsb8, &[8, 0b101]),
        Err(ScaleError::BitsAfterEnd)
    );
    assert_eq!(
        decode_all(&types, lsb8, &[40, 1]),
        Err(ScaleError::LengthTooLarge { length: 2, left: 1 })
    );
    assert_eq!(
        decode_all(&types, other, &[0]),
        Err(ScaleError::UnknownBitSequence(other))
    );
}

#[test]
fn enums_with_holes() {
    let mut book = Book::default();
    let byte = book.primitive(TypeDefPrimitive::U8);
    let variant = |name: &str, index: u8, fields: Vec<Field<PortableForm>>| Variant {
        name: name.to_owned(),
        fields,
        index,
        docs: vec![],
    };
    let variants = vec![
        variant("Late", 9, vec![field(Some("x"), byte)]),
        variant("First", 0, vec![]),
        variant("Fifth", 5, vec![field(None, byte), field(None, byte)]),
    ];
    let holes = book.add(ty(&["Holes"], TypeDefVariant::new(variants)));
    let types = book.finish();
    assert_eq!(
        round_trip(&types, holes, &[9, 3]).to_json(42),
        json!({"Late": {"x": 3}})
    );
    assert_eq!(
        round_trip(&types, holes, &[5, 3, 4]).to_json(42),
        json!({"Fifth": [3, 4]})
    );
    assert_eq!(round_trip(&types, holes, &[0]).to_json(42), json!("First"));
    let error = decode_all(&types, holes, &[1]).unwrap_err();
    assert_eq!(error.to_string(), "the enum `Holes` has no variant 1");
    // Encoding goes by name; an index that does not fit it is corrected.
    let by_hand = Value::Variant {
        name: "Late".into(),
        index: 0,
        fields: vec![(None, uint(16, 3))],
    };
    let mut out = Vec::new();
    encode_type(&types, holes, &by_hand, &mut out).unwrap();
    assert_eq!(out, [9, 3]);
    let too_large = Value::Variant {
        name: "Late".into(),
        index: 9,
        fields: vec![(None, uint(16, 256))],
    };
    let error = encode_type(&types, holes, &too_large, &mut out).unwrap_err();
    assert_eq!(error.to_string(), "the u16 256 does not fit the type `u8`");
}

#[test]
fn lengths_are_checked_before_memory_is_taken() {
    let mut book = Book::default();
    let wide = book.primitive(TypeDefPrimitive::U128);
    let unit = book.add(ty(&[], TypeDefTuple::new_portable([])));
    let numbers = book.vec(wide);
    let units = book.vec(unit);
    let types = book.finish();
    // Four thousand million numbers are announced.
    let announced = [3, 0xff, 0xff, 0xff, 0xff, 0, 0];
    let error = decode_all(&types, numbers, &announced).unwrap_err();
    assert_eq!(
        error,
        ScaleError::LengthTooLarge {
            length: u32::MAX.into(),
            left: 2
        }
    );
    let error = decode_all(&types, units, &announced[..5]).unwrap_err();
    assert!(matches!(error, ScaleError::TooManyEmptyItems { .. }));
    assert_eq!(
        round_trip(&types, units, &[12]),
        Value::Seq(vec![Value::Unit; 3])
    );
}

#[test]
fn nesting_has_an_end() {
    // enum Tree { Leaf, Node(Vec<Tree>) }, deeper and deeper.
    let mut book = Book::default();
    let node = |name: &str, index, fields| Variant::<PortableForm> {
        name: name.into(),
        fields,
        index,
        docs: vec![],
    };
    let variants = vec![
        node("Leaf", 0, vec![]),
        node("Node", 1, vec![field(None, 1)]),
    ];
    let tree = book.add(ty(&["Tree"], TypeDefVariant::new(variants)));
    assert_eq!(book.vec(tree), 1);
    let types = book.finish();
    let deep = |levels: usize| {
        let mut bytes = [1, 4].repeat(levels);
        bytes.push(0);
        bytes
    };
    round_trip(&types, tree, &deep(400));
    for levels in [401, 100_000] {
        let bytes = deep(levels);
        let error = decode_type(&types, tree, &mut bytes.as_slice()).unwrap_err();
        assert_eq!(error, ScaleError::TooDeep { limit: 800 });
        assert_eq!(skip_type(&types, tree, &mut bytes.as_slice()), Err(error));
    }
}

#[test]
fn broken_registries_are_refused() {
    let refused = |book: Book| Types::new(&book.0.finish()).unwrap_err();
    let mut book = Book::default();
    book.newtype("Lost", 7);
    let error = refused(book);
    assert_eq!(
        error,
        MetadataError::MissingType {
            place: "type 0".into(),
            ty: 7
        }
    );
    let mut book = Book::default();
    book.newtype("Ouroboros", 0);
    assert!(matches!(
        refused(book),
        MetadataError::UnexpectedShape { .. }
    ));
    let mut book = Book::default();
    book.newtype("Egg", 1);
    book.newtype("Hen", 0);
    assert!(matches!(
        refused(book),
        MetadataError::UnexpectedShape { .. }
    ));
    let mut book = Book::default();
    book.primitive(TypeDefPrimitive::U8);
    let mut registry = book.0.finish();
    registry.types[0].id = 3;
    assert!(matches!(
        Types::new(&registry),
        Err(MetadataError::UnexpectedShape { .. })
    ));
    // A list of itself is strange, but has values.
    let mut book = Book::default();
    let list = book.vec(0);
    let types = book.finish();
    assert_eq!(round_trip(&types, list, &[8, 0, 4, 0]).items().len(), 2);
    assert!(matches!(types.get(list).unwrap().shape, Shape::Sequence(0)));
}
