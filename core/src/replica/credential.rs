//! What people sign in with at a server: one sealed record for each person, which the person alone writes.
//!
//! What the texts hold is the business of whoever lets people in; here they are opaque.

use super::Principal;
use crate::error::Result;

/// The sealed collection.
pub(super) const CREDENTIAL: &str = "credential";
/// Its fields besides those that say whose it is.
pub(super) const FIELDS: [&str; 2] = ["password", "second"];

/// What one person signs in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The hash of the password, with its salt and cost.
    pub password: String,
    /// The secret of the second factor, sealed; empty without one.
    pub second: String,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

impl Principal {
    /// What the person signs in with here; none where there is nothing yet, or where this replica does not hold it.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn credential(&self) -> Result<Option<Credential>> {
        let Some([password, second]) = self.sealed(CREDENTIAL, FIELDS)? else { return Ok(None) };
        Ok((!password.is_empty()).then_some(Credential { password, second }))
    }

    /// Sets what the person signs in with, in the person's own name.
    ///
    /// # Errors
    /// As [`Principal::keeps_sealed`]; what the store answers.
    pub fn set_credential(&self, credential: &Credential) -> Result<()> {
        self.seal(CREDENTIAL, &[("password", &credential.password), ("second", &credential.second)])
    }
}
