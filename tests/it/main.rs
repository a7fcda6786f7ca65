//! Integration tests: a replay node over a real socket, the road, a real store,
//! the real program.
//!
//! | file | what it shows |
//! |---|---|
//! | `words` | every byte of the recordings decodes |
//! | `state` | the store equals the recorded chain, key by key, at every block |
//! | `bytes` | what lies on disk, byte for byte |
//! | `metagraph` | what is served equals what the runtimes answered |
//! | `road` | resuming, following, calls per block |
//! | `faults` | nodes that lag, drop, lie |
//! | `kill` | SIGKILL at random points |
//! | `bad_input` | one sentence and a non-zero exit for everything wrong |
//! | `clients` | unmodified clients against the replay node |
//! | `served` | the program's HTTP answers |
//! | `architecture` | who may import whom, sizes of files, what the README promises |

mod architecture;
mod bad_input;
mod bytes;
mod clients;
mod context;
mod faults;
mod kill;
mod metagraph;
mod road;
mod served;
mod state;
mod words;
