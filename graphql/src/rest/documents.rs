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

pub(super) const PROFILES: &str = "{ answer: profiles { name netuid from until summary source } }";

pub(super) const RESULTS: &str = "query($netuid: Int!, $challenge: String, $kind: ResultKind,
    $subject: String, $first: Int!, $after: String) {
  answer: challengeResults(netuid: $netuid, challenge: $challenge, kind: $kind, subject: $subject,
    first: $first, after: $after) {
    nodes { number netuid challenge subject reporter { kind hotkey uid name } receivedMs checkedAt
      signature payload record {
        kind: __typename
        ... on ResultRun { id startedMs endedMs success error details }
        ... on ResultSubmission { id atMs details }
        ... on ResultScore { of profile inputs score reason details }
        ... on ResultComparison { of with similarity reason details }
        ... on ResultFinalization { period profile inputs details } } }
    next }
}";

pub(super) const SCORES: &str = "query($netuid: Int!, $profile: String, $challenge: String,
    $reporter: AccountId, $first: Int!, $after: String) {
  answer: scores(netuid: $netuid, profile: $profile, challenge: $challenge, reporter: $reporter,
    first: $first, after: $after) {
    nodes { number netuid challenge subject reporter { kind hotkey uid name } receivedMs checkedAt
      signature payload record {
        kind: __typename
        ... on ResultRun { id startedMs endedMs success error details }
        ... on ResultSubmission { id atMs details }
        ... on ResultScore { of profile inputs score reason details }
        ... on ResultComparison { of with similarity reason details }
        ... on ResultFinalization { period profile inputs details } } }
    next }
}";

pub(super) const SCORE_JOIN: &str = "query($netuid: Int!, $mechanism: Int!, $block: Int!,
    $profile: String, $challenge: String, $reporter: AccountId) {
  answer: scoreJoin(netuid: $netuid, mechanism: $mechanism, block: $block, profile: $profile,
    challenge: $challenge, reporter: $reporter) {
    netuid mechanism blockNumber specVersion doubts forecastMissing
    rows { uid hotkey score rank scoreNumber challenge profile clippedShare incentive storedIncentive
      consensus { bits decimal } beforeClipping { bits decimal } afterClipping { bits decimal }
      weights { validator raw normalised { bits } clipped { bits } } }
    validators { uid hotkey compared pearson spearman validatorTrust storedValidatorTrust
      activeStake { bits decimal } wasted { bits decimal } }
    forecast { blockNumber doubts validators { uid hotkey validatorTrust wasted { bits decimal } } } }
}";
