//! Samples to histograms, and histograms to figures and text.

use std::io::Read;
use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use weir_record::functions::Function;
use weir_record::sample::Part;

use crate::estimate::FEWEST;
use crate::model::Latency;
use crate::zlib;

/// The significant decimal digits of every histogram in a report. With two, a histogram distinguishes a value from one that is a
/// 128th larger.
pub const SIGNIFICANT_DIGITS: u8 = 2;

/// Longer calls (36 years) are held at this: hostile clocks must not bring the histogram's own arithmetic
/// to its end.
const MAX_NS: u64 = 1 << 60;

/// The most samples of a histogram that is merged, for the same reason.
const MAX_SAMPLES: u64 = 1 << 56;

/// The latencies of every function that had a sample.
#[derive(Debug)]
pub struct Latencies {
    /// By part, each in the order of the table; none of a part before its first sample.
    histograms: Vec<Option<Box<Histogram<u64>>>>,
}

impl Latencies {
    pub const fn new() -> Latencies {
        Latencies {
            histograms: Vec::new(),
        }
    }

    /// Records that a part of a function's call took so long.
    #[inline]
    pub fn record(&mut self, function: Function, part: Part, ns: u64) {
        let place = part as usize * Function::COUNT + function.index();
        if let Some(Some(histogram)) = self.histograms.get_mut(place) {
            record(histogram, ns);
        } else {
            self.record_first(place, ns);
        }
    }

    #[cold]
    fn record_first(&mut self, place: usize, ns: u64) {
        let needed = (place / Function::COUNT + 1) * Function::COUNT;
        if self.histograms.len() < needed {
            self.histograms.resize_with(needed, || None);
        }
        if let Some(place) = self.histograms.get_mut(place)
            && let Some(mut histogram) = empty()
        {
            record(&mut histogram, ns);
            *place = Some(Box::new(histogram));
        }
    }

    /// The histogram of a part of a function's calls.
    pub fn of(&self, function: Function, part: Part) -> Option<&Histogram<u64>> {
        let place = part as usize * Function::COUNT + function.index();
        self.histograms.get(place)?.as_deref()
    }

    /// How many samples were recorded.
    pub fn samples(&self) -> u64 {
        self.histograms
            .iter()
            .flatten()
            .fold(0, |sum, histogram| sum.saturating_add(histogram.len()))
    }
}

fn record(histogram: &mut Histogram<u64>, ns: u64) {
    // It resizes itself: there is no value that it refuses.
    let _ = histogram.record(ns.min(MAX_NS));
}

/// A histogram that grows as it must. There is one: the digits are few enough.
pub fn empty() -> Option<Histogram<u64>> {
    Histogram::new(SIGNIFICANT_DIGITS).ok()
}

/// What is known of a function's timed calls beside the histogram.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timed {
    pub calls: u64,
    pub total_ns: u64,
    /// The longest of those that were kept as slow calls.
    pub slowest_ns: u64,
}

/// The figures.
pub fn figures(histogram: &Histogram<u64>, timed: Timed) -> Latency {
    // The histogram gives a range for its longest; a slow call is exact.
    let longest = histogram.lowest_equivalent(histogram.max());
    let max_ns = longest.max(timed.slowest_ns);
    let quantile = |quantile| histogram.value_at_quantile(quantile).min(max_ns);
    Latency {
        timed: timed.calls,
        dropped: timed.calls.saturating_sub(histogram.len()),
        total_ns: timed.total_ns,
        min_ns: histogram.min(),
        mean_ns: timed.total_ns.checked_div(timed.calls).unwrap_or(0),
        deviation_ns: (histogram.len() >= FEWEST).then(|| histogram.stdev().ceil() as u64),
        p50_ns: quantile(0.5),
        p90_ns: quantile(0.9),
        p99_ns: quantile(0.99),
        p99_9_ns: quantile(0.999),
        max_ns,
        histogram: to_text(histogram),
    }
}

/// How many of a function's timed calls took longer than a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Those that took longer; without those that the histogram, which has two digits, cannot distinguish from the time itself.
    pub longer: u64,
    /// All that the histogram has.
    pub samples: u64,
}

/// The calls that took longer than so many nanoseconds. None where the latency has no histogram that Weir could have
/// written.
pub fn longer_than(latency: &Latency, ns: u64) -> Option<Tail> {
    let histogram = from_text(&latency.histogram)?;
    let samples = histogram.len();
    let longer = match ns < histogram.max() {
        true => samples.saturating_sub(histogram.count_between(0, ns)),
        false => 0,
    };
    Some(Tail { longer, samples })
}

/// Timed calls in the order of their time, the shortest first.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// Calls that the histogram cannot distinguish: how many there are up to these, and between which times they lie.
    classes: Vec<(u64, RangeInclusive<u64>)>,
}

impl Ordered {
    /// Those of a latency. None where it has no histogram that Weir could have written.
    pub fn of(latency: &Latency) -> Option<Ordered> {
        let histogram = from_text(&latency.histogram)?;
        let mut calls = 0_u64;
        let classes = histogram.iter_recorded().map(|class| {
            calls = calls.saturating_add(class.count_at_value());
            let ns = class.value_iterated_to();
            let between = histogram.lowest_equivalent(ns)..=histogram.highest_equivalent(ns);
            (calls, between)
        });
        Some(Ordered {
            classes: classes.collect(),
        })
    }

    /// How many they are.
    pub fn calls(&self) -> u64 {
        self.classes.last().map_or(0, |&(calls, _)| calls)
    }

    /// Between which times, in nanoseconds, how many of them lie.
    pub fn classes(&self) -> impl Iterator<Item = (RangeInclusive<u64>, u64)> {
        let mut before = 0;
        self.classes.iter().map(move |(calls, between)| {
            let of_class = calls.saturating_sub(before);
            before = *calls;
            (between.clone(), of_class)
        })
    }

    /// Between which times, in nanoseconds, the call of a rank lies; 1 is the shortest. None where there are not so many.
    pub fn at(&self, rank: u64) -> Option<RangeInclusive<u64>> {
        let place = self.classes.partition_point(|&(calls, _)| calls < rank);
        self.classes.get(place).map(|(_, between)| between.clone())
    }
}

/// HdrHistogram's V2 compressed form, base64.
///
/// The form asks for a zlib stream, not for one that is smaller: the counts are packed already, and what compression
/// would still take off a report was a hundredth of it, for most of the time that making it took.
fn to_text(histogram: &Histogram<u64>) -> String {
    let mut inner = Vec::new();
    // Fails only where a count is beyond an `i64`.
    if V2Serializer::new()
        .serialize(histogram, &mut inner)
        .is_err()
    {
        return String::new();
    }
    let stream = zlib::stored(&inner);
    let mut bytes = Vec::with_capacity(HEADER + stream.len());
    bytes.extend(COMPRESSED_COOKIE.to_be_bytes());
    bytes.extend((stream.len() as u32).to_be_bytes());
    bytes.extend(stream);
    STANDARD.encode(bytes)
}

/// Adds a histogram in its text form to another; false, and no change, where it is none that
/// [`figures`] could have written.
pub fn add_text(histogram: &mut Histogram<u64>, text: &str) -> bool {
    let Some(other) = from_text(text) else {
        return false;
    };
    let fits = histogram.len().saturating_add(other.len()) <= MAX_SAMPLES;
    fits && histogram.add(other).is_ok()
}

/// What the compressed form begins with (V2EncodingCookieBase of HdrHistogram's `AbstractHistogram`, compressed).
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
/// The V2 format: "cookie", length of the rest, and a zlib stream with the uncompressed form, which is
/// cookie, length of the counts, normalising offset, digits, lowest and highest value, ratio, counts.
const HEADER: usize = 8;
const INNER_HEADER: usize = 40;
/// A count takes nine bytes at most, and there are 128 to each power of two.
const MAX_INNER: u64 = 64 * 128 * 9;

/// The text is checked before it is decoded, since the decoder believes a length that it reads, and its
/// arithmetic has limits.
fn from_text(text: &str) -> Option<Histogram<u64>> {
    if text.len() as u64 > 2 * MAX_INNER {
        return None;
    }
    let compressed = STANDARD.decode(text).ok()?;
    let mut inner = Vec::new();
    flate2::read::ZlibDecoder::new(compressed.get(HEADER..)?)
        .take(MAX_INNER)
        .read_to_end(&mut inner)
        .ok()?;
    let word = |at: usize| -> Option<u32> {
        let bytes = inner.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let long = |at: usize| Some(u64::from(word(at)?) << 32 | u64::from(word(at + 4)?));
    let counts = inner.get(INNER_HEADER..)?;
    let is_ours = word(4)? as usize == counts.len()
        && word(12)? == u32::from(SIGNIFICANT_DIGITS)
        && long(16)? == 1
        && long(24)? <= 2 * MAX_NS;
    // Nine such bytes are the number that has no negative, which the decoder would negate.
    let is_decodable = !counts.windows(9).any(|bytes| bytes == [0xff; 9]);
    if !is_ours || !is_decodable {
        return None;
    }
    let histogram: Histogram<u64> = Deserializer::new()
        .deserialize(&mut inner.as_slice())
        .ok()?;
    (histogram.len() <= MAX_SAMPLES).then_some(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_their_rank() {
        let mut histogram = empty().unwrap();
        for ns in (1..=1000).rev() {
            record(&mut histogram, ns * 1000);
        }
        let ordered = Ordered::of(&figures(&histogram, Timed::default())).unwrap();
        assert_eq!(ordered.calls(), 1000);
        for rank in 1..=1000 {
            let between = ordered.at(rank).unwrap();
            assert!(between.contains(&(rank * 1000)), "{rank}: {between:?}");
            let width = between.end() - between.start();
            assert!(width <= rank * 1000 / 50, "{rank}: {between:?}");
        }
        assert_eq!(ordered.at(1001), None);
        assert_eq!(ordered.classes().map(|(_, calls)| calls).sum::<u64>(), 1000);
        let mut end = None;
        for (between, calls) in ordered.classes() {
            assert!(Some(*between.start()) > end && calls > 0, "{between:?}");
            end = Some(*between.end());
        }
    }

    #[test]
    fn without_calls_there_is_no_rank() {
        let ordered = Ordered::of(&figures(&empty().unwrap(), Timed::default()));
        let ordered = ordered.expect("an empty histogram");
        assert_eq!((ordered.calls(), ordered.at(1)), (0, None));
        assert!(Ordered::of(&Latency::default()).is_none());
    }

    #[test]
    fn the_tail_is_counted_as_well_as_the_histogram_can() {
        let mut histogram = empty().unwrap();
        for ns in 1..=1000 {
            record(&mut histogram, ns);
        }
        let latency = figures(&histogram, Timed::default());
        let longer = |ns| longer_than(&latency, ns).unwrap().longer;
        for (ns, exact) in [
            (0, 1000),
            (1, 999),
            (100, 900),
            (990, 10),
            (1000, 0),
            (u64::MAX, 0),
        ] {
            let found = longer(ns);
            assert!(
                found <= exact && exact - found <= exact.min(ns / 100 + 1),
                "{ns}: {found}"
            );
        }
        assert_eq!(longer_than(&latency, 5).unwrap().samples, 1000);
        let none = Latency {
            histogram: "no".to_owned(),
            ..latency
        };
        assert_eq!(longer_than(&none, 5), None);
    }
}
