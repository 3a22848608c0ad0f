//! Words of a text, for the recipe of `cargo test`.

/// The words of a text, in lower case.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

#[test]
fn words_are_in_lower_case() {
    let text = "Weir measures ".repeat(1000);
    let words = words(&text);
    assert_eq!(words.len(), 2000);
    assert!(words.iter().all(|word| word == "weir" || word == "measures"));
}
