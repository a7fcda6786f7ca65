//! Both phases with a simulated miner, the published vectors, and hostile payloads.

mod forged;
mod phases;
mod scored;
mod simulated;
mod vectors;
