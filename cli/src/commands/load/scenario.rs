//! What is asked in each scenario.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;

use super::http;
use super::world::World;
use crate::args::Scenario;

/// All plain fields of a neuron that are no second form of another one.
const NEURONS: &str = "query($netuid: Int!, $block: Int!) { metagraph(netuid: $netuid, asOf: {block: $block}) {
  stamp { block hash specVersion finalized } neuronCount
  neurons { uid hotkey coldkey blockAtRegistration active rank trust consensus incentive dividends emission
    validatorTrust validatorPermit stakeWeight pruningScore lastUpdate
    axon { block version ip ipText port ipType protocol } } } }";
const ROWS: &str = "query($netuid: Int!, $block: Int!, $uids: [Int!]) {
  weights(netuid: $netuid, asOf: {block: $block}, uids: $uids) { rowCount rows { uid changedAt uids values } } }";
const VERDICT: &str = "query($netuid: Int!, $mechanism: Int!, $block: Int!) {
  verification(netuid: $netuid, mechanism: $mechanism, block: $block) { blockNumber verdict rules specVersion
    inputsHash resultsHash fields { field compared differing maxAbsDiff firstUid } } }";
const BLOCKS: &str = "query($after: String) { blocks(first: 25, after: $after) {
  nodes { number hash parentHash timestampMs specVersion extrinsicCount eventCount } pageInfo { hasNextPage endCursor } } }";
const SUBNETS: &str = "query($block: Int!) { subnets(asOf: {block: $block}) {
  netuid neuronCount tempo lastEpochBlock blocksSinceLastStep mechanismCount owner registeredAt tokenSymbol } }";

/// The runtime call of which the SDK makes its metagraph.
const RUNTIME_CALL: &str = "SubnetInfoRuntimeApi_get_metagraph";

/// Where a recording holds the answer of the runtime.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    /// The block.
    pub(super) block: u32,
    /// Its hash.
    pub(super) hash: String,
    /// The subnet.
    pub(super) netuid: u16,
}

/// The places of a recording at which the runtime was asked for a metagraph.
pub(super) fn recorded(recording: &chain_metadata::Recording) -> Vec<Recorded> {
    let calls = recording.calls().iter();
    let calls = calls.filter(|call| call.method == RUNTIME_CALL);
    calls
        .filter_map(|call| {
            let netuid = <[u8; 2]>::try_from(call.params.as_slice()).ok()?;
            // An absent subnet is answered with one byte.
            (call.result.len() > 1).then(|| Recorded {
                block: call.block,
                hash: call.hash.to_string(),
                netuid: u16::from_le_bytes(netuid),
            })
        })
        .collect()
}

/// Makes the questions of one scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) scenario: Scenario,
    pub(super) world: &'a World,
    /// Where the server is, or the node.
    pub(super) address: &'a str,
    pub(super) recorded: &'a [Recorded],
    pub(super) gzip: bool,
}

impl Maker<'_> {
    /// Why the scenario cannot be run here; `None` when it can.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        match self.scenario {
            Scenario::MetagraphRest if !self.world.rest => {
                Some("the server has no route /v1/metagraph/{netuid}")
            }
            Scenario::Verdict if self.world.verdicts.is_empty() => {
                Some("no verdict is stored: run `verify` or `run` over the store first")
            }
            Scenario::Node | Scenario::SameMetagraph if self.recorded.is_empty() => {
                Some("there is no node: only with a recording that holds answers of the runtime")
            }
            _ => None,
        }
    }

    /// The requests of the next question, one after the other.
    pub(super) fn next(&self, random: &mut StdRng) -> Vec<Vec<u8>> {
        let world = self.world;
        let block = random.random_range(world.range.0..=world.range.1);
        let (netuid, neurons) = pick(&world.subnets, random).unwrap_or((0, 1));
        let ask = |query: &str, variables: serde_json::Value| {
            let body = json!({ "query": query, "variables": variables }).to_string();
            vec![http::post(self.address, "/graphql", &body, self.gzip)]
        };
        match self.scenario {
            Scenario::Metagraph => ask(NEURONS, json!({ "netuid": netuid, "block": block })),
            Scenario::MetagraphRest => {
                let path = format!("/v1/metagraph/{netuid}?block={block}");
                vec![http::get(self.address, &path, self.gzip)]
            }
            Scenario::Weights => {
                let uids: Vec<u32> = (0..8).map(|_| random.random_range(0..neurons)).collect();
                ask(
                    ROWS,
                    json!({ "netuid": netuid, "block": block, "uids": uids }),
                )
            }
            Scenario::Verdict => {
                let (netuid, mechanism, block) = pick(&world.verdicts, random).unwrap_or_default();
                ask(
                    VERDICT,
                    json!({ "netuid": netuid, "mechanism": mechanism, "block": block }),
                )
            }
            Scenario::Blocks => {
                let after = pick(&world.cursors, random);
                ask(BLOCKS, json!({ "after": after }))
            }
            Scenario::Subnets => ask(SUBNETS, json!({ "block": block })),
            Scenario::SameMetagraph => match pick(self.recorded, random) {
                Some(Recorded { block, netuid, .. }) => {
                    ask(NEURONS, json!({ "netuid": netuid, "block": block }))
                }
                None => Vec::new(),
            },
            Scenario::Node => match pick(self.recorded, random) {
                Some(place) => self.node(&place),
                None => Vec::new(),
            },
        }
    }

    fn node(&self, place: &Recorded) -> Vec<Vec<u8>> {
        let call = |method: &str, params: serde_json::Value| {
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            http::post(self.address, "/", &body.to_string(), self.gzip)
        };
        let input = format!("0x{}", hex::encode(place.netuid.to_le_bytes()));
        vec![
            call("chain_getBlockHash", json!([place.block])),
            call("state_call", json!([RUNTIME_CALL, input, place.hash])),
        ]
    }

    /// Whether an answer is a good one. Bodies are not parsed: the load is to be the
    /// server's. What came packed is only looked at for its status.
    pub(super) fn good(&self, status: u16, body: &[u8]) -> bool {
        if status != 200 {
            return false;
        }
        if self.gzip {
            return !body.is_empty();
        }
        let (start, end) = (
            body.get(..body.len().min(24)).unwrap_or_default(),
            body.get(body.len().saturating_sub(600)..)
                .unwrap_or_default(),
        );
        match self.scenario {
            Scenario::Node => !has(start, b"\"error\"") && !has(end, b"\"error\""),
            Scenario::MetagraphRest => start.starts_with(b"{"),
            _ => start.starts_with(b"{\"data\":{") && !has(end, b"\"errors\":["),
        }
    }
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

fn pick<T: Clone>(all: &[T], random: &mut StdRng) -> Option<T> {
    let last = all.len().checked_sub(1)?;
    all.get(random.random_range(0..=last)).cloned()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn maker(world: &World, scenario: Scenario) -> Maker<'_> {
        Maker {
            scenario,
            world,
            address: "a:1",
            recorded: &[],
            gzip: false,
        }
    }

    #[test]
    fn the_same_seed_asks_the_same() {
        let world = World {
            range: (10, 20),
            subnets: vec![(1, 5), (7, 3)],
            ..World::default()
        };
        let maker = maker(&world, Scenario::Metagraph);
        let all = |seed| {
            let mut random = StdRng::seed_from_u64(seed);
            (0..20).map(|_| maker.next(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let world = World::default();
        for scenario in [Scenario::MetagraphRest, Scenario::Verdict, Scenario::Node] {
            assert!(maker(&world, scenario).lacks().is_some(), "{scenario:?}");
        }
        assert_eq!(maker(&world, Scenario::Metagraph).lacks(), None);
    }

    #[test]
    fn errors_are_no_good_answers() {
        let world = World::default();
        let graphql = maker(&world, Scenario::Metagraph);
        assert!(graphql.good(200, br#"{"data":{"metagraph":{"neurons":[]}}}"#));
        assert!(!graphql.good(503, br#"{"data":{"metagraph":null}}"#));
        assert!(!graphql.good(200, br#"{"data":null,"errors":[{"message":"x"}]}"#));
        assert!(!graphql.good(200, br#"{"data":{"a":null},"errors":[{"message":"x"}]}"#));
        let node = maker(&world, Scenario::Node);
        assert!(node.good(200, br#"{"jsonrpc":"2.0","id":1,"result":"0x00"}"#));
        assert!(!node.good(200, br#"{"jsonrpc":"2.0","error":{"code":1}}"#));
    }
}
