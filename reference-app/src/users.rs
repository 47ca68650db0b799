//! `ticketblitz users`: makes users, beside a running server too.
#![allow(clippy::print_stdout)] // what it is for

use std::sync::Arc;

use platform::auth::Role;
use ticketblitz_core::SystemClock;

use crate::config::{UsersArgs, UsersCommand};

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
    println!("{user} {email} is {role}");
    if generated {
        println!("password: {password}");
    }
    Ok(())
}

/// 20 letters and digits: about 119 bits.
fn random_password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    Alphanumeric.sample_string(&mut rand::rng(), 20)
}
