//! `docs/settings.md` and `docs/functions.md` say what the tables in the code say.
//!
//! With `WEIR_BLESS=1` the tests write the tables into the pages instead of comparing them.

use std::path::Path;

use weir_record::functions::{Family, Function, Returns, Row, Size};
use weir_record::settings;

/// A generated table stands between these lines.
const BEGIN: &str =
    "<!-- made of the code by tests/end_to_end/documents.rs; WEIR_BLESS=1 renews it -->";
const END: &str = "<!-- end -->";

/// Compares what stands between the marks in a page with the table, or puts the table there.
#[track_caller]
fn expect_table(page: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let text = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = text.split_once(BEGIN).expect("the mark before the table");
    let (found, after) = rest.split_once(END).expect("the mark after the table");
    if std::env::var_os("WEIR_BLESS").is_some_and(|value| value == "1") {
        let renewed = format!("{before}{BEGIN}\n{table}{END}{after}");
        std::fs::write(&path, renewed).expect("the page can be written");
    } else {
        assert_eq!(
            found.trim_start(),
            table,
            "docs/{page} is out of date; WEIR_BLESS=1 cargo test documents renews it"
        );
    }
}

#[test]
fn settings_page_is_the_table_of_settings() {
    let mut table =
        String::from("| variable | values | default | meaning |\n| --- | --- | --- | --- |\n");
    for setting in settings::ALL {
        let settings::Setting {
            name,
            values,
            default,
            meaning,
        } = setting;
        table += &format!("| `{name}` | {values} | {default} | {meaning} |\n");
    }
    expect_table("settings.md", &table);
}

#[test]
fn functions_page_is_the_table_of_functions() {
    let mut table = String::new();
    for (family, title) in [
        (Family::Alloc, "Allocation (`alloc`)"),
        (Family::File, "Files (`file`)"),
        (Family::Process, "Processes (`process`)"),
    ] {
        table += &format!(
            "\n### {title}\n\n| function | asked for | moved | failed when it returns |\n| --- | --- | --- | --- |\n"
        );
        for function in Function::ALL {
            let row = function.row();
            if row.family == family {
                table += &line(row);
            }
        }
    }
    table.push('\n');
    let table = table.trim_start();
    expect_table("functions.md", table);
}

fn line(row: &Row) -> String {
    let ordinal = |argument: u8| match argument {
        0 => "1st".to_owned(),
        1 => "2nd".to_owned(),
        2 => "3rd".to_owned(),
        more => format!("{}th", more + 1),
    };
    let asked = match row.size {
        Size::None => "–".to_owned(),
        Size::Argument(argument) => format!("{} argument", ordinal(argument)),
        Size::Product(one, other) => format!("{} × {} argument", ordinal(one), ordinal(other)),
        Size::Vector(vector, _) => format!("lengths in the {} argument", ordinal(vector)),
    };
    let moved = if row.returns == Returns::Bytes {
        "what it returns"
    } else {
        "–"
    };
    let failed = match row.returns {
        Returns::Pointer => "NULL",
        Returns::ErrorNumber => "an error number",
        Returns::Bytes
        | Returns::Descriptor
        | Returns::Offset
        | Returns::Status
        | Returns::ProcessId => "-1",
        Returns::Never if row.name.starts_with("exec") || row.name == "fexecve" => "at all",
        Returns::Size | Returns::Nothing | Returns::Never => "–",
    };
    format!("| `{}` | {asked} | {moved} | {failed} |\n", row.name)
}
