//! Integration tests: a replay node over a real socket, the road, a real store,
//! the real program.
//!
//! | file | what it shows |
//! |---|---|
//! | `words` | every byte of the recordings decodes |
//! | `activity` | accounts, calls, events and errors are found |
//! | `state` | the store equals the recorded chain, key by key, at every block |
//! | `bytes` | what lies on disk, byte for byte |
//! | `commits` | the commit ledger: every end, and storage at every block |
//! | `metagraph` | what is served equals what the runtimes answered |
//! | `road` | resuming, following, calls per block |
//! | `faults` | nodes that lag, drop, lie |
//! | `kill` | SIGKILL at random points |
//! | `bad_input` | one sentence and a non-zero exit for everything wrong |
//! | `clients` | unmodified clients against the replay node |
//! | `served` | the program's HTTP answers |
//! | `against` | `check --against-node` finds what was altered, and nothing in a good store |
//! | `compact` | a store written anew holds the same rows |
//! | `runtimes` | the manifest against runtimes, and what differs between two |
//! | `schema_doc` | `docs/schema.md` names every table, and its bytes are real |
//! | `architecture` | who may import whom, sizes of files, what the README promises |

mod activity;
mod against;
mod architecture;
mod bad_input;
mod bytes;
mod clients;
mod commits;
mod compact;
mod context;
mod faults;
mod kill;
mod metagraph;
mod road;
mod runtimes;
mod schema_doc;
mod served;
mod state;
mod words;
