//! JSON for the viewer of Valgrind's DHAT (`dh_view.html`), version 2 of its format:
//! <https://valgrind.org/docs/manual/dh-manual.html>
//!
//! A place of the program has what its blocks were: all, those at the moment when the heap was largest, and those at the end.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{json, to_writer};
use weir_report::model::{Lifetimes, Site, SiteBlocks};

use super::Profile;
use crate::cli::Group;

/// Blocks that live for less are called short-lived by the viewer, in microseconds.
const SHORT_US: u64 = 500;

/// The numbers of one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Numbers {
    total_bytes: u64,
    total_blocks: u64,
    lifetimes_us: u64,
    at_peak_bytes: u64,
    at_peak_blocks: u64,
    at_end_bytes: u64,
    at_end_blocks: u64,
}

impl Numbers {
    fn of(site: &Site, blocks: &SiteBlocks, end_ms: u64) -> Numbers {
        Numbers {
            total_bytes: site.requested_bytes,
            total_blocks: site.calls,
            lifetimes_us: { site.lifetimes.as_ref() }
                .map_or(0, |of| lifetimes_us(of, blocks, end_ms)),
            at_peak_bytes: blocks.live_bytes_at_peak,
            at_peak_blocks: at_peak_blocks(site, blocks),
            at_end_bytes: blocks.live_bytes,
            at_end_blocks: blocks.live,
        }
    }

    fn add(&mut self, other: Numbers) {
        for (to, by) in [
            (&mut self.total_bytes, other.total_bytes),
            (&mut self.total_blocks, other.total_blocks),
            (&mut self.lifetimes_us, other.lifetimes_us),
            (&mut self.at_peak_bytes, other.at_peak_bytes),
            (&mut self.at_peak_blocks, other.at_peak_blocks),
            (&mut self.at_end_bytes, other.at_end_bytes),
            (&mut self.at_end_blocks, other.at_end_blocks),
        ] {
            *to = to.saturating_add(by);
        }
    }
}

/// How many blocks were live at the peak: their bytes are known, and how large a block of the site is.
fn at_peak_blocks(site: &Site, blocks: &SiteBlocks) -> u64 {
    let bytes = blocks.live_bytes_at_peak;
    let (of_bytes, of_blocks) = match blocks.live {
        0 => (site.requested_bytes, site.calls),
        live => (blocks.live_bytes, live),
    };
    let is_at_least = u64::from(bytes > 0);
    let number = u128::from(bytes) * u128::from(of_blocks);
    let number = number.checked_div(u128::from(of_bytes)).unwrap_or(0);
    u64::try_from(number)
        .unwrap_or(u64::MAX)
        .clamp(is_at_least, site.calls.max(is_at_least))
}

/// How long all blocks lived together; those that are live, until the end.
fn lifetimes_us(of: &Lifetimes, blocks: &SiteBlocks, end_ms: u64) -> u64 {
    let middle = |from: u64, to: u64| from.midpoint(to.min(end_ms).max(from));
    let ages = of.live_since.iter().map(|since| {
        let age_us = u128::from(end_ms.saturating_sub(middle(since.from_ms, since.to_ms))) * 1000;
        u128::from(since.bytes) * age_us
    });
    // Bytes for so long; blocks for so long.
    let bytes = ages.fold(0, u128::saturating_add);
    let live = bytes.saturating_mul(u128::from(blocks.live)) / u128::from(blocks.live_bytes.max(1));
    let live = u64::try_from(live).unwrap_or(u64::MAX);
    (of.freed_total_ns / 1000).saturating_add(live)
}

pub fn write(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let end_ms = profile.sites.longest_ms;
    let mut frames = Frames::default();
    // The viewer wants each stack once.
    let mut places: Vec<(Vec<usize>, Numbers)> = Vec::new();
    let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut are_lifetimes_known = false;
    for (site, blocks) in made(profile) {
        are_lifetimes_known |= site.lifetimes.is_some();
        let numbers = Numbers::of(site, blocks, end_ms);
        let stack = frames.stack(profile, site);
        match known.get(&stack) {
            Some(&place) => places[place].1.add(numbers),
            None => {
                known.insert(stack.clone(), places.len());
                places.push((stack, numbers));
            }
        }
    }

    let end_us = end_ms.saturating_mul(1000);
    write!(
        out,
        r#"{{"dhatFileVersion":2,"mode":"heap","verb":"Allocated","bklt":true,"bkacc":false,"#
    )?;
    write!(
        out,
        r#""tu":"µs","Mtu":"s","tuth":{SHORT_US},"te":{end_us},"tg":{},"pid":{},"cmd":"#,
        peak_us(profile).min(end_us),
        profile.pid()
    )?;
    to_writer(&mut *out, &profile.title())?;
    write!(out, r#","pps":["#)?;
    for (place, (stack, numbers)) in places.iter().enumerate() {
        out.write_all(if place > 0 { b",\n" } else { b"\n" })?;
        let (peak, end) = (
            (numbers.at_peak_bytes, numbers.at_peak_blocks),
            (numbers.at_end_bytes, numbers.at_end_blocks),
        );
        // Two moments are known. The viewer wants the most at any moment.
        let most = peak.max(end);
        let mut value = json!({
            "tb": numbers.total_bytes, "tbk": numbers.total_blocks,
            "mb": most.0, "mbk": most.1,
            "gb": peak.0, "gbk": peak.1,
            "eb": end.0, "ebk": end.1,
            "fs": stack,
        });
        if are_lifetimes_known {
            value["tl"] = json!(numbers.lifetimes_us);
        }
        to_writer(&mut *out, &value)?;
    }
    write!(out, r#"],"ftbl":"#)?;
    to_writer(&mut *out, &frames.names)?;
    out.write_all(b"}\n")
}

/// Whether there is something to write.
pub fn is_empty(profile: &Profile) -> bool {
    made(profile).next().is_none()
}

/// The sites at which blocks were made.
fn made(profile: &Profile) -> impl Iterator<Item = (&Site, &SiteBlocks)> {
    let sites = profile.sites.stacks.sites.iter().enumerate();
    sites
        .filter(|&(index, site)| profile.has(index, Group::Allocation) && site.calls > 0)
        .filter_map(|(_, site)| Some((site, site.blocks.as_ref()?)))
}

/// When the process with the largest heap had it, in microseconds.
fn peak_us(profile: &Profile) -> u64 {
    let processes = profile.processes();
    let images = processes.iter().filter(|of| of.folded.is_none());
    let largest = images.max_by_key(|of| of.heap.peak_bytes);
    // The first of several points: after it the heap did not grow.
    let points = largest.map(|of| of.timeline.points.iter().rev());
    let point = points.and_then(|of| of.max_by_key(|point| point.live_bytes));
    point.map_or(0, |point| point.at_ns / 1000)
}

/// The text of each frame, and which it is.
#[derive(Debug)]
struct Frames {
    names: Vec<String>,
    known: HashMap<String, usize>,
}

impl Default for Frames {
    fn default() -> Frames {
        Frames {
            // The viewer leaves out the first one.
            names: vec!["[root]".to_owned()],
            known: HashMap::new(),
        }
    }
}

impl Frames {
    fn id(&mut self, name: String) -> usize {
        *self.known.entry(name).or_insert_with_key(|name| {
            self.names.push(name.clone());
            self.names.len() - 1
        })
    }

    /// A stack, the function that was called first. Addresses are those in the files of objects, of the calls.
    fn stack(&mut self, profile: &Profile, site: &Site) -> Vec<usize> {
        let sites = &profile.sites;
        let mut stack = vec![self.id(format!("0x0: {} (in libweir.so)", site.function))];
        for (frame, place) in sites.stacks.chain(site.frame) {
            let address = place.offset.saturating_sub(1);
            for &point in sites.points.of_frame(frame).iter().rev() {
                let point = sites.points.get(point);
                let at = match (point.whole_place(), point.path.as_str()) {
                    (at, "") if at.is_empty() => "in no object".to_owned(),
                    (at, path) if at.is_empty() => format!("in {path}"),
                    (at, _) => at,
                };
                stack.push(self.id(format!("{address:#x}: {} ({at})", point.function)));
            }
        }
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::profile;
    use weir_report::model::Since;

    #[test]
    fn each_stack_has_its_blocks() {
        let mut out = Vec::new();
        write(&profile(), &mut out).expect("written");
        let json: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        insta::assert_snapshot!(serde_json::to_string_pretty(&json).expect("JSON"));
    }

    #[test]
    fn sites_of_the_same_text_are_one() {
        let mut profile = profile();
        let of = |profile: &Profile| {
            let mut out = Vec::new();
            write(profile, &mut out).expect("written");
            let json: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            json["pps"].as_array().expect("places").clone()
        };
        let before = of(&profile);
        let again = profile.sites.stacks.sites.clone();
        profile.sites.stacks.sites.extend(again);
        profile.wanted = vec![true; profile.sites.stacks.sites.len()];
        let after = of(&profile);
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            for number in ["tb", "tbk", "tl", "gb", "gbk", "eb", "ebk"] {
                let [before, after] = [before, after].map(|of| of[number].as_u64());
                assert_eq!(before.map(|of| 2 * of), after, "{number}");
            }
        }
    }

    #[test]
    fn numbers_that_weir_does_not_have_follow_from_those_it_has() {
        let mut site = Site {
            calls: 10,
            requested_bytes: 1000,
            ..Site::default()
        };
        let mut blocks = SiteBlocks {
            live_bytes_at_peak: 520,
            ..SiteBlocks::default()
        };
        assert_eq!(at_peak_blocks(&site, &blocks), 5);
        (blocks.live, blocks.live_bytes) = (3, 312);
        assert_eq!(at_peak_blocks(&site, &blocks), 5);
        blocks.live_bytes_at_peak = 1;
        assert_eq!(at_peak_blocks(&site, &blocks), 1);
        blocks.live_bytes_at_peak = u64::MAX;
        assert_eq!(at_peak_blocks(&site, &blocks), 10);
        blocks.live_bytes_at_peak = 0;
        assert_eq!(at_peak_blocks(&site, &blocks), 0);
        site.calls = 0;
        assert_eq!(at_peak_blocks(&site, &blocks), 0);

        // Three blocks from 1 to 2 s after the start, and three that were freed.
        let lifetimes = Lifetimes {
            freed: [3, 0, 0, 0, 0, 0, 0, 0],
            freed_total_ns: 900_000,
            live_since: vec![Since {
                from_ms: 1000,
                to_ms: 2000,
                bytes: 312,
            }],
        };
        assert_eq!(
            lifetimes_us(&lifetimes, &blocks, 3500),
            900 + 3 * 2000 * 1000
        );
        // The span goes on after the end.
        assert_eq!(lifetimes_us(&lifetimes, &blocks, 1500), 900 + 3 * 250_000);
        assert_eq!(lifetimes_us(&lifetimes, &blocks, 0), 900);
        let forged = SiteBlocks {
            live: u64::MAX,
            live_bytes: 1,
            ..blocks
        };
        assert_eq!(lifetimes_us(&lifetimes, &forged, u64::MAX), u64::MAX);
    }
}
