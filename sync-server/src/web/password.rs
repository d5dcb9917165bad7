//! Passwords and second factors: how they are hashed, sealed and checked. Nothing here is remembered.
//!
//! A password is an argon2id hash with its salt and cost. A second factor is the secret of RFC 6238, sealed with a key
//! that only the password gives: whoever reads a server's database can make no codes of it. So whoever gets a new password
//! without knowing the old one begins without a second factor.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use branchline_core::replica::{Credential, Environment, Principal};
use branchline_core::time::Millis;
use branchline_core::{Error, Result};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use totp_rs::{Builder, Totp};

use super::sessions::Sessions;

/// Fewest characters of a password.
pub(super) const CHARS_MIN: usize = 10;
/// Longest password in bytes.
const BYTES_MAX: usize = 256;
/// Most memory that a hash which came from elsewhere may ask for, in KiB, and its most passes.
const COST_KIB_MAX: u32 = 64 * 1024;
const PASSES_MAX: u32 = 8;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// Bytes of a second factor's secret, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;

/// Whether a password may be taken.
///
/// # Errors
/// `password_short`, `password_long`, `password_again` where it was typed in two ways, `password_obvious`.
pub(super) fn check_new(password: &str, again: &str, email: &str) -> Result<()> {
    if password.chars().count() < CHARS_MIN {
        return Err(Error::invalid("password-short").with("count", CHARS_MIN));
    }
    if password.len() > BYTES_MAX {
        return Err(Error::invalid("password-long").with("limit", BYTES_MAX));
    }
    if password != again {
        return Err(Error::invalid("password-again"));
    }
    let mut chars = password.chars();
    let first = chars.next();
    if chars.all(|c| Some(c) == first) || !email.is_empty() && password.eq_ignore_ascii_case(email) {
        return Err(Error::invalid("password-obvious"));
    }
    Ok(())
}

/// The hash of a password.
///
/// # Errors
/// `password_failed`.
pub(super) fn hashed(env: &dyn Environment, password: &str) -> Result<String> {
    let mut salt = [0; SALT_BYTES];
    env.fill_random(&mut salt);
    let hash: PasswordHash =
        Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map_err(|e| failed(&e))?;
    Ok(hash.to_string())
}

/// Sets a person's password; a second factor goes with the old one, and sessions of this server end.
///
/// # Errors
/// As [`check_new`]; `credential_elsewhere`; those of the store.
pub fn set_password(principal: &Principal, password: &str) -> Result<()> {
    principal.keeps_sealed()?;
    let replica = principal.replica();
    let (person, env) = (principal.me()?.id, replica.environment());
    check_new(password, password, replica.record("user", &person)?.text("email"))?;
    let password = hashed(env, password)?;
    principal.set_credential(&Credential { password, second: String::new() })?;
    let sessions = Sessions::of(replica.dir());
    for session in sessions.of_person(env.now(), &person) {
        sessions.end(&session.name);
    }
    Ok(())
}

/// Whether a password is that of a hash. Without one it takes as long to say no.
pub(super) fn is_right(password: &str, hash: Option<&str>) -> bool {
    let fits = |text: &str| {
        let Ok(hash) = PasswordHash::new(text) else { return false };
        let affordable =
            Params::try_from(&hash).is_ok_and(|cost| cost.m_cost() <= COST_KIB_MAX && cost.t_cost() <= PASSES_MAX);
        let password = password.as_bytes().get(..BYTES_MAX).unwrap_or(password.as_bytes());
        affordable && Argon2::default().verify_password(password, &hash).is_ok()
    };
    match hash {
        Some(hash) => fits(hash),
        None => {
            let _ = key_of(password, &[0; SALT_BYTES]);
            false
        }
    }
}

/// The secret of a second factor.
#[derive(Clone)]
pub(super) struct Second([u8; SECRET_BYTES]);

impl Second {
    /// A new one.
    pub(super) fn drawn(env: &dyn Environment) -> Self {
        let mut secret = [0; SECRET_BYTES];
        env.fill_random(&mut secret);
        Self(secret)
    }

    /// As it is typed into an app by hand.
    pub(super) fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// What [`Second::text`] gives.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = BASE32_NOPAD.decode(text.trim().as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// What an app reads from the picture.
    pub(super) fn address(&self, company: &str, email: &str) -> String {
        let coded =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let (company, email) = (coded(&company.replace(':', " ")), coded(email));
        format!("otpauth://totp/{company}:{email}?secret={}&issuer={company}", self.text())
    }

    /// The step of which this code is, if it is one of now or of the steps beside.
    pub(super) fn step_of(&self, now: Millis, code: &str) -> Option<u64> {
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        let totp: Totp = Builder::new().with_secret(self.0.to_vec()).build().ok()?;
        totp.check(&digits, u64::try_from(now.0.div_euclid(1_000)).ok()?)
    }

    /// Sealed with what a password gives, for the person of this id.
    ///
    /// # Errors
    /// `password_failed`.
    pub(super) fn sealed(&self, env: &dyn Environment, password: &str, person: &[u8]) -> Result<String> {
        let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
        env.fill_random(&mut salt);
        env.fill_random(&mut nonce);
        let payload = Payload { msg: &self.0, aad: person };
        let closed = key_of(password, &salt)?.encrypt(&Nonce::from(nonce), payload).map_err(|e| failed(&e))?;
        Ok(BASE64URL_NOPAD.encode(&[&salt[..], &nonce[..], &closed[..]].concat()))
    }

    /// Opened again; none where the password is another one or the text is damaged.
    pub(super) fn opened(text: &str, password: &str, person: &[u8]) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (salt, rest) = bytes.split_first_chunk::<SALT_BYTES>()?;
        let (nonce, closed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: closed, aad: person };
        let opened = key_of(password, salt).ok()?.decrypt(&Nonce::from(*nonce), payload).ok()?;
        opened.try_into().ok().map(Self)
    }
}

fn key_of(password: &str, salt: &[u8; SALT_BYTES]) -> Result<ChaCha20Poly1305> {
    let mut key = [0; 32];
    Argon2::default().hash_password_into(password.as_bytes(), salt, &mut key).map_err(|e| failed(&e))?;
    Ok(ChaCha20Poly1305::new(&Key::from(key)))
}

fn failed(why: &dyn std::fmt::Display) -> Error {
    Error::storage("password-failed").with("detail", why.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use branchline_core::replica::SystemEnvironment;

    use super::*;

    const GOOD: &str = "correct horse battery";

    #[test]
    fn a_hash_knows_its_password_alone_and_shows_nothing_of_it() {
        let hash = hashed(&SystemEnvironment, GOOD).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !hash.contains(GOOD), "{hash}");
        assert_ne!(hash, hashed(&SystemEnvironment, GOOD).unwrap());
        assert!(is_right(GOOD, Some(&hash)));
        for (password, hash) in
            [("wrong horse battery", Some(&*hash)), (GOOD, None), (GOOD, Some("")), (GOOD, Some("$x"))]
        {
            assert!(!is_right(password, hash), "{hash:?}");
        }
        // One that would take all memory is never computed.
        assert!(!is_right(GOOD, Some(&hash.replace("m=19456", "m=4194304"))));
    }

    #[test]
    fn a_password_must_not_be_short_obvious_or_mistyped() {
        let check = |password: &str, again: &str| {
            check_new(password, again, "anna@acme.example").map_err(|error| error.code()).err().unwrap_or_default()
        };
        assert_eq!(check(GOOD, GOOD), "");
        assert_eq!(check("дев’ять зн", "дев’ять зн"), "");
        assert_eq!(check("short", "short"), "password_short");
        assert_eq!(check(GOOD, "another one"), "password_again");
        assert_eq!(check("aaaaaaaaaaaa", "aaaaaaaaaaaa"), "password_obvious");
        assert_eq!(check("Anna@acme.example", "Anna@acme.example"), "password_obvious");
        assert_eq!(check(&"a b".repeat(100), &"a b".repeat(100)), "password_long");
    }

    /// The vectors of RFC 6238, appendix B, for SHA-1, their last six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let second = Second(*b"12345678901234567890");
        for (at_s, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let at = Millis(at_s * 1_000);
            assert_eq!(second.step_of(at, code), Some(at_s.unsigned_abs() / 30), "{code}");
            assert_eq!(second.step_of(at, &format!(" {} {}", &code[..3], &code[3..])), Some(at_s.unsigned_abs() / 30));
            assert_eq!(second.step_of(at.plus(120_000), code), None);
        }
        for bad in ["", "12345", "0000000", "abcdef"] {
            assert_eq!(second.step_of(Millis(59_000), bad), None, "{bad}");
        }
    }

    #[test]
    fn a_second_factor_opens_with_the_password_of_its_person_alone() {
        let (env, second) = (SystemEnvironment, Second::drawn(&SystemEnvironment));
        assert_eq!(Second::parse(&second.text()).unwrap().0, second.0);
        let sealed = second.sealed(&env, GOOD, b"anna").unwrap();
        assert!(!sealed.contains(&second.text()));
        assert_eq!(Second::opened(&sealed, GOOD, b"anna").unwrap().0, second.0);
        for (text, password, person) in [
            (&*sealed, "wrong horse battery", "anna"),
            (&*sealed, GOOD, "oleh"),
            (&sealed[1..], GOOD, "anna"),
            ("", GOOD, "anna"),
        ] {
            assert!(Second::opened(text, password, person.as_bytes()).is_none());
        }
        let address = second.address("Acme: Foods", "anna@acme.example");
        assert!(address.starts_with("otpauth://totp/Acme%20%20Foods:anna%40acme.example?secret="), "{address}");
    }
}
