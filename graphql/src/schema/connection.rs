//! Connections: the types that pages are given out as.

use async_graphql::{Object, SimpleObject};

use super::account::AccountNode;
use super::block::BlockNode;
use super::changes::{StateChangeNode, SubnetEventNode};
use super::commit::CommitNode;
use super::event::EventNode;
use super::extrinsic::ExtrinsicNode;
use super::find::FoundExtrinsic;
use super::paging::{Cursor, Page};
use super::series::EpochNode;
use super::stake::{StakeMovementNode, StakeNode};
use super::tenancy::TenancyNode;
use super::verification::VerificationNode;
use super::weights_set::{BondsVersionNode, VersionNode};

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether the list goes on after this page, or may: one request reads only so much, so that a
    /// page of a list with filters may hold fewer than asked for, even none, and still be followed
    /// by others.
    has_next_page: bool,
    /// Whether the list has items before this page, or may, in the same sense.
    has_previous_page: bool,
    /// Where the page begins, to give as `before`; null when the page is empty and nothing was
    /// left to look at.
    start_cursor: Option<String>,
    /// Where the page ends, to give as `after`; null when the page is empty and nothing was left
    /// to look at.
    end_cursor: Option<String>,
}

impl PageInfo {
    pub(crate) fn of<T>(page: &Page<(Cursor, T)>) -> Self {
        let first = page.items.first().map(|(cursor, _)| *cursor);
        let last = page.items.last().map(|(cursor, _)| *cursor);
        let text = |cursor: Option<Cursor>| cursor.map(|cursor| cursor.encode_cursor());
        Self {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: text(page.start.or(first)),
            end_cursor: text(page.end.or(last)),
        }
    }
}

/// Defines a connection and its edge. The library's own generic connection cannot be described.
/// Behind the texts stand the fields that only some connections have: `total_count`, and the two
/// from before all had `pageInfo`.
macro_rules! connection {
    ($name:ident, $edge:ident, $edge_name:literal, $node:ty, $page_doc:literal, $edge_doc:literal
     $(, $total:ident)? $(; $has_next:ident, $end:ident)?) => {
        /// A page as shown.
        pub(crate) struct $name(pub(crate) Page<(Cursor, $node)>);

        #[doc = $page_doc]
        #[Object]
        impl $name {
            /// The items with their cursors.
            async fn edges(&self) -> Vec<$edge<'_>> {
                self.0.items.iter().map($edge).collect()
            }

            /// The items alone.
            async fn nodes(&self) -> Vec<&$node> {
                self.0.items.iter().map(|(_, node)| node).collect()
            }

            /// Where this page stands in the list.
            async fn page_info(&self) -> PageInfo {
                PageInfo::of(&self.0)
            }

            $(
                /// How many items there are on all pages, under the filters given.
                async fn $total(&self) -> u32 {
                    self.0.total
                }
            )?

            $(
                /// Whether more may follow.
                #[graphql(deprecation = "Use pageInfo { hasNextPage }.")]
                async fn $has_next(&self) -> bool {
                    self.0.has_next
                }

                /// To give as `after` for the next page; null when nothing follows.
                #[graphql(deprecation = "Use pageInfo { endCursor }.")]
                async fn $end(&self) -> Option<String> {
                    PageInfo::of(&self.0).end_cursor.filter(|_| self.0.has_next)
                }
            )?
        }

        /// An item of a page and its cursor.
        pub(crate) struct $edge<'a>(&'a (Cursor, $node));

        #[doc = $edge_doc]
        #[Object(name = $edge_name)]
        impl $edge<'_> {
            /// The item.
            async fn node(&self) -> &$node {
                &self.0.1
            }

            /// An opaque cursor that stays valid when new blocks arrive.
            async fn cursor(&self) -> String {
                self.0.0.encode_cursor()
            }
        }
    };
}

connection!(
    BlockConnection,
    BlockEdge,
    "BlockEdge",
    BlockNode,
    "A page of stored blocks.",
    "A block and its cursor.",
    total_count
);
connection!(
    ExtrinsicConnection,
    ExtrinsicEdge,
    "ExtrinsicEdge",
    ExtrinsicNode,
    "A page of a block's extrinsics.",
    "An extrinsic and its cursor.",
    total_count
);
connection!(
    EventConnection,
    EventEdge,
    "EventEdge",
    EventNode,
    "A page of a block's events.",
    "An event and its cursor.",
    total_count
);
connection!(
    CommitConnection,
    CommitEdge,
    "CommitEdge",
    CommitNode,
    "A page of the commit ledger, newest first. There is no total: counting would read the whole \
     ledger.",
    "A commit and its cursor.";
    has_next_page, end_cursor
);
connection!(
    StakeMovementConnection,
    StakeMovementEdge,
    "StakeMovementEdge",
    StakeMovementNode,
    "A page of the ledger of stake, newest first. There is no total: counting would read the whole \
     ledger.",
    "A movement and its cursor.";
    has_next_page, end_cursor
);
connection!(
    StakeConnection,
    StakeEdge,
    "StakeEdge",
    StakeNode,
    "A page of rows of stake, by hotkey, coldkey and subnet.",
    "A row of stake and its cursor.",
    total_count;
    has_next_page, end_cursor
);
connection!(
    TenancyConnection,
    TenancyEdge,
    "TenancyEdge",
    TenancyNode,
    "A page of tenancies, newest first. There is no total.",
    "A tenancy and its cursor.";
    has_next_page, end_cursor
);
connection!(
    WeightsVersionConnection,
    WeightsVersionEdge,
    "WeightsVersionEdge",
    VersionNode,
    "A page of versions of a row of the weight matrix, oldest first. There is no total.",
    "A version of a row and its cursor.";
    has_next_page, end_cursor
);
connection!(
    BondsVersionConnection,
    BondsVersionEdge,
    "BondsVersionEdge",
    BondsVersionNode,
    "A page of versions of a row of the bond matrix, oldest first. There is no total.",
    "A version of a row and its cursor."
);
connection!(
    EpochConnection,
    EpochEdge,
    "EpochEdge",
    EpochNode,
    "A page of epochs, oldest first. There is no total.",
    "An epoch and its cursor.";
    has_next_page, end_cursor
);
connection!(
    FoundExtrinsicConnection,
    FoundExtrinsicEdge,
    "FoundExtrinsicEdge",
    FoundExtrinsic,
    "A page of extrinsics that were found, newest first. There is no total: counting would read \
     everything.",
    "What was found and its cursor.";
    has_next_page, end_cursor
);
connection!(
    FoundEventConnection,
    FoundEventEdge,
    "FoundEventEdge",
    EventNode,
    "A page of events that were found, newest first. There is no total: counting would read \
     everything.",
    "An event that was found and its cursor.";
    has_next_page, end_cursor
);
connection!(
    StateChangeConnection,
    StateChangeEdge,
    "StateChangeEdge",
    StateChangeNode,
    "A page of changes, newest first. There is no total.",
    "A change and its cursor.";
    has_next_page, end_cursor
);
connection!(
    SubnetEventConnection,
    SubnetEventEdge,
    "SubnetEventEdge",
    SubnetEventNode,
    "A page of what happened to subnets, newest first. There is no total.",
    "What happened to a subnet and its cursor.";
    has_next_page, end_cursor
);
connection!(
    VerificationConnection,
    VerificationEdge,
    "VerificationEdge",
    VerificationNode,
    "A page of verification records, newest first. There is no total.",
    "A record and its cursor.";
    has_next_page, end_cursor
);
connection!(
    AccountConnection,
    AccountEdge,
    "AccountEdge",
    AccountNode,
    "A page of accounts.",
    "An account and its cursor.",
    total_count
);
