//! Sends a planned row of weights to the chain.
