//! Commands as documents print them: words, pipes, and what `curl` is asked for.

/// The commands of a block: joined at a backslash, without comments and prompts.
pub(crate) fn commands(block: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut open = String::new();
    for line in block.lines() {
        let bare = without_comment(line);
        match bare.trim_end().strip_suffix('\\') {
            Some(begun) => open.push_str(begun),
            None => {
                open.push_str(&bare);
                // A quote or a pipe that is open goes on in the next line.
                if words(&open).is_none() || open.trim_end().ends_with('|') {
                    open.push('\n');
                    continue;
                }
                let command = std::mem::take(&mut open).trim().to_owned();
                if !command.is_empty() {
                    commands.push(command);
                }
            }
        }
    }
    assert!(open.trim().is_empty(), "a quote is never closed: {open}");
    commands
}

/// A line up to a `#` that stands outside quotes and behind a blank.
fn without_comment(line: &str) -> String {
    let mut quote = None;
    let mut before = ' ';
    for (at, char) in line.char_indices() {
        match (quote, char) {
            (None, '#') if before.is_whitespace() => return line[..at].to_owned(),
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            _ => {}
        }
        before = char;
    }
    line.to_owned()
}

/// A command cut at its pipes.
pub(crate) fn pipeline(command: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for char in command.chars() {
        match (quote, char) {
            (None, '|') => {
                parts.push(String::new());
                continue;
            }
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), char) if open == char => quote = None,
            _ => {}
        }
        parts.last_mut().unwrap().push(char);
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// The words of a command; `None` while a quote is open.
pub(crate) fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (Some(open), char) if open == char => quote = None,
            (None, char) if char.is_whitespace() => words.extend(word.take()),
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (_, char) => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// A request of `curl`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Curl {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
    /// The answer goes on for as long as it is read.
    pub(crate) streams: bool,
}

/// Reads the words behind `curl`; a flag that is not known here fails the test.
pub(crate) fn curl(words: &[String]) -> Curl {
    let mut asked = Curl::default();
    let mut words = words.iter();
    let mut method = None;
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .unwrap_or_else(|| panic!("{word} has no value"))
                .clone()
        };
        match word.as_str() {
            "-s" | "-sS" | "-f" | "-sf" | "-i" | "-si" | "-g" | "--fail" | "--compressed" => {}
            "-N" | "-sN" | "-Ns" | "--no-buffer" => asked.streams = true,
            "-I" | "-sI" | "--head" => method = Some("HEAD".to_owned()),
            "-X" | "--request" => method = Some(value()),
            "-H" | "--header" => asked.headers.push(value()),
            "-d" | "--data" | "--data-binary" | "--json" => {
                if word == "--json" {
                    asked
                        .headers
                        .push("content-type: application/json".to_owned());
                }
                asked.body = value();
            }
            "-o" | "--output" | "-D" | "-sD" | "-w" | "--max-time" | "-m" => drop(value()),
            flag if flag.starts_with('-') => panic!("curl's {flag} is not known to the test"),
            _ => asked.url = word.clone(),
        }
    }
    let otherwise = if asked.body.is_empty() { "GET" } else { "POST" };
    asked.method = method.unwrap_or_else(|| otherwise.to_owned());
    asked
}

#[test]
fn commands_are_read_as_a_shell_does() {
    let block = "a 'b # c' \\\n  d   # said\n\ncurl -s 'x|y' -d '{\"q\":\n1}' | jq .";
    let all = commands(block);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(words(&all[0]).unwrap(), ["a", "b # c", "d"]);
    let parts = pipeline(&all[1]);
    assert_eq!(parts[1], "jq .");
    let asked = curl(&words(&parts[0]).unwrap()[1..]);
    assert_eq!(asked.method, "POST");
    assert_eq!(
        (asked.url.as_str(), asked.body.as_str()),
        ("x|y", "{\"q\":\n1}")
    );
}
