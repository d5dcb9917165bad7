//! Who is signed in: one small file in the replica's folder for each session, one-time link and API token.
//!
//! Files, not records: they belong to this machine alone, the command line makes links beside a running server, and a
//! restored backup signs nobody in. A file is named by the hash of its token, so who reads the folder cannot sign in. A
//! link is good once, whoever opens it first.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use branchline_core::id::RecordId;
use branchline_core::replica::{Credential, Environment};
use branchline_core::time::Millis;
use branchline_core::{Error, Result};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How long a sign-in link is good, in ms.
pub const LINK_MS: i64 = 10 * 60 * 1000;
/// How long a link to choose a new password is good, in ms.
pub(super) const RESET_MS: i64 = 24 * 3600 * 1000;
/// How long a session is good, in ms.
pub(super) const SESSION_MS: i64 = 14 * 24 * 3600 * 1000;
/// Most links and sessions of one replica.
const SESSIONS_MAX: usize = 10_000;
/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 24;
/// Characters of a file's name.
const NAME_CHARS: usize = 64;

/// The sessions of one replica's folder.
#[derive(Debug, Clone)]
pub struct Sessions {
    dir: PathBuf,
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// To sign in once.
    Link,
    /// To choose a new password once.
    Reset,
    /// To work.
    Session,
    /// To call the HTTP API.
    Token,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    kind: Kind,
    person: String,
    expires: i64,
    #[serde(default)]
    since: i64,
    #[serde(default)]
    mark: String,
    #[serde(default)]
    from: Origin,
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

/// From where somebody signed in, as the browser and its connection said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) browser: String,
    pub(super) address: String,
}

/// A session that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// Its public name: the hash of its token.
    pub(super) name: String,
    pub(super) person: RecordId,
    /// Of what the person signs in with: another one ends it.
    pub(super) mark: String,
    pub(super) since: Millis,
    pub(super) from: Origin,
}

impl Entry {
    fn of(env: &dyn Environment, kind: Kind, person: &RecordId, good_ms: i64) -> Self {
        let (now, person) = (env.now(), person.to_string());
        let (mark, from, name) = (String::new(), Origin::default(), String::new());
        Self { kind, person, expires: now.plus(good_ms).0, since: now.0, mark, from, name }
    }
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
        self.add(env, Entry::of(env, Kind::Link, person, LINK_MS))
    }

    /// Makes the token of a link with which a person chooses a new password.
    ///
    /// # Errors
    /// As [`Sessions::link`].
    pub(super) fn reset(&self, env: &dyn Environment, person: &RecordId) -> Result<String> {
        self.add(env, Entry::of(env, Kind::Reset, person, RESET_MS))
    }

    /// Begins a session of a person who signs in with what this mark is of.
    ///
    /// # Errors
    /// As [`Sessions::link`].
    pub(super) fn begin(&self, env: &dyn Environment, person: &RecordId, mark: &str, from: &Origin) -> Result<String> {
        let entry = Entry::of(env, Kind::Session, person, SESSION_MS);
        self.add(env, Entry { mark: mark.to_owned(), from: from.clone(), ..entry })
    }

    /// Whose link this is, and for what; none where it is unknown, used or too old.
    pub(super) fn invited(&self, now: Millis, link: &str) -> Option<(RecordId, Kind)> {
        let entry = self.entry(now, link).filter(|entry| matches!(entry.kind, Kind::Link | Kind::Reset))?;
        Some((RecordId::parse(&entry.person)?, entry.kind))
    }

    /// Spends a link, once.
    ///
    /// # Errors
    /// `link_spent` where it is unknown, used or too old.
    pub(super) fn spend(&self, now: Millis, link: &str) -> Result<(RecordId, Kind)> {
        let spent = || Error::denied("link-spent");
        let invited = self.invited(now, link).ok_or_else(spent)?;
        // Of two that open one link, one removes its file.
        fs::remove_file(self.path(link)).map_err(|_| spent())?;
        Ok(invited)
    }

    /// The session of this token; none where it is unknown, ended or too old.
    pub(super) fn signed_in(&self, now: Millis, token: &str) -> Option<Session> {
        session(name_of(token), self.entry(now, token)?)
    }

    /// A person's sessions, the newest first.
    pub(super) fn of_person(&self, now: Millis, person: &RecordId) -> Vec<Session> {
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|file| file.path());
        let found = files.filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            session(name, read(&path).filter(|entry| entry.expires > now.0)?)
        });
        let mut found: Vec<Session> = found.filter(|session| session.person == *person).collect();
        found.sort_by_key(|session| std::cmp::Reverse(session.since));
        found
    }

    /// Makes a token of the HTTP API for a person.
    ///
    /// # Errors
    /// `token_name_taken`; as [`Sessions::link`].
    pub fn token(&self, env: &dyn Environment, person: &RecordId, name: &str, good_ms: i64) -> Result<String> {
        if self.tokens(env.now()).iter().any(|(_, token)| token.name == name) {
            return Err(Error::invalid("token-name-taken").with("name", name));
        }
        self.add(env, Entry { name: name.to_owned(), ..Entry::of(env, Kind::Token, person, good_ms) })
    }

    /// Whose token this is; none where it is unknown, ended or too old.
    pub fn caller(&self, now: Millis, token: &str) -> Option<RecordId> {
        self.entry(now, token)
            .filter(|entry| entry.kind == Kind::Token)
            .and_then(|entry| RecordId::parse(&entry.person))
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

    /// Ends a session by its token; one that is not there has ended already.
    pub(super) fn leave(&self, token: &str) {
        self.end(&name_of(token));
    }

    /// Ends a session by its public name.
    pub(super) fn end(&self, name: &str) {
        if name.len() == NAME_CHARS && name.bytes().all(|b| b.is_ascii_hexdigit()) {
            let _ = fs::remove_file(self.dir.join(name));
        }
    }

    fn entry(&self, now: Millis, token: &str) -> Option<Entry> {
        read(&self.path(token)).filter(|entry| entry.expires > now.0)
    }

    fn add(&self, env: &dyn Environment, entry: Entry) -> Result<String> {
        let failed = |e: std::io::Error| Error::storage("session-file").with("detail", e.to_string());
        fs::create_dir_all(&self.dir).map_err(failed)?;
        if self.sweep(env.now()) >= SESSIONS_MAX {
            return Err(Error::limit("sessions-full").with("limit", SESSIONS_MAX));
        }
        let mut random = [0; TOKEN_BYTES];
        env.fill_random(&mut random);
        let token = BASE64URL_NOPAD.encode(&random);
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
        self.dir.join(name_of(token))
    }
}

/// What a session is bound to: of another password or second factor it is another mark.
pub(super) fn mark_of(credential: Option<&Credential>) -> String {
    let digest = |of: &Credential| Sha256::digest(format!("{}\n{}", of.password, of.second).as_bytes());
    credential.map(|of| HEXLOWER.encode(&digest(of))).unwrap_or_default()
}

fn name_of(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token.as_bytes()))
}

fn session(name: String, entry: Entry) -> Option<Session> {
    let person = RecordId::parse(&entry.person).filter(|_| entry.kind == Kind::Session)?;
    Some(Session { name, person, mark: entry.mark, since: Millis(entry.since), from: entry.from })
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
    fn a_link_is_spent_once_and_a_session_is_good_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (sessions, env) = (Sessions::of(dir.path()), SystemEnvironment);
        let anna = RecordId::derived(&[b"anna"]);
        for (link, kind) in [(sessions.link(&env, &anna), Kind::Link), (sessions.reset(&env, &anna), Kind::Reset)] {
            let link = link.unwrap();
            assert_eq!(sessions.invited(env.now(), &link), Some((anna, kind)));
            assert_eq!(sessions.signed_in(env.now(), &link), None);
            assert_eq!(sessions.spend(env.now(), &link).unwrap(), (anna, kind));
            assert_eq!(sessions.spend(env.now(), &link).unwrap_err().code(), "link_spent");
        }
        let from = Origin { browser: "Firefox".to_owned(), address: "10.0.0.1".to_owned() };
        let token = sessions.begin(&env, &anna, "mark", &from).unwrap();
        let session = sessions.signed_in(env.now(), &token).unwrap();
        assert_eq!((session.person, &*session.mark, &session.from), (anna, "mark", &from));
        assert_eq!(sessions.invited(env.now(), &token), None);
        assert_eq!(sessions.signed_in(env.now().plus(SESSION_MS + 1), &token), None);
        sessions.leave(&token);
        assert_eq!(sessions.signed_in(env.now(), &token), None);
    }

    #[test]
    fn a_persons_sessions_are_listed_and_ended_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let (sessions, env) = (Sessions::of(dir.path()), SystemEnvironment);
        let (anna, oleh) = (RecordId::derived(&[b"anna"]), RecordId::derived(&[b"oleh"]));
        for person in [&anna, &anna, &oleh] {
            sessions.begin(&env, person, "", &Origin::default()).unwrap();
        }
        sessions.link(&env, &anna).unwrap();
        let all = sessions.of_person(env.now(), &anna);
        assert_eq!(all.len(), 2);
        sessions.end(&all[0].name);
        for elsewhere in ["../../x", "", "sessions"] {
            sessions.end(elsewhere);
        }
        assert_eq!(sessions.of_person(env.now(), &anna), all[1..]);
        assert_eq!(sessions.of_person(env.now(), &oleh).len(), 1);
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
