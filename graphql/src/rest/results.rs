//! Scores of an input, as JSON.

use serde_json::{Value, json};

use crate::ports::LocalScores;

/// The scores as REST answers them and the program prints them.
pub fn scores(scored: &LocalScores) -> Value {
    let row = |row: &crate::ports::LocalScore| {
        let parts = row.parts.iter();
        let parts: Vec<Value> = parts
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        json!({
            "subject": row.subject, "score": row.score, "parts": parts, "reason": row.reason,
        })
    };
    json!({
        "profile": scored.profile,
        "inputsHash": scored.inputs_hash,
        "rows": scored.rows.iter().map(row).collect::<Vec<_>>(),
        "notes": scored.notes,
    })
}
