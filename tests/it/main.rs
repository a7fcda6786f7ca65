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
//! | `answers` | every field of every answer of the runtimes against the store |
//! | `road` | resuming, following, calls per block |
//! | `faults` | nodes that lag, drop, lie |
//! | `coverage` | several ranges in one store, joined, are the same as one run |
//! | `graphql_doc` | the examples and tables of `docs/graphql.md` |
//! | `heads` | unfinalized blocks, forks, and a node with every fault at once |
//! | `kill` | SIGKILL at random points |
//! | `abuse` | hostile requests and sockets: others are answered, nothing grows, nothing stumbles |
//! | `lists` | lists from both ends, epochs by number, accounts, in the program |
//! | `bad_input` | one sentence and a non-zero exit for everything wrong |
//! | `clients` | unmodified clients against the replay node |
//! | `served` | the program's HTTP answers |
//! | `against` | `check --against-node` finds what was altered, and nothing in a good store |
//! | `door` | keys, rates, TLS, request ids and draining of the real program |
//! | `audit` | reports of a subnet against its commitments, and the program's audit |
//! | `docker` | dashboard, rules and image against the program |
//! | `examples` | every example of the documents, executed |
//! | `changes` | lists of changes against a walk over the recorded state |
//! | `compact` | a store written anew holds the same rows |
//! | `runtimes` | the manifest against runtimes, and what differs between two |
//! | `stake` | movements of stake, and who has what at a block |
//! | `scorer` | validators' reports, a challenge's services, scores and closed days, in the program |
//! | `schema_doc` | `docs/schema.md` names every table, and its bytes are real |
//! | `verify` | every recorded epoch computed again to the last bit; wrong inputs found |
//! | `weights_out` | rows of weights planned from the index, and read back with evidence |
//! | `whatif` | explanations, differences, simulations and copying as served and printed |
//! | `streams` | a thousand clients during forks: what each joins is what is stored |
//! | `rest` | REST by every route and form against GraphQL |
//! | `results` | challenge results beside real epochs; reports taken in by the program |
//! | `alerts` | webhooks through failures and kills; alert rules and their back-tests |
//! | `architecture` | who may import whom, sizes of files, what the README promises |

mod abuse;
mod activity;
mod against;
mod alerts;
mod answers;
mod architecture;
mod audit;
mod bad_input;
mod bytes;
mod changes;
mod clients;
mod commits;
mod compact;
mod context;
mod coverage;
mod docker;
mod door;
mod examples;
mod faults;
mod graphql_doc;
mod heads;
mod history;
mod history_served;
mod kill;
mod lists;
mod metagraph;
mod rest;
mod results;
mod road;
mod runtimes;
mod schema_doc;
mod scorer;
mod series;
mod served;
mod stake;
mod state;
mod streams;
mod verify;
mod weights_out;
mod whatif;
mod words;
