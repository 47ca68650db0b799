//! The roles of a deployment and the port of each.

use std::fmt;

use clap::ValueEnum;

/// What a process is. `All` is every role at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    All,
    Gateway,
    Auth,
    Event,
    Inventory,
    Booking,
    Payment,
    Notification,
    Psp,
}

impl Role {
    /// The roles that `All` is made of, in the order of their ports.
    pub(crate) const EACH: [Self; 8] = [
        Self::Gateway,
        Self::Auth,
        Self::Event,
        Self::Inventory,
        Self::Booking,
        Self::Payment,
        Self::Notification,
        Self::Psp,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Gateway => "gateway",
            Self::Auth => "auth",
            Self::Event => "event",
            Self::Inventory => "inventory",
            Self::Booking => "booking",
            Self::Payment => "payment",
            Self::Notification => "notification",
            Self::Psp => "psp",
        }
    }

    /// The port before `--port-offset`. 8087 belongs to the waiting room.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::All | Self::Gateway => 8080,
            Self::Auth => 8081,
            Self::Event => 8082,
            Self::Inventory => 8083,
            Self::Booking => 8084,
            Self::Payment => 8085,
            Self::Notification => 8086,
            Self::Psp => 8089,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
