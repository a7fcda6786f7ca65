//! When an epoch is due.

/// Specs before 423: an epoch is due if block number, netuid and tempo say so. Never with a tempo of zero.
pub fn is_due_by_block(netuid: u16, tempo: u16, block: u64) -> bool {
    let period = u64::from(tempo) + 1;
    tempo != 0
        && block.saturating_add(u64::from(netuid)).saturating_add(1) % period == u64::from(tempo)
}

/// What is stored about the epochs of a subnet from spec 423 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochState {
    /// `Tempo`.
    pub tempo: u16,
    /// `PendingEpochAt`: an epoch was put off until, or asked for at, this block; 0 for none.
    pub pending_epoch_at: u64,
    /// `BlocksSinceLastStep`, with this block counted.
    pub blocks_since_last_step: u64,
    /// `LastEpochBlock`.
    pub last_epoch_block: u64,
}

/// How long a subnet may go without an epoch before one runs whatever else is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafetyNet {
    /// More than 50,400 blocks: spec 423 and later.
    Week,
    /// More than a tempo: the newest runtimes read (459).
    Tempo,
}

/// Specs from 423 on: an epoch is due if one is pending, if a tempo has passed since the last, or by the safety net.
///
/// Of the subnets that are due in a block, in ascending order, only `MaxEpochsPerBlock` run; the others are put off to the next block.
pub fn is_due(state: &EpochState, safety_net: SafetyNet, block: u64) -> bool {
    let tempo = u64::from(state.tempo);
    let longest = match safety_net {
        SafetyNet::Week => 50_400,
        SafetyNet::Tempo => tempo,
    };
    tempo != 0
        && ((state.pending_epoch_at > 0 && block >= state.pending_epoch_at)
            || state.blocks_since_last_step > longest
            || block.saturating_sub(state.last_epoch_block) >= tempo)
}
