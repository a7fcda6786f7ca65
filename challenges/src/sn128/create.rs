//! Makes tasks and what will be looked at.

use rand::seq::index;
use rand::{Rng, RngCore};
use thiserror::Error;

use super::cpu::Seed;
use super::gpu::{Tolerance, sampled};
use super::wire::{Kind, Targets, Task};

/// A number that varies around its middle by a share of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Around {
    /// The middle.
    pub base: u32,
    /// The share, 0 to 1.
    pub vary: f64,
}

/// How challenges are made; a hub may override the numbers while a validator runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Size of matrices for CPUs.
    pub cpu_size: Around,
    /// Rows that a CPU must prove.
    pub cpu_rows: Around,
    /// Size of matrices for GPUs.
    pub gpu_size: Around,
    /// Single values that a GPU must prove.
    pub gpu_coordinates: Around,
    /// Rows that a GPU must prove.
    pub gpu_rows: Around,
}

/// What the published configuration says.
pub const SETTINGS: Settings = Settings {
    cpu_size: Around {
        base: 2000,
        vary: 0.10,
    },
    cpu_rows: Around {
        base: 50,
        vary: 0.50,
    },
    gpu_size: Around {
        base: 32_768,
        vary: 0.05,
    },
    gpu_coordinates: Around {
        base: 25,
        vary: 0.20,
    },
    gpu_rows: Around {
        base: 2,
        vary: 0.50,
    },
};

/// Least and greatest size of matrices for CPUs.
pub const CPU_SIZES: (u32, u32) = (100, 10_000);
/// Least and greatest size of matrices for GPUs; beyond it places would not be told apart.
pub const GPU_SIZES: (u32, u32) = (100, 65_536);

/// Settings that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum CreateError {
    /// A share that is none.
    #[error("a number varies by {0} of itself; give a share from 0 to 1")]
    Vary(f64),
    /// Nothing to look at.
    #[error(
        "neither rows nor values would be looked at, and any answer would pass; set at least one of the two above zero"
    )]
    Nothing,
}

/// Least and greatest size of a kind.
pub fn sizes(kind: Kind) -> (u32, u32) {
    match kind {
        Kind::CpuMatrix => CPU_SIZES,
        Kind::GpuMatrix => GPU_SIZES,
    }
}

/// The size that a seed gives: any of the range is as likely, then it is brought within the
/// limits of the kind.
///
/// ```
/// use challenges::sn128::cpu::Seed;
/// use challenges::sn128::create::{Around, size};
/// use challenges::sn128::wire::Kind;
/// let seed = Seed::from_hex("00000001000000000000000000000000")?;
/// assert_eq!(size(seed, Around { base: 2000, vary: 0.1 }, Kind::CpuMatrix), 1837);
/// # Ok::<(), challenges::sn128::cpu::NoSeed>(())
/// ```
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the original cuts off as well, and the cast saturates"
)]
pub fn size(seed: Seed, around: Around, kind: Kind) -> u32 {
    let base = f64::from(around.base);
    let low = (base * (1.0 - around.vary)) as u32;
    let high = (base * (1.0 + around.vary)) as u32;
    let drawn = seed.twister().up_to(high.saturating_sub(low));
    let (min, max) = sizes(kind);
    low.saturating_add(drawn).clamp(min, max)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the original cuts off as well, and the cast saturates"
)]
fn vary(around: Around, rng: &mut impl RngCore) -> u32 {
    let by = (f64::from(around.base) * around.vary) as u32;
    let low = around.base.saturating_sub(by);
    rng.random_range(low..=around.base.saturating_add(by))
}

fn check(settings: &Settings) -> Result<(), CreateError> {
    let all = [
        settings.cpu_size,
        settings.cpu_rows,
        settings.gpu_size,
        settings.gpu_coordinates,
        settings.gpu_rows,
    ];
    match all
        .iter()
        .find(|around| !(0.0..=1.0).contains(&around.vary))
    {
        Some(around) => Err(CreateError::Vary(around.vary)),
        None => Ok(()),
    }
}

/// Makes a task.
///
/// # Errors
///
/// When a setting varies by more than itself.
pub fn task(kind: Kind, settings: &Settings, rng: &mut impl RngCore) -> Result<Task, CreateError> {
    check(settings)?;
    let mut seed = Seed([0; 16]);
    rng.fill_bytes(&mut seed.0);
    let (around, target_gpu_id) = match kind {
        Kind::CpuMatrix => (settings.cpu_size, None),
        Kind::GpuMatrix => (settings.gpu_size, Some(-1)),
    };
    Ok(Task {
        challenge_type: kind,
        matrix_size: size(seed, around, kind),
        seed: hex::encode(seed.0),
        iterations: 1,
        mode: None,
        target_gpu_id,
    })
}

/// Chooses what will be looked at, only after the commitment is there. Rows and values are
/// in ascending order and none comes twice.
///
/// # Errors
///
/// When a setting varies by more than itself, or nothing would be looked at.
pub fn targets(
    kind: Kind,
    matrix_size: u32,
    settings: &Settings,
    rng: &mut impl RngCore,
) -> Result<Targets, CreateError> {
    check(settings)?;
    let mut targets = Targets::default();
    match kind {
        Kind::CpuMatrix => {
            let rows = vary(settings.cpu_rows, rng).max(1);
            targets.rows = sample(matrix_size, rows, rng);
        }
        Kind::GpuMatrix => {
            let wanted = vary(settings.gpu_coordinates, rng);
            // As many draws as the original makes; a size that small has few places.
            let mut found = std::collections::BTreeSet::new();
            for _ in 0..u64::from(wanted) * 10 {
                if matrix_size == 0 || found.len() >= usize::try_from(wanted).unwrap_or(0) {
                    break;
                }
                let place = |rng: &mut _| Rng::random_range(rng, 0..matrix_size);
                found.insert((place(rng), place(rng)));
            }
            targets.coordinates = found.into_iter().collect();
            let rows = vary(settings.gpu_rows, rng);
            targets.rows = sample(matrix_size, rows, rng);
        }
    }
    if targets.is_empty() {
        return Err(CreateError::Nothing);
    }
    Ok(targets)
}

/// The secret columns of every row that will be looked at.
pub fn columns(tolerance: &Tolerance, matrix_size: u32, rng: &mut impl RngCore) -> Vec<u32> {
    sample(matrix_size, sampled(tolerance, matrix_size), rng)
}

fn sample(of: u32, wanted: u32, rng: &mut impl RngCore) -> Vec<u32> {
    let (of, wanted) = (
        usize::try_from(of).unwrap_or(0),
        usize::try_from(wanted.min(of)).unwrap_or(0),
    );
    let mut chosen: Vec<u32> = index::sample(rng, of, wanted)
        .into_iter()
        .filter_map(|place| u32::try_from(place).ok())
        .collect();
    chosen.sort_unstable();
    chosen
}
