//! How long blocks of the heap live.

use serde::{Deserialize, Serialize};

/// How long the blocks of a site lived that were freed, and since when those live that are still there.
///
/// Moments and lifetimes are known to 0.07 ms. Some blocks have none: those that were made more than 39 hours after the start of their
/// image, and a few others, such as blocks of 16 bytes and less of allocators that have these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lifetimes {
    /// Number of blocks that were freed, by how long they had lived: less than 1 ms, 10 ms, 100 ms, 1 s, 10 s, 100 s and 1000 s, and longer.
    pub freed: [u64; 8],
    /// The sum of their lifetimes, in nanoseconds.
    pub freed_total_ns: u64,
    /// The bytes that are live, by when their blocks were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live_since: Vec<Since>,
}

/// Live bytes whose blocks were made in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Since {
    /// Where the span begins, in milliseconds after the start of the image.
    pub from_ms: u64,
    /// Where it ends: no block was made as late as that.
    pub to_ms: u64,
    /// The bytes, as malloc_usable_size has them.
    pub bytes: u64,
}

impl Lifetimes {
    /// The most spans that are kept; Weir knows fewer.
    const MOST_SPANS: usize = 64;

    /// Adds those of the same site in another image. Spans are the same in all images.
    pub fn add(&mut self, other: &Lifetimes) {
        for (to, by) in self.freed.iter_mut().zip(other.freed) {
            *to = to.saturating_add(by);
        }
        self.freed_total_ns = self.freed_total_ns.saturating_add(other.freed_total_ns);
        for of in &other.live_since {
            let span = |since: &Since| (since.from_ms, since.to_ms);
            match { &self.live_since }.binary_search_by_key(&span(of), span) {
                Ok(same) => {
                    let bytes = &mut self.live_since[same].bytes;
                    *bytes = bytes.saturating_add(of.bytes);
                }
                Err(place) if self.live_since.len() < Self::MOST_SPANS => {
                    self.live_since.insert(place, *of);
                }
                // Of a report that no Weir has written.
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(from_ms: u64, to_ms: u64, bytes: u64) -> Since {
        Since {
            from_ms,
            to_ms,
            bytes,
        }
    }

    #[test]
    fn spans_of_two_images_are_added_up_in_order() {
        let mut one = Lifetimes {
            freed: [1, 2, 3, 4, 5, 6, 7, 8],
            freed_total_ns: 10,
            live_since: vec![since(0, 1000, 5), since(3000, 4000, 6)],
        };
        one.add(&Lifetimes {
            freed: [1; 8],
            freed_total_ns: u64::MAX,
            live_since: vec![since(2000, 3000, 7), since(3000, 4000, 8)],
        });
        assert_eq!(one.freed, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(one.freed_total_ns, u64::MAX);
        let spans = [
            since(0, 1000, 5),
            since(2000, 3000, 7),
            since(3000, 4000, 14),
        ];
        assert_eq!(one.live_since, spans);
        // A forged report does not take time and memory without end.
        one.add(&Lifetimes {
            live_since: (0..1000).map(|from| since(from, 7, 1)).collect(),
            ..Lifetimes::default()
        });
        assert_eq!(one.live_since.len(), Lifetimes::MOST_SPANS);
    }
}
