//! How fast exports of a real week are measured, and in how much memory.
//!
//! ```sh
//! cargo run --release -p challenges --example audit_scale -- [HOURS [ROWS [PROFILE [THREADS]]]]
//! ```
//!
//! Without arguments: 168 hours of 300,000 rows of 256 miners, `sn64-p2`, two threads. The
//! exports are made while they are read and never lie on disk: rows are copied from a
//! template, with ids and times of their own. Every hundredth invocation ends in the next
//! hour, so that it is in two exports; the run fails when not every one is counted once.
//! What is told includes the making of the rows and their sha256; `docs/audit.md` has figures.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::time::Instant;

use chain_metadata::AccountId;
use challenges::date;
use challenges::sn64::invocations::{Invocations, Medians, medians};
use challenges::sn64::scan::{Export, Names, scan};
use scoring::local::sn64::Rules;
use scoring::local::sn64::units::HOUR;

const MINERS: usize = 256;
const CHUTES: usize = 400;
/// Rows of the template.
const TEMPLATE: usize = 10_000;
const HEADER: &[u8] = b"parent_invocation_id,invocation_id,chute_id,chute_user_id,function_name,image_id,image_user_id,instance_id,miner_uid,miner_hotkey,started_at,completed_at,error_message,compute_multiplier,bounty,metrics\n";
/// Hours since 1970 of the first export's beginning.
const FIRST: i64 = 489_000;

/// Lines with gaps for ids and times.
struct Template {
    text: Vec<u8>,
    /// Of each line: where it begins, where its id, its beginning and its end stand.
    lines: Vec<[usize; 4]>,
}

fn some(seed: usize, salt: usize) -> usize {
    // Any mixing will do: the numbers only have to differ.
    (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
        .rotate_left(29)
        .wrapping_mul(0x1656_67b1_9e37_79f9)
}

fn uuid(of: usize) -> String {
    let high = u128::try_from(some(of, 1)).unwrap_or(0) << 64;
    challenges::sn64::ids::show(high | u128::try_from(some(of, 2)).unwrap_or(0))
}

fn template() -> Template {
    let mut text = Vec::new();
    let mut lines = Vec::new();
    for row in 0..TEMPLATE {
        let begin = text.len();
        let miner = some(row, 3) % MINERS;
        let mut hotkey = [7; 32];
        hotkey[0] = u8::try_from(miner).unwrap_or(0);
        let chute = some(row, 4) % CHUTES;
        text.extend(format!("{},", uuid(row)).bytes());
        let id = text.len();
        text.extend(
            format!(
                "{},{},{},chat,{},{},{},{miner},{},",
                uuid(0),
                uuid(chute + 1_000_000),
                uuid(chute + 2_000_000),
                uuid(chute + 3_000_000),
                uuid(chute + 2_000_000),
                uuid(miner * CHUTES + chute + 4_000_000),
                AccountId(hotkey)
            )
            .bytes(),
        );
        let started = text.len();
        text.extend(b"2025-10-15 12:00:00.000000,");
        let ended = text.len();
        text.extend(b"2025-10-15 12:00:00.000000,");
        let error = if row % 50 == 7 {
            "\"upstream said: 502, try again\""
        } else {
            ""
        };
        let (tokens, rest) = (some(row, 5) % 3000 + 1, some(row, 6) % 900 + 1);
        let metrics = match row % 3 {
            0 => format!(
                "\"{{'steps': {}, 'masps': 0.{rest:03}, 'p': False}}\"",
                tokens % 50 + 1
            ),
            1 => format!(
                "\"{{'it': {tokens}, 'ot': {rest}, 'maspt': 0.00{rest:03}, 'nc': None, 'p': False}}\""
            ),
            _ => format!(
                "\"{{'it': {tokens}, 'ot': {rest}, 'nc': {}.{rest}, 'p': {}}}\"",
                rest % 20,
                if row % 30 == 2 { "True" } else { "False" }
            ),
        };
        text.extend(
            format!(
                "{error},{}.5,{},{metrics}\n",
                row % 4,
                if row % 500 == 1 { 100 } else { 0 }
            )
            .bytes(),
        );
        lines.push([begin, id, started, ended]);
    }
    lines.push([text.len(); 4]);
    Template { text, lines }
}

struct Hour<'a> {
    template: &'a Template,
    name: String,
    hour: usize,
    rows: usize,
}

impl Hour<'_> {
    fn start(&self, hour: usize) -> i64 {
        (FIRST + i64::try_from(hour).unwrap_or(0)) * HOUR
    }
}

impl Export for Hour<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn end(&self) -> i64 {
        self.start(self.hour + 1)
    }

    fn open(&self) -> std::io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(Rows {
            of: self,
            next: 0,
            buffer: HEADER.to_vec(),
            at: 0,
            days: [
                self.start(self.hour.saturating_sub(1)),
                self.start(self.hour),
            ]
            .map(stamp),
        }))
    }
}

fn stamp(micros: i64) -> String {
    format!(
        "{} {:02}",
        date::day_of(micros),
        micros.rem_euclid(date::DAY) / HOUR
    )
}

struct Rows<'a> {
    of: &'a Hour<'a>,
    next: usize,
    buffer: Vec<u8>,
    at: usize,
    /// Day and hour of the hour before and of this one.
    days: [String; 2],
}

/// Digits of a time within the hour into a gap.
fn put_time(gap: &mut [u8], hour: &str, micros: usize) {
    let (hours, rest) = gap.split_at_mut(13);
    hours.copy_from_slice(hour.as_bytes());
    let mut write = |at: usize, digits: usize, mut value: usize| {
        for place in (at..at + digits).rev() {
            rest[place] = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
    };
    write(1, 2, micros / 60_000_000);
    write(4, 2, micros / 1_000_000 % 60);
    write(7, 6, micros % 1_000_000);
}

impl Rows<'_> {
    fn line(&mut self) {
        let row = self.next;
        self.next += 1;
        let at = row % TEMPLATE;
        let [from, id, started, ended] = self.of.template.lines[at];
        let to = self.of.template.lines[at + 1][0];
        let begin = self.buffer.len();
        self.buffer
            .extend_from_slice(&self.of.template.text[from..to]);
        let line = &mut self.buffer[begin..];
        // Row 0 of a hundred ends in the next hour, where it is row 1.
        let again = row % 100 == 1 && self.of.hour > 0;
        let (hour, number) = if again {
            (self.of.hour - 1, row - 1)
        } else {
            (self.of.hour, row)
        };
        let mut key = hour * 1_000_000 + number;
        for place in line[id - from..id - from + 8].iter_mut().rev() {
            *place = b"0123456789abcdef"[key % 16];
            key /= 16;
        }
        let micros = if again || row.is_multiple_of(100) {
            3_599_000_000 + number % 900_000
        } else {
            (row * 11_987) % 3_580_000_000
        };
        put_time(
            &mut line[started - from..started - from + 26],
            &self.days[usize::from(!again)],
            micros,
        );
        let end = &mut line[ended - from..ended - from + 26];
        if row.is_multiple_of(100) {
            // Ended in the next hour: the export of this one does not know it yet.
            let gap = begin + ended - from;
            self.buffer.drain(gap..gap + 26);
        } else if again {
            put_time(end, &self.days[1], 1_000_000 + row % 900_000);
        } else {
            put_time(end, &self.days[1], micros + 1_500_000 + row % 10_000_000);
        }
    }
}

impl Read for Rows<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            while self.buffer.len() < 1 << 17 && self.next < self.of.rows {
                self.line();
            }
        }
        let rest = &self.buffer[self.at..];
        let count = rest.len().min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or("VmHWM: not known here").to_owned()
}

/// Seconds of processors that were used, where the system tells: on a machine with other
/// work they say more than the clock.
fn used() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    // The unit is a hundredth of a second on every Linux of today.
    Some((user + system) / 100.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (hours, rows, threads) = (number(0, 168)?, number(1, 300_000)?, number(3, 2)?);
    let profile = arguments.get(2).map_or("sn64-p2", String::as_str);
    let rules = Rules::named(profile).ok_or("there is no such profile")?;
    let template = template();
    let files: Vec<Hour<'_>> = (0..hours)
        .map(|hour| Hour {
            template: &template,
            name: format!("{hour}.csv"),
            hour,
            rows,
        })
        .collect();
    let now = (FIRST + i64::try_from(hours)?) * HOUR;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let names = Names::default();
    let none = HashSet::new();
    let begun = Instant::now();
    let mut read = 0;
    let mut of_chutes = Vec::new();
    if rules == Rules::P1 {
        let recent = files.get(hours.saturating_sub(48)..).unwrap_or_default();
        let speeds = pool.install(|| scan(recent, &Medians { now }, &names, &none))?;
        read += speeds.found.rows;
        of_chutes = medians(speeds.part);
    }
    let measure = Invocations {
        rules,
        now,
        reported: &none,
        medians: &of_chutes,
    };
    let scanned = pool.install(|| scan(&files, &measure, &names, &none))?;
    let seconds = begun.elapsed().as_secs_f64();
    read += scanned.found.rows;
    let counted: u64 = scanned.part.miners.iter().map(|sums| sums.rows).sum();
    let twice = u64::try_from(rows.div_ceil(100) * hours.saturating_sub(1))?;
    assert_eq!(
        scanned.found.superseded, twice,
        "invocations in two exports"
    );
    assert_eq!(counted, scanned.found.rows - twice, "every invocation once");
    assert_eq!(scanned.found.suspects, 0);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let (read, line) = (read as f64, template.text.len() as f64 / TEMPLATE as f64);
    writeln!(
        std::io::stdout(),
        "{profile}: {read} rows of {line:.0} bytes by {} miners in {seconds:.1} s on {threads} threads: {:.0} rows/s, {:.0} MB/s\n{}",
        scanned.part.miners.len(),
        read / seconds,
        read * line / seconds / 1e6,
        peak()
    )?;
    if let Some(used) = used() {
        writeln!(
            std::io::stdout(),
            "processors: {used:.1} s, {:.0} rows/s on each",
            read / used
        )?;
    }
    Ok(())
}
