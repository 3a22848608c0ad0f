//! The largest heap that all processes of the tree were seen to have at one moment.

use weir_record::clock::Moment;
use weir_report::model::{TreePeak, TreePeakPart};

/// A larger sum than the last is noted when it is larger by this part: most programs grow in many small steps.
const STEP: u64 = 256;
/// How many processes are named, the largest ones.
const MOST_PARTS: usize = 32;

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Watch {
    live_bytes: u64,
    at: Option<Moment>,
    /// Process ids, and their live bytes.
    parts: Vec<(u32, u64)>,
    /// Kept for the next look, so that a look allocates nothing.
    seen: Vec<(u32, u64)>,
}

impl Watch {
    /// Looks at the processes that run: their ids, and their live bytes.
    pub fn look(&mut self, running: impl Iterator<Item = (u32, i64)>, now: Moment) {
        self.seen.clear();
        let sizes = running.map(|(pid, bytes)| (pid, u64::try_from(bytes).unwrap_or(0)));
        self.seen.extend(sizes.filter(|&(_, bytes)| bytes > 0));
        let sum = self
            .seen
            .iter()
            .fold(0, |sum: u64, part| sum.saturating_add(part.1));
        if sum > self.live_bytes.saturating_add(self.live_bytes / STEP) {
            self.live_bytes = sum;
            self.at = Some(now);
            std::mem::swap(&mut self.parts, &mut self.seen);
        }
    }

    /// The peak, if anything was seen; `began` is when the first image did.
    pub fn found(&self, began: Moment) -> Option<TreePeak> {
        let at = self.at?;
        let mut parts: Vec<TreePeakPart> = self
            .parts
            .iter()
            .map(|&(pid, live_bytes)| TreePeakPart { pid, live_bytes })
            .collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.live_bytes));
        let processes = parts.len() as u64;
        parts.truncate(MOST_PARTS);
        Some(TreePeak {
            live_bytes: self.live_bytes,
            at_ns: at.monotonic_ns.saturating_sub(began.monotonic_ns),
            processes,
            largest: parts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic_ns: u64) -> Moment {
        Moment {
            ticks: 0,
            monotonic_ns,
            unix_ns: 0,
        }
    }

    #[test]
    fn the_largest_sum_of_one_moment_is_kept_with_its_parts() {
        let mut watch = Watch::default();
        assert_eq!(watch.found(at(0)), None);
        let looks: [&[(u32, i64)]; 5] = [
            &[(1, 1000), (2, 2000)],
            &[(1, 5000), (2, -70)],
            &[(1, 2000), (2, 2000), (3, 4000)],
            // Larger by less than a 256th.
            &[(1, 2000), (2, 2000), (3, 4010)],
            &[(3, 7000)],
        ];
        for (now, look) in (101..).zip(looks) {
            watch.look(look.iter().copied(), at(now));
        }
        let found = watch.found(at(100)).expect("a peak");
        let parts: Vec<_> = found
            .largest
            .iter()
            .map(|of| (of.pid, of.live_bytes))
            .collect();
        assert_eq!(
            (found.live_bytes, found.at_ns, found.processes),
            (8000, 3, 3)
        );
        assert_eq!(parts, [(3, 4000), (1, 2000), (2, 2000)]);
        watch.look((0..100).map(|pid| (pid, 1000)), at(200));
        let found = watch.found(at(100)).expect("a peak");
        assert_eq!((found.processes, found.largest.len()), (100, MOST_PARTS));
    }
}
