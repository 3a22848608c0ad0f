//! How long to wait before looking for samples again: short while they come, long while nothing
//! happens. A ring holds 16,384 samples; a thread that makes a million timed calls a second fills it
//! in 16 ms.

use std::time::{Duration, Instant};

use weir_record::ring::CAPACITY;

/// A ring that had more samples than this is that of a busy thread.
pub const BUSY_RING: usize = CAPACITY / 64 + 1;

const SHORTEST: Duration = Duration::from_micros(100);
const BUSY: Duration = Duration::from_millis(1);
/// A program that does nothing for a second comes to this: looking costs a thousandth or two of a processor.
const IDLE: Duration = Duration::from_millis(25);

/// The wait that goes before the next look.
#[derive(Debug)]
pub struct Pace(Duration);

impl Pace {
    /// That of a program which is about to start, and will be busy with it.
    pub fn new() -> Pace {
        Pace(BUSY)
    }

    /// How long to wait.
    pub fn wait(&self) -> Duration {
        self.0
    }

    /// Adapts to what was found: how many samples the fullest ring had.
    pub fn adapt(&mut self, fullest_ring: usize) {
        self.0 = if fullest_ring > CAPACITY / 4 {
            (self.0 / 4).max(SHORTEST)
        } else if fullest_ring >= BUSY_RING {
            self.0.min(BUSY)
        } else {
            // Slowly: who pauses is likely to go on, and a new process is not seen before the next look.
            (self.0 + self.0 / 32).min(IDLE)
        };
    }
}

/// Moments at equal intervals. If several have passed, they count as one.
#[derive(Debug)]
pub struct Ticks {
    every: Duration,
    next: Option<Instant>,
}

impl Ticks {
    /// The first is so long from now.
    pub fn new(every: Duration) -> Ticks {
        Ticks {
            every,
            next: Instant::now().checked_add(every),
        }
    }

    /// How long it is until the next.
    pub fn wait(&self) -> Duration {
        self.next.map_or(Duration::MAX, |next| {
            next.saturating_duration_since(Instant::now())
        })
    }

    /// Whether one has come; from then on the next is awaited.
    pub fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let Some(due) = self.next.filter(|&next| next <= now) else {
            return false;
        };
        let next = due.checked_add(self.every);
        self.next = next.map(|next| if next > now { next } else { now + self.every });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_were_missed_are_one() {
        let every = Duration::from_millis(20);
        let mut ticks = Ticks::new(every);
        assert!(!ticks.is_due());
        assert!(ticks.wait() <= every);
        std::thread::sleep(every * 3);
        assert_eq!(ticks.wait(), Duration::ZERO);
        assert!(ticks.is_due());
        assert!(!ticks.is_due());
        assert!(Ticks::new(Duration::MAX).wait() > every);
    }

    #[test]
    fn waits_longer_while_nothing_comes_and_less_when_rings_fill() {
        let mut pace = Pace::new();
        for _ in 0..200 {
            pace.adapt(0);
        }
        assert_eq!(pace.wait(), IDLE);
        pace.adapt(CAPACITY / 8);
        assert_eq!(pace.wait(), BUSY);
        for _ in 0..10 {
            pace.adapt(CAPACITY);
        }
        assert_eq!(pace.wait(), SHORTEST);
        pace.adapt(0);
        assert!(pace.wait() > SHORTEST);
    }
}
