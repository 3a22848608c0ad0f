use std::path::Path;

use serde_json::Value;

use super::{sample, text, weir};

fn schema() -> Value {
    let output = weir(["schema"]).output().expect("ended");
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn sample_value() -> Value {
    serde_json::to_value(sample::report()).expect("JSON")
}

#[test]
fn the_schema_in_the_documentation_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/weir.report-1.schema.json");
    let documented =
        std::fs::read_to_string(&path).expect("docs/weir.report-1.schema.json can be read");
    let output = weir(["schema"]).output().expect("ended");
    assert!(
        documented == text(&output.stdout),
        "the types of the report have changed: weir schema > docs/weir.report-1.schema.json, and if an old reader would be misled, give the format its next number"
    );
}

#[test]
fn a_report_is_valid_by_the_schema() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&sample_value())
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn the_schema_refuses_what_is_no_report() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let damage: [(&str, &str, Value); 6] = [
        ("", "schema", "weir.report/2".into()),
        ("", "duration_ns", (-1).into()),
        ("/end", "how", "vanished".into()),
        ("/functions/malloc", "calls", 1.5.into()),
        ("/heap", "live_bytes", "many".into()),
        ("/processes/0", "pid", Value::Null),
    ];
    for (place, field, value) in damage {
        let mut report = sample_value();
        report.pointer_mut(place).expect("an object")[field] = value.clone();
        assert!(!validator.is_valid(&report), "{place}/{field} = {value}");
    }
    let mut report = sample_value();
    report.as_object_mut().expect("an object").remove("missed");
    assert!(!validator.is_valid(&report), "without missed");
}

/// The schema must say what each field means.
#[test]
fn every_field_is_described() {
    fn undescribed(schema: &Value, place: &str, found: &mut Vec<String>) {
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (name, field) in properties {
            if field["description"].as_str().is_none_or(str::is_empty) {
                found.push(format!("{place}.{name}"));
            }
        }
        for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
            undescribed(definition, name, found);
        }
    }
    for arguments in [&["schema"][..], &["schema", "--totals"]] {
        let output = weir(arguments).output().expect("ended");
        let schema = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut found = Vec::new();
        undescribed(&schema, "Whole", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
}

/// An older reader gets fields that it does not know.
#[test]
fn what_a_later_version_adds_is_skipped() {
    fn add_everywhere(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                // Not where the keys are names, of an errno, a function or an activity: one that it does not know is one.
                let is_of_names = |name: &str, field: &Value| {
                    let mut values = field.as_object().into_iter().flatten();
                    let is_of_lists = values.all(|(_, value)| value.is_array());
                    ["errors_by_errno", "ended"].contains(&name)
                        || (name == "activities" && is_of_lists)
                };
                let inside = fields
                    .iter_mut()
                    .filter(|(name, field)| !is_of_names(name, field));
                inside.for_each(|(_, field)| add_everywhere(field));
                if fields.values().any(|field| !field.is_object()) {
                    fields.insert("of_a_later_version".to_owned(), vec![1, 2].into());
                }
            }
            Value::Array(items) => items.iter_mut().for_each(add_everywhere),
            _ => {}
        }
    }
    let schema = schema();
    assert!(
        schema["$id"]
            .as_str()
            .is_some_and(|id| id.ends_with("/weir.report-1.schema.json"))
    );
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let mut later = sample_value();
    add_everywhere(&mut later);
    assert_eq!(later["heap"]["of_a_later_version"][0], 1);
    let folder = tempfile::tempdir().expect("a folder");
    let told = |report: &Value| {
        let path = folder.path().join("report.json");
        std::fs::write(&path, report.to_string()).expect("written");
        let output = weir(["report".as_ref(), path.as_os_str()])
            .output()
            .expect("ended");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    assert_eq!(told(&later), told(&sample_value()));
    assert!(validator.is_valid(&later));
}
