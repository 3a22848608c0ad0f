//! The programs that a process image started and that could not be traced, as the image itself noted.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use weir_record::region::Header;
use weir_record::starts::{
    FAILED, FILTERED, LIBRARY_OUT_OF_REACH, MUST_BE_FIRST, NOT_PRELOADED, OTHER_LIBC,
    OTHER_MACHINE, OTHERS_PRELOADED, OUT_OF_REACH, STATIC, Start,
};

use crate::model::{Missed, Untraced};

/// How many are kept.
const MOST: usize = 1000;

/// The option of `weir run` by which a program gets the library in spite of its environment.
pub const BY_OPTION: &str = "--follow-cleared";
/// The same without `weir run`: a setting.
pub const BY_SETTING: &str = "WEIR_FOLLOW";

/// The programs that an image started, and of which it knew that they would not be traced. Of the other programs, only the
/// reader of all images knows whether they were traced.
#[derive(Debug, Default)]
pub struct Hindered {
    /// With the moment of the start.
    listed: Vec<(u64, Untraced)>,
    unlisted: u64,
}

impl Hindered {
    /// Takes the notes that the image has made since the last time.
    pub fn take(&mut self, header: &Header) {
        let (starts, room) = header.starts();
        starts.take(room, |start| self.add(start));
    }

    fn add(&mut self, start: &Start) {
        let (pid, ticks, flags) = (start.pid(), start.ticks(), start.flags());
        if flags & FAILED != 0 {
            let is_it = |(began, of): &(u64, Untraced)| (of.pid, *began) == (pid, ticks);
            self.listed.retain(|other| !is_it(other));
            return;
        }
        let Some(reason) = kind(flags)
            .map(Cow::from)
            .or_else(|| hindrance(flags, BY_SETTING))
        else {
            return;
        };
        if self.listed.len() >= MOST {
            self.unlisted = self.unlisted.saturating_add(1);
            return;
        }
        let program = OsString::from_vec(start.program.bytes().collect());
        let untraced = Untraced {
            pid,
            program: program.to_string_lossy().into_owned(),
            reason: reason.into_owned(),
        };
        self.listed.push((ticks, untraced));
    }

    /// Adds them to what an image missed.
    pub fn report_in(&self, missed: &mut Missed) {
        let listed = self.listed.iter().map(|(_, untraced)| untraced.clone());
        missed.untraced.extend(listed);
        missed.unlisted_starts = missed.unlisted_starts.saturating_add(self.unlisted);
    }
}

/// What the starting process knew of the ways of its own that lead to the program; reads on after its name. `mended_by` is what would
/// have Weir's library follow it.
pub fn hindrance(flags: u32, mended_by: &str) -> Option<Cow<'static, str>> {
    // `kind` has the reason if the library was not preloaded because of the program's kind.
    if kind(flags).is_some() {
        return None;
    }
    if flags & OTHERS_PRELOADED != 0 {
        return Some("was started with an LD_PRELOAD of its own, without Weir's library".into());
    }
    if flags & NOT_PRELOADED != 0 {
        let text = format!("was started without Weir's library in LD_PRELOAD (see {mended_by})");
        return Some(text.into());
    }
    if flags & LIBRARY_OUT_OF_REACH != 0 {
        return Some(
            "was started from another root directory or mount namespace, or as another user, where Weir's library cannot be read; Weir did not preload it".into(),
        );
    }
    if flags & FILTERED != 0 {
        return Some(
            "was started in a sandbox (seccomp), which could end it for system calls of Weir; Weir did not preload its library".into(),
        );
    }
    (flags & OUT_OF_REACH != 0).then(|| {
        "was started from another root directory or mount namespace, or as another user, where the directory of the recording cannot be used".into()
    })
}

/// What the starting process saw of the program, which may be gone by now; reads on after its name.
pub fn kind(flags: u32) -> Option<&'static str> {
    let kinds = [
        (OTHER_MACHINE, crate::arch::OF_ANOTHER_MACHINE),
        (
            OTHER_LIBC,
            "is started by the dynamic linker of another C library; Weir's library needs the GNU C library",
        ),
        (
            STATIC,
            "is statically linked: no dynamic linker runs in it, so nothing can be preloaded",
        ),
        (
            MUST_BE_FIRST,
            "has AddressSanitizer, which ends a program that has another library loaded before it",
        ),
    ];
    kinds
        .into_iter()
        .find_map(|(flag, text)| (flags & flag != 0).then_some(text))
}

#[cfg(test)]
mod tests {
    use weir_record::starts::{CAPACITY, Starts};

    use super::*;

    #[test]
    fn what_a_program_is_comes_before_the_way_to_it() {
        assert_eq!(hindrance(0, BY_OPTION), None);
        assert_eq!(hindrance(STATIC | NOT_PRELOADED, BY_OPTION), None);
        assert!(hindrance(FILTERED, BY_OPTION).is_some_and(|reason| reason.contains("seccomp")));
        assert!(
            hindrance(NOT_PRELOADED | OUT_OF_REACH, BY_OPTION)
                .is_some_and(|reason| reason.contains("LD_PRELOAD (see --follow-cleared)"))
        );
        assert!(
            hindrance(NOT_PRELOADED | OTHERS_PRELOADED, BY_OPTION)
                .is_some_and(|reason| reason.contains("an LD_PRELOAD of its own"))
        );
    }

    #[test]
    fn only_what_is_known_is_reported_and_what_failed_is_not() {
        // SAFETY: the notes are made of atomics, for which zeroes are valid.
        let notes = unsafe { Box::<Starts>::new_zeroed().assume_init() };
        let mut hindered = Hindered::default();
        let take = |hindered: &mut Hindered| notes.take(CAPACITY, |start| hindered.add(start));
        notes.note(CAPACITY, 7, 0, 100, [&b"cat"[..]]);
        notes.note(CAPACITY, 8, STATIC, 100, [&b"ls"[..]]);
        let failing = notes
            .note(CAPACITY, 9, NOT_PRELOADED, 100, [&b"no"[..]])
            .unwrap();
        take(&mut hindered);
        assert!(!notes.withdraw(failing));
        notes.note(CAPACITY, 9, FAILED, 100, []);
        take(&mut hindered);
        let mut missed = Missed::default();
        hindered.report_in(&mut missed);
        let untraced = &missed.untraced;
        assert_eq!(untraced.len(), 1);
        assert_eq!((untraced[0].pid, &*untraced[0].program), (8, "ls"));
        for pid in 0..MOST as u32 {
            notes.note(CAPACITY, pid, STATIC, 100, [&b"ls"[..]]);
            take(&mut hindered);
        }
        let mut missed = Missed::default();
        hindered.report_in(&mut missed);
        assert_eq!((missed.untraced.len(), missed.unlisted_starts), (MOST, 1));
    }
}
