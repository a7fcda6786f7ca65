//! Settings out of the environment.

use figment::providers::Env;

/// What the environment sets. A variable without text is none: tools that start containers hand on what is
/// not set as an empty one.
pub(super) fn settings() -> Env {
    const PREFIX: &str = "YUMASCOPE_";
    let given = std::env::vars_os();
    let empty = given.filter(|(_, value)| value.is_empty());
    let names: Vec<String> = empty
        .filter_map(|(name, _)| Some(name.to_str()?.strip_prefix(PREFIX)?.to_owned()))
        .collect();
    // Of `probe`, which may run beside the others in one environment, as in a container.
    let other = std::iter::once("PROBE_URL");
    let names: Vec<&str> = names.iter().map(String::as_str).chain(other).collect();
    Env::prefixed(PREFIX).ignore(&names)
}

#[cfg(test)]
#[expect(
    clippy::result_large_err,
    reason = "figment's Jail wants its own error"
)]
mod tests {
    use figment::Jail;

    use crate::args::Flags;
    use crate::config::Config;

    #[test]
    fn an_empty_variable_is_not_set() {
        Jail::expect_with(|jail| {
            jail.set_env("YUMASCOPE_NETWORK", "");
            jail.set_env("YUMASCOPE_WINDOW", "");
            jail.set_env("YUMASCOPE_CACHE_MIB", "7");
            jail.set_env("YUMASCOPE_PROBE_URL", "http://127.0.0.1:9100/health");
            let config = Config::load(&Flags::default()).unwrap();
            assert_eq!((config.network, config.cache_mib), (None, 7));
            assert_eq!(config.window, Config::default().window);
            Ok(())
        });
    }
}
