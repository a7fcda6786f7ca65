//! [`Json`] into text.

use super::Json;

/// The text that `json.dumps` of Python makes with its defaults: `", "` and `": "` between,
/// all beyond ASCII escaped.
///
/// ```
/// use challenges::python::{Json, dumps};
/// let value = Json::List(vec![Json::Float(1.0), Json::Str("é😀".into())]);
/// assert_eq!(dumps(&value), r#"[1.0, "\u00e9\ud83d\ude00"]"#);
/// ```
pub fn dumps(value: &Json) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Int(digits) => out.push_str(digits),
        Json::Float(float) => out.push_str(&float_repr(*float)),
        Json::Str(text) => string(out, text),
        Json::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write(out, item);
            }
            out.push(']');
        }
        Json::Dict(members) => {
            out.push('{');
            for (at, (name, value)) in members.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                string(out, name);
                out.push_str(": ");
                write(out, value);
            }
            out.push('}');
        }
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

/// A float as Python's `repr` writes it: the shortest digits that give it back, with an
/// exponent below 1e-4 and from 1e16 on. What is not finite is written as `json.dumps`
/// does: `NaN`, `Infinity`, `-Infinity`.
///
/// ```
/// use challenges::python::float_repr;
/// assert_eq!(float_repr(1e16), "1e+16");
/// assert_eq!(float_repr(0.0001), "0.0001");
/// assert_eq!(float_repr(-2.5e-7), "-2.5e-07");
/// ```
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let mut scientific = format!("{value:e}");
    // Where two shortest forms are equally near, Python takes the even digit and Rust the
    // greater one; written with a fixed number of digits Rust takes the even one too.
    let digits = scientific.bytes().take_while(|byte| *byte != b'e');
    let count = digits.filter(u8::is_ascii_digit).count();
    let nearest = format!("{value:.*e}", count.saturating_sub(1));
    if nearest.parse() == Ok(value) {
        scientific = nearest;
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits: String = digits.chars().filter(|c| *c != '.').collect();
    let Ok(whole) = usize::try_from(exponent + 1) else {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    };
    if whole == 0 {
        return format!("{sign}0.{digits}");
    }
    let padded = format!("{digits:0<whole$}");
    let (whole, fraction) = padded.split_at_checked(whole).unwrap_or((&padded, ""));
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{sign}{whole}.{fraction}")
}
