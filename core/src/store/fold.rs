//! One form for every case of a text, at the index and at the query: lower case, and ё as е.

/// The folded form in which texts are compared by "contains" and looked up by natural key.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ё' { 'е' } else { c }).collect()
}

/// Appends `text` with ё as е: the tokenizer of the index folds case itself but keeps this letter apart.
pub(crate) fn push_indexed(text: &str, into: &mut String) {
    if !text.contains(['ё', 'Ё']) {
        into.push_str(text);
        return;
    }
    into.extend(text.chars().map(|c| match c {
        'ё' => 'е',
        'Ё' => 'Е',
        other => other,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_yo_fold_in_cyrillic_and_latin() {
        assert_eq!(fold("ООО «Ёлка» GTX"), "ооо «елка» gtx");
        let mut text = String::new();
        push_indexed("Ёж и ёлка", &mut text);
        assert_eq!(text, "Еж и елка");
    }
}
