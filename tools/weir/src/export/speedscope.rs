//! JSON for speedscope.app: a profile for each sum.
//!
//! <https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources>

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{json, to_writer};

use super::Profile;
use crate::sites::Choice;
use crate::units::Unit;

const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

pub fn write(profile: &Profile, choices: &[Choice], out: &mut dyn Write) -> io::Result<()> {
    let exporter = format!("weir {}", env!("CARGO_PKG_VERSION"));
    write!(
        out,
        r#"{{"$schema":"{SCHEMA}","exporter":"{exporter}","name":"#
    )?;
    to_writer(&mut *out, &profile.title())?;

    // The functions that were called come behind the places that call them.
    let sites = &profile.sites.stacks.sites;
    let mut called: HashMap<&str, usize> = HashMap::new();
    write!(out, r#","shared":{{"frames":["#)?;
    let mut count = 0;
    let mut frame = |out: &mut dyn Write, frame: serde_json::Value| {
        out.write_all(if count > 0 { b"," } else { b"" })?;
        count += 1;
        to_writer(out, &frame).map_err(io::Error::from)
    };
    for point in profile.sites.points.all() {
        let mut value = json!({ "name": point.function });
        if let Some(file) = &point.file {
            value["file"] = json!(file);
        }
        if let Some(line) = point.line {
            value["line"] = json!(line);
        }
        frame(out, value)?;
    }
    let points = profile.sites.points.all().count();
    for site in sites {
        let next = points + called.len();
        if let std::collections::hash_map::Entry::Vacant(entry) = called.entry(&site.function) {
            entry.insert(next);
            frame(out, json!({ "name": site.function }))?;
        }
    }
    write!(out, r#"]}},"profiles":["#)?;
    for (place, &choice) in choices.iter().enumerate() {
        out.write_all(if place > 0 { b"," } else { b"" })?;
        one(profile, choice, &called, out)?;
    }
    out.write_all(b"]}\n")
}

fn one(
    profile: &Profile,
    choice: Choice,
    called: &HashMap<&str, usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let unit = match choice.metric.unit() {
        Unit::Bytes => "bytes",
        Unit::Count => "none",
        Unit::Time => "nanoseconds",
    };
    let total = profile.total(choice);
    let name = choice.name();
    write!(
        out,
        r#"{{"type":"sampled","name":"{name}","unit":"{unit}","startValue":0,"endValue":{total},"samples":["#
    )?;
    for (place, site) in profile.chosen(choice).enumerate() {
        out.write_all(if place > 0 { b",[" } else { b"[" })?;
        // The outermost function first.
        for id in profile.sites.stack(site.frame) {
            write!(out, "{id},")?;
        }
        write!(out, "{}]", called[site.function.as_str()])?;
    }
    write!(out, r#"],"weights":["#)?;
    for (place, site) in profile.chosen(choice).enumerate() {
        let comma = if place > 0 { "," } else { "" };
        write!(out, "{comma}{}", choice.metric.of(site))?;
    }
    write!(out, "]}}")
}
