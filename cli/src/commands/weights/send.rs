//! `weights submit` and `weights reveal`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use chain_metadata::{H256, MechId, NetUid};
use challenges::sn42::plan::{Whose, describe};
use indexer::store::Store;
use scoring::local::sn42::chain::{ChainState, Route};
use weights_out::build::PERIOD;
use weights_out::follow::{Outcome, follow};
use weights_out::key::Signer;
use weights_out::node::Node;
use weights_out::order::Order;
use weights_out::salt::SaltFile;
use weights_out::submit::{Prepared, hand_in, prepare, sign};

use crate::args::{RevealArgs, SendArgs, SubmitArgs};

/// Plans a row and sends it.
pub(super) fn submit(args: &SubmitArgs) -> Result<()> {
    let signer = Signer::from_file(&args.send.key_file)?;
    let (store, at) = super::state(&args.state)?;
    let (plan, source) = super::planned(&store, &at, &args.scores, signer.account())?;
    super::super::print(&super::show::plan_text(&plan, &source));
    let state = plan.described.state;
    known(&state)?;
    let order = Order::new(
        signer.account(),
        state,
        plan.route,
        plan.sent,
        plan.version_key,
    )?;
    let genesis = genesis(&store)?;
    let road = go(&args.send, &signer, order, None, genesis, &args.salt_dir);
    super::super::runtime()?.block_on(road)
}

/// Sends the reveal of a commit.
pub(super) fn reveal(args: &RevealArgs) -> Result<()> {
    let signer = Signer::from_file(&args.send.key_file)?;
    let salt = SaltFile::read(&args.salt_file)?;
    let (store, at) = super::state(&args.state)?;
    let whose = Whose {
        netuid: NetUid(salt.netuid),
        mechanism: MechId(salt.mechanism),
        hotkey: signer.account(),
    };
    let described = describe(&store, &at, whose)?;
    known(&described.state)?;
    let order = Order::reveal(signer.account(), described.state, &salt)?;
    let genesis = genesis(&store)?;
    // A reveal keeps no salt of its own.
    let road = go(
        &args.send,
        &signer,
        order,
        Some(salt),
        genesis,
        Path::new("."),
    );
    super::super::runtime()?.block_on(road)
}

fn genesis(store: &Store) -> Result<H256> {
    match store.genesis()? {
        Some(genesis) => Ok(genesis),
        None => bail!("the store does not know its chain: index a block first"),
    }
}

/// What is sent must have been checked; a check without its value was none.
fn known(state: &ChainState) -> Result<()> {
    if state.uid.is_some() && state.stake.is_none() && state.stake_threshold > 0 {
        bail!(
            "the stake is not known, so that it cannot be held against the {} rao that are wanted: index a whole epoch of the subnet first",
            state.stake_threshold
        );
    }
    Ok(())
}

async fn go(
    args: &SendArgs,
    signer: &Signer,
    order: Order,
    salt: Option<SaltFile>,
    genesis: H256,
    folder: &Path,
) -> Result<()> {
    let node = Node::connect(&args.url, Duration::from_secs(args.timeout)).await?;
    let checked_at = order.state.block;
    let prepared = prepare(&node, order, salt, genesis).await?;
    let behind = prepared.unsigned.context.birth.saturating_sub(checked_at);
    if behind > PERIOD {
        bail!(
            "the store is {behind} blocks behind the node, and {PERIOD} are the most: index up to the head first"
        );
    }
    super::super::print(&described(&prepared));
    if !args.yes {
        super::super::print("nothing was sent: this was a dry run; give --yes to send it\n");
        return Ok(());
    }
    let signed = sign(&prepared, signer, folder)?;
    // Told before it leaves: whatever happens from here on, it can be looked for and revealed.
    let extrinsic = signed.following.extrinsic;
    super::super::print(&format!("signed as extrinsic {extrinsic}\n"));
    if let Some(file) = &signed.salt_file {
        super::super::print(&format!("the reveal needs {}\n", file.display()));
    }
    hand_in(&node, &signed).await?;
    super::super::print("handed in\n");
    let outcome = follow(&node, &prepared.metadata, &signed.following).await?;
    match outcome {
        Outcome::Proved { block, .. } => {
            super::super::print(&format!("proved by the state of block {block}\n"));
            Ok(())
        }
        Outcome::Failed { block, error } => bail!("refused in block {block} with {error}"),
        Outcome::Changed { block } => bail!(
            "it is in block {block}, but the state is another: something else of that block changed it"
        ),
        Outcome::Expired { last } => {
            bail!("no block up to {last} has it, and it can be in none after that: send it again")
        }
        Outcome::Waiting { head } => bail!(
            "the node's chain stands still at block {head}: look later with `weights read-back`"
        ),
    }
}

fn described(prepared: &Prepared) -> String {
    let context = &prepared.unsigned.context;
    let kind = match prepared.order.route {
        Route::Direct => "sets the row".to_owned(),
        Route::Commit => format!(
            "commits to the row by {}",
            prepared
                .salt
                .as_ref()
                .map(|salt| salt.hash)
                .unwrap_or_default()
        ),
        Route::Reveal => "reveals the row".to_owned(),
    };
    format!(
        "{} {kind}; nonce {}, valid from block {} to {}, spec {}\n",
        prepared.unsigned.call.full_name(),
        context.nonce,
        context.birth,
        context.last_block(),
        context.spec_version
    )
}
