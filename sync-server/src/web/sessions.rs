//! Who is signed in: one small file in the replica's folder for each session, sign-in link and API token.
//!
//! Files, not records: they belong to this machine alone, the command line makes links beside a running server, and a
//! restored backup signs nobody in. A file is named by the hash of its token, so who reads the folder cannot sign in. A
//! link is good once, whoever opens it first.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use branchline_core::id::RecordId;
use branchline_core::replica::Environment;
use branchline_core::time::Millis;
use branchline_core::{Error, Result};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How long a sign-in link is good, in ms.
pub const LINK_MS: i64 = 10 * 60 * 1000;
/// How long a session is good, in ms.
pub(super) const SESSION_MS: i64 = 14 * 24 * 3600 * 1000;
/// Most links and sessions of one replica.
const SESSIONS_MAX: usize = 10_000;
/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 24;

/// The sessions of one replica's folder.
#[derive(Debug, Clone)]
pub struct Sessions {
    dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Link,
    Session,
    Token,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    kind: Kind,
    person: String,
    expires: i64,
    /// What a token is called.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
}

/// A token of the HTTP API, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is called.
    pub name: String,
    /// Whose it is.
    pub person: RecordId,
    /// Until when it is good.
    pub expires: Millis,
}

impl Sessions {
    /// The sessions of the replica in this folder.
    pub fn of(replica_dir: &Path) -> Self {
        Self { dir: replica_dir.join("sessions") }
    }

    /// Makes a sign-in link's token for a person.
    ///
    /// # Errors
    /// `sessions_full`; `session_file` with what the file system says.
    pub fn link(&self, env: &dyn Environment, person: &RecordId) -> Result<String> {
        self.add(env, Kind::Link, person, LINK_MS)
    }

    /// Turns a link's token into a session's, once.
    ///
    /// # Errors
    /// `link_spent` where it is unknown, used or too old; as [`Sessions::link`].
    pub fn enter(&self, env: &dyn Environment, link: &str) -> Result<String> {
        let person = self.person(env.now(), Kind::Link, link).ok_or_else(|| Error::denied("link-spent"))?;
        // Of two that open one link, one removes its file.
        fs::remove_file(self.path(link)).map_err(|_| Error::denied("link-spent"))?;
        self.add(env, Kind::Session, &person, SESSION_MS)
    }

    /// Whose link this is; none where it is unknown, used or too old.
    pub fn invited(&self, now: Millis, link: &str) -> Option<RecordId> {
        self.person(now, Kind::Link, link)
    }

    /// Whose session this is; none where it is unknown, ended or too old.
    pub fn signed_in(&self, now: Millis, session: &str) -> Option<RecordId> {
        self.person(now, Kind::Session, session)
    }

    /// Makes a token of the HTTP API for a person.
    ///
    /// # Errors
    /// `token_name_taken`; as [`Sessions::link`].
    pub fn token(&self, env: &dyn Environment, person: &RecordId, name: &str, good_ms: i64) -> Result<String> {
        if self.tokens(env.now()).iter().any(|(_, token)| token.name == name) {
            return Err(Error::invalid("token-name-taken").with("name", name));
        }
        self.add_named(env, Kind::Token, person, good_ms, name)
    }

    /// Whose token this is; none where it is unknown, ended or too old.
    pub fn caller(&self, now: Millis, token: &str) -> Option<RecordId> {
        self.person(now, Kind::Token, token)
    }

    /// The tokens that are good, by name.
    pub fn list_tokens(&self, now: Millis) -> Vec<Token> {
        self.tokens(now).into_iter().map(|(_, token)| token).collect()
    }

    /// Ends the token of a name.
    ///
    /// # Errors
    /// `token_name_unknown`; `session_file` with what the file system says.
    pub fn end_token(&self, now: Millis, name: &str) -> Result<()> {
        let mut found = self.tokens(now).into_iter().filter(|(_, token)| token.name == name);
        let (path, _) = found.next().ok_or_else(|| Error::not_found("token-name-unknown").with("name", name))?;
        fs::remove_file(path).map_err(|e| Error::storage("session-file").with("detail", e.to_string()))
    }

    fn tokens(&self, now: Millis) -> Vec<(PathBuf, Token)> {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|file| file.path());
        let token = |path: PathBuf| {
            let entry = read(&path).filter(|entry| entry.kind == Kind::Token && entry.expires > now.0)?;
            let person = RecordId::parse(&entry.person)?;
            Some((path, Token { name: entry.name, person, expires: Millis(entry.expires) }))
        };
        let mut tokens: Vec<_> = files.filter_map(token).collect();
        tokens.sort_by(|a, b| a.1.name.cmp(&b.1.name));
        tokens
    }

    /// Ends a session; one that is not there has ended already.
    pub fn leave(&self, session: &str) {
        let _ = fs::remove_file(self.path(session));
    }

    fn person(&self, now: Millis, kind: Kind, token: &str) -> Option<RecordId> {
        let entry = read(&self.path(token))?;
        (entry.kind == kind && entry.expires > now.0).then(|| RecordId::parse(&entry.person)).flatten()
    }

    fn add(&self, env: &dyn Environment, kind: Kind, person: &RecordId, good_ms: i64) -> Result<String> {
        self.add_named(env, kind, person, good_ms, "")
    }

    fn add_named(
        &self,
        env: &dyn Environment,
        kind: Kind,
        person: &RecordId,
        good_ms: i64,
        name: &str,
    ) -> Result<String> {
        let failed = |e: std::io::Error| Error::storage("session-file").with("detail", e.to_string());
        fs::create_dir_all(&self.dir).map_err(failed)?;
        if self.sweep(env.now()) >= SESSIONS_MAX {
            return Err(Error::limit("sessions-full").with("limit", SESSIONS_MAX));
        }
        let mut random = [0; TOKEN_BYTES];
        env.fill_random(&mut random);
        let token = BASE64URL_NOPAD.encode(&random);
        let (expires, name) = (env.now().plus(good_ms).0, name.to_owned());
        let entry = Entry { kind, person: person.to_string(), expires, name };
        let text = serde_json::to_vec(&entry).map_err(|e| failed(e.into()))?;
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.persist(self.path(&token)).map_err(|e| failed(e.error))?;
        Ok(token)
    }

    // Removes what is too old; gives how many stay.
    fn sweep(&self, now: Millis) -> usize {
        let Ok(files) = fs::read_dir(&self.dir) else { return 0 };
        let mut kept = 0;
        for path in files.flatten().map(|file| file.path()) {
            match read(&path) {
                Some(entry) if entry.expires <= now.0 => _ = fs::remove_file(path),
                _ => kept += 1,
            }
        }
        kept
    }

    fn path(&self, token: &str) -> PathBuf {
        self.dir.join(HEXLOWER.encode(&Sha256::digest(token.as_bytes())))
    }
}

fn read(path: &Path) -> Option<Entry> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use branchline_core::replica::SystemEnvironment;

    use super::*;

    #[test]
    fn a_link_signs_in_once_and_a_session_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (sessions, env) = (Sessions::of(dir.path()), SystemEnvironment);
        let anna = RecordId::derived(&[b"anna"]);
        let link = sessions.link(&env, &anna).unwrap();
        assert_eq!(sessions.invited(env.now(), &link), Some(anna));
        assert_eq!(sessions.signed_in(env.now(), &link), None);
        let session = sessions.enter(&env, &link).unwrap();
        assert_eq!(sessions.enter(&env, &link).unwrap_err().code(), "link_spent");
        assert_eq!(sessions.signed_in(env.now(), &session), Some(anna));
        assert_eq!(sessions.signed_in(env.now().plus(SESSION_MS + 1), &session), None);
        sessions.leave(&session);
        assert_eq!(sessions.signed_in(env.now(), &session), None);
    }

    #[test]
    fn tokens_are_not_in_the_folder_and_old_files_go() {
        let dir = tempfile::tempdir().unwrap();
        let (sessions, env) = (Sessions::of(dir.path()), SystemEnvironment);
        let anna = RecordId::derived(&[b"anna"]);
        let link = sessions.link(&env, &anna).unwrap();
        let names = || fs::read_dir(dir.path().join("sessions")).unwrap().map(|f| f.unwrap().file_name());
        assert!(names().all(|name| !name.to_string_lossy().contains(&link)));
        assert_eq!(sessions.sweep(env.now().plus(LINK_MS + 1)), 0);
        assert_eq!(names().count(), 0);
        for bad in ["", "../device.key", "/etc/passwd", "x"] {
            assert_eq!(sessions.signed_in(env.now(), bad), None, "{bad}");
        }
    }
}
