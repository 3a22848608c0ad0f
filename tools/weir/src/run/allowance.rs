//! What may be spent on looks at threads: a hundredth of a processor, whatever the number of processes and of slow calls.

/// Of so many nanoseconds that pass, one may be spent.
const PART: i64 = 100;
/// The most that is saved up: so long the collector takes for looks at most, in one turn. That is 30 looks or so.
const MOST_NS: i64 = 200_000;
/// What a look costs at most. If weir has to wait for a processor in the middle of it, it seems to take a hundred times as long.
const MOST_OF_A_LOOK_NS: i64 = 50_000;

/// Time that has been saved up for looks.
#[derive(Debug, Default)]
pub struct Allowance {
    /// Below zero after a look that took more than there was.
    saved_ns: i64,
    /// When something was last added, on the monotonic clock.
    added_ns: Option<u64>,
}

impl Allowance {
    /// Adds what has been saved up by this moment of the monotonic clock.
    pub fn add_up_to(&mut self, now_ns: u64) {
        let before_ns = self.added_ns.unwrap_or(now_ns);
        let passed_ns = i64::try_from(now_ns.saturating_sub(before_ns)).unwrap_or(i64::MAX);
        self.saved_ns = self.saved_ns.saturating_add(passed_ns / PART).min(MOST_NS);
        // What was too little to count is not lost.
        self.added_ns = Some(now_ns.saturating_sub((passed_ns % PART).cast_unsigned()));
    }

    /// Whether there may be a look. Half of what can be saved is for calls that do not wait: that a wait sleeps is known before.
    pub fn allows(&self, is_wait: bool) -> bool {
        match is_wait {
            true => self.saved_ns > MOST_NS / 2,
            false => self.saved_ns > 0,
        }
    }

    /// A look took so long.
    pub fn spend(&mut self, took_ns: u64) {
        let took_ns = i64::try_from(took_ns).unwrap_or(i64::MAX);
        self.saved_ns = self.saved_ns.saturating_sub(took_ns.min(MOST_OF_A_LOOK_NS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks of 5 µs there are in a second of turns so far apart.
    fn looks(turn_ns: u64, is_wait: bool) -> u64 {
        let mut allowance = Allowance::default();
        let mut count = 0;
        for now_ns in (0..=1_000_000_000).step_by(turn_ns as usize) {
            allowance.add_up_to(now_ns);
            while allowance.allows(is_wait) {
                allowance.spend(5_000);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn looks_take_a_hundredth_however_often_there_are_turns() {
        for turn_ns in [33, 999, 100_000, 1_000_000, 20_000_000] {
            let count = looks(turn_ns, false);
            assert!((1_990..=2_001).contains(&count), "{turn_ns}: {count}");
        }
    }

    #[test]
    fn after_a_long_pause_a_turn_takes_no_longer_than_after_a_short_one() {
        let mut allowance = Allowance::default();
        allowance.add_up_to(0);
        assert!(!allowance.allows(false), "nothing has been saved up");
        allowance.add_up_to(3_600_000_000_000);
        assert_eq!(allowance.saved_ns, MOST_NS);
        // A look that waited for a processor.
        allowance.spend(1_000_000_000);
        assert_eq!(allowance.saved_ns, MOST_NS - MOST_OF_A_LOOK_NS);
    }

    #[test]
    fn waits_leave_half_to_the_others() {
        let mut allowance = Allowance::default();
        allowance.add_up_to(0);
        allowance.add_up_to(1_000_000_000);
        while allowance.allows(true) {
            allowance.spend(5_000);
        }
        assert_eq!(allowance.saved_ns, MOST_NS / 2);
        assert!(allowance.allows(false));
    }
}
