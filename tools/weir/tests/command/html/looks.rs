//! Whether threads slept in slow calls: the page says what the text says.

use serde_json::json;

use super::{page, rows, strings, visited};
use crate::{fed, sample, text, weir};

#[test]
fn slow_calls_and_functions_have_the_looks_of_the_text() {
    let report = sample::report();
    let json = serde_json::to_vec(&report).expect("JSON");
    let plain = |arguments: &[&str]| {
        let arguments = ["report", "--width", "1000", "-"].iter().chain(arguments);
        text(&fed(weir(arguments), &json).stdout)
    };
    let whole = plain(&[]);
    let pages = visited(&page(&report), "#function=fsync", &json!([]));
    let of_calls: Vec<&str> = rows(&pages[0], "slowest")
        .iter()
        .filter_map(|row| row["looked"].as_str())
        .filter(|looked| !looked.is_empty())
        .collect();
    assert!(of_calls.len() > 5, "{of_calls:?}");
    for looked in of_calls {
        assert!(whole.contains(looked), "{looked}\n{whole}");
    }
    let of_function = strings(&pages[0]["opened"]);
    let told = of_function
        .iter()
        .find(|fact| fact.starts_with("slow calls "));
    let told = told.and_then(|fact| fact.strip_prefix("slow calls "));
    let told = told.unwrap_or_else(|| panic!("{of_function:?}"));
    assert!(told.contains(" waiting for a disk"), "{told}");
    let plain = plain(&["--function", "fsync"]);
    assert!(plain.contains(told), "{told}\n{plain}");
}
