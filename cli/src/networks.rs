//! Networks that are known by name.

use chain_metadata::H256;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A network with public nodes, or the machine's own node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    /// Bittensor mainnet, nodes that keep recent state only.
    Finney,
    /// Bittensor test network.
    Test,
    /// Bittensor mainnet, nodes that keep all state.
    Archive,
    /// A node on this machine.
    Local,
}

impl Network {
    /// Addresses of its nodes.
    pub(crate) fn urls(self) -> Vec<String> {
        let url = match self {
            Network::Finney => "wss://entrypoint-finney.opentensor.ai:443",
            Network::Test => "wss://test.finney.opentensor.ai:443",
            Network::Archive => "wss://archive.chain.opentensor.ai:443",
            Network::Local => "ws://127.0.0.1:9944",
        };
        vec![url.to_owned()]
    }

    /// Hash of its block 0; none for a local node, whose chain may be anything.
    pub(crate) fn genesis(self) -> Option<H256> {
        let text = match self {
            Network::Finney | Network::Archive => {
                "0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03"
            }
            Network::Test => "0x8f9cf856bf558a14440e75569c9e58594757048d7b3a84b5d25f6bd978263105",
            Network::Local => return None,
        };
        text.parse().ok()
    }

    /// Whether its nodes have thrown old state away, so that a new store begins
    /// at the finalized head.
    pub(crate) fn pruned(self) -> bool {
        matches!(self, Network::Finney | Network::Test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_networks_have_a_genesis_hash() {
        for network in [Network::Finney, Network::Test, Network::Archive] {
            assert!(network.genesis().is_some(), "{network:?}");
        }
        assert_eq!(Network::Local.genesis(), None);
    }
}
