//! What an account is made of, and which e-mail addresses, names and passwords are accepted.

use platform::auth::Role;
use ticketblitz_core::{Timestamp, UserId, ids};

ids! {
    /// The refresh tokens that follow from one login.
    FamilyId;
}

/// RFC 5321 allows no longer path.
const EMAIL_MAX: usize = 254;
const LOCAL_PART_MAX: usize = 64;
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 100;
/// Hashing costs time for each byte, so there is an end.
const PASSWORD_MAX: usize = 128;

/// An e-mail address as its owner wrote it, and as it is compared: without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    written: String,
    key: String,
}

impl Email {
    /// Reads an address, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > EMAIL_MAX {
            return Err("must be at most 254 characters long");
        }
        let well_formed =
            text.rsplit_once('@').is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain));
        if !well_formed {
            return Err("must be an e-mail address, such as name@example.org");
        }
        Ok(Self { written: text.to_owned(), key: Self::key_of(text) })
    }

    /// What an address, well-formed or not, is compared by.
    pub fn key_of(text: &str) -> String {
        text.to_ascii_lowercase()
    }

    /// As its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// As it is compared.
    pub fn key(&self) -> &str {
        &self.key
    }
}

fn is_local_part(text: &str) -> bool {
    let atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
    };
    text.len() <= LOCAL_PART_MAX && text.split('.').all(atom)
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.contains('.') && text.split('.').all(label)
}

/// What a person is called, as they wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Reads a name, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim().is_empty() {
            return Err("must not be blank");
        }
        if text.chars().count() > NAME_MAX {
            return Err("must be at most 100 characters long");
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which passwords are accepted. Lengths are in characters, as people count them.
#[derive(Debug, Clone, Copy)]
pub struct PasswordPolicy {
    pub min_length: usize,
}

impl PasswordPolicy {
    /// Says what is wrong with `password`, if anything is.
    pub fn check(self, password: &str) -> Result<(), String> {
        let length = password.chars().count();
        if length < self.min_length {
            return Err(format!("must be at least {} characters long", self.min_length));
        }
        if length > PASSWORD_MAX {
            return Err(format!("must be at most {PASSWORD_MAX} characters long"));
        }
        Ok(())
    }
}

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub role: Role,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub id: UserId,
    pub email: Email,
    pub name: Name,
    pub role: Role,
    /// Without one nobody can log in with a password.
    pub password_hash: Option<String>,
    pub created_at: Timestamp,
}

impl NewUser {
    /// The account as others see it.
    pub fn user(&self) -> User {
        User {
            id: self.id,
            email: self.email.as_str().to_owned(),
            name: self.name.as_str().to_owned(),
            role: self.role,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case_and_kept_as_written() {
        let email = Email::parse("Ada.Lovelace@Example.ORG").expect("an address");
        assert_eq!((email.as_str(), email.key()), ("Ada.Lovelace@Example.ORG", "ada.lovelace@example.org"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@{}.org", "a".repeat(64), "b.".repeat(100));
        let refused = [
            "",
            "@",
            "plain",
            "a@",
            "@example.org",
            "a@b@example.org",
            "a b@example.org",
            " a@example.org",
            "a@example.org ",
            "a@example..org",
            "a@-example.org",
            ".a@example.org",
            "a.@example.org",
            "a@example.org\n",
            "a@local",
            "a\0@example.org",
            "ä@example.org",
            &long,
        ];
        for text in refused {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
        for text in ["a@example.org", "a+b@ex-ample.co.uk", "o'neil@example.org", "admin@ticketblitz.local"] {
            assert!(Email::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn an_address_may_be_254_characters_long_and_no_longer() {
        let address = |length: usize| {
            let domain = format!("{0}.{0}.{1}.org", "b".repeat(60), "c".repeat(length - 64 - 1 - 126));
            format!("{}@{domain}", "a".repeat(64))
        };
        assert_eq!(address(254).len(), 254);
        assert!(Email::parse(&address(254)).is_ok());
        assert!(Email::parse(&address(255)).is_err());
    }

    #[test]
    fn names_are_neither_blank_nor_long_nor_control_characters() {
        for text in ["", "  ", "\t", "a\nb", &"n".repeat(101)] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
        for text in ["A", "José 李", &"é".repeat(100)] {
            assert!(Name::parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn password_lengths_count_characters_not_bytes() {
        let policy = PasswordPolicy { min_length: 6 };
        assert!(policy.check("ééééé").is_err());
        assert!(policy.check("éééééé").is_ok());
        assert!(policy.check(&"é".repeat(128)).is_ok());
        assert!(policy.check(&"p".repeat(129)).is_err());
    }
}
