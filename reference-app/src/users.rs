//! `ticketblitz users`: makes users, beside a running server too.

use std::sync::Arc;

use platform::auth::Role;
use ticketblitz_core::SystemClock;

use crate::config::{UsersArgs, UsersCommand};
use crate::out;

pub(crate) async fn run(args: UsersArgs) -> Result<(), String> {
    let UsersCommand::Create { email, name, role, password, data_dir, passwords } = args.command;
    let role = match role.to_uppercase().as_str() {
        "ADMIN" => Role::Admin,
        "ORGANIZER" => Role::Organizer,
        _ => Role::User,
    };
    if !data_dir.is_dir() {
        return Err(format!("there is no data directory {}; name it with --data-dir", data_dir.display()));
    }
    let users = auth::Users::open(&data_dir, passwords.password_min_length.into(), Arc::new(SystemClock))
        .await
        .map_err(|error| error.to_string())?;
    let generated = password.is_none();
    let password = password.unwrap_or_else(random_password);
    let user = users.create(&email, &name, &password, role).await.map_err(|error| error.to_string())?;
    let password = if generated { format!("\npassword: {password}") } else { String::new() };
    match out::line(format_args!("{user} {email} is {role}{password}")) {
        // It is printed once and kept nowhere.
        Err(error) if generated => Err(format!(
            "{email} is made, but nobody could read its password ({error}); make another user, with --password"
        )),
        _ => Ok(()),
    }
}

/// 20 letters and digits: about 119 bits.
fn random_password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), 20)
}
