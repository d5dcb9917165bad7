//! The message catalogue: everything a person reads, in English, Russian and Ukrainian.
//!
//! A [`Message`] is an id with arguments; words appear only when it is rendered for a [`Language`]. The texts are
//! Fluent files in `core/locales/<language>/*.ftl`, one per room, so that plurals are right in each language. A test
//! holds the three languages against each other.

use std::collections::HashMap;
use std::fmt;
use std::sync::{OnceLock, RwLock};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

/// A language that people read Branchline in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// English, the default.
    #[default]
    En,
    /// Russian.
    Ru,
    /// Ukrainian.
    Uk,
}

impl Language {
    /// All languages, in the order in which labels are declared.
    pub const ALL: [Language; 3] = [Language::En, Language::Ru, Language::Uk];

    /// The two-letter code: `en`, `ru`, `uk`.
    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Ru => "ru",
            Language::Uk => "uk",
        }
    }

    /// The language of a code or a locale such as `ru_RU.UTF-8`.
    pub fn parse(text: &str) -> Option<Self> {
        let code = text.split(['_', '-', '.']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|l| l.code().eq_ignore_ascii_case(code))
    }
}

/// An argument of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// Shown as it is.
    Text(String),
    /// Formatted and used to choose a plural.
    Number(i64),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Arg::Text(text.to_owned())
    }
}
impl From<String> for Arg {
    fn from(text: String) -> Self {
        Arg::Text(text)
    }
}
impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        Arg::Text(text.clone())
    }
}
impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Arg::Number(number)
    }
}
impl From<usize> for Arg {
    fn from(number: usize) -> Self {
        Arg::Number(number as i64)
    }
}
impl From<u64> for Arg {
    fn from(number: u64) -> Self {
        Arg::Number(number as i64)
    }
}

/// A text of the catalogue with its arguments, not yet in any language.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    id: &'static str,
    args: Vec<(&'static str, Arg)>,
}

impl Message {
    /// The message of this catalogue id, for instance `unknown-field`.
    pub fn new(id: &'static str) -> Self {
        Self { id, args: Vec::new() }
    }

    /// The same message with an argument.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Arg>) -> Self {
        self.args.push((name, value.into()));
        self
    }

    /// The catalogue id.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// The words in a language; the id itself where the catalogue lacks it (a test keeps that from happening).
    pub fn render(&self, language: Language) -> String {
        self.render_part(language, None).unwrap_or_else(|| self.id.to_owned())
    }

    /// The words of the message's `.do` attribute: what the reader should do next. Empty where there is none.
    pub fn render_advice(&self, language: Language) -> String {
        self.render_part(language, Some("do")).unwrap_or_default()
    }

    fn render_part(&self, language: Language, attribute: Option<&str>) -> Option<String> {
        let bundle = bundle(language);
        let message = bundle.get_message(self.id)?;
        let pattern = match attribute {
            None => message.value()?,
            Some(name) => message.get_attribute(name)?.value(),
        };
        let mut args = FluentArgs::new();
        for (name, arg) in &self.args {
            match arg {
                Arg::Text(text) => args.set(*name, FluentValue::from(text.as_str())),
                Arg::Number(number) => args.set(*name, FluentValue::from(*number)),
            }
        }
        let mut errors = Vec::new();
        Some(bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Language::En))
    }
}

/// Adds a room's texts of one language to the catalogue, for crates above the core. Texts already there stay.
///
/// # Errors
/// The parser's words when the text is no Fluent resource.
pub fn extend(language: Language, ftl: &'static str) -> std::result::Result<(), String> {
    FluentResource::try_new(ftl.to_owned()).map_err(|(_, errors)| format!("{errors:?}"))?;
    if let Ok(mut extra) = extra().write() {
        extra.push((language, ftl));
    }
    Ok(())
}

type Bundle = FluentBundle<FluentResource>;

macro_rules! catalogue {
    ($($room:literal),*) => {
        &[$(
            (Language::En, include_str!(concat!("../locales/en/", $room, ".ftl"))),
            (Language::Ru, include_str!(concat!("../locales/ru/", $room, ".ftl"))),
            (Language::Uk, include_str!(concat!("../locales/uk/", $room, ".ftl"))),
        )*]
    };
}

const CATALOGUE: &[(Language, &str)] = catalogue!(
    "core", "schema", "access", "wire", "document", "sync", "store", "replica", "crm", "import", "report", "net"
);

fn extra() -> &'static RwLock<Vec<(Language, &'static str)>> {
    static EXTRA: RwLock<Vec<(Language, &'static str)>> = RwLock::new(Vec::new());
    &EXTRA
}

// Built at the first use: by then a crate above has added its texts.
fn bundle(language: Language) -> &'static Bundle {
    static BUNDLES: OnceLock<HashMap<&'static str, Bundle>> = OnceLock::new();
    let bundles = BUNDLES.get_or_init(|| Language::ALL.into_iter().map(|l| (l.code(), build(l))).collect());
    // `ALL` holds every language, so the map holds every code.
    bundles.get(language.code()).unwrap_or_else(|| unreachable!("a bundle for each language"))
}

fn build(language: Language) -> Bundle {
    let locale = language.code().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![locale]);
    bundle.set_use_isolating(false);
    let extra = extra().read().map(|e| e.clone()).unwrap_or_default();
    for (_, text) in CATALOGUE.iter().chain(&extra).filter(|(l, _)| *l == language) {
        let resource = match FluentResource::try_new((*text).to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        // An id twice keeps the first text; the catalogue test reports it.
        let _ = bundle.add_resource(resource);
    }
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_follow_each_language() {
        let records = |n: i64, l| Message::new("count-records").with("count", n).render(l);
        assert_eq!(records(1, Language::En), "1 record");
        assert_eq!(records(21, Language::Ru), "21 запись");
        assert_eq!(records(3, Language::Uk), "3 записи");
        assert_eq!(records(11, Language::Ru), "11 записей");
    }
}
