//! What the page of a difference is given.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::tests::sides;
use super::*;
use crate::cli::{Group, Metric};
use crate::html::sites::{column, group};
use crate::sample;
use crate::sites::{Choice, Sites, sample as named};

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("JSON")
}

/// The numbers of a side by the names on the way to them, as a table of the page has them.
fn by_path(table: &Value, side: &str, column: &str, group: &str) -> BTreeMap<Vec<String>, u64> {
    let name = |list: &str, index: &Value| {
        let index = index.as_u64().expect("an index") as usize;
        let name = match list {
            "called" => &table["called"][index],
            _ => &table["points"]["function"][index],
        };
        name.as_str().expect("a name").to_owned()
    };
    let mut paths = BTreeMap::new();
    let numbers = table[side][column].as_array().expect("a column");
    for (site, number) in numbers.iter().enumerate() {
        let number = number.as_u64().expect("a number");
        if number == 0 || table["sites"]["group"][site] != group {
            continue;
        }
        let mut path = vec![name("called", &table["sites"]["called"][site])];
        let mut node = table["sites"]["node"][site].as_i64().expect("a node");
        while node >= 0 {
            path.insert(0, name("points", &table["nodes"]["point"][node as usize]));
            node = table["nodes"]["parent"][node as usize]
                .as_i64()
                .expect("a node");
        }
        assert!(!paths.contains_key(&path), "{path:?} has one site");
        paths.insert(path, number);
    }
    paths
}

/// The same of the runs themselves.
fn of_runs(runs: &[&Sites], choice: Choice) -> BTreeMap<Vec<String>, u64> {
    let mut paths: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for sites in runs {
        for site in &sites.stacks.sites {
            let number = choice.metric.of(site);
            if number == 0 || Group::of(&site.function) != choice.group {
                continue;
            }
            let points = sites.stack(site.frame).into_iter();
            let mut path: Vec<String> = points
                .map(|point| sites.points.get(point).function.clone())
                .collect();
            path.push(site.function.clone());
            *paths.entry(path).or_default() += number;
        }
    }
    paths
}

#[test]
fn each_way_to_a_function_has_the_numbers_of_both_sides() {
    let (first, second, mut after) = (named::sites(), named::sites(), named::sites());
    // One is gone, one is new, one has more.
    let gone = after
        .stacks
        .sites
        .iter()
        .position(|site| site.function == "calloc");
    after.stacks.sites.remove(gone.expect("a site"));
    let mut new = after.stacks.sites[0].clone();
    new.function = "aligned_alloc".to_owned();
    new.requested_bytes = 4096;
    after.stacks.sites.push(new);
    after.stacks.sites[0].requested_bytes += 1000;
    let table = value(&CallSites::of([vec![&first, &second], vec![&after]]));
    assert_eq!(table["runs"], serde_json::json!([2, 1]));
    let mut sums = 0;
    for choice in Choice::ALL {
        let before = of_runs(&[&first, &second], choice);
        let after = of_runs(&[&after], choice);
        let is_listed = table["sums"]
            .as_array()
            .expect("sums")
            .iter()
            .any(|sum| sum["name"] == choice.name());
        // The peak is no number of a comparison.
        let is_compared = choice.metric != Metric::Peak && !(before.is_empty() && after.is_empty());
        assert_eq!(is_listed, is_compared, "{}", choice.name());
        if !is_compared {
            continue;
        }
        sums += 1;
        let of = |side| by_path(&table, side, column(choice.metric), group(choice.group));
        assert_eq!(of("before"), before, "{}", choice.name());
        assert_eq!(of("after"), after, "{}", choice.name());
    }
    assert!(sums > 5, "{sums}");
}

#[test]
fn samples_have_bytes_only() {
    let mut sampled = named::sites();
    sampled.stacks.sampled_bytes = Some(512 << 10);
    let exact = named::sites();
    let table = value(&CallSites::of([vec![&exact], vec![&sampled]]));
    let sums = table["sums"].as_array().expect("sums").iter();
    let of_heap: Vec<&Value> = sums
        .filter(|sum| sum["group"] == "allocation")
        .map(|sum| &sum["column"])
        .collect();
    assert_eq!(of_heap, ["bytes", "live"]);
    assert_eq!(table["is_sampled"], true);
}

#[test]
fn the_page_has_what_the_json_has() {
    let sides = sides(
        vec![sample::report(), sample::report()],
        vec![sample::later()],
    );
    let places = sides.places();
    let comparison = sides.compared_by(&places);
    let page = value(&data(&sides, &comparison, &places));
    let text = json::text(&sides, &comparison).expect("JSON");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(page["difference"], document);
    let many = |list: &Value| list.as_array().expect("a list").len();
    assert_eq!(many(&page["changes"]), many(&document["changes"]));
    assert_eq!(many(&page["times"]), many(&document["times"]));
    assert_eq!(many(&page["usage"]), 4);
    assert_eq!(many(&document["usage"]), 4);
    assert_eq!(many(&page["runs"][0]), 2);
    assert_eq!(many(&page["timelines"][0]), 2);
    let of_sections = page["sections"].as_array().expect("sections").iter();
    let listed: Vec<&Value> = of_sections.map(|of| &of["section"]).collect();
    for change in document["changes"].as_array().expect("changes") {
        let section = &change["section"];
        assert!(
            section == "whole" || listed.contains(&section),
            "{section} has no table"
        );
    }
}

#[test]
fn times_differ_from_five_runs_on_and_have_a_place() {
    let runs = |duration: u64| {
        let reports = (0..5).map(|run| {
            let mut report = sample::report();
            report.duration_ns = duration + run;
            report
        });
        reports.collect()
    };
    let sides = sides(runs(1000), runs(9000));
    let places = sides.places();
    let comparison = sides.compared_by(&places);
    let page = value(&data(&sides, &comparison, &places));
    assert_eq!(page["difference"]["changes"][0]["section"], "time");
    assert_eq!(page["times"][0]["number"], "duration");
    assert_eq!(page["times"][0]["change"], 8000);
}

#[test]
fn an_image_has_its_place_in_time() {
    let mut report = sample::report();
    report.processes[1].started_unix_ns = report.started_unix_ns + 500;
    report.processes[1].duration_ns = report.duration_ns;
    let timeline = Timeline::of(&report);
    assert_eq!(timeline.end_ns, report.duration_ns + 500);
    let images = value(&timeline.images);
    let with_points = report
        .processes
        .iter()
        .filter(|of| !of.timeline.points.is_empty());
    assert_eq!(
        images.as_array().expect("images").len(),
        with_points.count()
    );
}
