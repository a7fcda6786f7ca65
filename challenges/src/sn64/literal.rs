//! Python literals and JSON in a cell: read, never evaluated.
//!
//! Exports hold what Python prints of a dict: single quotes, `None`, `True`, `False`. Newer
//! ones may hold JSON. Names, calls, operators and all else are refused.

use serde_json::Value;

/// How deep lists and dicts may lie in each other.
pub const MAX_DEPTH: usize = 16;

/// Why a cell is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character {at}; a literal of Python or JSON is wanted")]
pub struct LiteralError {
    /// Byte of the cell, from 0.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Reads one literal: a dict, list, tuple, text, number, `None`, `True`, `False`, `null`,
/// `true` or `false`. Of a key that comes twice the last value counts, as in Python.
///
/// ```
/// use challenges::sn64::literal::parse;
/// let value = parse(b"{'it': 12, 'p': False, 'x': [None, 1e-05]}").unwrap();
/// assert_eq!(value, serde_json::json!({"it": 12, "p": false, "x": [null, 1e-05]}));
/// assert!(parse(b"__import__('os').system('true')").is_err());
/// ```
///
/// # Errors
///
/// [`LiteralError`] says where and what.
pub fn parse(text: &[u8]) -> Result<Value, LiteralError> {
    let mut cursor = Cursor { text, at: 0 };
    let value = cursor.value(0)?;
    cursor.end()?;
    Ok(value)
}

/// A key's scalar in a dict that is walked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// `None`, or a text, list or dict.
    Other,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
}

/// Walks a dict without keeping it: `each` is told every key of the outermost level with
/// its scalar. Numbers written as texts count as numbers. Everything is checked as
/// [`parse`] checks it.
///
/// # Errors
///
/// As [`parse`], and when the cell is no dict.
pub fn walk(text: &[u8], mut each: impl FnMut(&[u8], Scalar)) -> Result<(), LiteralError> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.blanks();
    if cursor.peek() != Some(b'{') {
        return cursor.refuse("no dict begins");
    }
    cursor.at += 1;
    cursor.blanks();
    if cursor.peek() == Some(b'}') {
        cursor.at += 1;
        return cursor.end();
    }
    let mut key = Vec::new();
    loop {
        cursor.blanks();
        // Keys without escapes, which are all that occur, are not copied.
        let plain = cursor.plain();
        if plain.is_none() {
            key.clear();
            cursor.text_into(&mut key)?;
        }
        cursor.colon()?;
        let scalar = cursor.scalar()?;
        each(plain.unwrap_or(&key), scalar);
        if !cursor.more(b'}')? {
            return cursor.end();
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn refuse<T>(&self, what: &'static str) -> Result<T, LiteralError> {
        Err(LiteralError { at: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn end(&mut self) -> Result<(), LiteralError> {
        self.blanks();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.refuse("something follows the literal"),
        }
    }

    fn colon(&mut self) -> Result<(), LiteralError> {
        self.blanks();
        if self.peek() != Some(b':') {
            return self.refuse("no colon follows a key");
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Whether another item follows; a comma before the end is allowed, as in Python.
    fn more(&mut self, close: u8) -> Result<bool, LiteralError> {
        self.blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.blanks();
                if self.peek() == Some(close) {
                    self.at += 1;
                    return Ok(false);
                }
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.refuse("neither a comma nor the end of a list or dict follows"),
        }
    }

    /// A text without escapes, in place.
    fn plain(&mut self) -> Option<&'a [u8]> {
        let quote = self.peek().filter(|b| matches!(b, b'\'' | b'"'))?;
        let inside = self.text.get(self.at + 1..)?;
        let length = inside
            .iter()
            .position(|b| *b == quote || *b == b'\\' || *b < b' ')?;
        if inside.get(length) != Some(&quote) {
            return None;
        }
        let text = inside.get(..length)?;
        std::str::from_utf8(text).ok()?;
        self.at += length + 2;
        Some(text)
    }

    fn scalar(&mut self) -> Result<Scalar, LiteralError> {
        match self.peek() {
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => {
                let (text, _) = self.number_text()?;
                match text.parse() {
                    Ok(number) if f64::is_finite(number) => Ok(Scalar::Number(number)),
                    _ => self.refuse("a number is too great or none"),
                }
            }
            Some(b'T' | b'F' | b'N' | b't' | b'f' | b'n') => Ok(match self.word()? {
                Value::Bool(is) => Scalar::Bool(is),
                _ => Scalar::Other,
            }),
            _ => {
                let value = self.value(1)?;
                let number = value.as_str().and_then(|text| text.trim().parse().ok());
                Ok(number
                    .filter(|n| f64::is_finite(*n))
                    .map_or(Scalar::Other, Scalar::Number))
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, LiteralError> {
        if depth > MAX_DEPTH {
            return self.refuse("lists and dicts lie too deep in each other");
        }
        self.blanks();
        match self.peek() {
            None => self.refuse("nothing is there"),
            Some(b'{') => self.dict(depth),
            Some(b'[') => self.list(depth, b']'),
            Some(b'(') => self.list(depth, b')'),
            Some(b'\'' | b'"') => {
                let mut text = Vec::new();
                self.text_into(&mut text)?;
                match String::from_utf8(text) {
                    Ok(text) => Ok(Value::String(text)),
                    Err(_) => self.refuse("a text is not UTF-8"),
                }
            }
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => {
                let (text, whole) = self.number_text()?;
                if whole && let Ok(number) = text.parse::<i64>() {
                    return Ok(number.into());
                }
                let number = text.parse().ok().and_then(serde_json::Number::from_f64);
                match number {
                    Some(number) => Ok(Value::Number(number)),
                    None => self.refuse("a number is too great or none"),
                }
            }
            Some(_) => self.word(),
        }
    }

    fn dict(&mut self, depth: usize) -> Result<Value, LiteralError> {
        let mut members = serde_json::Map::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.blanks();
            let mut key = Vec::new();
            self.text_into(&mut key)?;
            let Ok(key) = String::from_utf8(key) else {
                return self.refuse("a key is not UTF-8");
            };
            self.colon()?;
            let value = self.value(depth + 1)?;
            members.insert(key, value);
            if !self.more(b'}')? {
                return Ok(Value::Object(members));
            }
        }
    }

    fn list(&mut self, depth: usize, close: u8) -> Result<Value, LiteralError> {
        let mut items = Vec::new();
        self.at += 1;
        self.blanks();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.more(close)? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn word(&mut self) -> Result<Value, LiteralError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count();
        let value = match rest.get(..length).unwrap_or_default() {
            b"None" | b"null" => Value::Null,
            b"True" | b"true" => Value::Bool(true),
            b"False" | b"false" => Value::Bool(false),
            _ => return self.refuse("neither a text, a number, None, True nor False begins"),
        };
        self.at += length;
        Ok(value)
    }

    /// The digits of a number, and whether it is a whole one.
    fn number_text(&mut self) -> Result<(&'a str, bool), LiteralError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let part = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(|b| part(b)).count();
        let text = rest.get(..length).unwrap_or_default();
        let after = rest.get(length);
        if after.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'(') {
            return self.refuse("a number is not followed by a comma or an end");
        }
        let whole = !text.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
        // A sign in the middle is arithmetic, unless it belongs to an exponent.
        let signs = text.iter().enumerate().skip(1).any(|(i, b)| {
            matches!(b, b'+' | b'-') && !matches!(text.get(i - 1), Some(b'e' | b'E'))
        });
        let text = match std::str::from_utf8(text) {
            Ok(text) if !signs && text.bytes().any(|b| b.is_ascii_digit()) => text,
            _ => return self.refuse("a number is none"),
        };
        self.at += length;
        Ok((text, whole))
    }

    fn text_into(&mut self, out: &mut Vec<u8>) -> Result<(), LiteralError> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return self.refuse("no text in quotes begins");
        };
        self.at += 1;
        loop {
            let Some(byte) = self.peek() else {
                return self.refuse("a text is not closed");
            };
            self.at += 1;
            match byte {
                b'\\' => self.escape(out)?,
                _ if byte == quote => return Ok(()),
                _ => out.push(byte),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), LiteralError> {
        let Some(kind) = self.peek() else {
            return self.refuse("a text is not closed");
        };
        self.at += 1;
        let plain = match kind {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'a' => 7,
            b'v' => 11,
            b'0' => 0,
            b'\\' | b'\'' | b'"' | b'/' => kind,
            b'x' => return self.code(2, out),
            b'u' => return self.code(4, out),
            b'U' => return self.code(8, out),
            _ => return self.refuse("an escape in a text is unknown"),
        };
        out.push(plain);
        Ok(())
    }

    /// A character by its number in hex; halves of a pair become the sign for the unknown.
    fn code(&mut self, digits: usize, out: &mut Vec<u8>) -> Result<(), LiteralError> {
        let text = self.text.get(self.at..self.at + digits);
        let number = text
            .filter(|text| text.iter().all(u8::is_ascii_hexdigit))
            .and_then(|text| std::str::from_utf8(text).ok())
            .and_then(|text| u32::from_str_radix(text, 16).ok());
        let Some(number) = number else {
            return self.refuse("an escape in a text has no hex digits");
        };
        self.at += digits;
        let character = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
