//! What a server holds, so that questions can be made about it.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::http::{self, Connection};

/// Pages of blocks whose cursors are gathered.
const PAGES: usize = 40;

/// What can be asked about.
#[derive(Debug, Default)]
pub(super) struct World {
    /// First and last stored block.
    pub(super) range: (u32, u32),
    /// Subnets at the last block that have neurons, and how many.
    pub(super) subnets: Vec<(u16, u32)>,
    /// Epochs with a stored verdict: netuid, mechanism, block.
    pub(super) verdicts: Vec<(u16, u8, u32)>,
    /// Cursors of the connection of blocks.
    pub(super) cursors: Vec<String>,
    /// Whether metagraphs are given by REST.
    pub(super) rest: bool,
}

/// Asks GraphQL; the data of the answer.
pub(super) async fn data(
    connection: &mut Connection,
    address: &str,
    query: &str,
    variables: Value,
) -> Result<Value> {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = http::post(address, "/graphql", &body, false);
    let answer = connection.ask(&request).await?;
    let mut whole: Value = serde_json::from_slice(answer.body)
        .with_context(|| format!("status {}: the answer is no JSON", answer.status))?;
    if let Some(error) = whole.pointer("/errors/0/message") {
        bail!("the server refuses a question: {error}");
    }
    Ok(whole.get_mut("data").map(Value::take).unwrap_or_default())
}

fn number<T: TryFrom<u64>>(value: &Value, pointer: &str) -> Option<T> {
    T::try_from(value.pointer(pointer)?.as_u64()?).ok()
}

impl World {
    /// Looks around on a server.
    pub(super) async fn of(address: &str) -> Result<World> {
        let mut connection = Connection::open(address).await?;
        let ask = "{ availableRange { first last } subnets { netuid neuronCount } }";
        let found = data(&mut connection, address, ask, json!({})).await?;
        let first = number(&found, "/availableRange/first");
        let last = number(&found, "/availableRange/last");
        let (Some(first), Some(last)) = (first, last) else {
            bail!("the server holds no block yet");
        };
        let all = found.get("subnets").and_then(Value::as_array);
        let subnet =
            |subnet: &Value| Some((number(subnet, "/netuid")?, number(subnet, "/neuronCount")?));
        let subnets = all.into_iter().flatten().filter_map(subnet);
        let mut world = World {
            range: (first, last),
            subnets: subnets.filter(|(_, neurons)| *neurons > 0).collect(),
            ..World::default()
        };
        if world.subnets.is_empty() {
            bail!("the server knows no subnet with neurons at block {last}");
        }
        world.gather(&mut connection, address).await?;
        let (netuid, block) = (world.subnets.first().map_or(0, |s| s.0), last);
        let path = format!("/v1/metagraph/{netuid}?block={block}");
        let answer = connection.ask(&http::get(address, &path, false)).await?;
        world.rest = answer.status == 200;
        Ok(world)
    }

    async fn gather(&mut self, connection: &mut Connection, address: &str) -> Result<()> {
        let ask = "{ verifications(first: 100) { nodes { netuid mechanism blockNumber } } }";
        let found = data(connection, address, ask, json!({})).await?;
        let nodes = found.pointer("/verifications/nodes");
        let verdict = |node: &Value| {
            let place = (number(node, "/netuid")?, number(node, "/mechanism")?);
            Some((place.0, place.1, number(node, "/blockNumber")?))
        };
        let nodes = nodes.and_then(Value::as_array).into_iter().flatten();
        self.verdicts = nodes.filter_map(verdict).collect();

        let ask = "query($after: String) { blocks(first: 100, after: $after) {
            edges { cursor } pageInfo { hasNextPage endCursor } } }";
        let mut after = Value::Null;
        for _ in 0..PAGES {
            let found = data(connection, address, ask, json!({ "after": after })).await?;
            let edges = found.pointer("/blocks/edges").and_then(Value::as_array);
            let cursors = edges.into_iter().flatten();
            let cursors = cursors.filter_map(|edge| edge.get("cursor")?.as_str());
            self.cursors.extend(cursors.map(str::to_owned));
            let info = found.pointer("/blocks/pageInfo");
            if info.and_then(|i| i.get("hasNextPage")) != Some(&Value::Bool(true)) {
                break;
            }
            after = info
                .and_then(|i| i.get("endCursor"))
                .cloned()
                .unwrap_or_default();
        }
        Ok(())
    }
}
