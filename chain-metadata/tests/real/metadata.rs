//! Metadata of many runtimes, in three versions of the format.

use std::collections::HashSet;

use chain_metadata::{Hasher, Metadata, MetadataError, Registry, Shape, Types, runtime_api_output};

use crate::support::{bytes, metadata, metadata_names};

#[test]
fn all_load() {
    let names = metadata_names();
    assert_eq!(names.len(), 21);
    let mut versions = HashSet::new();
    for name in names {
        let meta = metadata(&name);
        versions.insert(meta.version());
        assert_eq!(meta.ss58_prefix(), 42, "{name}");
        assert!(meta.pallets().len() >= 9, "{name} {}", meta.pallets().len());
        let module = meta.pallet("SubtensorModule").unwrap();
        assert_eq!(
            meta.pallet_by_index(module.index).unwrap().name,
            "SubtensorModule"
        );
        assert!(
            module.storage.len() >= 30,
            "{name} {}",
            module.storage.len()
        );
        for entry in meta.pallets().iter().flat_map(|pallet| &pallet.storage) {
            assert_eq!(entry.hashers.len(), entry.keys.len());
            let found = meta.storage_by_key(&entry.key_of_encoded(&[])).unwrap();
            assert_eq!((&found.pallet, &found.name), (&entry.pallet, &entry.name));
            // The runtime itself wrote the defaults, so they must decode.
            let default = entry.default_value(meta.types()).unwrap();
            assert_eq!(default.is_none(), entry.optional);
        }
        for pallet in meta.pallets() {
            for constant in &pallet.constants {
                let (ty, value) = meta.constant(&pallet.name, &constant.name).unwrap();
                let decoded = chain_metadata::decode_all(meta.types(), *ty, value).unwrap();
                let mut encoded = Vec::new();
                chain_metadata::encode_type(meta.types(), *ty, &decoded, &mut encoded).unwrap();
                assert_eq!(encoded, value, "{name} {}.{}", pallet.name, constant.name);
            }
        }
    }
    assert_eq!(versions, HashSet::from([14, 15, 16]));
}

#[test]
fn spec_versions_are_those_of_the_runtimes() {
    // Three files are of a build shortly before the release they are named for.
    for (name, spec) in [
        ("upgrades_spec103_v14", 103),
        ("upgrades_spec119_v14", 119),
        ("upgrades_spec143_v14", 143),
        ("subtensor_spec165_v15", 165),
        ("subtensor_spec246_v15", 240),
        ("mini_spec300_v14", 300),
        ("mini_spec300_v15", 300),
        ("subtensor_spec351_v16", 346),
        ("subtensor_spec393_v16", 393),
        ("subtensor_spec423_v16", 381),
        ("localdevnet_spec461_v15", 461),
    ] {
        assert_eq!(metadata(name).spec_version(), Ok(spec), "{name}");
    }
}

#[test]
fn versions_of_one_runtime_agree() {
    for group in [
        vec!["subtensor_spec315_v14", "subtensor_spec315_v15"],
        vec![
            "subtensor_spec393_v14",
            "subtensor_spec393_v15",
            "subtensor_spec393_v16",
        ],
        vec!["localdevnet_spec439_v14", "localdevnet_spec439_v15"],
        vec!["mini_spec300_v14", "mini_spec300_v15"],
    ] {
        let first = metadata(group[0]);
        for other in &group[1..] {
            let other = metadata(other);
            assert_eq!(first.spec_version(), other.spec_version());
            agree(&first, &other);
        }
    }
}

#[test]
fn different_runtimes_do_not_agree() {
    let (old, new) = (
        metadata("upgrades_spec103_v14"),
        metadata("upgrades_spec119_v14"),
    );
    let same = std::panic::catch_unwind(|| agree(&old, &new));
    assert!(
        same.is_err(),
        "the comparison sees no difference between two runtimes"
    );
}

fn agree(a: &Metadata, b: &Metadata) {
    assert_eq!(a.pallets().len(), b.pallets().len());
    let mut shapes = Pairs::new(a.types(), b.types());
    for (a, b) in a.pallets().iter().zip(b.pallets()) {
        assert_eq!((&a.name, a.index), (&b.name, b.index));
        for (what, a_ty, b_ty) in [
            ("calls", a.calls, b.calls),
            ("events", a.events, b.events),
            ("errors", a.errors, b.errors),
        ] {
            assert_eq!(a_ty.is_some(), b_ty.is_some(), "{} {what}", a.name);
            if let (Some(a_ty), Some(b_ty)) = (a_ty, b_ty) {
                shapes
                    .same(a_ty, b_ty)
                    .unwrap_or_else(|e| panic!("{} {what}: {e}", a.name));
            }
        }
        assert_eq!(a.storage.len(), b.storage.len(), "{}", a.name);
        for (x, y) in a.storage.iter().zip(&b.storage) {
            let place = format!("{}.{}", x.pallet, x.name);
            assert_eq!((&x.name, x.prefix), (&y.name, y.prefix));
            assert_eq!(
                (&x.hashers, x.optional, &x.default),
                (&y.hashers, y.optional, &y.default)
            );
            assert_eq!(x.keys.len(), y.keys.len(), "{place}");
            for (x, y) in x.keys.iter().zip(&y.keys) {
                shapes
                    .same(*x, *y)
                    .unwrap_or_else(|e| panic!("key of {place}: {e}"));
            }
            shapes
                .same(x.value, y.value)
                .unwrap_or_else(|e| panic!("value of {place}: {e}"));
        }
        assert_eq!(a.constants.len(), b.constants.len());
        for (x, y) in a.constants.iter().zip(&b.constants) {
            assert_eq!((&x.name, &x.value), (&y.name, &y.value));
        }
    }
    let (x, y) = (a.extrinsic(), b.extrinsic());
    shapes.same(x.call, y.call).unwrap();
    shapes.same(x.address, y.address).unwrap();
    shapes.same(x.signature, y.signature).unwrap();
    assert_eq!(x.extensions.len(), y.extensions.len());
    for (x, y) in x.extensions.iter().zip(&y.extensions) {
        assert_eq!(x.name, y.name);
        shapes.same(x.ty, y.ty).unwrap();
        shapes.same(x.implicit, y.implicit).unwrap();
    }
    assert_eq!(x.extension_versions, y.extension_versions);
}

/// Types of two registries that are the same, or are being compared.
struct Pairs<'a> {
    a: &'a Types,
    b: &'a Types,
    seen: HashSet<(u32, u32)>,
}

impl<'a> Pairs<'a> {
    fn new(a: &'a Types, b: &'a Types) -> Self {
        let seen = HashSet::new();
        Pairs { a, b, seen }
    }

    fn same(&mut self, a: u32, b: u32) -> Result<(), String> {
        if !self.seen.insert((a, b)) {
            return Ok(());
        }
        let (x, y) = (self.a.get(a).unwrap(), self.b.get(b).unwrap());
        let differ = || Err(format!("{x:?} is not {y:?}"));
        match (&x.shape, &y.shape) {
            (Shape::Sequence(x), Shape::Sequence(y)) => self.same(*x, *y),
            (Shape::Array { len: n, item: x }, Shape::Array { len: m, item: y }) if n == m => {
                self.same(*x, *y)
            }
            (Shape::Tuple(x), Shape::Tuple(y)) if x.len() == y.len() => {
                x.iter().zip(y).try_for_each(|(x, y)| self.same(*x, *y))
            }
            (Shape::Composite(x), Shape::Composite(y)) => self.same_fields(x, y),
            (Shape::Variant(x), Shape::Variant(y)) if x.all().len() == y.all().len() => {
                x.all().iter().zip(y.all()).try_for_each(|(x, y)| {
                    if (&x.name, x.index) != (&y.name, y.index) {
                        return Err(format!(
                            "{} {} is not {} {}",
                            x.name, x.index, y.name, y.index
                        ));
                    }
                    self.same_fields(&x.fields, &y.fields)
                })
            }
            (Shape::Composite(_) | Shape::Variant(_) | Shape::Sequence(_), _) => differ(),
            // Leaves have no type numbers inside, so their text is all there is to them.
            (x_leaf, y_leaf) if format!("{x_leaf:?}") == format!("{y_leaf:?}") => Ok(()),
            _ => differ(),
        }
    }

    fn same_fields(
        &mut self,
        a: &[chain_metadata::Field],
        b: &[chain_metadata::Field],
    ) -> Result<(), String> {
        if a.len() != b.len() {
            return Err(format!("{a:?} is not {b:?}"));
        }
        a.iter().zip(b).try_for_each(|(a, b)| {
            if a.name != b.name {
                return Err(format!("field {:?} is not {:?}", a.name, b.name));
            }
            self.same(a.ty, b.ty)
        })
    }
}

#[test]
fn wrappers_of_the_runtime_api_are_taken_off() {
    let raw = bytes("metadata/upgrades_spec103_v14.scale");
    let mut behind_length = Vec::new();
    parity_scale_codec::Encode::encode_to(&raw, &mut behind_length);
    let mut in_option = vec![1];
    in_option.extend(&behind_length);
    for form in [&behind_length, &in_option] {
        assert_eq!(Metadata::from_bytes(form).unwrap().spec_version(), Ok(103));
        let mut longer = form.clone();
        longer.push(0);
        assert_eq!(
            Metadata::from_bytes(&longer).unwrap_err(),
            MetadataError::TrailingBytes(1)
        );
        let shorter = &form[..form.len() - 1];
        let damaged = Metadata::from_bytes(shorter).unwrap_err();
        assert!(
            matches!(damaged, MetadataError::Damaged { version: 14, .. }),
            "{damaged}"
        );
    }
    assert_eq!(
        Metadata::from_bytes(&[0]).unwrap_err(),
        MetadataError::Absent
    );
    let mut longer = raw.clone();
    longer.extend([1, 2, 3]);
    assert_eq!(
        Metadata::from_bytes(&longer).unwrap_err(),
        MetadataError::TrailingBytes(3)
    );
    assert!(Metadata::from_bytes(&raw[..1000]).is_err());
    let mut other = raw.clone();
    other[4] = 13;
    assert_eq!(
        Metadata::from_bytes(&other).unwrap_err(),
        MetadataError::UnsupportedVersion(13)
    );
    for bad in [&b""[..], b"met", b"atem\x0e", b"meta", &[0xff; 64]] {
        assert!(matches!(
            Metadata::from_bytes(bad).unwrap_err(),
            MetadataError::NotMetadata { .. }
        ));
    }
}

#[test]
fn the_registry_keeps_runtimes_apart() {
    let registry = Registry::new();
    let raw = bytes("metadata/upgrades_spec103_v14.scale");
    let error = registry.insert(104, &raw).unwrap_err();
    assert_eq!(
        error,
        MetadataError::WrongSpec {
            wanted: 104,
            found: 103
        }
    );
    assert!(registry.get(104).is_none() && registry.specs().is_empty());
    let first = registry.insert(103, &raw).unwrap();
    let again = registry.insert(103, b"not even looked at").unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    registry
        .insert(119, &bytes("metadata/upgrades_spec119_v14.scale"))
        .unwrap();
    assert_eq!(registry.specs(), [103, 119]);
}

#[test]
fn runtime_apis_are_known_from_version_15_on() {
    let (old, new) = (
        metadata("localdevnet_spec439_v14"),
        metadata("localdevnet_spec439_v15"),
    );
    assert_eq!(
        runtime_api_output(&old, "SubnetInfoRuntimeApi", "get_metagraph"),
        None
    );
    let output = runtime_api_output(&new, "SubnetInfoRuntimeApi", "get_metagraph").unwrap();
    let method = new
        .runtime_api_by_call("SubnetInfoRuntimeApi_get_metagraph")
        .unwrap();
    assert_eq!((method.output, method.inputs.len()), (output, 1));
    assert_eq!(
        runtime_api_output(&new, "SubnetInfoRuntimeApi", "no_such"),
        None
    );
}

#[test]
fn storage_prefix_is_not_the_pallet_name_where_they_differ() {
    // The frontier pallets keep theirs under their own name, every other as it is called.
    let meta = metadata("localdevnet_spec439_v15");
    let entry = meta.storage("SubtensorModule", "Tempo").unwrap();
    assert_eq!(
        hex::encode(entry.prefix),
        "658faa385070e074c85bf6b568cf05557641384bb339f3758acddfd7053d3317"
    );
    assert_eq!(entry.hashers, [Hasher::Identity]);
    assert!(meta.storage("SubtensorModule", "NoSuchEntry").is_none());
    assert!(meta.storage_by_key(&[1; 40]).is_none());
    assert!(meta.storage_by_key(&entry.prefix[..31]).is_none());
}
