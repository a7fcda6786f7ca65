//! Single settings, and what is refused.
#![expect(
    clippy::result_large_err,
    reason = "figment's Jail wants its own error"
)]

use figment::Jail;

use super::*;

#[test]
fn addresses_are_a_text_with_commas_or_a_list() {
    for (given, wanted) in [
        ("ws://a:1", vec!["ws://a:1"]),
        (" ws://a:1 , ws://b:2,", vec!["ws://a:1", "ws://b:2"]),
        (r#"["ws://a:1", "ws://b:2"]"#, vec!["ws://a:1", "ws://b:2"]),
        ("", vec![]),
    ] {
        Jail::expect_with(|jail| {
            jail.set_env("YUMASCOPE_URL", given);
            assert_eq!(Config::load(&Flags::default()).unwrap().url, wanted);
            Ok(())
        });
    }
    Jail::expect_with(|jail| {
        jail.set_env("YUMASCOPE_URL", "7");
        let error = format!("{:#}", Config::load(&Flags::default()).unwrap_err());
        assert!(error.contains("an address"), "{error}");
        Ok(())
    });
}

#[test]
fn a_network_wins_over_addresses_of_the_places_before_it() {
    let own = || vec!["ws://own:1".to_owned()];
    let file = || Flags {
        config: Some("y.toml".into()),
        ..Flags::default()
    };
    Jail::expect_with(|jail| {
        jail.create_file("y.toml", "url = [\"ws://own:1\"]\n")?;
        assert_eq!(Config::load(&file()).unwrap().urls().unwrap(), own());
        // A flag over the file.
        let flags = Flags {
            network: Some(Network::Finney),
            ..file()
        };
        let urls = Config::load(&flags).unwrap().urls().unwrap();
        assert_eq!(urls, Network::Finney.urls());
        // The environment over the file.
        jail.set_env("YUMASCOPE_NETWORK", "archive");
        let config = Config::load(&file()).unwrap();
        assert_eq!(config.urls().unwrap(), Network::Archive.urls());
        // Both in one place: the address, and the network's genesis.
        let flags = Flags {
            url: own(),
            network: Some(Network::Finney),
            ..file()
        };
        let config = Config::load(&flags).unwrap();
        assert_eq!(config.urls().unwrap(), own());
        assert_eq!(config.network, Some(Network::Finney));
        // An address over a network of the place before it keeps the guard.
        let flags = Flags {
            url: own(),
            ..file()
        };
        let config = Config::load(&flags).unwrap();
        assert_eq!(config.urls().unwrap(), own());
        assert_eq!(config.network, Some(Network::Archive));
        Ok(())
    });
}

#[test]
fn unknown_keys_are_refused_by_name_and_file() {
    Jail::expect_with(|jail| {
        jail.create_file("bad.toml", "windwo = 7\n")?;
        let flags = Flags {
            config: Some("bad.toml".into()),
            ..Flags::default()
        };
        let error = format!("{:#}", Config::load(&flags).unwrap_err());
        assert!(
            error.contains("windwo") && error.contains("bad.toml"),
            "{error}"
        );
        Ok(())
    });
}

#[test]
fn printed_settings_can_be_read_back() {
    Jail::expect_with(|jail| {
        let flags = Flags {
            network: Some(Network::Archive),
            url: vec!["ws://a:1".into(), "ws://b:2".into()],
            from: Some(5),
            ..Flags::default()
        };
        let config = Config::load(&flags).unwrap();
        jail.create_file("printed.toml", &config.to_toml().unwrap())?;
        let again = Config::load(&Flags {
            config: Some("printed.toml".into()),
            ..Flags::default()
        })
        .unwrap();
        assert_eq!(config, again);
        Ok(())
    });
}

#[test]
fn heads_are_followed_unless_told_otherwise() {
    Jail::expect_with(|jail| {
        assert!(Config::load(&Flags::default()).unwrap().heads);
        jail.create_file("y.toml", "heads = false\n")?;
        let file = |no_heads| Flags {
            config: Some("y.toml".into()),
            no_heads,
            ..Flags::default()
        };
        assert!(!Config::load(&file(false)).unwrap().heads);
        jail.set_env("YUMASCOPE_HEADS", "true");
        assert!(Config::load(&file(false)).unwrap().heads);
        assert!(!Config::load(&file(true)).unwrap().heads);
        Ok(())
    });
}

#[test]
fn numbers_out_of_bounds_are_refused() {
    for cache_mib in [0, MAX_CACHE_MIB + 1, 1 << 44, u64::MAX] {
        let config = Config {
            cache_mib,
            ..Config::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("1 to 1048576"), "{error}");
    }
    for timeout in [0, u64::MAX] {
        let config = Config {
            timeout,
            ..Config::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("1 to 86400"), "{error}");
    }
    for number in [0, u64::MAX] {
        let config = Config {
            ingest_freshness: number,
            ..Config::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("1 to 3600"), "{error}");
        let config = Config {
            ingest_body_kib: number,
            ..Config::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("1 to 65536"), "{error}");
    }
}

#[test]
fn ranges_are_two_numbers() {
    let of = |text: &str| {
        let config = Config {
            ranges: vec![text.into()],
            ..Config::default()
        };
        config.validate().map(|()| config.blocks().unwrap())
    };
    assert_eq!(of("5..9").unwrap(), [(5, 9)]);
    assert_eq!(of("5..=5").unwrap(), [(5, 5)]);
    for text in [
        "",
        "5",
        "5-9",
        "..9",
        "5..",
        "a..b",
        "0..4294967296",
        "-1..4",
    ] {
        let error = of(text).unwrap_err().to_string();
        assert!(error.contains("FIRST..LAST"), "{error}");
    }
    assert!(of("9..5").unwrap_err().to_string().contains("swap"));
    for number in [0, 1_025] {
        let config = Config {
            split: number,
            ..Config::default()
        };
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("1 to 1024"), "{error}");
    }
}

#[test]
fn nonsense_is_refused() {
    let config = Config {
        from: Some(9),
        until: Some(3),
        ..Config::default()
    };
    assert!(
        config
            .validate()
            .unwrap_err()
            .to_string()
            .contains("before")
    );
    assert!(
        Config::default()
            .urls()
            .unwrap_err()
            .to_string()
            .contains("--network")
    );
}

#[test]
fn nonsense_at_the_door_is_refused() {
    type Change = fn(&mut Config);
    let cases: [(&str, Change); 17] = [
        ("anonymous_rate is -1", |c| c.anonymous_rate = -1.0),
        ("anonymous_rate is NaN", |c| c.anonymous_rate = f64::NAN),
        ("key_rate is", |c| c.key_rate = 1e10),
        ("anonymous_burst is 0", |c| c.anonymous_burst = 0),
        ("key_burst is 0", |c| c.key_burst = 0),
        ("max_connections is 0", |c| c.max_connections = 0),
        ("connections_per_address is 0", |c| {
            c.connections_per_address = 0
        }),
        ("streams_per_caller is 0", |c| c.streams_per_caller = 0),
        ("header_timeout is 0", |c| c.header_timeout = 0),
        ("drain is 86401", |c| c.drain = 86_401),
        ("ready_hold is 86401", |c| c.ready_hold = 86_401),
        ("no address range", |c| {
            c.trusted_proxy = vec!["10.0.0.0/40".into()]
        }),
        ("no header of proxies", |c| {
            c.proxy_header = "x-real-ip".into()
        }),
        ("no origin", |c| c.cors = "example.org".into()),
        ("--tls-key", |c| c.tls_cert = Some("c".into())),
        ("--persisted-queries", |c| c.only_persisted = true),
        ("ready_lag_back is 11", |c| c.ready_lag_back = 11),
    ];
    for (word, change) in cases {
        let mut config = Config::default();
        change(&mut config);
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}
