//! One epoch of several sizes, and all subnets of a chain at once, each against the plain transcription.
//!
//! `cargo bench -p scoring --features plain --bench epoch`

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rayon::prelude::*;
use scoring::fixed::I64F64;
use scoring::yuma::{
    EpochInputs, Row, Scratch, Silent, YumaRules, epoch, epoch_observed, epochs, plain,
};

/// A small generator of numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

#[derive(Clone, Copy)]
enum Formula {
    Yuma2,
    Yuma3Liquid,
}

/// A subnet in the middle of its life: every validator has set all weights, most near a common opinion, and bonds come from the epoch before.
fn subnet(n: u16, validators: u16, formula: Formula, seed: u64) -> EpochInputs<'static> {
    let mut numbers = Numbers(seed | 1);
    let rules = YumaRules::for_spec(425).expect("a known spec");
    let mut params = rules.defaults().params;
    params.tempo = 360;
    params.max_validators = validators;
    if let Formula::Yuma3Liquid = formula {
        params.yuma3 = true;
        params.liquid_alpha = true;
    }
    let opinion: Vec<u64> = (0..n).map(|_| 500 + numbers.below(50_000)).collect();
    let row = |uid: u16, numbers: &mut Numbers| {
        let entries = (0..n).map(|miner| {
            let weight = opinion[usize::from(miner)] * (60 + numbers.below(80)) / 100;
            (miner, u16::try_from(weight.min(65_535)).unwrap_or(u16::MAX))
        });
        Row::owned(uid, entries.collect())
    };
    let block = 9_000_000u64;
    let stake = (0..n).map(|uid| {
        if uid < validators {
            1_000_000_000_000 + numbers.below(1 << 50)
        } else {
            0
        }
    });
    let mut inputs = EpochInputs {
        rules,
        params,
        block,
        n,
        total_stake: stake
            .map(I64F64::saturating_from_u64)
            .collect::<Vec<_>>()
            .into(),
        last_update: (0..n)
            .map(|_| block - 1 - numbers.below(300))
            .collect::<Vec<_>>()
            .into(),
        block_at_registration: (0..n)
            .map(|_| numbers.below(8_000_000))
            .collect::<Vec<_>>()
            .into(),
        last_step_block: block - 360,
        owner_uid: Some(0),
        validator_permit: (0..n)
            .map(|uid| uid < validators)
            .collect::<Vec<_>>()
            .into(),
        weights: (0..validators).map(|uid| row(uid, &mut numbers)).collect(),
        bonds: vec![],
        commit_blocks: vec![].into(),
        emission: Some(148_000_000_000),
    };
    let first = epoch(&inputs).expect("an epoch");
    inputs.bonds = (0..n)
        .filter_map(|uid| {
            first
                .bonds
                .row(uid)
                .map(|row| Row::owned(uid, row.to_vec()))
        })
        .collect();
    assert_eq!(epoch(&inputs), plain::epoch(&inputs), "identical bits");
    inputs
}

fn one_epoch(criterion: &mut Criterion) {
    for (name, formula) in [
        ("yuma2", Formula::Yuma2),
        ("yuma3_liquid", Formula::Yuma3Liquid),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        for n in [256, 1024, 4096] {
            let inputs = subnet(n, 64, formula, u64::from(n));
            let mut scratch = Scratch::default();
            group.bench_function(BenchmarkId::new("fast", format!("{n}x64")), |bencher| {
                bencher.iter(|| epoch_observed(&inputs, &mut scratch, &mut Silent));
            });
            group.bench_function(BenchmarkId::new("plain", format!("{n}x64")), |bencher| {
                bencher.iter(|| plain::epoch(&inputs));
            });
        }
        group.finish();
    }
}

fn many_subnets(criterion: &mut Criterion) {
    let subnets: Vec<_> = (0..128)
        .map(|seed| subnet(256, 64, Formula::Yuma2, 0x9e37_79b9 + seed * 7919))
        .collect();
    let mut group = criterion.benchmark_group("128_subnets_256x64");
    group.sample_size(10);
    group.bench_function("fast", |bencher| bencher.iter(|| epochs(&subnets)));
    group.bench_function("plain", |bencher| {
        bencher.iter(|| subnets.par_iter().map(plain::epoch).collect::<Vec<_>>());
    });
    group.finish();
}

criterion_group!(benches, one_epoch, many_subnets);
criterion_main!(benches);
