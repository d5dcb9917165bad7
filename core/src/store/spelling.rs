//! How the full-text index spells the words of a text, for the letters where that is beyond doubt.
//!
//! The index splits and folds with SQLite's own tables. Latin letters without marks, Cyrillic ones and digits are folded
//! there as they are here; for a text with anything else, only the index knows.

use super::fold::fold;

/// Whether the index spells this word as it stands.
pub(super) fn is_plain(word: &str) -> bool {
    word.chars().all(|c| kind(c) == Kind::Letter)
}

/// Whether a text holds all these folded words, the last of them perhaps unfinished; none where only the index knows.
pub(super) fn holds(text: &str, words: &[String]) -> Option<bool> {
    let (last, finished) = words.split_last()?;
    if !words.iter().all(|word| is_plain(word)) || text.chars().any(|c| kind(c) == Kind::Doubtful) {
        return None;
    }
    let folded = fold(text);
    let held: Vec<&str> = folded.split(|c: char| kind(c) == Kind::Gap).collect();
    let has = |word: &String| held.contains(&word.as_str());
    Some(finished.iter().all(has) && held.iter().any(|held| held.starts_with(last.as_str())))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Gap,
    Doubtful,
}

fn kind(c: char) -> Kind {
    match c {
        _ if c.is_ascii_alphanumeric() => Kind::Letter,
        _ if c.is_ascii() => Kind::Gap,
        // The marks between the two blocks of letters join the letter before them.
        '\u{400}'..='\u{481}' | '\u{48a}'..='\u{527}' => Kind::Letter,
        // Punctuation, spaces, signs of money; not the rouble's, which is younger than the tables of the index.
        '\u{a0}' | '§' | '«' | '»' | '·' | '\u{2010}'..='\u{2027}' | '\u{202f}' | '№' | '€' | '₴' => {
            Kind::Gap
        }
        _ => Kind::Doubtful,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::fold::push_indexed;

    fn words(query: &str) -> Vec<String> {
        query.split(' ').map(fold).collect()
    }

    #[test]
    fn finished_words_are_whole_and_the_last_one_may_go_on() {
        let text = "Северный мост №12\nООО «Северный мост», пр-т Мира 5/7";
        for (query, expected) in [
            ("мост", true),
            ("МОСТ сев", true),
            ("сев мост", false),
            ("ооо мира 7", true),
            ("12 север", true),
            ("пр т", true),
            ("моста", false),
        ] {
            assert_eq!(holds(text, &words(query)), Some(expected), "{query}");
        }
    }

    #[test]
    fn a_text_beyond_the_plain_letters_is_left_to_the_index() {
        for (text, query) in [("Müller GmbH", "gmbh"), ("мо\u{301}ст", "мост"), ("GmbH", "müller"), ("x²", "x")]
        {
            assert_eq!(holds(text, &words(query)), None, "{text}");
        }
    }

    #[test]
    fn every_plain_character_is_spelt_as_the_index_spells_it() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE VIRTUAL TABLE search USING fts5 (text, tokenize = 'unicode61');
             CREATE VIRTUAL TABLE term USING fts5vocab (search, 'row');",
        )
        .unwrap();
        for c in (0u32..0x2200).filter_map(char::from_u32).filter(|c| kind(*c) != Kind::Doubtful) {
            let mut text = String::new();
            push_indexed(&format!("a{c}b"), &mut text);
            conn.execute("DELETE FROM search", []).unwrap();
            conn.execute("INSERT INTO search (text) VALUES (?)", [&text]).unwrap();
            let mut terms = conn.prepare("SELECT term FROM term ORDER BY term").unwrap();
            let terms: Vec<String> = terms.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            let folded = fold(&text);
            let mut ours: Vec<&str> = folded.split(|c: char| kind(c) == Kind::Gap).collect();
            ours.sort_unstable();
            assert_eq!(terms, ours, "{c:?} U+{:04X}", u32::from(c));
        }
    }
}
