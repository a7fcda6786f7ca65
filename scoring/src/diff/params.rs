//! Hyperparameters one by one.

use super::Hyperparameters;

/// Takes one hyperparameter from the second argument.
pub(super) type Take = fn(&mut Hyperparameters, &Hyperparameters);

macro_rules! fields {
    ($($name:ident),* $(,)?) => {
        /// The names of all hyperparameters, in the order of their fields, and how to take each.
        pub(super) const ALL: &[(&str, Take)] = &[$((
            stringify!($name),
            |to, from| to.$name = from.$name,
        )),*];

        /// Breaks the build when a hyperparameter is missing above.
        const _: fn(Hyperparameters) = |params| {
            let Hyperparameters { $($name: _),* } = params;
        };
    };
}

fields!(
    tempo,
    activity_cutoff,
    activity_cutoff_factor_milli,
    max_validators,
    stake_threshold,
    kappa,
    bonds_moving_average,
    bonds_penalty,
    yuma3,
    liquid_alpha,
    alpha_low,
    alpha_high,
    alpha_sigmoid_steepness,
    commit_reveal,
);
