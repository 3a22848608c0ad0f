//! `docs/settings.md` and `docs/functions.md` agree with the tables in the code.
//!
//! With `WEIR_BLESS=1`, the tests write the tables into the pages instead of comparing them.

use std::path::Path;

use weir_record::functions::{Family, Function, Returns, Role, Size, Timing};
use weir_record::settings;

/// The lines before and after a generated table.
const BEGIN: &str =
    "<!-- made of the code by tests/end_to_end/documents.rs; WEIR_BLESS=1 renews it -->";
const END: &str = "<!-- end -->";

/// Compares the part of a page between the marks with the table, or writes the table there.
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
    for family in Family::ALL {
        let title = title(family);
        table += &format!(
            "\n### {title} (`{}`)\n\n{}\n\n| function | asked for | moved | failed when it returns |\n| --- | --- | --- | --- |\n",
            family.name(),
            timed(family),
        );
        for function in Function::ALL {
            if function.row().family == family {
                table += &line(function);
            }
        }
    }
    table.push('\n');
    let table = table.trim_start();
    expect_table("functions.md", table);
}

fn title(family: Family) -> &'static str {
    match family {
        Family::Alloc => "Allocation",
        Family::File => "What files hold",
        Family::Descriptor => "Descriptors",
        Family::Socket => "Sockets",
        Family::Wait => "Waiting",
        Family::Map => "Memory maps",
        Family::Metadata => "What a file system knows of files",
        Family::Stdio => "What the program asks of stdio",
        Family::StdioSystem => "What stdio asks of the kernel",
        Family::Process => "Processes",
        Family::Lock => "Locks that are taken",
        Family::CountOnly => "Counted only",
    }
}

fn timed(family: Family) -> &'static str {
    match family.timing() {
        Timing::Always => "Every call is timed.",
        Timing::Sampled => "One call in 128 is timed, by default.",
        Timing::Never => "No call is timed.",
    }
}

fn line(function: Function) -> String {
    let (row, name) = (function.row(), function.name());
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
        Size::Message(message) => format!("lengths in the {} argument's vector", ordinal(message)),
    };
    let moved = match row.returns {
        Returns::Bytes if (row.family, row.role) == (Family::Socket, Role::Read) => {
            "what it returns, and no more than there is room for (MSG_TRUNC)"
        }
        Returns::Bytes | Returns::Printed => "what it returns",
        Returns::Length if row.role == Role::Read => "what it returns",
        Returns::Items => "what it returns, times the size of an item",
        Returns::Messages => "lengths in the array",
        Returns::Character => "1",
        Returns::Word => "4",
        Returns::Line => "the length of the line, NULs in it too",
        Returns::Text => "the length of the text",
        Returns::Status if name.starts_with("eventfd_") => "8",
        _ => "–",
    };
    let failed = match row.returns {
        Returns::Pointer | Returns::Handle => "NULL",
        Returns::Line | Returns::WideLine => "NULL, and the stream has an error",
        Returns::ErrorNumber | Returns::Resolution => "an error number",
        Returns::ThreadResult => "not thrd_success",
        Returns::Handler => "SIG_ERR",
        Returns::Address => "MAP_FAILED",
        Returns::Length if row.family == Family::Stdio => "-1, and the stream has an error",
        Returns::Bytes
        | Returns::Length
        | Returns::Descriptor
        | Returns::Offset
        | Returns::Status
        | Returns::Count
        | Returns::Messages
        | Returns::ProcessId => "-1",
        Returns::Items => "less than was asked for, and the stream has an error",
        Returns::Character | Returns::Word | Returns::Wide | Returns::Scanned => {
            "EOF, and the stream has an error"
        }
        Returns::Text | Returns::WideText => "EOF",
        Returns::Printed | Returns::WidePrinted => "less than 0",
        Returns::Never if name.starts_with("exec") || name == "fexecve" => "at all",
        Returns::Size | Returns::Entry | Returns::Nothing | Returns::Never => "–",
    };
    format!("| `{name}` | {asked} | {moved} | {failed} |\n")
}
