//! The known value that somebody probably meant.

/// Below this similarity a suggestion would puzzle more than help.
const SIMILARITY_MIN: f64 = 0.6;

/// The candidate most like `text`, ignoring case, spaces and punctuation; `None` where none is alike. Of equals the
/// first one.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = letters(text);
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let similarity = strsim::normalized_damerau_levenshtein(&text, &letters(candidate));
        if similarity >= SIMILARITY_MIN && best.is_none_or(|(least, _)| similarity > least) {
            best = Some((similarity, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_value_is_the_one_that_was_meant() {
        let products = ["GTX Basic", "GTX Pro", "GTX Plus Pro", "MG Special"];
        assert_eq!(nearest("GTXPro", products), Some("GTX Pro"));
        assert_eq!(nearest("technolgy", ["retail", "telecommunications", "technology"]), Some("technology"));
        assert_eq!(nearest("розничая", ["опт", "розничная"]), Some("розничная"));
        assert_eq!(nearest("zzz", products), None);
        assert_eq!(nearest("", products), None);
    }
}
