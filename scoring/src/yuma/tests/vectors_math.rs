//! The vectors of single functions. Those of matrices run on the plain module's functions, which the epoch vectors tie to the fast ones.

#![expect(
    clippy::cast_possible_truncation,
    reason = "decimal literals are converted as the chain's test helpers do"
)]

use serde_json::Value;

use super::case::{fixture, int, ints};
use crate::fixed::{I32F32, I64F64, exp_safe, safe_exp, safe_ln};
use crate::yuma::plain::math::{self, SparseRows};
use crate::yuma::stake::{Parent, alpha_tao, inherited_pre_dtao};
use crate::yuma::{liquid, mechanism, permits, stake, upscale};

fn vector(value: &Value) -> Vec<I32F32> {
    ints(value).into_iter().map(I32F32::from_bits).collect()
}

fn matrix(value: &Value) -> SparseRows {
    let cell = |cell: &Value| (int(&cell[0]), I32F32::from_bits(int(&cell[1])));
    let rows = value.as_array().unwrap().iter();
    rows.map(|row| row.as_array().unwrap().iter().map(cell).collect())
        .collect()
}

fn bits(values: &[I32F32]) -> Value {
    values.iter().map(|value| value.to_bits()).collect()
}

fn cells(rows: &SparseRows) -> Value {
    let row = |row: &Vec<(u16, I32F32)>| -> Value {
        row.iter()
            .map(|(uid, value)| serde_json::json!([uid, value.to_bits()]))
            .collect()
    };
    rows.iter().map(row).collect()
}

fn number(value: &Value) -> I32F32 {
    I32F32::from_bits(int(value))
}

#[test]
fn all_math_vectors() {
    let vectors = fixture("yuma_vectors");
    let cases = vectors["math"].as_array().unwrap();
    assert_eq!(cases.len(), 293);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let input = &case["input"];
        let got = compute(name, input);
        assert_eq!(got, case["expected"], "{name} of {input}");
    }
}

fn compute(name: &str, input: &Value) -> Value {
    let columns = || int(&input["columns"]);
    match name {
        "is_topk" | "is_topk_nonzero" => {
            let (values, k) = (vector(&input["v"]), int(&input["k"]));
            let mut top = permits::top(&values, k);
            assert_eq!(top, math::is_top_k(&values, k));
            if name == "is_topk_nonzero" {
                top.iter_mut()
                    .zip(&values)
                    .for_each(|(top, value)| *top &= *value != I32F32::ZERO);
            }
            top.into()
        }
        "inplace_normalize" => {
            let mut values = vector(&input["v"]);
            let mut fast = values.clone();
            math::normalize(&mut values);
            stake::normalise(&mut fast);
            assert_eq!(fast, values);
            bits(&values)
        }
        "inplace_normalize_64_then_i32f32" => {
            let values: Vec<I64F64> = ints(&input["v_i64f64"])
                .into_iter()
                .map(I64F64::from_bits)
                .collect();
            let sum = I64F64::from_bits(values.iter().map(|value| value.to_bits()).sum());
            let shares: Vec<I32F32> = values
                .iter()
                .map(|value| value.safe_div(sum).to_i32f32())
                .collect();
            bits(&shares)
        }
        "inplace_row_normalize_sparse" => {
            let mut rows = matrix(&input["m"]);
            math::row_normalize(&mut rows);
            cells(&rows)
        }
        "inplace_col_normalize_sparse" => {
            let mut rows = matrix(&input["m"]);
            math::col_normalize(&mut rows, columns());
            cells(&rows)
        }
        "inplace_col_max_upscale_sparse" => {
            let mut rows = matrix(&input["m"]);
            math::col_max_upscale(&mut rows, columns());
            cells(&rows)
        }
        "weighted_median_col_sparse" => {
            let (stake, rows, kappa) = (
                vector(&input["stake"]),
                matrix(&input["m"]),
                number(&input["kappa_bits"]),
            );
            let plain = math::weighted_median_col(&stake, &rows, columns(), kappa);
            assert_eq!(super::fast_consensus(&stake, &rows, kappa), plain);
            bits(&plain)
        }
        "col_clip_sparse" => cells(&math::col_clip(
            &matrix(&input["m"]),
            &vector(&input["threshold"]),
        )),
        "interpolate_sparse" => {
            let (a, b) = (matrix(&input["a"]), matrix(&input["b"]));
            cells(&math::interpolate(
                &a,
                &b,
                columns(),
                number(&input["ratio"]),
            ))
        }
        "matmul_sparse" => bits(&math::matmul(
            &matrix(&input["m"]),
            &vector(&input["v"]),
            columns(),
        )),
        "matmul_transpose_sparse" => bits(&math::matmul_transpose(
            &matrix(&input["m"]),
            &vector(&input["v"]),
        )),
        "row_sum_sparse" => bits(&math::row_sum(&matrix(&input["m"]))),
        "row_hadamard_sparse" => cells(&math::row_hadamard(
            &matrix(&input["m"]),
            &vector(&input["v"]),
        )),
        "mat_ema_sparse" => cells(&math::ema(
            &matrix(&input["new"]),
            &matrix(&input["old"]),
            number(&input["alpha"]),
        )),
        "mat_ema_alpha_sparse" => {
            let alphas: Vec<Vec<I32F32>> = input["alpha"]
                .as_array()
                .unwrap()
                .iter()
                .map(vector)
                .collect();
            cells(&math::ema_with_alphas(
                &matrix(&input["new"]),
                &matrix(&input["old"]),
                &alphas,
            ))
        }
        "mat_ema_alpha_vec_sparse" => {
            let alphas = vector(&input["alpha"]);
            cells(&math::ema_with_column_alphas(
                &matrix(&input["new"]),
                &matrix(&input["old"]),
                &alphas,
            ))
        }
        "vec_max_upscale_to_u16" => {
            let values = vector(&input["v"]);
            assert_eq!(upscale::max_upscale(&values), math::max_upscale(&values));
            upscale::max_upscale(&values).into()
        }
        "mat_vec_mul_sparse" => cells(&math::mat_vec_mul(
            &matrix(&input["m"]),
            &vector(&input["v"]),
        )),
        "vec_mul" => {
            let (a, b) = (vector(&input["a"]), vector(&input["b"]));
            let products: Vec<I32F32> = a
                .iter()
                .zip(&b)
                .map(|(a, b)| a.checked_mul(*b).unwrap_or(I32F32::ZERO))
                .collect();
            bits(&products)
        }
        "quantile" => {
            let (mut values, q) = (vector(&input["v"]), input["q"].as_f64().unwrap());
            let plain = math::quantile(&values, q);
            values.sort();
            if q == 0.25 || q == 0.75 {
                assert_eq!(
                    liquid::quartile(&values, if q == 0.25 { 1 } else { 3 }),
                    plain
                );
            }
            plain.to_bits().into()
        }
        "exp_safe" => exp_safe(number(&input["x"])).to_bits().into(),
        "safe_exp" => safe_exp(number(&input["x"])).to_bits().into(),
        "safe_ln" => safe_ln(number(&input["x"])).to_bits().into(),
        "fixed_proportion_to_u16" => number(&input["x"]).to_u16_proportion().into(),
        "liquid_alpha_v1" => liquid_alpha_v1(input),
        other => panic!("unknown function {other}"),
    }
}

fn liquid_alpha_v1(input: &Value) -> Value {
    let low = I32F32::from_u16_proportion(int(&input["alpha_low_u16"]));
    let high = I32F32::from_u16_proportion(int(&input["alpha_high_u16"]));
    let (a, b) = liquid::logistic(
        low,
        high,
        number(&input["consensus_low"]),
        number(&input["consensus_high"]),
        false,
    );
    let alphas: Vec<I32F32> = vector(&input["consensus"])
        .iter()
        .map(|consensus| {
            let growth = safe_exp(b.saturating_sub(a.saturating_mul(*consensus)));
            I32F32::ONE.saturating_div(I32F32::ONE.saturating_add(growth))
        })
        .collect();
    let clamped: Vec<I32F32> = alphas
        .iter()
        .map(|alpha| alpha.clamped(low, high))
        .collect();
    serde_json::json!({ "a": a.to_bits(), "b": b.to_bits(), "alpha": bits(&alphas), "clamped": bits(&clamped) })
}

/// A decimal literal as the chain's test helpers convert it: to 32-bit floating point, then to the nearest fixed-point number, ties to even.
fn literal(value: &Value) -> I32F32 {
    let scaled = f64::from(value.as_f64().unwrap() as f32) * 4_294_967_296.0;
    I32F32::from_bits(scaled.round_ties_even() as i64)
}

/// Some of the chain's tests have 64-bit literals: the ratios of interpolation, and one test as a whole.
fn scalar(value: &Value) -> I32F32 {
    I32F32::from_bits((value.as_f64().unwrap() * 4_294_967_296.0).round_ties_even() as i64)
}

fn literals(value: &Value) -> Vec<I32F32> {
    value.as_array().unwrap().iter().map(literal).collect()
}

fn from_dense(value: &Value, convert: fn(&Value) -> I32F32) -> SparseRows {
    let numbers =
        |row: &Value| -> Vec<I32F32> { row.as_array().unwrap().iter().map(convert).collect() };
    let row = |row: &Value| {
        (0..)
            .zip(numbers(row))
            .filter(|(_, value)| *value != I32F32::ZERO)
            .collect()
    };
    value.as_array().unwrap().iter().map(row).collect()
}

fn to_dense(rows: &SparseRows, columns: usize) -> Vec<I32F32> {
    let mut dense = vec![I32F32::ZERO; rows.len() * columns];
    for (i, row) in rows.iter().enumerate() {
        row.iter()
            .for_each(|(j, value)| dense[i * columns + usize::from(*j)] = *value);
    }
    dense
}

#[test]
fn all_literal_vectors() {
    let vectors = fixture("yuma_vectors");
    let cases = vectors["math_literal"].as_array().unwrap();
    assert_eq!(cases.len(), 63);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let input = &case["input"];
        let label = format!("{name} of {input}");
        let function = name.split(' ').next().unwrap();
        let is_64_bit = case["source"].as_str().unwrap().ends_with("varying_alpha");
        let convert = if is_64_bit { scalar } else { literal };
        let dense = |key: &str| from_dense(&input[key], convert);
        let columns = || {
            let keys = ["m_dense", "new_dense", "weights_dense"];
            let some = keys.iter().find_map(|key| input[key].as_array());
            input["columns"].as_u64().map_or_else(
                || some.unwrap()[0].as_array().unwrap().len(),
                |n| n as usize,
            )
        };
        let got: Vec<I32F32> = match function {
            "vec_max_upscale_to_u16" => {
                assert_eq!(
                    Value::from(upscale::max_upscale(&literals(&input["v"]))),
                    case["expected"],
                    "{label}"
                );
                continue;
            }
            "vec_u16_max_upscale_to_u16" => {
                let row: Vec<u16> = ints(&input["v"]);
                assert_eq!(
                    Value::from(upscale::stored_weights(&row)),
                    case["expected"],
                    "{label}"
                );
                continue;
            }
            "is_topk" => {
                let top = permits::top(&literals(&input["v"]), int(&input["k"]));
                assert_eq!(Value::from(top), case["expected"], "{label}");
                continue;
            }
            "weighted_median" => {
                let (stake, score) = (literals(&input["stake"]), literals(&input["score"]));
                let everyone: Vec<usize> = (0..stake.len()).collect();
                let sum = stake.iter().sum();
                let minority = I32F32::ONE.saturating_sub(literal(&input["majority"]));
                let plain =
                    math::weighted_median(&stake, &score, &everyone, minority, I32F32::ZERO, sum);
                // The fast median packs several stakes below one; a single voter is decided before.
                let votes: Vec<_> = score
                    .into_iter()
                    .zip(stake)
                    .filter(|(_, stake)| *stake < I32F32::ONE)
                    .collect();
                assert!(votes.len() == everyone.len() || everyone.len() == 1);
                let plain_of_several = if votes.is_empty() {
                    I32F32::ZERO
                } else {
                    plain
                };
                assert_eq!(
                    crate::yuma::consensus::median_of(&votes, minority),
                    plain_of_several,
                    "{label}"
                );
                vec![plain]
            }
            "weighted_median_col_sparse" => {
                let stake = literals(&input["stake"]);
                let (rows, kappa) = (dense("weights_dense"), literal(&input["majority"]));
                let plain = math::weighted_median_col(&stake, &rows, columns(), kappa);
                assert_eq!(
                    super::fast_consensus(&stake, &rows, kappa)[..plain.len()],
                    plain,
                    "{label}"
                );
                plain
            }
            "col_clip_sparse" => to_dense(
                &math::col_clip(&dense("m_dense"), &literals(&input["threshold"])),
                columns(),
            ),
            "inplace_row_normalize_sparse" => {
                let mut rows = dense("m_dense");
                math::row_normalize(&mut rows);
                to_dense(&rows, columns())
            }
            "inplace_col_normalize_sparse" => {
                let mut rows = dense("m_dense");
                math::col_normalize(&mut rows, columns());
                to_dense(&rows, columns())
            }
            "inplace_col_max_upscale_sparse" => {
                let mut rows = dense("m_dense");
                math::col_max_upscale(&mut rows, columns());
                to_dense(&rows, columns())
            }
            "interpolate_sparse" => {
                let rows = math::interpolate(
                    &dense("a_dense"),
                    &dense("b_dense"),
                    columns(),
                    scalar(&input["ratio"]),
                );
                to_dense(&rows, columns())
            }
            "mat_ema_alpha_sparse" => {
                let (new, old) = (dense("new_dense"), dense("old_dense"));
                let alphas = match input.get("alpha_dense") {
                    Some(alphas) => {
                        let row =
                            |row: &Value| row.as_array().unwrap().iter().map(convert).collect();
                        alphas.as_array().unwrap().iter().map(row).collect()
                    }
                    None => vec![vec![literal(&input["alpha"]); columns()]; new.len()],
                };
                to_dense(&math::ema_with_alphas(&new, &old, &alphas), columns())
            }
            other => panic!("unknown function {other}"),
        };
        let mut expected = vec![];
        flatten(&case["expected"], &mut expected);
        assert_eq!(got.len(), expected.len(), "{label}");
        let tolerance = scalar(&case["tolerance"]).to_bits();
        for (got, expected) in got.into_iter().zip(&expected) {
            let distance = got.saturating_sub(convert(expected)).to_bits().abs();
            assert!(distance <= tolerance, "{label}: {got:?}, not {expected}");
        }
    }
}

fn flatten<'a>(value: &'a Value, numbers: &mut Vec<&'a Value>) {
    match value.as_array() {
        Some(values) => values.iter().for_each(|value| flatten(value, numbers)),
        None => numbers.push(value),
    }
}

#[test]
fn all_stake_and_mechanism_vectors() {
    let vectors = fixture("yuma_vectors");
    let cases = vectors["stake_and_mechanism"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    let (mut stakes, mut mechanisms) = (0, 0);
    for case in cases {
        let expected = &case["expected"];
        if case["kind"] == "stake" {
            stakes += 1;
            let children: Vec<u64> = ints(&case["children"]);
            let parent = |parent: &Value| Parent {
                proportion: int(&parent["proportion"]),
                alpha: int(&parent["alpha"]),
                tao: int(&parent["tao"]),
            };
            let parents: Vec<Parent> = case["parents"]
                .as_array()
                .unwrap()
                .iter()
                .map(parent)
                .collect();
            let (alpha, tao) = (int(&case["alpha0"]), int(&case["tao0"]));
            let got = alpha_tao(alpha, tao, &children, &parents, int(&case["tao_weight"]));
            assert_eq!(got.alpha, int::<u64>(&expected["alpha"]));
            assert_eq!(got.tao, int::<u64>(&expected["tao"]));
            assert_eq!(
                got.total.to_bits(),
                int::<i128>(&expected["total_i64f64_bits"])
            );
            let unit = stake::total_of(0, 1, int(&case["tao_weight"])).to_bits() >> 32;
            assert_eq!(unit, int::<i128>(&expected["tao_weight_bits32"]));
            let before: Vec<Parent> = parents
                .iter()
                .map(|parent| Parent {
                    alpha: parent.tao,
                    ..*parent
                })
                .collect();
            let got = inherited_pre_dtao(tao, &children, &before, u64::MAX);
            assert_eq!(got, int::<u64>(&expected["pre_dtao_inherited_from_tao0"]));
            assert_eq!(
                inherited_pre_dtao(tao, &children, &before, 1000),
                got.min(1000)
            );
        } else {
            mechanisms += 1;
            super::mechanisms::assert_vector(case, expected);
            let split: Option<Vec<u16>> = case["split"].as_array().map(|_| ints(&case["split"]));
            let parts = mechanism::split_emission(
                int(&case["emission"]),
                int(&case["count"]),
                split.as_deref(),
            );
            assert_eq!(parts, ints::<u64>(&expected["sub_emissions"]));
        }
    }
    assert_eq!((stakes, mechanisms), (12, 6));
}
