//! The whole road: prepare (a dry run), send, follow.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chain_metadata::{H256, Metadata, blake2_256};
use scoring::local::sn42::chain::Route;

use crate::build::{self, BuildError, Context, Unsigned};
use crate::follow::{Expected, Following};
use crate::key::Signer;
use crate::node::{Node, NodeError};
use crate::order::{Order, OrderError};
use crate::salt::{SaltError, SaltFile};
use crate::window::{self, WindowError};

/// Why nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The row.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The extrinsic.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The salt.
    #[error(transparent)]
    Salt(#[from] SaltError),
    /// It is not the time for the reveal.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// It was signed and handed in, and the node did not say that it has it.
    #[error(
        "the node did not confirm extrinsic {} ({cause}); it may be in a block up to {} all the same{}: look there before anything else is sent",
        following.extrinsic, following.last, told(.salt_file.as_deref())
    )]
    Unconfirmed {
        /// What is to be followed.
        following: Box<Following>,
        /// Where the salt of a commit is kept.
        salt_file: Option<PathBuf>,
        /// What the node said, or that it said nothing.
        cause: NodeError,
    },
    /// The node is of another chain.
    #[error(
        "the node's chain begins with {node}, the plan's with {plan}: give the address of a node of the plan's chain"
    )]
    Chain {
        /// Genesis hash of the node's chain.
        node: H256,
        /// Genesis hash of the plan's chain.
        plan: H256,
    },
    /// The key does not belong to the plan.
    #[error(
        "the plan is for hotkey {plan}, the key is of {key}: give the key file of the plan's hotkey"
    )]
    Key {
        /// Whom the plan is for.
        plan: chain_metadata::AccountId,
        /// Whose key it is.
        key: chain_metadata::AccountId,
    },
    /// A reveal without its salt.
    #[error("a reveal needs the salt file of its commit")]
    NoSalt,
}

fn told(salt_file: Option<&Path>) -> String {
    salt_file.map_or_else(String::new, |file| {
        format!(", and its reveal needs {}", file.display())
    })
}

/// Everything ready to be signed; nothing is sent yet.
pub struct Prepared {
    /// What is to be sent.
    pub order: Order,
    /// The extrinsic without its signature.
    pub unsigned: Unsigned,
    /// What a commit or reveal keeps or kept.
    pub salt: Option<SaltFile>,
    /// The runtime's metadata.
    pub metadata: Metadata,
    /// Hash of the node's block 0.
    pub genesis: H256,
}

impl std::fmt::Debug for Prepared {
    /// Without the row and its salt, which are secrets until the reveal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("unsigned", &self.unsigned)
            .field("salt", &self.salt)
            .field("genesis", &self.genesis)
            .finish_non_exhaustive()
    }
}

/// What is signed: to be handed in, or handed in already.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The bytes.
    pub extrinsic: Vec<u8>,
    /// Where the salt of a commit is kept.
    pub salt_file: Option<PathBuf>,
    /// What is to be followed.
    pub following: Following,
}

impl std::fmt::Debug for Signed {
    /// Without the bytes: those of a reveal hold the salt.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed")
            .field("extrinsic", &self.following.extrinsic)
            .field("salt_file", &self.salt_file)
            .finish_non_exhaustive()
    }
}

/// Asks the node for what an extrinsic needs and makes it, without a signature.
///
/// `genesis` is that of the chain that the order was checked against; `salt` that of the commit
/// for a reveal. A commit gets a new salt here; a reveal is refused outside of its epoch.
///
/// # Errors
///
/// See [`SubmitError`].
pub async fn prepare(
    node: &Node,
    order: Order,
    salt: Option<SaltFile>,
    genesis: H256,
) -> Result<Prepared, SubmitError> {
    let of_node = node.genesis().await?;
    let plan = salt.as_ref().map_or(genesis, |salt| salt.genesis);
    if of_node != genesis || of_node != plan {
        let plan = if of_node == genesis { plan } else { genesis };
        return Err(SubmitError::Chain {
            node: of_node,
            plan,
        });
    }
    let head = node.finalized().await?;
    let metadata = node.metadata(head.hash).await?;
    if let (Route::Reveal, Some(salt)) = (order.route, &salt) {
        window::check(node, &metadata, head, &order, &salt.hash).await?;
    }
    let (spec_version, transaction_version) = node.version(head.hash).await?;
    let context = Context {
        spec_version,
        transaction_version,
        genesis: of_node,
        birth: head.number,
        birth_hash: head.hash,
        nonce: node.next_nonce(&order.hotkey).await?,
        tip: 0,
    };
    let salt = match order.route {
        Route::Direct => None,
        Route::Commit => Some(SaltFile::new(&order, of_node)),
        Route::Reveal => Some(salt.ok_or(SubmitError::NoSalt)?),
    };
    let numbers = salt.as_ref().map_or(&[][..], |salt| &salt.salt);
    let hash = salt.as_ref().map(|salt| salt.hash);
    let call = build::call(&metadata, &order, hash, numbers)?;
    let unsigned = build::prepare(&metadata, call, context)?;
    Ok(Prepared {
        order,
        unsigned,
        salt,
        metadata,
        genesis: of_node,
    })
}

/// Signs; of a commit the salt is kept in `folder` before anything is handed out.
///
/// # Errors
///
/// See [`SubmitError`].
pub fn sign(prepared: &Prepared, signer: &Signer, folder: &Path) -> Result<Signed, SubmitError> {
    if signer.account() != prepared.order.hotkey {
        return Err(SubmitError::Key {
            plan: prepared.order.hotkey,
            key: signer.account(),
        });
    }
    let extrinsic = build::sign(&prepared.metadata, &prepared.unsigned, signer)?;
    let salt_file = match (&prepared.salt, prepared.order.route) {
        (Some(salt), Route::Commit) => Some(salt.keep(folder)?),
        _ => None,
    };
    let following = following(prepared, blake2_256(&extrinsic));
    Ok(Signed {
        extrinsic,
        salt_file,
        following,
    })
}

/// Hands in what is signed.
///
/// # Errors
///
/// [`SubmitError::Unconfirmed`] with all that is needed to look for it: it may have arrived
/// whatever the node said.
pub async fn hand_in(node: &Node, signed: &Signed) -> Result<(), SubmitError> {
    match node.submit(&signed.extrinsic).await {
        Ok(_) => Ok(()),
        Err(cause) => Err(SubmitError::Unconfirmed {
            following: Box::new(signed.following.clone()),
            salt_file: signed.salt_file.clone(),
            cause,
        }),
    }
}

/// Signs and hands in.
///
/// # Errors
///
/// See [`SubmitError`]. When the node fails after a commit's salt was kept, the file stays: the
/// commit may have arrived all the same.
pub async fn send(
    node: &Node,
    prepared: &Prepared,
    signer: &Signer,
    folder: &Path,
) -> Result<Signed, SubmitError> {
    let signed = sign(prepared, signer, folder)?;
    hand_in(node, &signed).await?;
    Ok(signed)
}

/// What is to be followed of an extrinsic of this hash.
pub fn following(prepared: &Prepared, extrinsic: H256) -> Following {
    let order = &prepared.order;
    let index = order.index;
    // A row that the chain takes is that of a registered hotkey.
    let uid = order.state.uid.unwrap_or(u16::MAX);
    let row = order.stored.clone();
    let hotkey = order.hotkey;
    let hash = prepared.salt.as_ref().map(|salt| salt.hash);
    let expected = match (order.route, hash) {
        (Route::Commit, Some(hash)) => Expected::Committed {
            index,
            hotkey,
            hash,
        },
        (Route::Reveal, Some(hash)) => Expected::Revealed {
            index,
            uid,
            row,
            hotkey,
            hash,
        },
        _ => Expected::Row { index, uid, row },
    };
    Following {
        extrinsic,
        expected,
        after: prepared.unsigned.context.birth,
        last: prepared.unsigned.context.last_block(),
        every: Duration::from_secs(3),
        patience: Duration::from_secs(300),
    }
}
