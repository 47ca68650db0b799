use std::io::Write;

use super::*;

fn serve(args: &[&str], environment: &[(&str, &str)]) -> Result<ServeArgs, String> {
    let argv = ["ticketblitz", "serve"].iter().chain(args).map(OsString::from).collect();
    let environment: Vec<(OsString, OsString)> =
        environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    match parse(argv, &environment) {
        Ok(Command::Serve(args)) => Ok(*args),
        Ok(other) => Err(format!("{other:?}")),
        Err(ConfigError::Clap(error)) => Err(error.to_string()),
        Err(ConfigError::Sentence(sentence)) => Err(sentence),
    }
}

#[test]
fn without_settings_the_documented_defaults_hold() {
    let args = serve(&[], &[]).expect("starts");
    assert_eq!(args.role, Role::All);
    assert_eq!(args.hold_ttl, Duration::from_secs(600));
    assert_eq!(args.hold_ceiling, Duration::from_secs(1_800));
    assert_eq!(args.payment_deadline, Duration::from_secs(600));
    assert_eq!(args.access_token_ttl, Duration::from_secs(900));
    assert_eq!(args.retention, Duration::from_secs(7 * 86_400));
    assert_eq!(args.key_retention, Duration::from_secs(86_400));
    assert_eq!(args.passwords.password_min_length, 6);
    assert!(args.sample_data);
    assert_eq!(args.rate_limit, RateLimitSetting(None));
}

#[test]
fn the_command_line_outranks_the_file_and_a_misspelt_setting_is_refused() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "hold_ttl = \"5s\"\nport_offset = 7\nsample_data = false\n").expect("written");
    let path = file.path().to_str().expect("a text").to_owned();
    let args = serve(&["--config", &path, "--hold-ttl", "6s"], &[]).expect("starts");
    assert_eq!((args.hold_ttl, args.port_offset, args.sample_data), (Duration::from_secs(6), 7, false));
    let from_env = serve(&[], &[("TICKETBLITZ_CONFIG", &path)]).expect("starts");
    assert_eq!(from_env.hold_ttl, Duration::from_secs(5));

    writeln!(file, "hold_tll = \"5s\"").expect("written");
    let error = serve(&["--config", &path], &[]).expect_err("misspelt");
    assert!(error.contains("hold_tll"), "{error}");
}

#[test]
fn a_wrong_setting_is_named() {
    for (args, environment, named) in [
        (&["--hold-ttl", "10"][..], &[][..], "--hold-ttl"),
        (&["--port-offset", "60000"], &[], "--port-offset"),
        (&["--rate-limit", "0"], &[], "--rate-limit"),
        (&["--payment-deadline", "999ms"], &[], "--payment-deadline"),
        (&[], &[("TICKETBLITZ_HOLD_TLL", "5s")], "TICKETBLITZ_HOLD_TLL"),
        (&[], &[("TICKETBLITZ_SERVICE_SECRET_FILE", "/nonexistent")], "/nonexistent"),
        (&["--config", "/nonexistent"], &[], "/nonexistent"),
    ] {
        let error = serve(args, environment).expect_err(named);
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_secret_is_read_from_its_file() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "hunter22").expect("written");
    let path = file.path().to_str().expect("a text").to_owned();
    let args = serve(&[], &[("TICKETBLITZ_ADMIN_PASSWORD_FILE", &path)]).expect("starts");
    assert_eq!(args.admin_password.as_deref(), Some("hunter22"));
}

#[test]
fn a_service_secret_that_can_be_guessed_is_refused_wherever_it_is_set() {
    let long = "s".repeat(SECRET_LENGTH);
    for (secret, accepted) in [("", false), (&long[1..], false), (&long, true)] {
        let mut toml = tempfile::NamedTempFile::new().expect("a file");
        writeln!(toml, "service_secret = \"{secret}\"").expect("written");
        let mut alone = tempfile::NamedTempFile::new().expect("a file");
        writeln!(alone, "{secret}").expect("written");
        let path = |file: &tempfile::NamedTempFile| file.path().to_str().expect("a text").to_owned();
        for set in [
            serve(&[&format!("--service-secret={secret}")], &[]),
            serve(&[], &[("TICKETBLITZ_SERVICE_SECRET_FILE", &path(&alone))]),
            serve(&["--config", &path(&toml)], &[]),
        ] {
            match set {
                Ok(args) => assert!(
                    accepted && args.service_secret.as_deref() == Some(&long),
                    "{:?}",
                    args.service_secret
                ),
                Err(sentence) => {
                    assert!(!accepted && sentence.contains("service secret"), "{sentence}");
                    assert!(sentence.contains("at least 32"), "{sentence}");
                    assert!(secret.is_empty() || !sentence.contains(secret), "it is not printed: {sentence}");
                }
            }
        }
    }
}

#[test]
fn every_option_of_every_command_says_what_it_is_for() {
    fn each(command: &clap::Command) {
        for arg in command.get_arguments() {
            assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
        }
        command.get_subcommands().for_each(each);
    }
    each(&Cli::command());
    assert!(Cli::command().render_usage().to_string().contains("[COMMAND]"), "serve is the default");
}
