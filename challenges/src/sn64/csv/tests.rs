use proptest::prelude::*;

use super::*;

/// Gives a few bytes at a time.
struct Drip<'a>(&'a [u8], usize);

impl Read for Drip<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(self.0.len()).min(to.len());
        to[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

/// Fields of records, with the lines on which they begin.
type Lines = Vec<(u64, Vec<Vec<u8>>)>;

fn all(text: &[u8], drip: usize) -> Result<Lines, String> {
    let mut records = Records::new(Drip(text, drip), true);
    let mut found = Vec::new();
    loop {
        let record = match records.next_record() {
            Ok(Some(record)) => (0..record.len()).map(|i| record.get(i).to_vec()).collect(),
            Ok(None) => break,
            Err(error) => return Err(format!("line {}: {error}", records.line())),
        };
        found.push((records.line(), record));
    }
    assert_eq!(records.finish(), <[u8; 32]>::from(Sha256::digest(text)));
    Ok(found)
}

#[test]
fn fields_and_lines() {
    let text = b"a,b\r\n\n1,\"x,\"\"y\n\"\"\"\r\n\"\",\n\"q\",3";
    for drip in [1, 2, 3, 1000] {
        let found = all(text, drip).unwrap();
        let texts: Vec<Vec<String>> = found
            .iter()
            .map(|(_, r)| {
                r.iter()
                    .map(|f| String::from_utf8_lossy(f).into_owned())
                    .collect()
            })
            .collect();
        assert_eq!(
            texts,
            [["a", "b"], ["1", "x,\"y\n\""], ["", ""], ["q", "3"]]
        );
        let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 5, 6]);
    }
    assert_eq!(all(b"", 1).unwrap(), []);
    assert_eq!(all(b"a,", 1).unwrap()[0].1.len(), 2);
}

#[test]
fn broken_quotes_are_refused_with_their_line() {
    for (text, wanted) in [
        ("a\nb\"c\n", "line 2: a quote stands inside"),
        ("a\n\"b\"c\n", "line 2: text follows"),
        ("a\n\"b\"\rc\n", "line 2: text follows"),
        ("a\n\n\"b,c\nd\n", "line 3: a quote is never closed"),
    ] {
        for drip in [1, 7, 1000] {
            let error = all(text.as_bytes(), drip).unwrap_err();
            assert!(error.starts_with(wanted), "{text}: {error}");
        }
    }
}

#[test]
fn a_record_without_an_end_does_not_fill_the_memory() {
    let mut text = vec![b'x'; MAX_RECORD + CHUNK];
    text[0] = b'"';
    let error = all(&text, CHUNK).unwrap_err();
    assert!(error.contains("longer than"), "{error}");
}

proptest! {
    #[test]
    fn as_the_csv_crate_reads(
        rows in proptest::collection::vec(proptest::collection::vec("[a-z\",\n ]{0,12}", 3), 1..20),
        drip in 1_usize..50,
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let found = all(&text, drip).unwrap();
        let found: Vec<Vec<Vec<u8>>> = found.into_iter().map(|(_, record)| record).collect();
        let wanted: Vec<Vec<Vec<u8>>> = rows
            .into_iter()
            .map(|row| row.into_iter().map(String::into_bytes).collect())
            .collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn no_bytes_panic(text in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'x')], 0..60), drip in 1_usize..9) {
        let whole = all(&text, 1000);
        prop_assert_eq!(all(&text, drip), whole);
    }
}
