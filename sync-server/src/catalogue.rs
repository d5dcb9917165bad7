//! This crate's texts, added to the core's message catalogue before the first message is rendered.

use std::sync::Once;

use branchline_core::message::{self, Language};

const TEXTS: &[(Language, &str)] = &[
    (Language::En, include_str!("../locales/en/server.ftl")),
    (Language::Ru, include_str!("../locales/ru/server.ftl")),
    (Language::Uk, include_str!("../locales/uk/server.ftl")),
    (Language::En, include_str!("../locales/en/page.ftl")),
    (Language::Ru, include_str!("../locales/ru/page.ftl")),
    (Language::Uk, include_str!("../locales/uk/page.ftl")),
    (Language::En, include_str!("../locales/en/web.ftl")),
    (Language::Ru, include_str!("../locales/ru/web.ftl")),
    (Language::Uk, include_str!("../locales/uk/web.ftl")),
    (Language::En, include_str!("../locales/en/api.ftl")),
    (Language::Ru, include_str!("../locales/ru/api.ftl")),
    (Language::Uk, include_str!("../locales/uk/api.ftl")),
    (Language::En, include_str!("../locales/en/sign.ftl")),
    (Language::Ru, include_str!("../locales/ru/sign.ftl")),
    (Language::Uk, include_str!("../locales/uk/sign.ftl")),
    (Language::En, include_str!("../locales/en/sync.ftl")),
    (Language::Ru, include_str!("../locales/ru/sync.ftl")),
    (Language::Uk, include_str!("../locales/uk/sync.ftl")),
    (Language::En, include_str!("../locales/en/admin.ftl")),
    (Language::Ru, include_str!("../locales/ru/admin.ftl")),
    (Language::Uk, include_str!("../locales/uk/admin.ftl")),
    (Language::En, include_str!("../locales/en/demo.ftl")),
    (Language::Ru, include_str!("../locales/ru/demo.ftl")),
    (Language::Uk, include_str!("../locales/uk/demo.ftl")),
];

/// Adds the texts; calling it again does nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (language, text) in TEXTS {
            // A text that does not parse is a fault of the build, and the catalogue's tests say so.
            let _ = message::extend(*language, text);
        }
    });
}
