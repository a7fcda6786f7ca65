//! `challenge`: challenges of subnets 27 and 128 made, and answers to them verified, without a
//! node and without a store.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use challenges::sn27::pow;
use challenges::sn128::create::{self, SETTINGS};
use challenges::sn128::verify::of_json;
use challenges::sn128::wire::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::{ChallengeArgs, ChallengeCommand, ChallengeOf};

/// Largest answer that is read.
const ANSWER_BYTES: u64 = 256 << 20;

/// A challenge of subnet 27 and what came back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Solved {
    challenge: pow::Challenge,
    password: String,
}

/// Makes a challenge, or verifies an answer: then an error when it does not hold.
pub(crate) fn challenge(args: &ChallengeArgs) -> Result<()> {
    let mut rng = rand::rng();
    match &args.command {
        ChallengeCommand::Create { of, difficulty } => {
            let made = match of {
                ChallengeOf::Sn27 => {
                    let (challenge, password) = pow::create(*difficulty, &mut rng)?;
                    json!({ "challenge": challenge, "password": password })
                }
                ChallengeOf::Sn128Cpu => matrix(Kind::CpuMatrix, &mut rng)?,
                ChallengeOf::Sn128Gpu => matrix(Kind::GpuMatrix, &mut rng)?,
            };
            super::print(&format!("{made}\n"));
            Ok(())
        }
        ChallengeCommand::Verify { of, input } => {
            let body = read(input)?;
            if *of == ChallengeOf::Sn27 {
                let solved: Solved = serde_json::from_slice(&body).context(
                    "the answer is not {\"challenge\": {…}, \"password\": \"…\"} as `challenge create` prints it",
                )?;
                pow::verify(&solved.challenge, &solved.password)?;
                super::print("{\"verified\":true}\n");
                return Ok(());
            }
            let payload: Value = serde_json::from_slice(&body).context("the answer is not JSON")?;
            let verdict = of_json(&payload, &mut rng)?;
            super::print(&format!("{}\n", serde_json::to_string(&verdict)?));
            match verdict.verified {
                true => Ok(()),
                false => bail!("the answer does not hold; `units` above says why"),
            }
        }
    }
}

fn matrix(kind: Kind, rng: &mut impl rand::RngCore) -> Result<Value> {
    let task = create::task(kind, &SETTINGS, rng)?;
    let targets = create::targets(kind, task.matrix_size, &SETTINGS, rng)?;
    Ok(json!({ "task": task, "targets": targets }))
}

fn read(input: &Path) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let limit = ANSWER_BYTES + 1;
    let read = match input.to_str() {
        Some("-") => std::io::stdin().lock().take(limit).read_to_end(&mut body),
        _ => File::open(input).and_then(|file| file.take(limit).read_to_end(&mut body)),
    };
    read.with_context(|| format!("cannot read the answer {}", input.display()))?;
    if u64::try_from(body.len()).is_ok_and(|len| len > ANSWER_BYTES) {
        bail!("the answer is larger than {ANSWER_BYTES} bytes");
    }
    Ok(body)
}
