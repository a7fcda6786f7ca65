//! A single pass over the text of a document: how long it is and how deep its brackets nest.

/// What the text of a document holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Text {
    /// Names, numbers, strings and punctuation; a run of letters, digits, signs and points is one.
    pub(super) tokens: usize,
    /// Brackets of any kind below each other.
    pub(super) nesting: usize,
}

/// Measures a text, without recursion. What is no GraphQL is measured too; the parser refuses it.
pub(super) fn measure(mut rest: &[u8]) -> Text {
    let (mut found, mut depth) = (Text::default(), 0_usize);
    while let Some((byte, after)) = rest.split_first() {
        let is_token = !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'#');
        found.tokens += usize::from(is_token);
        rest = match byte {
            b'{' | b'[' | b'(' => {
                depth += 1;
                found.nesting = found.nesting.max(depth);
                after
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                after
            }
            b'#' => skip_until(after, |byte| byte == b'\n' || byte == b'\r'),
            b'"' => match after.strip_prefix(b"\"\"") {
                Some(block) => skip_block_string(block),
                None => skip_string(after),
            },
            byte if in_word(*byte) => skip_until(after, |byte| !in_word(byte)),
            _ => after,
        };
    }
    found
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+')
}

fn skip_until(bytes: &[u8], end: impl Fn(u8) -> bool) -> &[u8] {
    let at = bytes.iter().position(|byte| end(*byte));
    at.and_then(|at| bytes.get(at..)).unwrap_or(&[])
}

/// Past the closing quote, or at the line's end where a plain string must have ended.
fn skip_string(mut rest: &[u8]) -> &[u8] {
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'"' => return after,
            b'\n' | b'\r' => return rest,
            b'\\' => rest = after.get(1..).unwrap_or(&[]),
            _ => rest = after,
        }
    }
    rest
}

fn skip_block_string(mut rest: &[u8]) -> &[u8] {
    while let Some((_, after)) = rest.split_first() {
        if let Some(past) = rest.strip_prefix(b"\"\"\"") {
            return past;
        }
        rest = rest.strip_prefix(b"\\\"\"\"").unwrap_or(after);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_counted_outside_strings_and_comments_only() {
        let depth = |text: &str| measure(text.as_bytes()).nesting;
        assert_eq!(depth("{a(b:[1]){c}}"), 3);
        assert_eq!(depth(r#"{a(b:"}}}{{{{{{")}"#), 2);
        assert_eq!(depth(r#"{a(b:"\"{{{{")}"#), 2);
        assert_eq!(depth("{a(b:\"\"\"{{{\"{{ \\\"\"\" {{\"\"\")}"), 2);
        assert_eq!(depth("{a # }}}}{{{{\n{b}}"), 2);
        assert_eq!(depth("{a(b:\"{{\n{{"), 4);
        assert_eq!(depth("\"\"{{"), 2);
        assert_eq!(depth(&"[".repeat(100_000)), 100_000);
    }

    #[test]
    fn tokens_are_words_strings_and_punctuation() {
        let tokens = |text: &str| measure(text.as_bytes()).tokens;
        assert_eq!(tokens(""), 0);
        assert_eq!(tokens("{ a, b # c d e\n }"), 4);
        assert_eq!(tokens(r#"{a(b: "x y z", c: -1.5e+7)}"#), 11);
        assert_eq!(tokens("query($a: [Int!]! = [1 2]) { ...f }"), 19);
        assert_eq!(tokens(&"a ".repeat(1_000)), 1_000);
        assert_eq!(tokens(&"é".repeat(3)), 6);
    }
}
