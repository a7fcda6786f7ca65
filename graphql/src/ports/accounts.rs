//! What an account is: whose hotkey, with which hotkeys, and where it holds uids.

use super::*;

/// Reads about accounts at the end of a block, plural first as in [`Reader`].
///
/// They err with [`ReadError::OutOfRange`] when a block is not stored.
pub trait Accounts: Send + Sync {
    /// `Owner`: the coldkey that owns a hotkey; `None` when none is stored.
    fn owners(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Option<AccountId>>, ReadError>;

    /// `OwnedHotkeys`: the hotkeys of a coldkey, in the stored order; `None` when the runtime has no
    /// such item.
    fn owned_hotkeys(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Option<Vec<AccountId>>>, ReadError>;

    /// Subnets in which a hotkey held a uid up to a block, ascending.
    fn memberships(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Vec<Membership>>, ReadError>;
}

/// A hotkey in a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Subnet.
    pub netuid: NetUid,
    /// The uid that it holds; `None` when it holds none any more.
    pub uid: Option<Uid>,
}
