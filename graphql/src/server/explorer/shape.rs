//! The explorer's records and pages.

use chain_metadata::AccountId;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::rest::Problem;
use crate::rest::reads::value::{Account, Any, Hash};
use crate::server::rest::{Parameters, bad};

/// Rows on a page when no size is given, as the explorer has it.
const DEFAULT: usize = 50;
/// Most rows on a page.
const MOST: usize = 1024;

/// Which page.
#[derive(Debug, Clone, Copy, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::server) struct Window {
    /// Number of the page, from 1.
    #[param(value_type = Option<i32>, minimum = 1, maximum = 1000000)]
    page: usize,
    /// Rows on a page; 50 without it.
    #[param(value_type = Option<i32>, minimum = 1, maximum = 1024)]
    limit: usize,
}

impl Window {
    pub(super) fn of(parameters: &Parameters<'_>) -> Result<Self, Problem> {
        let page: usize = parameters.number("page")?.unwrap_or(1);
        let limit = parameters.number("limit")?.unwrap_or(DEFAULT);
        if page == 0 || page > 1_000_000 {
            return Err(bad(format!("`page` is {page}; give 1 to 1000000")));
        }
        if limit == 0 || limit > MOST {
            return Err(bad(format!("`limit` is {limit}; give 1 to {MOST}")));
        }
        Ok(Self { page, limit })
    }

    /// Rows before the page.
    pub(super) fn skip(self) -> usize {
        (self.page - 1).saturating_mul(self.limit)
    }

    pub(super) fn limit(self) -> usize {
        self.limit
    }

    /// Cuts the page out of all rows.
    pub(super) fn cut<T>(self, all: Vec<T>) -> Listed<T> {
        let total = all.len();
        let page = all.into_iter().skip(self.skip()).take(self.limit);
        self.page(
            page.collect(),
            Some(total),
            self.skip() + self.limit < total,
        )
    }

    /// A page whose rows are at hand.
    pub(super) fn page<T>(self, data: Vec<T>, total: Option<usize>, more: bool) -> Listed<T> {
        let wide = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        Listed {
            pagination: Pagination {
                current_page: wide(self.page),
                per_page: wide(self.limit),
                total_items: total.map(wide),
                total_pages: total.map(|total| wide(total.div_ceil(self.limit))),
                next_page: more.then(|| wide(self.page + 1)),
                prev_page: (self.page > 1).then(|| wide(self.page - 1)),
            },
            data,
        }
    }
}

/// Where a page stands.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct Pagination {
    /// Number of the page, from 1.
    current_page: u64,
    /// Rows on a page.
    per_page: u64,
    /// Rows on all pages; null where counting would read the whole store.
    total_items: Option<u64>,
    /// All pages; null together with `total_items`.
    total_pages: Option<u64>,
    /// The next page; null on the last one.
    next_page: Option<u64>,
    /// The page before; null on the first one.
    prev_page: Option<u64>,
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct Listed<T> {
    /// Where it stands.
    pagination: Pagination,
    /// The rows.
    pub(super) data: Vec<T>,
}

impl<T> Listed<T> {
    /// The same page with every row made into another.
    pub(super) fn map<S>(self, row: impl FnMut(T) -> S) -> Listed<S> {
        Listed {
            pagination: self.pagination,
            data: self.data.into_iter().map(row).collect(),
        }
    }

    /// The same page with other rows.
    pub(super) fn with<S>(self, data: Vec<S>) -> Listed<S> {
        Listed {
            pagination: self.pagination,
            data,
        }
    }
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct Key {
    /// Its address with prefix 42.
    ss58: Account,
    /// Its 32 bytes as 0x-hex.
    hex: String,
}

impl From<AccountId> for Key {
    fn from(account: AccountId) -> Self {
        Self {
            ss58: Account(account),
            hex: hex_of(&account),
        }
    }
}

pub(super) fn hex_of(account: &AccountId) -> String {
    format!("0x{}", hex::encode(account.0))
}

/// A time as the explorer writes it: whole seconds without a fraction.
pub(super) fn time(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = match ms {
        0 => String::new(),
        ms => format!(".{ms:03}"),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Year, month and day of a day since 1970. Years are counted from March here, so that the day
/// that some years have more is the last one.
fn date(days: u64) -> (u64, u64, u64) {
    // 1970-01-01 is so many days after 0000-03-01.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, month, day)
}

/// A share of 65535 in decimal digits, 20 behind the point, rounded.
pub(super) fn share(value: u16) -> String {
    const SCALE: u128 = 100_000_000_000_000_000_000;
    let value = (u128::from(value) * SCALE * 2 / 65_535).div_ceil(2);
    let (whole, rest) = (value / SCALE, value % SCALE);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = format!("{rest:020}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// A neuron.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct NeuronRow {
    /// The hotkey that holds the uid.
    pub(super) hotkey: Key,
    /// The coldkey that owns it; null when none is stored.
    pub(super) coldkey: Option<Key>,
    /// Number of the subnet.
    pub(super) netuid: u16,
    /// Number of the neuron.
    pub(super) uid: u16,
    /// Height of the block whose end this is.
    pub(super) block_number: u32,
    /// Time of that block; null when it sets none.
    pub(super) timestamp: Option<String>,
    /// All stake on the hotkey, in rao; null in runtimes with subnet tokens, where there is no one
    /// such number (see /v1/stake).
    pub(super) stake: Option<String>,
    /// Trust, 0 to 1; null when the runtime does not compute it.
    pub(super) trust: Option<String>,
    /// Validator trust, 0 to 1.
    pub(super) validator_trust: Option<String>,
    /// Consensus, 0 to 1.
    pub(super) consensus: Option<String>,
    /// Incentive, 0 to 1.
    pub(super) incentive: Option<String>,
    /// Dividends, 0 to 1.
    pub(super) dividends: Option<String>,
    /// Emission of the last epoch, in rao.
    pub(super) emission: Option<String>,
    /// Whether its weights count as recent.
    pub(super) active: Option<bool>,
    /// Whether it may set weights as a validator.
    pub(super) validator_permit: Option<bool>,
    /// Blocks since it set weights.
    pub(super) updated: Option<u64>,
    /// Emission times the epochs in 7200 blocks, as the explorer has it; null without a tempo.
    pub(super) daily_reward: Option<String>,
    /// Height of its registration.
    pub(super) registered_at_block: Option<u64>,
    /// Whether it registered less than the subnet's immunity period ago.
    pub(super) is_immunity_period: Option<bool>,
    /// Always null: by what the explorer ranks is not known.
    pub(super) rank: Option<u32>,
    /// Always null: child keys are not among what is served.
    pub(super) is_child_key: Option<bool>,
    /// Where it serves requests; null when it serves nowhere.
    pub(super) axon: Option<AxonRow>,
}

/// Where a neuron serves requests.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct AxonRow {
    /// Height at which it was announced.
    pub(super) block: u64,
    /// The address in dotted or colon form.
    pub(super) ip: String,
    /// 4 or 6.
    #[serde(rename = "ipType")]
    pub(super) ip_type: u8,
    /// First spare byte.
    pub(super) placeholder1: u8,
    /// Second spare byte.
    pub(super) placeholder2: u8,
    /// TCP port.
    pub(super) port: u16,
    /// Protocol number.
    pub(super) protocol: u8,
    /// Version of the serving software.
    pub(super) version: u32,
}

/// A row of the weight matrix.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct WeightsRow {
    /// The hotkey that holds the uid; null when nobody does.
    pub(super) hotkey: Option<Key>,
    /// The neuron whose row this is.
    pub(super) uid: u16,
    /// Number of the subnet.
    pub(super) netuid: u16,
    /// Height of the block whose end this is.
    pub(super) block_number: u32,
    /// Time of that block; null when it sets none.
    pub(super) timestamp: Option<String>,
    /// What it gives to whom.
    pub(super) weights: Vec<WeightRow>,
}

/// A weight.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct WeightRow {
    /// The neuron that it is about.
    pub(super) uid: u16,
    /// The stored value as a share of 65535, 0 to 1.
    pub(super) weight: String,
}

/// A subnet. A setting that its runtime does not have is null.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(in crate::server) struct SubnetRow {
    /// Height of the block whose end this is.
    pub(super) block_number: u32,
    /// Time of that block; null when it sets none.
    pub(super) timestamp: Option<String>,
    /// Number of the subnet.
    pub(super) netuid: u16,
    /// The owner's coldkey; null when none is stored.
    pub(super) owner: Option<Key>,
    /// Height of its registration; null when none is stored.
    pub(super) registration_block_number: Option<u64>,
    /// Time of that block; null when it is not stored.
    pub(super) registration_timestamp: Option<String>,
    /// What was locked for it (SubnetLocked), in rao; null when none is stored.
    pub(super) registration_cost: Option<String>,
    /// What registering a neuron costs (Burn), in rao.
    pub(super) neuron_registration_cost: Option<String>,
    pub(super) max_neurons: Option<u64>,
    /// Always null: what the explorer counts is not known.
    pub(super) active_keys: Option<u64>,
    /// Neurons with a validator permit.
    pub(super) validators: Option<u64>,
    /// Always null: what the explorer counts is not known.
    pub(super) active_validators: Option<u64>,
    /// Always null: what the explorer counts is not known.
    pub(super) active_miners: Option<u64>,
    /// Always null: what the explorer counts is not known.
    pub(super) active_dual: Option<u64>,
    pub(super) modality: Option<u64>,
    /// EmissionValues, in rao; null in runtimes without it.
    pub(super) emission: Option<String>,
    pub(super) rho: Option<u64>,
    pub(super) kappa: Option<u64>,
    pub(super) immunity_period: Option<u64>,
    pub(super) min_allowed_weights: Option<u64>,
    pub(super) max_weights_limit: Option<u64>,
    pub(super) tempo: Option<u64>,
    pub(super) min_difficulty: Option<String>,
    pub(super) max_difficulty: Option<String>,
    pub(super) weights_version: Option<String>,
    pub(super) weights_rate_limit: Option<String>,
    pub(super) adjustment_interval: Option<u64>,
    pub(super) activity_cutoff: Option<u64>,
    pub(super) registration_allowed: Option<bool>,
    pub(super) target_regs_per_interval: Option<u64>,
    pub(super) min_burn: Option<String>,
    pub(super) max_burn: Option<String>,
    pub(super) bonds_moving_avg: Option<String>,
    pub(super) max_regs_per_block: Option<u64>,
    pub(super) serving_rate_limit: Option<String>,
    pub(super) max_validators: Option<u64>,
    pub(super) adjustment_alpha: Option<String>,
    pub(super) difficulty: Option<String>,
    /// Always null: it is not among what is stored.
    pub(super) last_adjustment_block: Option<u64>,
    pub(super) blocks_since_last_step: Option<u64>,
    /// Tempo less the blocks since the last step, as the explorer has it.
    pub(super) blocks_until_next_epoch: Option<u64>,
    /// Always null: it is not among what is stored.
    pub(super) blocks_until_next_adjustment: Option<u64>,
    /// RAORecycledForRegistration, in rao.
    pub(super) recycled_lifetime: Option<String>,
    /// Always null.
    pub(super) recycled_24_hours: Option<String>,
    /// Always null.
    pub(super) recycled_since_registration: Option<String>,
}

/// A runtime.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct RuntimeRow {
    /// First stored block that it executed.
    pub(super) block_number: u32,
    /// Time of that block; null when it sets none.
    pub(super) timestamp: Option<String>,
    /// Its spec version.
    pub(super) runtime_version: u32,
}

/// An event.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct EventRow {
    /// Block and position, such as 4106955-0024.
    pub(super) id: String,
    /// Position of the extrinsic that emitted it; null outside extrinsics.
    pub(super) extrinsic_index: Option<u32>,
    /// Position in the block.
    pub(super) index: u32,
    /// ApplyExtrinsic, Initialization or Finalization.
    pub(super) phase: &'static str,
    /// Name of the pallet.
    pub(super) pallet: String,
    /// Name of the event.
    pub(super) name: String,
    /// Both names.
    pub(super) full_name: String,
    /// Its fields, in our own form.
    pub(super) args: Any,
    /// Height of the block.
    pub(super) block_number: u32,
    /// Name of the extrinsic; null outside extrinsics.
    pub(super) extrinsic_id: Option<String>,
    /// Always null: events do not name their call.
    pub(super) call_id: Option<String>,
    /// Time of the block; null when it sets none.
    pub(super) timestamp: Option<String>,
}

/// An extrinsic.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct ExtrinsicRow {
    /// Time of the block; null when it sets none.
    pub(super) timestamp: Option<String>,
    /// Height of the block.
    pub(super) block_number: u32,
    /// BLAKE2-256 of its bytes.
    pub(super) hash: Hash,
    /// Block and position, such as 5012780-0020.
    pub(super) id: String,
    /// Position in the block.
    pub(super) index: u32,
    /// Version of its format.
    pub(super) version: u8,
    /// Always null: GraphQL gives the raw bytes, which hold it.
    pub(super) signature: Option<Any>,
    /// The signer's 32 bytes as 0x-hex; null when unsigned.
    pub(super) signer_address: Option<String>,
    /// Tip in rao; null when it carries none.
    pub(super) tip: Option<String>,
    /// Fee in rao; null when there is no event about it.
    pub(super) fee: Option<String>,
    /// Whether it succeeded; null when the events do not say.
    pub(super) success: Option<bool>,
    /// Why it failed; null when it did not.
    pub(super) error: Option<ErrorRow>,
    /// The name of its outer call: its own.
    pub(super) call_id: String,
    /// Pallet and call.
    pub(super) full_name: String,
    /// Arguments by name, in our own form.
    pub(super) call_args: Any,
}

/// A dispatch error.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct ErrorRow {
    /// The metadata's text.
    pub(super) extra_info: String,
    /// Its name.
    pub(super) name: String,
    /// The pallet with a small first letter; null for errors of no pallet.
    pub(super) pallet: Option<String>,
}

/// A block.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::server) struct BlockRow {
    /// Height.
    pub(super) block_number: u32,
    /// Hash of the header.
    pub(super) hash: Hash,
    /// Hash of the block before.
    pub(super) parent_hash: Hash,
    /// Root of the state.
    pub(super) state_root: Hash,
    /// Root of the extrinsics.
    pub(super) extrinsics_root: Hash,
    /// Always null: only the spec version is stored.
    pub(super) spec_name: Option<String>,
    /// Spec version of the runtime that executed it.
    pub(super) spec_version: u32,
    /// Always null: only the spec version is stored.
    pub(super) impl_name: Option<String>,
    /// Always null: only the spec version is stored.
    pub(super) impl_version: Option<u32>,
    /// Time of the block; null when it sets none.
    pub(super) timestamp: Option<String>,
    /// Always null: the author is not decoded.
    pub(super) validator: Option<String>,
    /// Number of events.
    pub(super) events_count: u32,
    /// Number of extrinsics.
    pub(super) extrinsics_count: u32,
    /// Always null: nested calls are not counted.
    pub(super) calls_count: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_explorer_writes_them() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(1_732_458_168_000), "2024-11-24T14:22:48Z");
        assert_eq!(time(1_729_697_796_001), "2024-10-23T15:36:36.001Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(time(4_107_542_400_000), "2100-03-01T00:00:00Z");
        // What no chain says, but bytes could.
        assert!(time(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn shares_are_written_as_the_explorer_writes_them() {
        assert_eq!(share(0), "0");
        assert_eq!(share(65_535), "1");
        assert_eq!(share(56_832), "0.86720073243305104143");
        assert_eq!(share(65_310), "0.9965667200732433051");
        assert_eq!(share(8_173), "0.12471198596169985504");
    }
}
