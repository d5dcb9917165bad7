//! What the demo says while it runs: one line for each thing that happens, with the time since the beginning.

use std::io::Write;
use std::time::Instant;

use branchline_core::message::{Language, Message};

use crate::output::aside;

/// Tells the story on stdout, or on stderr where stdout is for one document.
#[derive(Debug)]
pub(super) struct Teller {
    begun: Instant,
    language: Language,
    aside: bool,
}

impl Teller {
    /// A teller; with `aside` on stderr.
    pub(super) fn new(language: Language, aside: bool) -> Self {
        Self { begun: Instant::now(), language, aside }
    }

    /// Says one line.
    pub(super) fn say(&self, message: &Message) {
        let line = format!("{:>5.1} s  {}", self.begun.elapsed().as_secs_f64(), message.render(self.language));
        self.show(&line);
    }

    /// Shows text as it is: the table at the end.
    pub(super) fn show(&self, text: &str) {
        // A reader that went away does not stop the story.
        if self.aside {
            aside(text);
        } else {
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        }
    }
}
