//! What is made from definitions: the schemas, the completions, the manual page.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use crate::cli;
use crate::exit_code;
use crate::failure::Failure;
use crate::report::totals;

/// Where the schemas can be had; so an address names its format, and changes with the format's number.
const SCHEMAS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/raw/main/docs/");

/// The JSON Schema of the report, from its types.
pub fn schema() -> Result<String, Failure> {
    let schema = schemars::schema_for!(weir_report::model::Report);
    identified(
        schema,
        "weir.report-1.schema.json",
        weir_report::model::SCHEMA,
    )
}

/// The JSON Schema of a report's totals, from their types.
pub fn totals_schema() -> Result<String, Failure> {
    // Nobody reads them back: a field is required unless it may be left out.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let generator = settings.into_generator();
    let schema = generator.into_root_schema_for::<totals::Totals<'_>>();
    identified(schema, "weir.totals-1.schema.json", totals::SCHEMA)
}

/// The text of a schema, in a file of this name, of documents that say that they have this format.
fn identified(mut schema: Schema, file: &str, format: &str) -> Result<String, Failure> {
    schema.insert("$id".to_owned(), format!("{SCHEMAS}{file}").into());
    // The one field with a single legal value; the type alone does not say so.
    if let Some(field) = schema.pointer_mut("/properties/schema") {
        field["const"] = format.into();
    }
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::of_weir("cannot write the schema").because(error))?;
    Ok(text + "\n")
}

/// A completion script.
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::definition(), "weir", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The manual page of the command, or of one of its subcommands.
pub fn manual(subcommand: Option<&str>) -> Result<String, Failure> {
    // Without the command `help`: its pages would be those of the others.
    let mut definition = cli::definition().disable_help_subcommand(true);
    definition.build();
    let source = definition.render_version();
    let command = match subcommand {
        None => definition,
        Some(name) => definition.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::new(
                exit_code::USAGE,
                format!("there is no command {name} (see 'weir --help')"),
            )
        })?,
    };
    let examples = command.get_after_long_help().map(ToString::to_string);
    let page = clap_mangen::Man::new(command.after_help(None).after_long_help(None))
        .source(source.trim_end());
    let mut text = Vec::new();
    page.render(&mut text)
        .map_err(|error| Failure::of_weir("cannot write the manual page").because(error))?;
    let text = String::from_utf8_lossy(&text);
    // Before the section that clap_mangen ends with.
    let (head, version) = text.split_at(text.find(".SH VERSION").unwrap_or(text.len()));
    let examples = examples.as_deref().map(verbatim).unwrap_or_default();
    Ok(format!("{head}{examples}{version}"))
}

/// The notes after a command's help, their lines kept as they are.
fn verbatim(notes: &str) -> String {
    let mut section = ".SH NOTES\n.nf\n".to_owned();
    for line in notes.lines() {
        // A line that begins with a dot or a quote would be a request.
        section += "\\&";
        section += &line.replace('\\', "\\e").replace('-', "\\-");
        section.push('\n');
    }
    section + ".fi\n"
}
