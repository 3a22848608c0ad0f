//! The environment of the program: weir's own, entry by entry, with the library and the settings.

use std::ffi::{CStr, CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use weir_record::settings::{self, Stacks, Timing};

const PRELOAD: &[u8] = b"LD_PRELOAD";

/// What `weir run` was asked to set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Which calls are timed.
    pub timing: Option<Timing>,
    /// Whether programs with a cleared environment are followed.
    pub follows: bool,
    /// Whether calls that may block are made in two parts.
    pub is_parted: bool,
    /// Which calls have their call stack taken.
    pub stacks: Option<Stacks>,
    /// Whether blocks have lifetimes where all have stacks.
    pub has_lifetimes: bool,
    /// Whether call stacks follow frame pointers through code without unwind information.
    pub follows_frame_pointers: bool,
}

/// The environment for the program, in the order and with the oddities of weir's own.
///
/// # Errors
/// The path, where it holds a NUL.
pub fn with(
    library: &Path,
    session: &Path,
    asked: Asked,
) -> Result<Vec<CString>, std::ffi::NulError> {
    build(own(), library, session, asked)
}

/// Weir's own environment. `std::env::vars_os` leaves out what is not of the form `name=value`, and
/// the program may want just that.
fn own() -> Vec<CString> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut entries = Vec::new();
    // SAFETY: nothing in weir changes the environment, so it is what the C library made of it at the
    // start: null, or pointers to strings, the last of them null.
    unsafe {
        let mut entry = environ;
        while !entry.is_null() && !(*entry).is_null() {
            entries.push(CStr::from_ptr(*entry).to_owned());
            entry = entry.add(1);
        }
    }
    entries
}

fn build(
    own: Vec<CString>,
    library: &Path,
    session: &Path,
    asked: Asked,
) -> Result<Vec<CString>, std::ffi::NulError> {
    let mut ours = vec![(
        settings::SESSION.name,
        session.as_os_str().as_bytes().to_vec(),
    )];
    if let Some(timing) = asked.timing {
        ours.push((settings::TIME.name, text(timing).into_bytes()));
    }
    if asked.follows {
        ours.push((settings::FOLLOW.name, b"cleared".to_vec()));
    }
    if asked.is_parted {
        ours.push((settings::COOP.name, b"on".to_vec()));
    }
    if let Some(stacks) = asked.stacks {
        ours.push((settings::STACKS.name, stacks.to_string().into()));
    }
    if asked.has_lifetimes {
        ours.push((settings::LIFETIMES.name, b"on".to_vec()));
    }
    if asked.follows_frame_pointers {
        ours.push((settings::FRAME_POINTERS.name, b"on".to_vec()));
    }
    let library = library.as_os_str().as_bytes();
    let mut preloaded = false;
    let mut entries = Vec::with_capacity(own.len() + 1 + ours.len());
    for entry in own {
        let (name, value) = split(entry.as_bytes());
        if name == PRELOAD {
            preloaded = true;
            // Behind ours: the first library that defines a function is the one that is called.
            let parts: &[&[u8]] = match value {
                b"" => &[library],
                others => &[library, b":", others],
            };
            entries.push(assignment(PRELOAD, &parts.concat())?);
        } else if !ours.iter().any(|(ours, _)| name == ours.as_bytes()) {
            entries.push(entry);
        }
    }
    if !preloaded {
        entries.push(assignment(PRELOAD, library)?);
    }
    for (name, value) in ours {
        entries.push(assignment(name.as_bytes(), &value)?);
    }
    Ok(entries)
}

/// As [`Timing::parse`] reads it.
fn text(timing: Timing) -> String {
    match timing.one_in() {
        0 => "off".to_owned(),
        one_in => one_in.to_string(),
    }
}

fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    match entry.iter().position(|&byte| byte == b'=') {
        Some(equals) => (&entry[..equals], &entry[equals + 1..]),
        None => (entry, b""),
    }
}

fn assignment(name: &[u8], value: &[u8]) -> Result<CString, std::ffi::NulError> {
    CString::new([name, b"=", value].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(own: &[&str], timing: Option<Timing>) -> Vec<String> {
        let asked = Asked {
            timing,
            ..Asked::default()
        };
        built_as(own, asked)
    }

    fn built_as(own: &[&str], asked: Asked) -> Vec<String> {
        let own = own.iter().map(|&entry| CString::new(entry).unwrap());
        build(
            own.collect(),
            Path::new("/lib/libweir.so"),
            Path::new("/s"),
            asked,
        )
        .unwrap()
        .into_iter()
        .map(|entry| entry.into_string().unwrap())
        .collect()
    }

    #[test]
    fn all_else_stays_as_it_was_and_where_it_was() {
        let odd = ["B=2", "no equals sign", "A=1=1", "A=2", "=x"];
        let built = built(&odd, None);
        assert_eq!(built[..odd.len()], odd);
        assert_eq!(
            built[odd.len()..],
            ["LD_PRELOAD=/lib/libweir.so", "WEIR_SESSION=/s"]
        );
    }

    #[test]
    fn what_was_preloaded_stays_so_behind_ours() {
        let own = ["LD_PRELOAD=/a.so:/b.so", "C=3", "LD_PRELOAD="];
        assert_eq!(
            built(&own, None)[..3],
            [
                "LD_PRELOAD=/lib/libweir.so:/a.so:/b.so",
                "C=3",
                "LD_PRELOAD=/lib/libweir.so"
            ]
        );
    }

    #[test]
    fn settings_of_weir_replace_those_around_it() {
        let own = ["WEIR_SESSION=/outer", "WEIR_TIME=all", "WEIR_OUT=x"];
        assert_eq!(
            built(&own, Some(Timing::OneIn(7)))[..],
            [
                "WEIR_OUT=x",
                "LD_PRELOAD=/lib/libweir.so",
                "WEIR_SESSION=/s",
                "WEIR_TIME=7"
            ]
        );
        assert!(built(&own, None).contains(&"WEIR_TIME=all".to_owned()));
        let asked = Asked {
            follows: true,
            is_parted: true,
            stacks: Some(Stacks::All),
            has_lifetimes: true,
            follows_frame_pointers: true,
            ..Asked::default()
        };
        let settings = [
            "WEIR_FOLLOW=cleared",
            "WEIR_COOP=on",
            "WEIR_STACKS=all",
            "WEIR_LIFETIMES=on",
            "WEIR_FRAME_POINTERS=on",
        ];
        for set in settings {
            assert!(built_as(&own, asked).contains(&set.to_owned()));
            assert!(!built(&own, None).contains(&set.to_owned()));
        }
        assert!(built(&own, Some(Timing::Off)).contains(&"WEIR_TIME=off".to_owned()));
    }
}
