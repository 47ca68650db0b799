//! Everything that is wrong with a request's fields, told at once.

use super::{FieldError, Problem};

/// Collects what is wrong with the fields of a well-formed request.
///
/// ```
/// let mut invalid = platform::Invalid::default();
/// invalid.push("email", "is missing");
/// invalid.push("email", "is no e-mail address"); // one entry a field: the first stays
/// let problem = invalid.finish().unwrap_err();
/// assert_eq!(problem.status(), 422);
/// assert_eq!(problem.field_errors().len(), 1);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalid(Vec<FieldError>);

impl Invalid {
    /// Says what is wrong with `field`, unless something was said about it already.
    pub fn push(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let field = field.into();
        if self.0.iter().all(|error| error.field != field) {
            self.0.push(FieldError { field, message: message.into() });
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong.
    #[must_use]
    pub fn into_errors(self) -> Vec<FieldError> {
        self.0
    }

    /// Ends the collecting.
    ///
    /// # Errors
    /// 422 `validation-failed` with every field, if anything is wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(invalid.0)
    }
}
