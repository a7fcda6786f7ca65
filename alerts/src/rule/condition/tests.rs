use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

fn built(raw: Value) -> Result<(Condition, usize), String> {
    let raw: RawCondition = serde_json::from_value(raw).map_err(|error| error.to_string())?;
    let mut slots = 0;
    let known = |name: &str| ["block", "n"].contains(&name);
    let condition = Condition::build(&raw, &known, true, &mut slots)?;
    Ok((condition, slots))
}

fn variables() -> Map<String, Value> {
    json!({"block": 100, "n": 3}).as_object().unwrap().clone()
}

/// Over several answers, one after the other.
fn over(raw: Value, answers: &[Value]) -> Vec<Truth> {
    let (condition, slots) = built(raw).unwrap();
    let mut memory = vec![Slot::default(); slots];
    let variables = variables();
    let truth = |answer| {
        let facts = Facts {
            variables: &variables,
            answer,
            item: answer,
            items: &[],
        };
        condition.holds(&facts, &mut memory)
    };
    answers.iter().map(truth).collect()
}

fn once(raw: Value, answer: Value) -> Truth {
    over(raw, &[answer]).remove(0)
}

#[test]
fn integers_are_compared_exactly() {
    let big = json!({"a": "18446744073709551616", "b": "18446744073709551617"});
    let test = |op: &str| once(json!({"at": "/a", "op": op, "value_at": "/b"}), big.clone());
    for (op, truth) in [("<", Truth::True), ("<=", Truth::True), ("!=", Truth::True)] {
        assert_eq!(test(op), truth, "{op}");
    }
    for op in [">", ">=", "=="] {
        assert_eq!(test(op), Truth::False, "{op}");
    }
    let text = json!({"at": "/a", "op": "==", "value": "18446744073709551616"});
    assert_eq!(once(text, big), Truth::True);
}

#[test]
fn null_is_neither_true_nor_false() {
    let answer = json!({"a": null, "b": 0, "c": {"d": null}});
    for op in ["<", "<=", ">", ">=", "==", "!="] {
        let found = once(json!({"at": "/a", "op": op, "value": 0}), answer.clone());
        assert_eq!(found, Truth::Unknown("/a is null".into()), "{op}");
        let found = once(
            json!({"at": "/b", "op": op, "value_at": "/c/d"}),
            answer.clone(),
        );
        assert_eq!(found, Truth::Unknown("/c/d is null".into()), "{op}");
        let found = once(
            json!({"not": {"at": "/a", "op": op, "value": 0}}),
            answer.clone(),
        );
        assert!(matches!(found, Truth::Unknown(_)), "{op}");
        let found = once(json!({"at": "/x", "op": op, "value": 0}), answer.clone());
        assert!(
            matches!(found, Truth::Unknown(why) if why.contains("/x")),
            "{op}"
        );
    }
    assert_eq!(
        once(json!({"at": "/a", "op": "is_null"}), answer.clone()),
        Truth::True
    );
    assert_eq!(
        once(json!({"at": "/b", "op": "is_null"}), answer.clone()),
        Truth::False
    );
    assert!(matches!(
        once(json!({"at": "/x", "op": "is_null"}), answer),
        Truth::Unknown(_)
    ));
}

#[test]
fn all_and_any_have_three_outcomes() {
    let (t, f) = (
        json!({"at": "/t", "op": "==", "value": 1}),
        json!({"at": "/t", "op": "==", "value": 2}),
    );
    let u = json!({"at": "/u", "op": "==", "value": 1});
    let answer = json!({"t": 1, "u": null});
    let of = |raw: Value| once(raw, answer.clone());
    assert_eq!(of(json!({"all": [t, t]})), Truth::True);
    assert_eq!(of(json!({"all": [u, f]})), Truth::False);
    assert!(matches!(of(json!({"all": [t, u]})), Truth::Unknown(_)));
    assert_eq!(of(json!({"any": [u, t]})), Truth::True);
    assert_eq!(of(json!({"any": [f, f]})), Truth::False);
    assert!(matches!(of(json!({"any": [f, u]})), Truth::Unknown(_)));
    assert_eq!(of(json!({"not": f})), Truth::True);
}

#[test]
fn sums_are_exact() {
    let answer = json!({"reg": 40, "immune": 70});
    // Age 60, immunity 70 less 10.
    let test = |less: i32| json!({"at": "$block", "minus": "/reg", "op": ">=", "value_at": "/immune", "less": less});
    assert_eq!(once(test(10), answer.clone()), Truth::True);
    assert_eq!(once(test(9), answer.clone()), Truth::False);
    let times = json!({"at": "$block", "op": "==", "value_at": "$n", "times": "/reg", "plus": -20});
    assert_eq!(once(times, answer), Truth::True);
}

#[test]
fn changes_need_an_earlier_value() {
    let values = |list: &[Value]| list.iter().map(|v| json!({"a": v})).collect::<Vec<_>>();
    let answers = values(&[
        json!(5),
        json!(5),
        json!("5"),
        json!(6),
        json!(null),
        json!(null),
        json!(6),
    ]);
    use Truth::{Early, False, True};
    assert_eq!(
        over(json!({"at": "/a", "op": "changed"}), &answers),
        [Early, False, False, True, True, False, True]
    );
    let moves = values(&[
        json!(100),
        json!(50),
        json!(25),
        json!(12),
        json!(null),
        json!(1),
        json!(0),
    ]);
    let fell = over(
        json!({"at": "/a", "op": "fell_by_more_than", "percent": 50}),
        &moves,
    );
    assert_eq!(fell[..4], [Early, False, False, True]);
    assert!(matches!(&fell[4], Truth::Unknown(why) if why.contains("is not")));
    assert!(matches!(&fell[5], Truth::Unknown(why) if why.contains("was not")));
    assert_eq!(fell[6], True);
    let rose = over(
        json!({"at": "/a", "op": "rose_by_more_than", "value": 0}),
        &values(&[json!(1), json!(2), json!(1)]),
    );
    assert_eq!(rose, [Early, True, False]);
    let by = over(
        json!({"at": "/a", "op": "changed_by_more_than", "value": 2}),
        &values(&[json!(5), json!(8), json!(6), json!(3)]),
    );
    assert_eq!(by, [Early, True, False, True]);
}

#[test]
fn what_remembers_sees_every_position() {
    let raw =
        json!({"all": [{"at": "/on", "op": "==", "value": true}, {"at": "/a", "op": "changed"}]});
    let answers = [
        json!({"on": false, "a": 1}),
        json!({"on": true, "a": 1}),
        json!({"on": true, "a": 2}),
    ];
    assert_eq!(
        over(raw, &answers),
        [Truth::False, Truth::False, Truth::True]
    );
}

#[test]
fn absence_is_counted() {
    let raw = json!({"at": "/a", "op": "absent", "value": 2});
    let answers = [
        json!({"a": null}),
        json!({}),
        json!({"a": 1}),
        json!(null),
        json!({"a": null}),
    ];
    use Truth::{False, True};
    assert_eq!(over(raw, &answers), [False, True, False, False, True]);
}

#[test]
fn the_lowest_are_known_only_as_far_as_numbers_are() {
    let (condition, _) = built(json!({"at": "/e", "op": "among_lowest", "value": 2})).unwrap();
    let of = |list: Value, at: usize| {
        let items = list.as_array().unwrap().clone();
        let variables = variables();
        let facts = Facts {
            variables: &variables,
            answer: &Value::Null,
            item: &items[at],
            items: &items,
        };
        condition.holds(&facts, &mut [])
    };
    let four = json!([{"e": "1"}, {"e": 2}, {"e": "2"}, {"e": "30"}]);
    let found: Vec<_> = (0..4).map(|at| of(four.clone(), at)).collect();
    assert_eq!(found, [Truth::True, Truth::True, Truth::True, Truth::False]);
    let holes = json!([{"e": 1}, {"e": null}, {"e": 3}, {"e": 4}]);
    assert_eq!(of(holes.clone(), 0), Truth::True);
    assert!(matches!(of(holes.clone(), 1), Truth::Unknown(_)));
    assert!(matches!(of(holes.clone(), 2), Truth::Unknown(_)));
    assert_eq!(of(holes, 3), Truth::False);
}

#[test]
fn nonsense_is_refused_with_a_sentence() {
    for (raw, part) in [
        (json!({}), "one of"),
        (json!({"all": []}), "empty"),
        (json!({"all": [], "at": "/a"}), "one of"),
        (json!({"at": "/a", "op": "~"}), "is no `op`"),
        (json!({"at": "/a"}), "is no `op`"),
        (json!({"at": "a", "op": "is_null"}), "no path"),
        (json!({"at": "/a", "op": "<"}), "needs `value`"),
        (
            json!({"at": "/a", "op": "<", "value": "x"}),
            "must be a number",
        ),
        (
            json!({"at": "/a", "op": "<", "value": true}),
            "must be a number",
        ),
        (json!({"at": "/a", "op": "<", "percent": 5}), "percent"),
        (
            json!({"at": "/a", "op": "==", "value": 5, "value_at": "/b"}),
            "one of",
        ),
        (json!({"at": "/a", "op": "is_null", "value": 5}), "nothing"),
        (json!({"at": "$x", "op": "is_null"}), "$x"),
        (json!({"at": "/a", "op": "absent"}), "how many"),
        (
            json!({"at": "/a", "op": "<", "value": 1, "times": "x"}),
            "must be a number",
        ),
        (json!({"at": "/a", "op": "<", "valeu": 1}), "valeu"),
    ] {
        let error = built(raw.clone()).unwrap_err();
        assert!(error.contains(part), "{raw}: {error}");
    }
    let mut deep = json!({"at": "/a", "op": "is_null"});
    for _ in 0..20 {
        deep = json!({"not": deep});
    }
    assert!(built(deep).unwrap_err().contains("deeper"));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u128>().prop_map(|n| n.to_string().into()),
        any::<f64>().prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn less_and_not_more_or_equal_are_the_same(a in any_value(), b in any_value()) {
        let answer = json!({"a": a, "b": b});
        let of = |op: &str| once(json!({"at": "/a", "op": op, "value_at": "/b"}), answer.clone());
        let not = |op: &str| once(json!({"not": {"at": "/a", "op": op, "value_at": "/b"}}), answer.clone());
        prop_assert_eq!(of("<"), not(">="));
        prop_assert_eq!(of(">"), not("<="));
        prop_assert_eq!(of("=="), not("!="));
        if a.is_null() || b.is_null() {
            prop_assert!(matches!(of("=="), Truth::Unknown(_)));
        }
    }

    #[test]
    fn nobody_is_among_the_lowest_by_ignorance(list in proptest::collection::vec(proptest::option::of(0_u8..5), 1..8), k in 1_usize..4) {
        let (condition, _) = built(json!({"at": "/e", "op": "among_lowest", "value": k})).unwrap();
        let items: Vec<Value> = list.iter().map(|e| json!({"e": e})).collect();
        let variables = variables();
        for (at, own) in list.iter().enumerate() {
            let facts = Facts { variables: &variables, answer: &Value::Null, item: &items[at], items: &items };
            let truth = condition.holds(&facts, &mut []);
            let Some(own) = own else { continue };
            let less = list.iter().flatten().filter(|e| *e < own).count();
            let unknown = list.iter().filter(|e| e.is_none()).count();
            match truth {
                Truth::True => prop_assert!(less + unknown < k),
                Truth::False => prop_assert!(less >= k),
                _ => prop_assert!(less < k && less + unknown >= k),
            }
        }
    }
}
