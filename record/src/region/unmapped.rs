//! A region's file without its memory mapped: what its first bytes say, and what others than its process write there.

use std::mem::{offset_of, size_of};
use std::num::NonZeroU32;

use super::header::{Header, Phase};
use super::{LAYOUT, MAGIC};
use crate::clock::SharedMoment;

/// Which process a region is of, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent.
    pub parent_pid: u32,
    /// Where these ids are its own ([`Namespaces::pid`](crate::namespaces::Namespaces::pid)).
    pub namespace: Option<NonZeroU32>,
    /// The time-stamp counter when the image started.
    pub began_ticks: u64,
    /// The time-stamp counter when another image with the same identity had started, where one did: this one was gone by then.
    pub followed_ticks: Option<u64>,
    /// Whether the image wrote a report before it executed another program ([`Header::reported_calls`]).
    pub has_report: bool,
}

impl Header {
    /// So many bytes of a region's file are needed to know its maker.
    pub const MAKER_BYTES: usize = offset_of!(Header, started) + size_of::<SharedMoment>();

    /// Which process a region's file is of, given its first bytes; none where it is no region, or one of another version.
    pub fn maker(first: &[u8; Self::MAKER_BYTES]) -> Option<Maker> {
        fn at<const N: usize>(bytes: &[u8], place: usize) -> Option<[u8; N]> {
            bytes.get(place..)?.first_chunk().copied()
        }
        let word = |place| at(first, place).map(u64::from_ne_bytes);
        let half = |place| at(first, place).map(u32::from_ne_bytes);
        let is_region = word(offset_of!(Header, magic))? == MAGIC
            && word(offset_of!(Header, layout))? == LAYOUT;
        Some(Maker {
            pid: half(offset_of!(Header, pid))?,
            parent_pid: half(offset_of!(Header, parent_pid))?,
            // Namespaces begin with that of ids.
            namespace: NonZeroU32::new(half(offset_of!(Header, namespaces))?),
            // A moment begins with its ticks.
            began_ticks: word(offset_of!(Header, started))?,
            followed_ticks: Some(word(offset_of!(Header, followed_ticks))?)
                .filter(|&ticks| ticks != 0),
            has_report: word(offset_of!(Header, reported_calls))? != 0
                && half(offset_of!(Header, phase))? == Phase::Replacing as u32,
        })
        .filter(|_| is_region)
    }

    /// What to write to a region's file, and where, to note when another image began under its name.
    pub fn follower_patch(ticks: u64) -> (u64, [u8; 8]) {
        let place = offset_of!(Header, followed_ticks) as u64;
        (place, ticks.to_ne_bytes())
    }

    /// What to write to a region's file, and where, to note the process's status for wait(2).
    pub fn wait_status_patch(status: i32) -> (u64, [u8; 8]) {
        let bits = u64::from(status.cast_unsigned()) + 1;
        (offset_of!(Header, wait_status) as u64, bits.to_ne_bytes())
    }
}
