//! What is to be sent: a row by one of three routes, checked as the chain checks it.

use chain_metadata::{AccountId, H256, MechId, NetUid, blake2_256, storage_index};
use scoring::local::sn42::chain::{ChainState, Refusal, Route, Row, check};
use scoring::local::sn42::commit::preimage;

use crate::salt::SaltFile;

/// A row that the chain would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Who signs.
    pub hotkey: AccountId,
    /// The state that it was checked against.
    pub state: ChainState,
    /// Storage index, `mechanism * 4096 + netuid`.
    pub index: u16,
    /// How it goes.
    pub route: Route,
    /// The row as it is sent.
    pub row: Row,
    /// The row as the chain stores it.
    pub stored: Row,
    /// Goes with the row; the subnet's own or higher.
    pub version_key: u64,
}

/// Why a row is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The chain would refuse it.
    #[error("the chain would refuse the row with {}: {refusal}", refusal.name())]
    Refused {
        /// The first reason in the chain's order.
        refusal: Refusal,
    },
    /// Netuid and mechanism have no place in storage.
    #[error(
        "mechanism {mechanism} of subnet {netuid} has no place on the chain: netuids are below 4096, mechanisms below 16"
    )]
    Index {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
    },
    /// There is nothing in the row.
    #[error("the row is empty: there is nothing to send")]
    Empty,
    /// The salt belongs to somebody else.
    #[error(
        "the salt file is of hotkey {theirs}, but the key is of {ours}: sign with the key that committed"
    )]
    Salt {
        /// Whose salt it is.
        theirs: AccountId,
        /// Whose key it is.
        ours: AccountId,
    },
}

impl Order {
    /// Checks a row against the chain's state.
    ///
    /// # Errors
    ///
    /// See [`OrderError`].
    pub fn new(
        hotkey: AccountId,
        state: ChainState,
        route: Route,
        row: Row,
        version_key: u64,
    ) -> Result<Order, OrderError> {
        let (netuid, mechanism) = (state.netuid, state.mechanism);
        let index = storage_index(NetUid(netuid), MechId(mechanism))
            .ok_or(OrderError::Index { netuid, mechanism })?;
        let checked = check(&state, route, &row, version_key);
        if let Some(refusal) = checked.refusals.first() {
            return Err(OrderError::Refused { refusal: *refusal });
        }
        if row.uids.is_empty() {
            return Err(OrderError::Empty);
        }
        Ok(Order {
            hotkey,
            state,
            index,
            route,
            row,
            stored: checked.stored,
            version_key,
        })
    }

    /// The reveal of what a salt file keeps.
    ///
    /// # Errors
    ///
    /// See [`OrderError`].
    pub fn reveal(
        hotkey: AccountId,
        state: ChainState,
        salt: &SaltFile,
    ) -> Result<Order, OrderError> {
        if salt.hotkey != hotkey {
            return Err(OrderError::Salt {
                theirs: salt.hotkey,
                ours: hotkey,
            });
        }
        Order::new(hotkey, state, Route::Reveal, salt.row(), salt.version_key)
    }

    /// The hash that commits to the row under a salt.
    pub fn commit_hash(&self, salt: &[u16]) -> H256 {
        blake2_256(&preimage(
            &self.hotkey.0,
            self.index,
            &self.row,
            salt,
            self.version_key,
        ))
    }
}
