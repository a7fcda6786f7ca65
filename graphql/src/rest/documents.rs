//! The GraphQL documents behind the questions. Each names its field `answer`.

/// The record of an epoch.
pub(super) const VERIFICATION: &str = "query($netuid: Int!, $mechanism: Int!, $block: Int!) {
  answer: verification(netuid: $netuid, mechanism: $mechanism, block: $block) {
    blockNumber netuid mechanism specVersion rules verdict what
    fields { field stage compared differing maxAbsDiff firstUid }
    firstDifference { field stage compared differing maxAbsDiff firstUid }
    notCompared { field why } replacedUids drained inputsHash resultsHash
  }
}";

/// How a uid's numbers came about.
pub(super) const EXPLAIN: &str =
    "query($netuid: Int!, $mechanism: Int!, $block: Int!, $uid: Int!) {
  answer: explainEpoch(netuid: $netuid, mechanism: $mechanism, block: $block, uid: $uid) {
    uid specVersion voice { ...voice }
    weights {
      validator voice { ...voice } raw removedBy masks { mask left } rowSum
      normalised { ...fixed } clipped { ...fixed } beforeClipping { ...fixed }
      contribution { ...fixed }
    }
    median {
      kappa { ...fixed } total { ...fixed } minority { ...fixed }
      votes { validator score { ...fixed } stake { ...fixed } upTo { ...fixed } }
      decidedBy consensus { ...fixed } stored
    }
    prerank { ...fixed } rank { ...fixed } rankSum { ...fixed } incentive { ...fixed }
    storedIncentive
    dividends {
      yuma3
      bonds {
        miner before masked old { ...fixed } weight { ...fixed } new { ...fixed }
        alpha { ...fixed } average { ...fixed } share { ...fixed } incentive { ...fixed }
        contribution { ...fixed } after
      }
      held { ...fixed } unnormalised { ...fixed } sum { ...fixed } dividends { ...fixed } stored
    }
    doubts
  }
}
fragment fixed on Fixed { bits decimal }
fragment voice on EpochVoice { total stake { ...fixed } lost activeStake { ...fixed } }";

/// What changed a number.
pub(super) const DIFF: &str = "query(
  $netuid: Int!, $mechanism: Int!, $block: Int!, $to: Int!, $hotkey: AccountId!,
  $field: DiffField!, $detail: Int
) {
  answer: incentiveDiff(
    netuid: $netuid, mechanism: $mechanism, fromBlock: $block, toBlock: $to, hotkey: $hotkey,
    field: $field, detail: $detail
  ) {
    hotkey field fromBlock toBlock fromUid toUid from to difference
    terms { cause name hotkey change unclipped clipping }
    doubts
  }
}";

/// Epochs with and without a patch.
pub(super) const SIMULATE: &str = "query(
  $netuid: Int!, $mechanism: Int!, $block: Int!, $horizon: Int!, $patch: SimulationPatch!,
  $uids: [Int!]
) {
  answer: simulate(
    netuid: $netuid, mechanism: $mechanism, block: $block, horizon: $horizon, patch: $patch
  ) {
    permalink inputsHash cost costLimit notes
    epochs {
      index blockNumber isStored isChanged permitsGained permitsLost
      neurons(uids: $uids) {
        uid incentive { without with delta } dividends { without with delta }
        consensus { without with delta } validatorTrust { without with delta }
        emission { without with delta } validatorPermit { without with }
      }
    }
  }
}";

/// Who sets weights that others had before.
pub(super) const COPYING: &str = "query(
  $netuid: Int!, $mechanism: Int!, $block: Int!, $to: Int!, $lag: Int!, $relations: Int!
) {
  answer: weightCopying(
    netuid: $netuid, mechanism: $mechanism, from: $block, to: $to, maxLag: $lag
  ) {
    steps
    validators {
      hotkey changes score leader
      relations(first: $relations) {
        leader follows score timing repeated lag compared identical correlation cosine reverse
        together
      }
    }
  }
}";
