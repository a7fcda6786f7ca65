//! Hostile paths, parameters and cursors.

use super::wire::Said;
use super::{besieged, refused};

/// What stands where a number or a name is wanted.
const VALUES: [&str; 22] = [
    "-1",
    "65536",
    "4294967296",
    "340282366920938463463374607431768211456",
    "99999999999999999999999999999999999999999999999999",
    "1e3",
    "0x10",
    "1.0",
    "%00",
    "%ff%fe",
    "%F0%9F%92%A9",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..",
    "1%0d%0aX-Injected:%20yes",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "'%20OR%201=1--",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "%E2%80%AE1",
];

/// Routes, with a mark where such a value goes.
const ROUTES: [&str; 55] = [
    "/v1/epochs/@/100",
    "/v1/epochs/1/@",
    "/v1/epochs/1/@/explain?uid=0",
    "/v1/epochs/1/100/explain?uid=@",
    "/v1/epochs/@/diff?hotkey=x&a=1&b=2",
    "/v1/epochs/1/diff?hotkey=@&a=1&b=2",
    "/v1/epochs/1/diff?hotkey=x&a=@&b=@",
    "/v1/epochs/1/100/scores?first=@",
    "/v1/epochs/@?first=1",
    "/v1/epochs?netuid=@",
    "/v1/weights/@/copying?from=1&to=300",
    "/v1/weights/1/copying?from=@&to=@",
    "/v1/weights/1/copying?from=1&to=300&maxLag=@",
    "/v1/weights/@",
    "/v1/weights/1?block=@",
    "/v1/weights/1?uid=@&block=100",
    "/v1/metagraph/@",
    "/v1/metagraph/1?block=@",
    "/v1/metagraph/1?minBlock=@",
    "/v1/metagraph/1?hash=@",
    "/v1/metagraph/1?fields=@",
    "/v1/metagraph/1?format=@",
    "/v1/metagraph/1?mechanism=@",
    "/v1/blocks?first=@",
    "/v1/blocks?after=@",
    "/v1/blocks/@",
    "/v1/subnets?block=@",
    "/v1/subnets/@",
    "/v1/stake?netuid=@",
    "/v1/stake?hotkey=@",
    "/v1/stake/@",
    "/v1/commits?netuid=@",
    "/v1/commits/1?after=@",
    "/v1/results/@",
    "/v1/results/1?after=@",
    "/v1/results/1/scores?first=@",
    "/v1/profiles/@",
    "/v1/@",
    "/api/metagraph/latest/v1?netuid=@",
    "/api/validator/weights/latest/v2?netuid=@&limit=@",
    "/v1/bonds/@",
    "/v1/bonds/1?block=@&uids=@",
    "/v1/blocks/@/events",
    "/v1/blocks/100/extrinsics?first=@",
    "/v1/stake/movements?netuid=@",
    "/v1/scores/@",
    "/v1/runtimes?format=@",
    "/v1/coverage?format=@",
    "/v1/status?minBlock=@",
    "/v1/streams/@",
    "/api/subnet/latest/v1?netuid=@",
    "/api/event/v1?block_number=@",
    "/api/extrinsic/v1?signer_address=@",
    "/api/block/v1?page=@",
    "/api/runtime_version/history/v1?limit=@",
];

#[test]
fn hostile_parameters_are_refused_or_harmless() {
    let besieged = besieged();
    let mut wire = besieged.evil();
    let mut asked = 0;
    for route in ROUTES {
        for value in VALUES {
            let path = route.replace('@', value);
            let said = match wire.get(&path) {
                // Closed in front of this one: ask again on a new connection.
                Said::Closed => {
                    wire = besieged.evil();
                    wire.get(&path)
                }
                said => said,
            };
            asked += 1;
            match &said {
                Said::Answer {
                    status: 200 | 204 | 304,
                    body,
                } => {
                    let text = String::from_utf8_lossy(body);
                    assert!(!text.contains("root:x:0"), "{path}");
                }
                Said::Answer { status, body } => {
                    refused(&path, &said);
                    let text = String::from_utf8_lossy(body);
                    assert!(
                        !text.trim().is_empty() || *status == 405 || !path.starts_with("/v1/"),
                        "{path}: {status} says nothing"
                    );
                    assert!(
                        !text.contains("panicked") && !text.contains("src/"),
                        "{path}: {text:.300}"
                    );
                    assert!(!text.contains("<script>"), "{path}: {text:.300}");
                }
                Said::Closed => {}
            }
        }
        besieged.still_answers(1);
    }
    assert_eq!(asked, ROUTES.len() * VALUES.len());
    besieged.stands();
}

#[test]
fn long_and_many_parameters_are_refused_or_harmless() {
    let besieged = besieged();
    let long = "9".repeat(6_000);
    let many: String = (0..1_500).map(|n| format!("k{n}=1&")).collect();
    let same = "block=1&".repeat(800);
    for route in ROUTES {
        let path = route.split('?').next().unwrap().replace('@', "1");
        for parameters in [&long, &many, &same, &"&".repeat(5_000), &"%".repeat(5_000)] {
            let mut wire = besieged.evil();
            match wire.get(&format!("{path}?{parameters}")) {
                Said::Answer { status: 200, .. } => {}
                said => refused(&path, &said),
            }
            let mut wire = besieged.evil();
            let deep = format!("{}/{}", path, "a/".repeat(2_000));
            refused(&deep, &wire.get(&deep));
            if parameters == &long {
                refused(
                    "a long segment",
                    &wire.get(&format!("/v1/metagraph/{long}")),
                );
            }
        }
    }
    besieged.stands();
}
