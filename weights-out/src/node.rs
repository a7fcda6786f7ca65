//! What is asked of a node.

use std::time::Duration;

use chain_metadata::{AccountId, H256, Metadata};
use jsonrpsee::core::client::{Client, ClientT};
use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::rpc_params;
use jsonrpsee::ws_client::{RpcService, WsClientBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Most bytes of one answer.
const MOST: u32 = 64 << 20;

/// Why a node is of no help.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No connection.
    #[error("cannot connect to the node: {0}")]
    Connect(jsonrpsee::core::client::Error),
    /// A call failed.
    #[error("the node refuses {method}: {cause}")]
    Call {
        /// The call.
        method: &'static str,
        /// Why.
        cause: jsonrpsee::core::client::Error,
    },
    /// An answer that is not what was asked for.
    #[error("the node's answer to {method} is no {wanted}")]
    Answer {
        /// The call.
        method: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The node's hash of what was sent is another.
    #[error("the node took something else: it says {told}, sent was {sent}")]
    Hash {
        /// The node's.
        told: H256,
        /// Ours.
        sent: H256,
    },
}

/// A connection to a node.
#[derive(Debug)]
pub struct Node {
    client: Client<RpcService>,
}

/// A final block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: H256,
}

#[derive(Deserialize)]
struct Header {
    number: String,
}

#[derive(Deserialize)]
struct Block {
    block: Body,
}

#[derive(Deserialize)]
struct Body {
    extrinsics: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    spec_version: u32,
    transaction_version: u32,
}

impl Node {
    /// Connects to `ws://…` or `wss://…`; no answer may take longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`NodeError::Connect`].
    pub async fn connect(url: &str, timeout: Duration) -> Result<Node, NodeError> {
        // Without the usual layer, which writes requests to the log: a reveal's holds the salt.
        let client = WsClientBuilder::default()
            .set_rpc_middleware(RpcServiceBuilder::new())
            .connection_timeout(timeout)
            .request_timeout(timeout)
            .max_response_size(MOST)
            .build(url)
            .await
            .map_err(NodeError::Connect)?;
        Ok(Node { client })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: ArrayParams,
    ) -> Result<T, NodeError> {
        let answer = self.client.request(method, params).await;
        answer.map_err(|cause| NodeError::Call { method, cause })
    }

    /// Hash of a block of the best chain; `None` when the node does not have it.
    ///
    /// # Errors
    ///
    /// See [`NodeError`]; so for all that follow.
    pub async fn hash(&self, number: u64) -> Result<Option<H256>, NodeError> {
        self.ask("chain_getBlockHash", rpc_params![number]).await
    }

    /// Hash of block 0.
    pub async fn genesis(&self) -> Result<H256, NodeError> {
        self.hash(0).await?.ok_or(NodeError::Answer {
            method: "chain_getBlockHash",
            wanted: "hash of block 0",
        })
    }

    /// The last final block.
    pub async fn finalized(&self) -> Result<Head, NodeError> {
        let hash: H256 = self.ask("chain_getFinalizedHead", rpc_params![]).await?;
        let header: Header = self.ask("chain_getHeader", rpc_params![hash]).await?;
        let digits = header.number.strip_prefix("0x");
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let number = number.ok_or(NodeError::Answer {
            method: "chain_getHeader",
            wanted: "header with a number",
        })?;
        Ok(Head { number, hash })
    }

    /// Versions of the runtime and of its transaction format in a block's state.
    pub async fn version(&self, at: H256) -> Result<(u32, u32), NodeError> {
        let version: Version = self.ask("state_getRuntimeVersion", rpc_params![at]).await?;
        Ok((version.spec_version, version.transaction_version))
    }

    /// The metadata of the runtime in a block's state.
    pub async fn metadata(&self, at: H256) -> Result<Metadata, NodeError> {
        let method = "state_getMetadata";
        let text: String = self.ask(method, rpc_params![at]).await?;
        let bytes = unhex(method, &text)?;
        Metadata::from_bytes(&bytes).map_err(|_| NodeError::Answer {
            method,
            wanted: "metadata of a version that is known",
        })
    }

    /// How many extrinsics of an account the chain and the node's pool have together.
    pub async fn next_nonce(&self, account: &AccountId) -> Result<u64, NodeError> {
        let address = account.to_ss58(42);
        self.ask("system_accountNextIndex", rpc_params![address])
            .await
    }

    /// A value of a block's state.
    pub async fn storage(&self, key: &[u8], at: H256) -> Result<Option<Vec<u8>>, NodeError> {
        let method = "state_getStorage";
        let text: Option<String> = self.ask(method, rpc_params![hexed(key), at]).await?;
        text.map(|text| unhex(method, &text)).transpose()
    }

    /// The extrinsics of a block.
    pub async fn extrinsics(&self, at: H256) -> Result<Vec<Vec<u8>>, NodeError> {
        let method = "chain_getBlock";
        let block: Option<Block> = self.ask(method, rpc_params![at]).await?;
        let block = block.ok_or(NodeError::Answer {
            method,
            wanted: "block",
        })?;
        let all = block.block.extrinsics.iter();
        all.map(|text| unhex(method, text)).collect()
    }

    /// Hands in an extrinsic; its hash. This, and nothing else here, changes anything.
    pub async fn submit(&self, extrinsic: &[u8]) -> Result<H256, NodeError> {
        let sent = chain_metadata::blake2_256(extrinsic);
        let told: H256 = self
            .ask("author_submitExtrinsic", rpc_params![hexed(extrinsic)])
            .await?;
        if told == sent {
            Ok(sent)
        } else {
            Err(NodeError::Hash { told, sent })
        }
    }
}

fn hexed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn unhex(method: &'static str, text: &str) -> Result<Vec<u8>, NodeError> {
    let digits = text.strip_prefix("0x");
    let bytes = digits.and_then(|digits| hex::decode(digits).ok());
    bytes.ok_or(NodeError::Answer {
        method,
        wanted: "hex",
    })
}
