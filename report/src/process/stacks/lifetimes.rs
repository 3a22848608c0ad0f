//! How long the blocks of a site lived, from the nodes beside its leaves.

use weir_record::stacks::lifetimes::{
    BIRTHS, LIFETIMES, SUM, Stamp, is_of_lifetimes, of_lifetime_class, of_span, span_begins_ns,
};
use weir_record::stacks::{Group, Node};

use crate::model::{Lifetimes, Since};

/// Sums over the nodes of a site. A thread that frees what others made counts below zero.
pub(super) struct Lived {
    freed: [i64; LIFETIMES],
    units: u64,
    live: [i64; BIRTHS],
}

impl Default for Lived {
    fn default() -> Lived {
        Lived {
            freed: [0; LIFETIMES],
            units: 0,
            live: [0; BIRTHS],
        }
    }
}

impl Lived {
    /// Adds a node of a group.
    pub fn add(&mut self, group: Group, node: &Node) {
        let counters = node.numbered();
        if is_of_lifetimes(group) {
            self.units = self.units.saturating_add(counters[SUM].get());
        }
        let freed = (0..).map(of_lifetime_class).zip(&mut self.freed);
        let live = (0..).map(of_span).zip(&mut self.live);
        for (counted, sum) in freed.chain(live) {
            if counted.group == group {
                *sum = sum.saturating_add(counters[counted.counter].get_signed());
            }
        }
    }

    /// For the report. `whole` makes whole blocks or bytes of what was counted.
    pub fn lifetimes(self, whole: impl Fn(u64) -> u64) -> Lifetimes {
        let number = |sum: i64| whole(u64::try_from(sum).unwrap_or(0));
        let live = self.live.map(number).into_iter().enumerate();
        let live = live.filter(|&(_, bytes)| bytes != 0);
        Lifetimes {
            freed: self.freed.map(number),
            freed_total_ns: self.units.saturating_mul(Stamp::UNIT_NS),
            live_since: live
                .map(|(span, bytes)| Since {
                    from_ms: span_begins_ns(span) / MS_NS,
                    to_ms: span_begins_ns(span + 1) / MS_NS,
                    bytes,
                })
                .collect(),
        }
    }
}

const MS_NS: u64 = 1_000_000;
