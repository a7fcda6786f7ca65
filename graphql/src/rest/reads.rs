//! Records of the common reads: what `/v1` gives out straight from the port, as JSON, CSV or Arrow.
//!
//! Every record is a plain struct whose fields are described once, in its comments: they are the
//! JSON, the columns of the tables and the schemas of the document of routes.

pub(crate) mod blocks;
pub(crate) mod ledgers;
pub(crate) mod store;
pub(crate) mod subnets;
pub(crate) mod table;
pub(crate) mod value;

use serde::Serialize;
use utoipa::ToSchema;

use crate::ports;
use table::Table;
use value::{Hash, Shown, Wide};

/// Which state the values of an answer are from.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stamp {
    /// Height of the block; the values are those at its end.
    pub(crate) block: u32,
    /// Hash of that block.
    pub(crate) hash: Hash,
    /// Spec version of the runtime that executed the block, with whose metadata values are decoded.
    pub(crate) spec_version: u32,
    /// Whether the block is finalized; if not, it may still lose against another.
    pub(crate) finalized: bool,
}

impl From<&ports::Block> for Stamp {
    fn from(block: &ports::Block) -> Self {
        Self {
            block: block.number,
            hash: Hash(block.hash),
            spec_version: block.spec_version,
            finalized: block.finalized,
        }
    }
}

/// The epoch that the values of vectors are from.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EpochStamp {
    /// Height of the block in which it ran (LastMechansimStepBlock, the chain's spelling).
    pub(crate) block: Wide,
    /// Its number as the chain counts (SubnetEpochIndex); null in runtimes that do not count.
    pub(crate) index: Option<Wide>,
}

impl From<ports::LastEpoch> for EpochStamp {
    fn from(epoch: ports::LastEpoch) -> Self {
        Self {
            block: Wide(epoch.block),
            index: epoch.index.map(Wide),
        }
    }
}

/// What a route answers: JSON, and a table for the other forms.
pub(crate) trait Body: Serialize {
    /// Its rows.
    fn table(&self) -> Table<'_>;

    /// The cursor of the next page, when there is one.
    fn next(&self) -> Option<&str> {
        None
    }

    /// The epoch that its vectors are from, when it has some.
    fn epoch(&self) -> Option<EpochStamp> {
        None
    }
}

/// One record and the state it is from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct One<T: ToSchema> {
    /// Which state this is; null while nothing is stored.
    pub(crate) stamp: Option<Stamp>,
    /// The record.
    pub(crate) item: T,
}

impl<T: Shown + Serialize + ToSchema> Body for One<T> {
    fn table(&self) -> Table<'_> {
        Table::of([&self.item])
    }
}

/// Some records of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T: ToSchema> {
    /// Which state this is; null while nothing is stored.
    pub(crate) stamp: Option<Stamp>,
    /// The records.
    pub(crate) items: Vec<T>,
    /// To give as `after` for the next page; null when nothing follows. A page may hold fewer
    /// records than asked for, even none, and still be followed by others.
    pub(crate) next: Option<String>,
}

impl<T: Shown + Serialize + ToSchema> Body for Page<T> {
    fn table(&self) -> Table<'_> {
        Table::of(&self.items)
    }

    fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

/// An enumeration that parameters may name.
pub(crate) trait Words: Copy + 'static {
    /// Every word with what it means.
    const ALL: &'static [(&'static str, Self)];
}

/// Defines the words of an enumeration of the port.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident of $port:ty { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub(crate) enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $crate::rest::reads::Words for $name {
            const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$variant),)*];
        }

        impl $name {
            /// Its word.
            pub(crate) fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl From<$port> for $name {
            fn from(value: $port) -> Self {
                match value {
                    $(<$port>::$variant => Self::$variant,)*
                }
            }
        }

        impl From<$name> for $port {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => <$port>::$variant,)*
                }
            }
        }

        impl $crate::rest::reads::value::Shown for $name {
            fn columns(name: &str, into: &mut Vec<$crate::rest::reads::value::Column>) {
                <&'static str as $crate::rest::reads::value::Shown>::columns(name, into);
            }

            fn cells<'a>(
                value: Option<&'a Self>,
                into: &mut Vec<$crate::rest::reads::value::Cell<'a>>,
            ) {
                use $crate::rest::reads::value::Cell;
                into.push(value.map_or(Cell::Null, |value| Cell::Text(value.word().into())));
            }
        }
    };
}
pub(crate) use words;
