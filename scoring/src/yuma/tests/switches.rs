//! Every switch, on both sides of its spec version.
//!
//! Where the switch changes numbers of the epoch, both sides are computed and asserted. The values were confirmed by the independent reference, whose random subnets
//! stand on both sides of each boundary too.

use super::subnet::{outputs, subnet};
use crate::fixed::I64F64;
use crate::yuma::{EpochError, EpochInputs, EpochOutputs, Row, YumaRules, epoch};

fn rules(spec: u32) -> YumaRules {
    YumaRules::for_spec(spec).unwrap()
}

/// The outputs of two spec versions for the same changed subnet.
fn both(old: u32, new: u32, change: impl Fn(&mut EpochInputs<'static>)) -> [EpochOutputs; 2] {
    assert_eq!(old + 1, new);
    [old, new].map(|spec| {
        let mut inputs = subnet(spec);
        change(&mut inputs);
        outputs(&inputs)
    })
}

#[test]
fn from_108_active_stake_needs_a_permit() {
    let [old, new] = both(107, 108, |inputs| {
        inputs.validator_permit.to_mut()[0] = false
    });
    assert_eq!(old.consensus, [0, 0, 0, 19555, 21844, 3259]);
    assert_eq!(new.consensus, [0, 0, 0, 19555, 42719, 3259]);
    assert_eq!(old.incentive, [0, 0, 0, 28696, 32055, 4782]);
    assert_eq!(new.incentive, [0, 0, 0, 22411, 39388, 3735]);
}

#[test]
fn from_116_pruning_scores_are_upscaled() {
    let [old, new] = both(115, 116, |_| ());
    assert_eq!(
        old.pruning_scores.as_deref(),
        Some(&[19019, 11678, 2070, 18908, 12878, 980][..])
    );
    assert_eq!(
        new.pruning_scores.as_deref(),
        Some(&[65535, 40241, 7133, 65154, 44375, 3380][..])
    );
}

#[test]
fn from_120_inputs_are_whole_numbers() {
    // Only the last bits differ: enough emission makes them visible.
    let [old, new] = both(119, 120, |inputs| inputs.emission = Some(1 << 62));
    let combined = |outputs: &EpochOutputs| outputs.emission.clone().unwrap().combined;
    assert_eq!(
        combined(&old),
        [
            1338367958614802432,
            821801068567461888,
            145673980957687808,
            1330594913917599744,
            906226663031832576,
            69021431190519808
        ]
    );
    assert_eq!(
        combined(&new),
        [
            1338367958614802432,
            821801068567461888,
            145673980957687808,
            1330594912843857920,
            906226663031832576,
            69021431190519808
        ]
    );
}

#[test]
fn from_120_bonds_are_upscaled() {
    let [old, new] = both(119, 120, |_| ());
    assert_eq!(
        old.bonds.row(0).unwrap(),
        [(3, 49651), (4, 23873), (5, 131)]
    );
    assert_eq!(
        new.bonds.row(0).unwrap(),
        [(3, 65535), (4, 43806), (5, 200)]
    );
    assert_eq!(old.bonds.row(2).unwrap(), [(3, 893), (4, 5946), (5, 43028)]);
    assert_eq!(
        new.bonds.row(2).unwrap(),
        [(3, 1178), (4, 10910), (5, 65535)]
    );
    assert_eq!(old.dividends, [38038, 23356, 4140, 0, 0, 0]);
    assert_eq!(new.dividends, [38038, 23356, 4140, 0, 0, 0]);
}

#[test]
fn from_121_emission_is_split() {
    let [old, new] = both(120, 121, |_| ());
    let (old, new) = (old.emission.unwrap(), new.emission.unwrap());
    let combined = [
        290_212_289,
        178_199_700,
        31_588_009,
        288_526_779,
        196_506_583,
        14_966_637,
    ];
    assert_eq!(
        (old.server, old.validator, old.combined),
        (None, None, combined.to_vec())
    );
    assert_eq!(
        new.server,
        Some(vec![0, 0, 0, combined[3], combined[4], combined[5]])
    );
    assert_eq!(
        new.validator,
        Some(vec![combined[0], combined[1], combined[2], 0, 0, 0])
    );
    assert_eq!(new.combined, combined);
}

#[test]
fn from_154_liquid_alpha_follows_quantiles() {
    let [old, new] = both(153, 154, |inputs| inputs.params.liquid_alpha = true);
    assert_eq!(old.dividends, [38038, 23356, 4140, 0, 0, 0]);
    assert_eq!(new.dividends, [38579, 16563, 10391, 0, 0, 0]);
    assert_eq!(
        old.bonds.row(0).unwrap(),
        [(3, 65535), (4, 43806), (5, 200)]
    );
    assert_eq!(
        new.bonds.row(0).unwrap(),
        [(3, 65535), (4, 65535), (5, 1896)]
    );
}

#[test]
fn from_233_bonds_come_from_penalised_weights() {
    let [old, new] = both(232, 233, |inputs| inputs.params.bonds_penalty = 32768);
    assert_eq!(old.dividends, [38038, 23356, 4140, 0, 0, 0]);
    assert_eq!(new.dividends, [37874, 23521, 4138, 0, 0, 0]);
    assert_eq!(
        old.bonds.row(2).unwrap(),
        [(3, 1178), (4, 10910), (5, 65535)]
    );
    assert_eq!(
        new.bonds.row(2).unwrap(),
        [(3, 1178), (4, 10440), (5, 65535)]
    );
}

#[test]
fn from_233_a_slope_that_does_not_fit_is_zero() {
    // The lower quartile of the consensus is what validator 0 gives miners 3 to 12, the upper one what validator 1 gives miners 13 to 22: 206558597 and 206558598 / 2^32.
    let [old, new] = both(232, 233, |inputs| {
        let rows = [(17418, 16352, 24472), (29304, 27151, 0), (0, 65535, 0)];
        let row = |(lower, upper, last): (u16, u16, u16)| -> Vec<(u16, u16)> {
            (3..24)
                .map(|uid| {
                    (
                        uid,
                        if uid < 13 {
                            lower
                        } else if uid < 23 {
                            upper
                        } else {
                            last
                        },
                    )
                })
                .collect()
        };
        inputs.n = 24;
        inputs.last_update = vec![990; 24].into();
        inputs.block_at_registration = vec![0; 24].into();
        inputs.validator_permit = (0..24).map(|uid| uid < 3).collect::<Vec<_>>().into();
        inputs.total_stake = (0..24)
            .map(|uid| [400, 400, 200].get(uid).copied().unwrap_or(0))
            .map(I64F64::saturating_from_u64)
            .collect::<Vec<_>>()
            .into();
        inputs.weights = (0..)
            .zip(rows)
            .map(|(uid, parts)| Row::owned(uid, row(parts)))
            .collect();
        inputs.bonds = vec![Row::owned(2, vec![(13, 65535)])];
        inputs.params.liquid_alpha = true;
        inputs.params.bonds_penalty = 65535;
    });
    assert_eq!(old.dividends[..3], [28338, 29223, 7972]);
    assert_eq!(new.dividends[..3], [28208, 29085, 8240]);
}

#[test]
fn from_252_the_owner_keeps_its_own_weight() {
    let [old, new] = both(251, 252, |inputs| {
        inputs.owner_uid = Some(1);
        inputs.weights[1].entries.to_mut().push((1, 65535));
        inputs.weights[1].entries.to_mut().sort();
    });
    assert_eq!(old.validator_trust, [65534, 44660, 46949, 0, 0, 0]);
    assert_eq!(new.validator_trust, [65534, 35656, 45663, 0, 0, 0]);
    assert_eq!(old.incentive, [0, 0, 0, 37817, 25756, 1961]);
    assert_eq!(new.incentive, [0, 0, 0, 37059, 27204, 1270]);
}

#[test]
fn from_257_the_bond_mask_counts_from_the_tempo() {
    // Miner 3 registered a tempo ago: after the validators' updates it was known, but the bonds of the epoch before are not its own.
    let [old, new] = both(256, 257, |inputs| {
        inputs.params.bonds_penalty = 65535;
        inputs.block_at_registration.to_mut()[3] = 901;
    });
    assert_eq!(old.dividends, [38038, 23356, 4140, 0, 0, 0]);
    assert_eq!(new.dividends, [35129, 21626, 8778, 0, 0, 0]);
}

#[test]
fn from_273_stake_has_a_threshold() {
    let [old, new] = both(272, 273, |inputs| inputs.params.stake_threshold = 300);
    assert_eq!(
        old.stake_weight.as_deref(),
        Some(&[32767, 19660, 13106, 0, 0, 0][..])
    );
    assert_eq!(
        new.stake_weight.as_deref(),
        Some(&[40959, 24575, 0, 0, 0, 0][..])
    );
}

#[test]
fn from_273_permits_need_stake() {
    let [old, new] = both(272, 273, |_| ());
    assert_eq!(old.validator_permit, [true; 6]);
    assert_eq!(
        new.validator_permit,
        [true, true, true, false, false, false]
    );
}

#[test]
fn from_273_yuma3() {
    let [old, new] = both(272, 273, |inputs| inputs.params.yuma3 = true);
    assert_eq!(old.dividends, [38038, 23356, 4140, 0, 0, 0]);
    assert_eq!(new.dividends, [45593, 17611, 2329, 0, 0, 0]);
    assert_eq!(
        old.bonds.row(0).unwrap(),
        [(3, 65535), (4, 43806), (5, 200)]
    );
    assert_eq!(new.bonds.row(0).unwrap(), [(3, 63346), (4, 38182), (5, 7)]);
}

#[test]
fn from_273_liquid_alpha_needs_yuma3() {
    let [old, new] = both(272, 273, |inputs| inputs.params.liquid_alpha = true);
    assert_eq!(old.dividends, [38579, 16563, 10391, 0, 0, 0]);
    assert_eq!(new.dividends, [38038, 23356, 4140, 0, 0, 0]);
}

#[test]
fn from_283_steepness_is_a_percentage() {
    let [old, new] = both(282, 283, |inputs| {
        inputs.params.yuma3 = true;
        inputs.params.liquid_alpha = true;
        inputs.params.alpha_sigmoid_steepness = 10;
    });
    assert_eq!(old.dividends, [42279, 15672, 7582, 0, 0, 0]);
    assert_eq!(new.dividends, [40857, 16206, 8471, 0, 0, 0]);
    assert_eq!(old.bonds.row(0).unwrap(), [(3, 49512), (4, 26921), (5, 47)]);
    assert_eq!(new.bonds.row(0).unwrap(), [(3, 48041), (4, 25478), (5, 53)]);
}

#[test]
fn from_297_commits_mask_weights() {
    let [old, new] = both(296, 297, |inputs| {
        inputs.params.commit_reveal = true;
        inputs.block_at_registration.to_mut()[4] = 950;
        inputs.commit_blocks = vec![949, 950, u64::MAX, u64::MAX, u64::MAX, u64::MAX].into();
    });
    assert_eq!(old.incentive, [0, 0, 0, 37817, 25756, 1961]);
    assert_eq!(new.incentive, [0, 0, 0, 50669, 12884, 1981]);
}

#[test]
fn from_320_all_bond_rows_are_rewritten() {
    let [old, new] = both(319, 320, |inputs| {
        inputs.validator_permit.to_mut()[2] = false;
        inputs.params.max_validators = 2;
    });
    for uid in [0, 1] {
        assert_eq!(old.bonds.row(uid).unwrap(), new.bonds.row(uid).unwrap());
    }
    assert_eq!(
        new.bonds.row(0).unwrap(),
        [(3, 65535), (4, 44698), (5, 6635)]
    );
    for uid in [2, 3, 4, 5] {
        assert_eq!(
            (old.bonds.row(uid), new.bonds.row(uid)),
            (None, Some(&[][..]))
        );
    }
}

#[test]
fn from_365_the_exponent_is_bounded() {
    let [old, new] = both(364, 365, |inputs| {
        inputs.params.yuma3 = true;
        inputs.params.liquid_alpha = true;
        inputs.params.alpha_sigmoid_steepness = 6000;
    });
    assert_eq!(old.dividends, [41644, 15020, 8870, 0, 0, 0]);
    assert_eq!(new.dividends, [42667, 15340, 7526, 0, 0, 0]);
    assert_eq!(old.bonds.row(0).unwrap(), [(3, 50211), (4, 27275), (5, 60)]);
    assert_eq!(new.bonds.row(0).unwrap(), [(3, 50211), (4, 27275), (5, 46)]);
}

#[test]
fn from_397_the_owner_is_privileged() {
    let [old, new] = both(396, 397, |inputs| {
        inputs.owner_uid = Some(2);
        inputs.validator_permit.to_mut()[2] = false;
        inputs.params.stake_threshold = 250;
    });
    assert_eq!(
        old.stake_weight.as_deref(),
        Some(&[40959, 24575, 0, 0, 0, 0][..])
    );
    assert_eq!(
        new.stake_weight.as_deref(),
        Some(&[32767, 19660, 13106, 0, 0, 0][..])
    );
    assert_eq!(
        old.validator_permit,
        [true, true, false, false, false, false]
    );
    assert_eq!(
        new.validator_permit,
        [true, true, true, false, false, false]
    );
    assert_eq!(old.incentive, [0, 0, 0, 40145, 25312, 77]);
    assert_eq!(new.incentive, [0, 0, 0, 37817, 25756, 1961]);
}

#[test]
fn from_423_activity_is_a_factor_of_the_tempo() {
    let [old, new] = both(422, 423, |inputs| {
        inputs.params.activity_cutoff = 9;
        inputs.params.activity_cutoff_factor_milli = 102;
    });
    assert_eq!(old.active, [false; 6]);
    assert_eq!(new.active, [true; 6]);
}

#[test]
fn from_423_the_bond_mask_counts_from_the_last_epoch() {
    let [old, new] = both(422, 423, |inputs| {
        inputs.last_step_block = 930;
        inputs.block_at_registration.to_mut()[3] = 920;
    });
    assert_eq!(old.dividends, [35129, 21626, 8778, 0, 0, 0]);
    assert_eq!(new.dividends, [38038, 23356, 4140, 0, 0, 0]);
}

#[test]
fn from_143_foreign_weights_are_skipped() {
    for foreign_row in [false, true] {
        let mut inputs = [142, 143].map(subnet);
        for inputs in &mut inputs {
            if foreign_row {
                inputs.weights.push(Row::owned(6, vec![(3, 1)]));
            } else {
                inputs.weights[0].entries.to_mut().push((6, 65535));
            }
        }
        let row = if foreign_row { 6 } else { 0 };
        let error = EpochError::ForeignUid {
            what: "weights",
            row,
            uid: 6,
            n: 6,
            spec: 142,
        };
        assert_eq!(epoch(&inputs[0]), Err(error));
        assert_eq!(
            outputs(&inputs[1]).incentive,
            outputs(&subnet(143)).incentive
        );
    }
}

#[test]
fn from_151_foreign_bonds_are_skipped() {
    let mut inputs = [150, 151].map(subnet);
    inputs
        .iter_mut()
        .for_each(|inputs| inputs.bonds.push(Row::owned(7, vec![(3, 1)])));
    let error = EpochError::ForeignUid {
        what: "bonds",
        row: 7,
        uid: 7,
        n: 6,
        spec: 150,
    };
    assert_eq!(epoch(&inputs[0]), Err(error));
    assert_eq!(outputs(&inputs[1]), outputs(&subnet(151)));
}

#[test]
fn from_195_stake_weight_is_stored_but_not_in_320_to_322() {
    for (spec, stored) in [
        (194, false),
        (195, true),
        (319, true),
        (320, false),
        (322, false),
        (323, true),
    ] {
        assert_eq!(
            outputs(&subnet(spec)).stake_weight.is_some(),
            stored,
            "{spec}"
        );
    }
}

#[test]
fn the_default_bonds_penalty_is_full_from_257() {
    // At 257 the mask of bonds changes too; it does not touch this subnet.
    let [old, new] = both(256, 257, |_| ());
    assert_eq!(old.dividends, [37748, 23678, 4107, 0, 0, 0]);
    assert_eq!(new.dividends, [38038, 23356, 4140, 0, 0, 0]);
    let defaults = |spec| rules(spec).defaults().params.bonds_penalty;
    assert_eq!(
        [232, 233, 256, 257, 425].map(defaults),
        [0, 0, 0, 65535, 65535]
    );
}

#[test]
fn commit_reveal_is_on_by_default_from_306() {
    let [old, new] = both(305, 306, |inputs| {
        inputs.block_at_registration.to_mut()[4] = 950;
        inputs.commit_blocks = vec![949, 950, u64::MAX, u64::MAX, u64::MAX, u64::MAX].into();
    });
    assert_eq!(old.incentive, [0, 0, 0, 37817, 25756, 1961]);
    assert_eq!(new.incentive, [0, 0, 0, 50669, 12884, 1981]);
}

#[test]
fn from_320_a_short_last_update_is_filled_up() {
    let mut inputs = [319, 320].map(subnet);
    inputs
        .iter_mut()
        .for_each(|inputs| inputs.last_update = vec![990; 2].into());
    assert_eq!(
        epoch(&inputs[0]),
        Err(EpochError::Length {
            what: "last_update",
            got: 2,
            expected: 6
        })
    );
    // Validator 2 counts as never updated: its weights are older than every registration, and its stake still is active.
    let new = outputs(&inputs[1]);
    assert_eq!(new.active, [true; 6]);
    assert_eq!(new.validator_trust, [65534, 41445, 0, 0, 0, 0]);
}

#[test]
fn from_365_rank_trust_and_pruning_are_gone() {
    let old = outputs(&subnet(364));
    assert_eq!(old.rank.as_ref(), Some(&old.incentive));
    assert!(old.trust.is_some() && old.pruning_scores.is_some());
    let new = outputs(&subnet(365));
    assert_eq!(
        (new.rank, new.trust, new.pruning_scores),
        (None, None, None)
    );
}

#[test]
fn from_423_commits_expire_by_the_epoch_counter() {
    use crate::yuma::commits::{Commit, EpochClock, commit_blocks};
    let commit = Commit {
        uid: 1,
        block: 940,
        epoch: 7,
    };
    let blocks = |spec, epoch_index| {
        let rule = rules(spec).commit_mask;
        let clock = EpochClock {
            rule,
            netuid: 1,
            tempo: 9,
            block: 1000,
            epoch_index,
            reveal_period: 1,
        };
        commit_blocks(3, &clock, &[commit])
    };
    // By blocks, 940 is six epochs of ten blocks ago; by the counter it depends on what is stored.
    assert_eq!(blocks(422, 8), [u64::MAX; 3]);
    assert_eq!(blocks(423, 8), [u64::MAX, 940, u64::MAX]);
    assert_eq!(blocks(423, 9), [u64::MAX; 3]);
}
