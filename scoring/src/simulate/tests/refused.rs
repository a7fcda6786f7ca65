//! What a simulation refuses, and how it says so.

use super::*;
use crate::yuma::EpochError;

fn refused(spec: u32, patch: &Patch) -> SimulateError {
    simulate(&one(&subnet(spec)), 3, patch).unwrap_err()
}

fn copy(copier: u16, source: u16, delay: u32) -> CopyWeights {
    CopyWeights {
        copier,
        source,
        delay,
    }
}

#[test]
fn horizons_have_limits() {
    let inputs = subnet(425);
    for asked in [0, MAX_HORIZON + 1, u32::MAX] {
        let error = simulate(&one(&inputs), asked, &Patch::default()).unwrap_err();
        assert_eq!(error, SimulateError::Horizon { asked, most: 1000 });
    }
    let longest = simulate(&one(&inputs), MAX_HORIZON, &Patch::default()).unwrap();
    assert_eq!(longest.len(), 1000);
    assert_eq!(
        simulate(&Timeline::default(), 1, &Patch::default()),
        Err(SimulateError::NoEpoch)
    );
    let mut empty = subnet(425);
    empty.n = 0;
    assert_eq!(
        simulate(&one(&empty), 1, &Patch::default()),
        Err(SimulateError::EmptySubnet { block: 1000 })
    );
}

#[test]
fn uids_must_exist_and_be_unique() {
    let none = Patch::default;
    let unknown = [
        Patch {
            weights: vec![Row::owned(6, vec![])],
            ..none()
        },
        Patch {
            weights: vec![Row::owned(0, vec![(6, 1)])],
            ..none()
        },
        Patch {
            stakes: vec![(6, 1)],
            ..none()
        },
        Patch {
            removed: vec![6],
            ..none()
        },
        Patch {
            copies: vec![copy(6, 1, 0)],
            ..none()
        },
        Patch {
            copies: vec![copy(1, 6, 0)],
            ..none()
        },
    ];
    for patch in &unknown {
        let error = refused(425, patch);
        assert!(
            matches!(error, SimulateError::UnknownUid { uid: 6, n: 6, .. }),
            "{error}"
        );
    }
    assert_eq!(
        refused(425, &unknown[2]).to_string(),
        "the patch's stakes name uid 6, but the subnet has 6 neurons at block 1000; name uids below 6"
    );
    let twice = [
        Patch {
            weights: vec![Row::owned(2, vec![]), Row::owned(2, vec![])],
            ..none()
        },
        Patch {
            stakes: vec![(2, 1), (2, 1)],
            ..none()
        },
        Patch {
            removed: vec![2, 2],
            ..none()
        },
        Patch {
            copies: vec![copy(2, 1, 0), copy(2, 0, 1)],
            ..none()
        },
    ];
    for patch in &twice {
        let error = refused(425, patch);
        assert!(
            matches!(error, SimulateError::DuplicateUid { uid: 2, .. }),
            "{error}"
        );
    }
    let patch = Patch {
        weights: vec![Row::owned(1, vec![(3, 1), (4, 1), (3, 9)])],
        ..none()
    };
    assert_eq!(
        refused(425, &patch),
        SimulateError::DuplicateWeight { row: 1, uid: 3 }
    );
}

#[test]
fn contradictions_are_named() {
    let none = Patch::default;
    let conflicts = [
        Patch {
            weights: vec![Row::owned(2, vec![])],
            removed: vec![2],
            ..none()
        },
        Patch {
            weights: vec![Row::owned(2, vec![])],
            copies: vec![copy(2, 1, 0)],
            ..none()
        },
        Patch {
            stakes: vec![(2, 1)],
            removed: vec![2],
            ..none()
        },
        Patch {
            copies: vec![copy(2, 1, 0)],
            removed: vec![2],
            ..none()
        },
        Patch {
            copies: vec![copy(1, 2, 0)],
            removed: vec![2],
            ..none()
        },
    ];
    for patch in &conflicts {
        let error = refused(425, patch);
        assert!(
            matches!(error, SimulateError::Conflict { uid: 2, .. }),
            "{error}"
        );
    }
    let own = Patch {
        copies: vec![copy(1, 1, 2)],
        ..none()
    };
    assert_eq!(refused(425, &own), SimulateError::CopiesItself { uid: 1 });
    let chain = |delay| Patch {
        copies: vec![copy(1, 0, 0), copy(2, 1, delay)],
        ..none()
    };
    assert_eq!(
        refused(425, &chain(0)),
        SimulateError::CopiesCopier {
            copier: 2,
            source_uid: 1
        }
    );
    assert!(simulate(&one(&subnet(425)), 3, &chain(1)).is_ok());
}

#[test]
fn values_must_fit_the_runtime() {
    let none = Patch::default;
    let stake = |stake| Patch {
        stakes: vec![(1, stake)],
        ..none()
    };
    assert_eq!(
        refused(425, &stake(1 << 63)),
        SimulateError::Stake {
            uid: 1,
            stake: 1 << 63
        }
    );
    assert_eq!(
        refused(425, &stake(u64::MAX)).to_string(),
        "the patch gives uid 1 a stake of 18446744073709551615 rao; stakes must be below 2^63"
    );
    // One alone fits, but not with the others.
    assert_eq!(
        refused(425, &stake((1 << 63) - 1)),
        SimulateError::Epoch {
            index: 0,
            with_patch: true,
            error: EpochError::StakeOverflow
        }
    );
    let average = Patch {
        bonds_moving_average: Some(1_000_001),
        ..none()
    };
    assert_eq!(
        refused(425, &average),
        SimulateError::MovingAverage { value: 1_000_001 }
    );
    let bounds = Patch {
        alpha_low: Some(60_000),
        ..none()
    };
    let error = SimulateError::AlphaBounds {
        low: 60_000,
        high: 58_982,
        block: 1000,
    };
    assert_eq!(refused(425, &bounds), error);
    let steep = |value| Patch {
        alpha_sigmoid_steepness: Some(value),
        ..none()
    };
    for (spec, value) in [(425, 32_768), (425, -32_769), (280, -1), (280, 65_536)] {
        let error = refused(spec, &steep(value));
        assert!(matches!(error, SimulateError::Steepness { .. }), "{error}");
    }
    for (spec, value) in [(425, -32_768), (280, 65_535)] {
        assert!(simulate(&one(&subnet(spec)), 1, &steep(value)).is_ok());
    }
    for (spec, patch, what) in [
        (
            218,
            Patch {
                yuma3: Some(false),
                ..none()
            },
            "Yuma3",
        ),
        (
            218,
            Patch {
                bonds_penalty: Some(1),
                ..none()
            },
            "bonds penalty",
        ),
        (
            143,
            Patch {
                liquid_alpha: Some(true),
                ..none()
            },
            "liquid alpha",
        ),
        (
            143,
            Patch {
                alpha_low: Some(1),
                ..none()
            },
            "alpha values",
        ),
        (218, steep(1), "steepness of liquid alpha"),
    ] {
        assert_eq!(
            refused(spec, &patch),
            SimulateError::Unsupported { what, spec }
        );
    }
    let mut broken = subnet(425);
    broken.rules = YumaRules::for_spec(425).unwrap();
    broken.validator_permit = vec![].into();
    let error = simulate(&one(&broken), 1, &none()).unwrap_err();
    assert!(
        matches!(
            error,
            SimulateError::Epoch {
                index: 0,
                with_patch: false,
                ..
            }
        ),
        "{error}"
    );
}
