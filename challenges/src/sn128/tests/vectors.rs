use super::super::cpu::{Seed, hashes, matrices, row_bytes, row_hash, rows};
use super::super::gpu::{Side, element, expected, row_hash as fnv, seed_hash};
use super::super::merkle::{Astray, Proof, leads, proofs, root, strict};
use super::super::wire::Targets;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn leaves(number: u8) -> Vec<String> {
    (0..number)
        .map(|byte| hex::encode(Sha256::digest([byte]))[..16].to_owned())
        .collect()
}

#[test]
fn roots_and_ways() {
    let leaves = leaves(5);
    assert_eq!(
        leaves,
        [
            "6e340b9cffb37a98",
            "4bf5122f344554c5",
            "dbc1b4c900ffe48d",
            "084fed08b978af4d",
            "e52d9c508c502347"
        ]
    );
    let root_of = |number| root(&leaves[..number]).unwrap();
    assert_eq!(root_of(1), "6e340b9cffb37a98");
    let root2 = "342056731fc2e91da529e9ef101f35587d7091ad4995e85f8f1525072c4b66a0";
    assert_eq!(root_of(2), root2);
    assert_eq!(
        root_of(5),
        "9a2b31f522288ee446b0b6e8f066a4546a3df872aebe5f3d44a5f3dbb5a32475"
    );
    assert_eq!(root(&[]), None);
    let found = proofs(&leaves, &[2, 4]).unwrap();
    assert_eq!(
        found[0].proof_hashes,
        [
            "084fed08b978af4d",
            root2,
            "14e5997c35c3e32884ec72c931f267462c9a6e50e03deded05ba3f3234c722bc"
        ]
    );
    assert_eq!(found[0].proof_directions, [true, false, true]);
    assert_eq!(
        found[1].proof_hashes,
        [
            "e52d9c508c502347",
            "5fcbdb6e5823091b02cd75e9a8bfab8e42732c011c18c331dedf1daa2b0a098e",
            "84b279076945c020a242374defca272deee777bace08128ad2ad58502334916c"
        ]
    );
    assert_eq!(found[1].proof_directions, [true, true, false]);
    assert_eq!(proofs(&leaves, &[5]), None);
}

fn seed() -> Seed {
    Seed::from_hex("00000001000000000000000000000000").unwrap()
}

#[test]
fn whole_numbers_of_a_seed() {
    let (a, b) = matrices(seed(), 4);
    assert_eq!(
        a,
        [
            [-463, -265, 408, -428],
            [267, 405, 215, 145],
            [347, 460, -356, -371],
            [472, 83, 249, 8]
        ]
    );
    assert_eq!(
        b,
        [
            [-110, -219, -322, -224],
            [-246, -143, 414, -32],
            [407, -248, -10, 168],
            [425, -102, 62, 80]
        ]
    );
    let product = rows(seed(), 4, &[0, 1], 1);
    assert_eq!(
        product,
        [
            [100_276, 81_764, 8_760, 146_496],
            [20_130, -184_498, 88_536, -25_048]
        ]
    );
    let all = hashes(seed(), 4, 1);
    assert_eq!(
        all,
        [
            "17d2906fc5054186",
            "4317738a27ac46b1",
            "6d89b2b1711bb1c8",
            "d6ff85348c25109e"
        ]
    );
    assert_eq!(
        root(&all).unwrap(),
        "b03052be5cf37f7228796960c013e2f58248abf545be89b663a62c73d92e4c32"
    );
    let twice = rows(seed(), 4, &[0], 2);
    assert_eq!(twice, [[34_681_816, -50_767_768, 10_556_576, -11_886_912]]);
    assert_eq!(row_bytes(&[1, -1])[..9], [1, 0, 0, 0, 0, 0, 0, 0, 255]);
    assert!(Seed::from_hex("00").is_err() && Seed::from_hex(&"g".repeat(32)).is_err());
}

#[test]
fn fractions_of_a_seed() {
    let hash = seed_hash("00112233445566778899aabbccddeeff", "GPU-aaaa");
    assert_eq!(hash, 790_365_007_136_311_084);
    let a: Vec<f64> = (0..4).map(|k| element(hash, 3, k, Side::A)).collect();
    assert_eq!(
        a,
        [
            0.858_581_542_968_75,
            0.315_704_345_703_125,
            -0.081_665_039_062_5,
            -0.124_542_236_328_125
        ]
    );
    let b: Vec<f64> = (0..4).map(|k| element(hash, k, 5, Side::B)).collect();
    assert_eq!(
        b,
        [
            0.587_646_484_375,
            0.249_572_753_906_25,
            -0.887_786_865_234_375,
            -0.587_982_177_734_375
        ]
    );
    assert_eq!(expected(hash, 8, 3, 5, 1), 0.925_699_100_829_660_9);
    assert_eq!(expected(hash, 8, 3, 5, 3), 0.925_699_100_829_660_9 * 3.0);
    assert_eq!(fnv(&[0.0]).unwrap(), "af63bd4c8601b7df");
    assert_eq!(fnv(&[1.0, -1.0, 0.5]).unwrap(), "3c9112032104c7b7");
    let row: Vec<f64> = (0..8)
        .map(|column| expected(hash, 8, 3, column, 1))
        .collect();
    assert_eq!(fnv(&row).unwrap(), "a357258755a2ed31");
    assert_eq!(fnv(&[1.0, 70_000.0]), Err(1));
}

#[test]
fn targets_on_the_wire() {
    let json = "[[3,4],[1,2],[7,null]]";
    let targets: Targets = serde_json::from_str(json).unwrap();
    assert_eq!(
        (targets.coordinates.len(), targets.rows.as_slice()),
        (2, &[7][..])
    );
    assert_eq!(serde_json::to_string(&targets).unwrap(), json);
}

/// A way that the original takes for that of leaf 0, though it is that of leaf 1.
#[test]
fn the_way_of_another_leaf_is_told_apart() {
    let leaves = leaves(5);
    let root = root(&leaves).unwrap();
    let way = proofs(&leaves, &[1]).unwrap().remove(0);
    assert_eq!(strict(&way, 5), Ok(()));
    let claimed = Proof {
        leaf_index: 0,
        ..way.clone()
    };
    assert!(leads(&claimed, &root));
    assert_eq!(
        strict(&claimed, 5),
        Err(Astray::Direction { index: 0, level: 0 })
    );
    assert!(matches!(
        strict(&way, 9),
        Err(Astray::Length { wanted: 4, .. })
    ));
    assert!(matches!(strict(&way, 1), Err(Astray::Outside { .. })));
    let odd = proofs(&leaves, &[4]).unwrap().remove(0);
    assert_eq!(strict(&odd, 5), Ok(()));
    assert_eq!(strict(&odd, 6), Ok(()));
    let mut foreign = odd;
    foreign.proof_hashes[0] = "00".into();
    assert_eq!(strict(&foreign, 5), Err(Astray::Odd { index: 4, level: 0 }));
    // More hashes than directions: the original does not look at the rest.
    let mut more = way;
    more.proof_hashes.push("00".into());
    assert!(leads(&more, &root));
    assert!(matches!(
        strict(&more, 5),
        Err(Astray::Length {
            hashes: 4,
            directions: 3,
            ..
        })
    ));
}

proptest! {
    #[test]
    fn every_way_leads_to_the_root(number in 1_u8..40, index: u32) {
        let leaves = leaves(number);
        let (index, number) = (index % u32::from(number), u32::from(number));
        let root = root(&leaves).unwrap();
        let way = proofs(&leaves, &[index]).unwrap().remove(0);
        prop_assert!(leads(&way, &root));
        prop_assert_eq!(strict(&way, number), Ok(()));
        for other in (0..number).filter(|other| *other != index) {
            let claimed = Proof { leaf_index: other, ..way.clone() };
            prop_assert!(strict(&claimed, number).is_err());
        }
    }

    #[test]
    fn a_way_forged_anywhere_leads_elsewhere(
        number in 2_u8..40, index: u32, level: prop::sample::Index, place: prop::sample::Index,
        turn: bool,
    ) {
        let leaves = leaves(number);
        let root = root(&leaves).unwrap();
        let index = index % u32::from(number);
        let mut way = proofs(&leaves, &[index]).unwrap().remove(0);
        let level = level.index(way.proof_hashes.len());
        let own = way.proof_hashes[level].clone();
        if turn {
            way.proof_directions[level] = !way.proof_directions[level];
            // Where a last node is put together with itself both turns are one.
            let two = way.proof_hashes.iter().zip(&way.proof_directions).take(level)
                .fold(way.leaf_hash.clone(), |hash, (other, right)| {
                    let pair = if *right { hash + other } else { other.clone() + &hash };
                    hex::encode(Sha256::digest(pair.as_bytes()))
                });
            prop_assume!(two != own);
        } else {
            let place = place.index(own.len());
            let digit = if &own[place..=place] == "0" { "1" } else { "0" };
            way.proof_hashes[level].replace_range(place..=place, digit);
        }
        prop_assert!(!leads(&way, &root));
    }

    #[test]
    fn some_rows_are_those_of_all(size in 1_usize..12, wanted in prop::collection::vec(0_usize..12, 0..5), times in 1_u32..4) {
        let wanted: Vec<usize> = wanted.into_iter().map(|row| row % size).collect();
        let all = hashes(seed(), size, times);
        for (row, at) in rows(seed(), size, &wanted, times).iter().zip(&wanted) {
            prop_assert_eq!(&row_hash(row), &all[*at]);
        }
    }
}
