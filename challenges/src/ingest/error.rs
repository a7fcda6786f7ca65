//! Why a request is refused; nothing of it is kept then.

use crate::ledger::LedgerError;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A header that is needed is not there.
    #[error("the header `{0}` is missing; see docs/challenges.md for what is signed")]
    MissingHeader(&'static str),
    /// A header is not what it should be.
    #[error("the header `{name}` {what}")]
    BadHeader {
        /// Its name.
        name: &'static str,
        /// What is wrong and what is wanted.
        what: String,
    },
    /// Signed too long ago, or in the future.
    #[error(
        "the request was signed {off_ms} ms away from this server's time, and at most {window_ms} are allowed; set your clock and sign again"
    )]
    Stale {
        /// How far from now, in milliseconds.
        off_ms: u64,
        /// What is allowed.
        window_ms: u64,
    },
    /// Not signed by the hotkey that it names.
    #[error(
        "the signature is not the hotkey's over this body and time; sign the bytes exactly as they are sent"
    )]
    BadSignature,
    /// The hotkey is not registered.
    #[error("the hotkey {hotkey} is not registered in subnet {netuid} at block {block}")]
    NotRegistered {
        /// The hotkey.
        hotkey: chain_metadata::AccountId,
        /// The subnet.
        netuid: u16,
        /// The block that was looked at.
        block: u32,
    },
    /// The hotkey has another uid.
    #[error("the hotkey has uid {uid} in subnet {netuid} at block {block}, not {given}")]
    WrongUid {
        /// The uid that was given.
        given: u16,
        /// The one it has.
        uid: u16,
        /// The subnet.
        netuid: u16,
        /// The block that was looked at.
        block: u32,
    },
    /// Nothing is indexed, so nobody is known.
    #[error("no block is stored yet, so no hotkey can be looked up; try again later")]
    NoChain,
    /// The very same request came before.
    #[error(
        "this request was taken in already; to be told its answer again, give it an `idempotency-key`"
    )]
    Replayed,
    /// The key was used for something else.
    #[error("the idempotency key was used for another body; give each request a key of its own")]
    KeyReused,
    /// The body as sent is too large.
    #[error("the body has more than {max} bytes; send fewer records at once")]
    BodyTooLarge {
        /// What is allowed.
        max: usize,
    },
    /// The body unpacked is too large.
    #[error("the body unpacks to more than {max} bytes; send fewer records at once")]
    UnpackedTooLarge {
        /// What is allowed.
        max: usize,
    },
    /// Not gzip.
    #[error("the body is not gzip, as its `content-encoding` says ({0})")]
    BadGzip(String),
    /// Not JSON, or not JSON that is taken here.
    #[error("{at}: the body is not JSON ({what})")]
    NotJson {
        /// Where.
        at: String,
        /// What is wrong.
        what: String,
    },
    /// Nested too deeply.
    #[error("{at}: nested more than {max} deep")]
    TooDeep {
        /// Where.
        at: String,
        /// What is allowed.
        max: usize,
    },
    /// A text is too long.
    #[error("{at}: a text is {len} bytes long, and may be {max}")]
    TextTooLong {
        /// Where.
        at: String,
        /// Its length.
        len: usize,
        /// What is allowed.
        max: usize,
    },
    /// A member stands twice in an object.
    #[error("{at}: the member `{name}` stands twice in one object")]
    DuplicateMember {
        /// Where.
        at: String,
        /// Its name.
        name: String,
    },
    /// A member that is not known.
    #[error("record {record}: the member `{name}` is not known; known are {known}")]
    UnknownMember {
        /// Which record, from 0.
        record: usize,
        /// The member.
        name: String,
        /// Those that are.
        known: String,
    },
    /// A record is not what it should be.
    #[error("record {record}: {what}")]
    BadRecord {
        /// Which record, from 0.
        record: usize,
        /// What is wrong.
        what: String,
    },
    /// The same record twice in a request.
    #[error("record {record} is the same as record {earlier}; send it once")]
    DuplicateRecord {
        /// Which record, from 0.
        record: usize,
        /// The one it repeats.
        earlier: usize,
    },
    /// More records than a request may have.
    #[error("the request has more than {max} records; send several requests")]
    TooManyRecords {
        /// What is allowed.
        max: usize,
    },
    /// No record.
    #[error("the request has no record; send an object, a list of objects, or one object a line")]
    Empty,
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl IngestError {
    /// The stable code of the refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingHeader(_) => "MISSING_HEADER",
            Self::BadHeader { .. } => "BAD_HEADER",
            Self::Stale { .. } => "STALE",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::NotRegistered { .. } => "NOT_REGISTERED",
            Self::WrongUid { .. } => "WRONG_UID",
            Self::NoChain => "NO_CHAIN",
            Self::Replayed => "REPLAYED",
            Self::KeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::BodyTooLarge { .. } => "BODY_TOO_LARGE",
            Self::UnpackedTooLarge { .. } => "UNPACKED_TOO_LARGE",
            Self::BadGzip(_) => "BAD_GZIP",
            Self::NotJson { .. } => "NOT_JSON",
            Self::TooDeep { .. } => "TOO_DEEP",
            Self::TextTooLong { .. } => "TEXT_TOO_LONG",
            Self::DuplicateMember { .. } => "DUPLICATE_MEMBER",
            Self::UnknownMember { .. } => "UNKNOWN_MEMBER",
            Self::BadRecord { .. } => "BAD_RECORD",
            Self::DuplicateRecord { .. } => "DUPLICATE_RECORD",
            Self::TooManyRecords { .. } => "TOO_MANY_RECORDS",
            Self::Empty => "EMPTY",
            Self::Ledger(_) => "INTERNAL",
        }
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadHeader { .. } | Self::BadGzip(_) | Self::NotJson { .. } => 400,
            Self::MissingHeader(_) | Self::Stale { .. } | Self::BadSignature => 401,
            Self::NotRegistered { .. } | Self::WrongUid { .. } => 403,
            Self::Replayed | Self::KeyReused => 409,
            Self::BodyTooLarge { .. } | Self::UnpackedTooLarge { .. } => 413,
            Self::TooDeep { .. }
            | Self::TextTooLong { .. }
            | Self::DuplicateMember { .. }
            | Self::UnknownMember { .. }
            | Self::BadRecord { .. }
            | Self::DuplicateRecord { .. }
            | Self::TooManyRecords { .. }
            | Self::Empty => 422,
            Self::NoChain => 503,
            Self::Ledger(_) => 500,
        }
    }
}
