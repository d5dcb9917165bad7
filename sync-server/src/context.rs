//! What a command knows before it starts: the folder, the reader's language, the form of the answer.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use branchline_core::crm;
use branchline_core::message::{Language, Message};
use branchline_core::replica::{Environment, Folder, Replica, StoreKey, SystemEnvironment};
use branchline_core::{Error, Result};

use crate::key_file;
use crate::output::aside;

/// The surroundings of one command.
#[derive(Debug)]
pub struct Context {
    /// Whether the answer is one JSON document instead of tables.
    pub json: bool,
    data: Option<PathBuf>,
    key_file: Option<PathBuf>,
    spoken: Option<Language>,
    language: Cell<Language>,
}

impl Context {
    /// A context for the folder `data` and the key in `key_file`, in the language that the process environment asks for.
    pub fn new(json: bool, data: Option<PathBuf>, key_file: Option<PathBuf>) -> Self {
        let spoken = language_of(|name| std::env::var(name).ok());
        let key_file = key_file.filter(|path| !path.as_os_str().is_empty());
        Self { json, data, key_file, spoken, language: Cell::new(spoken.unwrap_or_default()) }
    }

    /// The reader's language: what the environment says, else the workspace's once a replica is open, else English.
    pub fn language(&self) -> Language {
        self.language.get()
    }

    /// The text of a message without arguments, in the reader's language.
    pub fn say(&self, id: &'static str) -> String {
        Message::new(id).render(self.language())
    }

    /// The replica's folder.
    ///
    /// # Errors
    /// `data_missing` where neither `--data` nor `BRANCHLINE_DATA` names one.
    pub fn folder(&self) -> Result<&Path> {
        self.data.as_deref().filter(|p| !p.as_os_str().is_empty()).ok_or_else(|| Error::usage("data-missing"))
    }

    /// The replica's folder with its key, if one was named.
    ///
    /// # Errors
    /// As [`Context::folder`] and [`key_file::read`].
    pub fn keyed(&self) -> Result<Folder> {
        let folder = self.folder()?;
        Ok(match self.key()? {
            Some(key) => Folder::encrypted(folder, key),
            None => Folder::from(folder),
        })
    }

    /// The key that was named.
    ///
    /// # Errors
    /// As [`key_file::read`].
    pub fn key(&self) -> Result<Option<StoreKey>> {
        self.key_file.as_deref().map(key_file::read).transpose()
    }

    /// The folder as people read it; empty where none was named.
    pub fn folder_text(&self) -> String {
        self.data.as_deref().map(|p| p.display().to_string()).unwrap_or_default()
    }

    /// Opens the replica in the folder.
    ///
    /// # Errors
    /// As [`Context::keyed`] and [`Replica::open`].
    pub fn open(&self) -> Result<Replica> {
        let replica = Replica::open(self.keyed()?, crm::builtin().clone(), environment())?;
        if self.spoken.is_none() {
            self.language.set(replica.settings()?.language);
        }
        Ok(replica)
    }

    /// Says something on stderr that does not change the outcome.
    pub fn warn(&self, message: &Message) {
        aside(Message::new("warning").with("text", message.render(self.language())).render(self.language()));
    }
}

/// The machine's clock and randomness, as replicas take them.
pub fn environment() -> Arc<dyn Environment> {
    Arc::new(SystemEnvironment)
}

// The first variable that names a language we have; `C` and `POSIX` name none.
fn language_of(variable: impl Fn(&str) -> Option<String>) -> Option<Language> {
    ["BRANCHLINE_LANG", "LC_ALL", "LANG"].into_iter().filter_map(variable).find_map(|text| Language::parse(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_names_a_language_decides() {
        let env = |pairs: &'static [(&str, &str)]| {
            language_of(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(env(&[("BRANCHLINE_LANG", "uk"), ("LANG", "ru_RU.UTF-8")]), Some(Language::Uk));
        assert_eq!(env(&[("LC_ALL", "C"), ("LANG", "ru_RU.UTF-8")]), Some(Language::Ru));
        assert_eq!(env(&[("LANG", "C.UTF-8")]), None);
    }
}
