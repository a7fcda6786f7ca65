//! Connections: the types that pages are given out as.

use async_graphql::{Object, SimpleObject};

use super::block::BlockNode;
use super::event::EventNode;
use super::extrinsic::ExtrinsicNode;
use super::paging::{Cursor, Page};

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether the list goes on after this page.
    has_next_page: bool,
    /// Whether the list has items before this page.
    has_previous_page: bool,
    /// Cursor of the first item, to give as `before`; null when the page is empty.
    start_cursor: Option<String>,
    /// Cursor of the last item, to give as `after`; null when the page is empty.
    end_cursor: Option<String>,
}

impl PageInfo {
    pub(crate) fn of<T>(page: &Page<(Cursor, T)>) -> Self {
        let cursor = |item: Option<&(Cursor, T)>| item.map(|(cursor, _)| cursor.encode_cursor());
        Self {
            has_next_page: page.has_next,
            has_previous_page: page.has_previous,
            start_cursor: cursor(page.items.first()),
            end_cursor: cursor(page.items.last()),
        }
    }
}

/// Defines a connection and its edge. The library's own generic connection cannot be described.
macro_rules! connection {
    ($name:ident, $edge:ident, $node:ty, $page_doc:literal, $edge_doc:literal) => {
        /// A page as shown.
        pub(crate) struct $name(pub(crate) Page<(Cursor, $node)>);

        #[doc = $page_doc]
        #[Object]
        impl $name {
            /// The items with their cursors.
            async fn edges(&self) -> Vec<$edge> {
                let items = self.0.items.iter().cloned();
                items
                    .map(|(cursor, node)| $edge {
                        node,
                        cursor: cursor.encode_cursor(),
                    })
                    .collect()
            }

            /// The items alone.
            async fn nodes(&self) -> Vec<$node> {
                let items = self.0.items.iter();
                items.map(|(_, node)| node.clone()).collect()
            }

            /// Where this page stands in the list.
            async fn page_info(&self) -> PageInfo {
                PageInfo::of(&self.0)
            }

            /// How many items there are on all pages, under the filters given.
            async fn total_count(&self) -> u32 {
                self.0.total
            }
        }

        #[doc = $edge_doc]
        #[derive(SimpleObject)]
        pub(crate) struct $edge {
            /// The item.
            node: $node,
            /// An opaque cursor that stays valid when new blocks arrive.
            cursor: String,
        }
    };
}

connection!(
    BlockConnection,
    BlockEdge,
    BlockNode,
    "A page of stored blocks.",
    "A block and its cursor."
);
connection!(
    ExtrinsicConnection,
    ExtrinsicEdge,
    ExtrinsicNode,
    "A page of a block's extrinsics.",
    "An extrinsic and its cursor."
);
connection!(
    EventConnection,
    EventEdge,
    EventNode,
    "A page of a block's events.",
    "An event and its cursor."
);
