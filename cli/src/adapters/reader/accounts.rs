//! What an account is, as the window asks for it.

use chain_metadata::{AccountId, BlockNumber, Value};
use graphql::ports::{Accounts, Membership, ReadError};
use indexer::view::{Held, held, tenancy};

use super::{StoreReader, read_error};

impl StoreReader {
    /// What is at the key of an item that is keyed by an account.
    fn of_account(
        &self,
        entry: &str,
        (block, account): &(BlockNumber, AccountId),
    ) -> Result<Held, ReadError> {
        let at = self.at(*block)?;
        held(self.over(*block), &at, entry, &[&account.0]).map_err(read_error)
    }
}

impl Accounts for StoreReader {
    fn owners(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Option<AccountId>>, ReadError> {
        let one = |key| {
            let found = self.of_account("Owner", key)?.stored();
            Ok(found.as_ref().and_then(Value::as_account))
        };
        keys.iter().map(one).collect()
    }

    fn owned_hotkeys(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Option<Vec<AccountId>>>, ReadError> {
        let one = |key| {
            let found = self.of_account("OwnedHotkeys", key)?;
            if found == Held::Gone {
                return Ok(None);
            }
            let accounts =
                |list: Value| list.items().iter().filter_map(Value::as_account).collect();
            Ok(Some(found.stored().map_or_else(Vec::new, accounts)))
        };
        keys.iter().map(one).collect()
    }

    fn memberships(
        &self,
        keys: &[(BlockNumber, AccountId)],
    ) -> Result<Vec<Vec<Membership>>, ReadError> {
        let one = |(block, hotkey): &(BlockNumber, AccountId)| {
            self.at(*block)?;
            self.settled(*block)?;
            let found = tenancy::memberships(self.over(*block), *block, *hotkey);
            let found = found.map_err(read_error)?.into_iter();
            Ok(found
                .map(|(netuid, uid)| Membership { netuid, uid })
                .collect())
        };
        keys.iter().map(one).collect()
    }
}
