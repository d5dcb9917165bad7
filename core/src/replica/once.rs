//! Writing at most once: whoever got no answer asks again with the same key, and gets the first answer.
//!
//! The key, what was asked and the answer stand in the same commit as what was written, so a killed process leaves all
//! of it or nothing. They belong to this replica alone and are kept for [`KEPT_DAYS`].

use sha2::{Digest as _, Sha256};

use super::{Principal, Tx};
use crate::error::{Error, Result};
use crate::limits::ONCE_KEY_BYTES_MAX;
use crate::store::once_rows;

/// Days after which a key may stand for something new: the day of the request and as many after it.
const KEPT_DAYS: i32 = 2;

/// What a request answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The answer, as `work` made it.
    pub answer: String,
    /// Whether it is that of an earlier request.
    pub again: bool,
}

impl Principal {
    /// As [`Principal::transact`], but once for each key of this person: who asks again with the same key and the same
    /// request gets what the first time answered, and nothing is written.
    ///
    /// # Errors
    /// `once_key` for an empty key or one longer than [`ONCE_KEY_BYTES_MAX`]; `once_key_reused` where the key stands
    /// for another request; as [`Principal::transact`].
    pub fn transact_once(
        &self,
        key: &str,
        request: &[u8],
        work: impl FnOnce(&mut Tx<'_>) -> Result<String>,
    ) -> Result<Once> {
        if key.is_empty() || key.len() > ONCE_KEY_BYTES_MAX {
            return Err(Error::invalid("once-key").with("limit", ONCE_KEY_BYTES_MAX));
        }
        let request: [u8; 32] = Sha256::digest(request).into();
        self.transact(|tx| {
            let person = tx.me().id;
            let name = Sha256::new().chain_update(person.0).chain_update(key).finalize().into();
            let today = tx.now().day().0;
            for day in (0..=KEPT_DAYS).map(|back| today.saturating_sub(back)) {
                match once_rows::find(tx.writer.connection(), day, &name)? {
                    Some((asked, answer)) if asked == request => return Ok(Once { answer, again: true }),
                    Some(_) => return Err(Error::invalid("once-key-reused").with("key", key)),
                    None => {}
                }
            }
            let answer = work(tx)?;
            tx.writer.mark_dirty();
            once_rows::put(tx.writer.connection(), today, &name, &request, &answer)?;
            once_rows::forget_before(tx.writer.connection(), today.saturating_sub(KEPT_DAYS))?;
            Ok(Once { answer, again: false })
        })
    }
}
