use proptest::prelude::*;

use super::super::csv::Records;
use super::*;

pub(crate) const HEADER: &str = "parent_invocation_id,invocation_id,chute_id,chute_user_id,function_name,image_id,image_user_id,instance_id,miner_uid,miner_hotkey,started_at,completed_at,error_message,compute_multiplier,bounty,metrics";

fn following<'a>(records: &'a mut Records<&[u8]>) -> Record<'a> {
    records.next_record().unwrap().unwrap()
}

fn read(header: &str, line: &str) -> Result<String, String> {
    let text = format!("{header}\n{line}\n");
    let mut records = Records::new(text.as_bytes(), false);
    let columns = Columns::of(following(&mut records))?;
    let record = following(&mut records);
    Row::of(&columns, record, &mut Times::default()).map(|row| format!("{row:?}"))
}

const ID: &str = "cf9ac153-66b8-5fc4-a7a7-7469c72d480e";

fn line(change: &[(usize, &str)]) -> String {
    let mut fields = [
        ID,
        ID,
        ID,
        ID,
        "chat",
        ID,
        ID,
        ID,
        "7",
        "5Dt7",
        "2025-10-15 12:00:00.5",
        "2025-10-15T12:00:02",
        "",
        "2.5",
        "3",
        "\"{'it': 1, 'ot': 2, 'maspt': 0.5, 'p': True}\"",
    ];
    for (at, text) in change {
        fields[*at] = text;
    }
    fields.join(",")
}

#[test]
fn a_row_is_read() {
    let text = line(&[]);
    let whole = format!("{HEADER}\n{text}\n");
    let mut records = Records::new(whole.as_bytes(), false);
    let columns = Columns::of(records.next_record().unwrap().unwrap()).unwrap();
    let row = records.next_record().unwrap().unwrap();
    let row = Row::of(&columns, row, &mut Times::default()).unwrap();
    assert_eq!(
        (row.uid, row.hotkey, row.multiplier, row.bounty),
        (7, "5Dt7", 2.5, 3.0)
    );
    assert!(row.private && !row.failed);
    assert_eq!(row.elapsed(), 1.5);
    assert_eq!(row.work.by_averages(row.elapsed()), 1.5);
    assert_eq!(row.started, date::parse("2025-10-15T12:00:00.5Z").unwrap());
    // Without an end, with an error, without metrics.
    for change in [
        (11, ""),
        (12, "boom"),
        (15, ""),
        (15, "None"),
        (7, ""),
        (0, ""),
    ] {
        read(HEADER, &line(&[change])).unwrap();
    }
}

#[test]
fn hostile_rows_are_refused_by_column() {
    for (at, text, wanted) in [
        (1, "x", "invocation_id `x` is no UUID"),
        (0, "../../etc", "parent_invocation_id"),
        (2, "", "chute_id"),
        (8, "1.5", "miner_uid `1.5` is no whole number"),
        (8, "", "miner_uid"),
        (8, "99999999999999999999", "miner_uid"),
        (9, "5D t7", "miner_hotkey"),
        (10, "yesterday", "started_at `yesterday` is no time"),
        (10, "2025-02-30 00:00:00", "started_at"),
        (11, "2025-10-15 24:00:00", "completed_at"),
        (13, "nan", "compute_multiplier `nan` is no number"),
        (13, "inf", "compute_multiplier"),
        (13, "-1", "compute_multiplier"),
        (13, "", "compute_multiplier"),
        (14, "1e999", "bounty"),
        (14, "--1", "bounty"),
        (15, "exec('x')", "metrics `exec('x')`: no dict begins"),
        (15, "\"{'it': __import__('os')}\"", "metrics"),
        (15, "{'it': -1}", "has a number below 0"),
        (15, "[1]", "no dict begins"),
    ] {
        let error = read(HEADER, &line(&[(at, text)])).unwrap_err();
        assert!(error.contains(wanted), "{text}: {error}");
    }
    let error = read(HEADER, "a,b").unwrap_err();
    assert_eq!(error, "2 columns, the first line has 16");
    let error = read("invocation_id,chute_id", &line(&[])).unwrap_err();
    assert!(
        error.contains("`parent_invocation_id` is missing"),
        "{error}"
    );
    let error = read(&format!("{HEADER},metrics"), &line(&[])).unwrap_err();
    assert!(error.contains("comes twice"), "{error}");
}

#[test]
fn unknown_columns_are_listed() {
    let text = format!("{HEADER},flavour\n");
    let mut records = Records::new(text.as_bytes(), false);
    let columns = Columns::of(records.next_record().unwrap().unwrap()).unwrap();
    assert_eq!(columns.unknown, ["flavour"]);
}

proptest! {
    #[test]
    fn times_are_those_of_the_slow_way(micros in 0_i64..4_000_000_000_000_000, digits in 0_usize..=9, t in "[T ]", zone in prop_oneof![Just(""), Just("Z"), Just("+00:00"), Just("+02:00")]) {
        let rest = micros.rem_euclid(date::DAY);
        let (s, f) = (rest / 1_000_000, rest % 1_000_000);
        let mut text = format!("{}{t}{:02}:{:02}:{:02}", date::day_of(micros), s / 3600, s / 60 % 60, s % 60);
        if digits > 0 {
            text.push('.');
            text.push_str(&format!("{f:06}999")[..digits]);
        }
        text.push_str(zone);
        let mut times = Times::default();
        prop_assert_eq!(times.parse(text.as_bytes()), date::parse(&text));
        prop_assert_eq!(times.parse(text.as_bytes()), date::parse(&text));
    }

    #[test]
    fn no_time_panics(text in "[0-9:T. Z+-]{0,30}") {
        prop_assert_eq!(Times::default().parse(text.as_bytes()), date::parse(&text));
    }
}
