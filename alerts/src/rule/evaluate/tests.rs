use serde_json::{Value, json};

use super::super::{RawRule, Rule, RuleState};
use super::*;

fn rule(more: Value) -> Rule {
    let mut raw = json!({
        "name": "low", "on": "epoch", "query": "{ x }", "each": "/list", "key": "/id",
        "when": { "at": "/n", "op": "<", "value": 10 }, "message": "{/id} has {/n}",
    });
    raw.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let raw: RawRule = serde_json::from_value(raw).unwrap();
    Rule::build(raw).unwrap()
}

fn at(block: u32) -> Position {
    Position {
        block,
        netuid: Some(1),
        at_ms: None,
    }
}

fn told(rule: &Rule, answers: &[Result<Value, &str>]) -> Vec<String> {
    let mut state = RuleState::default();
    let mut told = Vec::new();
    for (block, answer) in (0_u32..).zip(answers) {
        let answer = answer.as_ref().map_err(|why| *why);
        for alert in rule.evaluate(&mut state, &at(block), answer) {
            told.push(format!(
                "{block} {} {} {}",
                alert.event.name(),
                alert.subject.as_deref().unwrap_or("-"),
                alert.reason.as_deref().unwrap_or("")
            ));
        }
        // A restart in between changes nothing.
        let kept = serde_json::to_vec(&state).unwrap();
        state = serde_json::from_slice(&kept).unwrap();
    }
    told
}

#[test]
fn each_item_has_a_state_of_its_own() {
    let answers = [
        Ok(json!({"list": [{"id": "a", "n": 5}, {"id": "b", "n": 50}]})),
        Ok(json!({"list": [{"id": "a", "n": 6}, {"id": "b", "n": 7}]})),
        Ok(json!({"list": [{"id": "b", "n": null}]})),
        Err("the store is busy"),
        Err("the store is busy"),
        Ok(json!({"list": [{"id": "b", "n": "10"}]})),
    ];
    assert_eq!(
        told(&rule(json!({})), &answers),
        [
            "0 fired a ",
            "1 fired b ",
            "2 unknown b /n is null",
            "2 cleared a it is not in the answer any more",
            "3 unknown - the store is busy",
            "5 cleared b ",
        ]
    );
    let only = rule(json!({"only": ["b"], "tell_unknown": false, "tell_cleared": false}));
    assert_eq!(told(&only, &answers), ["1 fired b "]);
}

#[test]
fn alerts_say_values_and_where() {
    let rule = rule(json!({}));
    let mut state = RuleState::default();
    let answer = json!({"list": [{"id": "a", "n": "5"}]});
    let alerts = rule.evaluate(&mut state, &at(9), Ok(&answer));
    let [alert] = alerts.as_slice() else {
        panic!("{alerts:?}");
    };
    assert_eq!(alert.message, "a has 5");
    assert_eq!(alert.cursor(), "9.1.fired.a");
    assert_eq!(
        serde_json::to_value(alert).unwrap(),
        json!({
            "rule": "low", "event": "fired", "severity": "warning", "block": 9, "netuid": 1,
            "subject": "a", "since": 9, "message": "a has 5", "reason": null,
            "values": {"/id": "a", "/n": "5"}, "atMs": null,
        })
    );
    assert_eq!(
        serde_json::from_value::<Alert>(json!(alert)).unwrap(),
        *alert
    );
}

#[test]
fn subnets_do_not_meet() {
    let rule = rule(json!({}));
    let mut state = RuleState::default();
    let low = json!({"list": [{"id": "a", "n": 1}]});
    let none = json!({"list": []});
    for (netuid, answer, wanted) in [
        (1, &low, 1),
        (12, &low, 1),
        (1, &low, 0),
        (1, &none, 1),
        (12, &low, 0),
        (12, &none, 1),
    ] {
        let position = Position {
            netuid: Some(netuid),
            ..at(3)
        };
        assert_eq!(
            rule.evaluate(&mut state, &position, Ok(&answer.clone()))
                .len(),
            wanted
        );
    }
    assert_eq!(state, RuleState::default());
}

#[test]
fn answers_of_another_shape_are_unknown() {
    for answer in [
        json!({}),
        json!({"list": null}),
        json!(null),
        json!({"list": 5}),
        json!({"list": [{"n": 1}]}),
        json!({"list": (0..5000).map(|id| json!({"id": id, "n": 1})).collect::<Vec<_>>()}),
    ] {
        let told = told(&rule(json!({})), &[Ok(answer)]);
        assert!(
            matches!(told.as_slice(), [one] if one.starts_with("0 unknown - ")),
            "{told:?}"
        );
    }
}

#[test]
fn rules_that_cannot_be_are_refused() {
    for (more, part) in [
        (json!({"name": "A b"}), "small letters"),
        (json!({"query": " "}), "empty"),
        (json!({"every": 5}), "every"),
        (json!({"on": "block", "every": 0}), "every"),
        (json!({"for": 0}), "`for`"),
        (json!({"key": null}), "`each`"),
        (json!({"netuids": []}), "netuids"),
        (json!({"variables": {"block": 1}}), "$block"),
        (json!({"on": "block", "message": "{$netuid}"}), "$netuid"),
        (json!({"on": "time", "from": "first"}), "no history"),
        (json!({"message": "{"}), "brace"),
        (json!({"each": "list"}), "no path"),
    ] {
        let mut raw = json!({
            "name": "low", "on": "epoch", "query": "{ x }", "each": "/list", "key": "/id",
            "when": { "at": "/n", "op": "<", "value": 10 }, "message": "m",
        });
        raw.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let raw: RawRule = serde_json::from_value(raw).unwrap();
        let error = Rule::build(raw).unwrap_err().to_string();
        assert!(error.contains(part), "{more}: {error}");
    }
}
