//! A list of neurons of which only plain values are asked for.
//!
//! The engine makes a future for every field of every item of a list. For 256 neurons
//! that is thousands, and most of the time of the answer, though nothing in them waits
//! for anything. So a list whose selection has plain fields only is written in one go
//! here; any other selection goes the engine's way. Both give the same answer.

use std::borrow::Cow;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::{
    ContextSelectionSet, Name, OutputType, Positioned, ScalarType, ServerResult, Value,
};

use super::super::scalars::{Account, U32, U64, normalized};
use super::{NeuronNode, ip};
use crate::ports::{Axon, Metagraph, Neuron, Prometheus};

/// Neurons in the order in which they are given out.
pub(crate) struct Neurons(pub(crate) Vec<NeuronNode>);

impl OutputType for Neurons {
    fn type_name() -> Cow<'static, str> {
        Vec::<NeuronNode>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<NeuronNode>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<NeuronNode>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match self.plain(ctx) {
            Some(list) => Ok(list),
            None => self.0.resolve(ctx, field).await,
        }
    }
}

/// The selected fields of a thing, in the order of the query.
struct Plan<S> {
    /// All keys of the answer, without values.
    keys: IndexMap<Name, Value>,
    /// How each of them is given.
    steps: Vec<S>,
}

/// How a field of a neuron is given.
enum Step {
    Value(fn(&Metagraph, &Neuron) -> Value),
    Axon(Plan<Give<Axon>>),
    Prometheus(Plan<Give<Prometheus>>),
}

/// Gives a field; `None` when that is an error, which the engine then tells.
type Give<T> = fn(&T) -> Option<Value>;

impl Neurons {
    /// The answer; `None` when something is selected that is not plain.
    fn plain(&self, ctx: &ContextSelectionSet<'_>) -> Option<Value> {
        let plan = plan(ctx, &ctx.item.node, &|field| {
            let below = &field.selection_set.node;
            Some(match field.name.node.as_str() {
                "axon" => Step::Axon(plan(ctx, below, &|field| axon(&field.name.node))?),
                "prometheus" => {
                    Step::Prometheus(plan(ctx, below, &|field| prometheus(&field.name.node))?)
                }
                name => Step::Value(neuron(name)?),
            })
        })?;
        let list = self.0.iter().map(|node| {
            let metagraph = &*node.metagraph;
            let neuron = metagraph.neurons.get(node.index)?;
            plan.object(|step| match step {
                Step::Value(give) => Some(give(metagraph, neuron)),
                Step::Axon(plan) => plan.of(neuron.axon.as_ref()),
                Step::Prometheus(plan) => plan.of(neuron.prometheus.as_ref()),
            })
        });
        list.collect::<Option<Vec<_>>>().map(Value::List)
    }
}

impl<S> Plan<S> {
    fn object(&self, mut give: impl FnMut(&S) -> Option<Value>) -> Option<Value> {
        let mut object = self.keys.clone();
        for (value, step) in object.values_mut().zip(&self.steps) {
            *value = give(step)?;
        }
        Some(Value::Object(object))
    }
}

impl<T> Plan<Give<T>> {
    fn of(&self, thing: Option<&T>) -> Option<Value> {
        match thing {
            Some(thing) => self.object(|give| give(thing)),
            None => Some(Value::Null),
        }
    }
}

/// What is selected, fragments in their places. `None` where the engine has more to do
/// than to give values: directives, an object that is selected in two parts, a field that
/// `step` does not know.
fn plan<S>(
    ctx: &ContextSelectionSet<'_>,
    set: &SelectionSet,
    step: &impl Fn(&Field) -> Option<S>,
) -> Option<Plan<S>> {
    let mut plan = Plan {
        keys: IndexMap::new(),
        steps: Vec::new(),
    };
    add(ctx, set, step, &mut plan)?;
    (!plan.steps.is_empty()).then_some(plan)
}

fn add<S>(
    ctx: &ContextSelectionSet<'_>,
    set: &SelectionSet,
    step: &impl Fn(&Field) -> Option<S>,
    plan: &mut Plan<S>,
) -> Option<()> {
    for selection in &set.items {
        if !selection.node.directives().is_empty() {
            return None;
        }
        match &selection.node {
            Selection::Field(field) => {
                let field = &field.node;
                let next = step(field)?;
                let key = field.response_key().node.clone();
                if plan.keys.contains_key(&key) {
                    // The same field once more, which validation made sure of.
                    if !field.selection_set.node.items.is_empty() {
                        return None;
                    }
                    continue;
                }
                plan.keys.insert(key, Value::Null);
                plan.steps.push(next);
            }
            // The types are objects, so that every fragment here is of the same type.
            Selection::InlineFragment(inline) => {
                add(ctx, &inline.node.selection_set.node, step, plan)?;
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                let fragment = ctx.query_env.fragments.get(name)?;
                if !fragment.node.directives.is_empty() {
                    return None;
                }
                add(ctx, &fragment.node.selection_set.node, step, plan)?;
            }
        }
    }
    Some(())
}

fn shown(value: Option<impl ScalarType>) -> Value {
    value.map_or(Value::Null, |value| value.to_value())
}

/// How a plain field of a neuron is given; `None` for the others.
fn neuron(field: &str) -> Option<fn(&Metagraph, &Neuron) -> Value> {
    Some(match field {
        "__typename" => |_, _| Value::from("Neuron"),
        "netuid" => |of, _| of.netuid.0.to_value(),
        "mechanism" => |of, _| of.mechanism.0.to_value(),
        "uid" => |_, n| n.uid.0.to_value(),
        "hotkey" => |_, n| Account(n.hotkey).to_value(),
        "coldkey" => |_, n| shown(n.coldkey.map(Account)),
        "blockAtRegistration" => |_, n| shown(n.block_at_registration.map(U64)),
        "active" => |_, n| shown(n.active),
        "rank" => |_, n| shown(n.rank),
        "rankNormalized" => |_, n| shown(n.rank.map(normalized)),
        "trust" => |_, n| shown(n.trust),
        "trustNormalized" => |_, n| shown(n.trust.map(normalized)),
        "consensus" => |_, n| shown(n.consensus),
        "consensusNormalized" => |_, n| shown(n.consensus.map(normalized)),
        "incentive" => |_, n| shown(n.incentive),
        "incentiveNormalized" => |_, n| shown(n.incentive.map(normalized)),
        "dividends" => |_, n| shown(n.dividends),
        "dividendsNormalized" => |_, n| shown(n.dividends.map(normalized)),
        "emission" => |_, n| shown(n.emission.map(U64)),
        "validatorTrust" => |_, n| shown(n.validator_trust),
        "validatorTrustNormalized" => |_, n| shown(n.validator_trust.map(normalized)),
        "validatorPermit" => |_, n| shown(n.validator_permit),
        "stakeWeight" => |_, n| shown(n.stake_weight),
        "stakeWeightNormalized" => |_, n| shown(n.stake_weight.map(normalized)),
        "pruningScore" => |_, n| shown(n.pruning_score),
        "pruningScoreNormalized" => |_, n| shown(n.pruning_score.map(normalized)),
        "lastUpdate" => |_, n| shown(n.last_update.map(U64)),
        _ => return None,
    })
}

fn axon(field: &str) -> Option<Give<Axon>> {
    Some(match field {
        "__typename" => |_| Some(Value::from("Axon")),
        "block" => |a| Some(U64(a.block).to_value()),
        "version" => |a| Some(U32(a.version).to_value()),
        "ip" => |a| Some(ip(&a.ip).ok()?.to_value()),
        "ipText" => |a| Some(Value::from(a.ip_text.as_str())),
        "port" => |a| Some(a.port.to_value()),
        "ipType" => |a| Some(a.ip_type.to_value()),
        "protocol" => |a| Some(a.protocol.to_value()),
        "placeholder1" => |a| Some(a.placeholder1.to_value()),
        "placeholder2" => |a| Some(a.placeholder2.to_value()),
        _ => return None,
    })
}

fn prometheus(field: &str) -> Option<Give<Prometheus>> {
    Some(match field {
        "__typename" => |_| Some(Value::from("Prometheus")),
        "block" => |p| Some(U64(p.block).to_value()),
        "version" => |p| Some(U32(p.version).to_value()),
        "ip" => |p| Some(ip(&p.ip).ok()?.to_value()),
        "ipText" => |p| Some(Value::from(p.ip_text.as_str())),
        "port" => |p| Some(p.port.to_value()),
        "ipType" => |p| Some(p.ip_type.to_value()),
        _ => return None,
    })
}
