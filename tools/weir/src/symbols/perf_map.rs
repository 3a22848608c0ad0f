//! Names of code that a program has made while it ran, from the file that it writes for perf.
//!
//! A line has where a function begins, how many bytes it has, both in hexadecimal, and its name (`jit-interface.txt` in
//! `tools/perf/Documentation` of Linux). Code may come to where other code was: the last line about an address holds.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::Place;

/// No more is read of a file, in bytes.
const MOST_BYTES: u64 = 512 << 20;
/// No more of a name is kept, in bytes: each place in the function has it.
const MOST_OF_NAME: usize = 4096;

/// What a file says of these addresses, which are in order: for each the function, where it is known.
///
/// # Errors
/// Those of the system; and where the file is of another user, who could make anything of it, or older than `since_unix_ns`: then it
/// is of an earlier process of the same number.
pub fn read(path: &Path, since_unix_ns: u64, addresses: &[u64]) -> io::Result<Vec<Option<Place>>> {
    let mut names = vec![None; addresses.len()];
    let file = BufReader::new(open(path, since_unix_ns)?.take(MOST_BYTES));
    for line in file.split(b'\n') {
        let line = line?;
        let Some((start, bytes, name)) = parts(&line) else {
            continue;
        };
        let first = addresses.partition_point(|&address| address < start);
        let inside = addresses[first..]
            .iter()
            .take_while(|&&address| address - start < bytes);
        let range = first..first + inside.count();
        if !range.is_empty() {
            names[range].fill(Some(place(&String::from_utf8_lossy(name))));
        }
    }
    Ok(names)
}

/// Opens the file if it is one, and of this user or root. Anybody can make files of this name.
pub(super) fn open(path: &Path, since_unix_ns: u64) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let about = file.metadata()?;
    let ours = [0, rustix::process::geteuid().as_raw()];
    if !about.is_file() || !ours.contains(&about.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let modified = u128::try_from(about.mtime()).unwrap_or(0) * 1_000_000_000
        + u128::try_from(about.mtime_nsec()).unwrap_or(0);
    // The clock of files is behind, by less than two of its ticks.
    const TICKS_NS: u128 = 20_000_000;
    if modified + TICKS_NS < u128::from(since_unix_ns) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(file)
}

/// Where a function begins, its bytes, and its name.
fn parts(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let mut number = || {
        let digits = std::str::from_utf8(parts.next()?).ok()?;
        u64::from_str_radix(digits.trim_start_matches("0x"), 16).ok()
    };
    let (start, bytes) = (number()?, number()?);
    let name = parts.next()?.trim_ascii();
    let name = &name[..name.len().min(MOST_OF_NAME)];
    (bytes != 0 && !name.is_empty()).then_some((start, bytes, name))
}

/// What V8 puts in front of a function's name: what it is, and by which of its compilers.
const KINDS: [&str; 7] = [
    "JS",
    "Function",
    "LazyCompile",
    "Script",
    "Eval",
    "Callback",
    "RegExp",
];

/// Whether a name is V8's.
pub(super) fn is_of_v8(name: &str) -> bool {
    of_v8(name).is_some()
}

/// What V8 puts behind the kind in a name of its own.
fn of_v8(name: &str) -> Option<&str> {
    let (kind, rest) = name.split_once(':')?;
    KINDS.contains(&kind).then_some(rest)
}

/// The function of a name. V8's have the place of the function behind it: `LazyCompile:*name /path/file.js:12:5`.
pub(super) fn place(name: &str) -> Place {
    let Some(rest) = of_v8(name) else {
        return Place {
            function: Some(name.to_owned()),
            ..Place::default()
        };
    };
    let rest = rest.trim_start_matches(['*', '~', '^', '+', '-', '\'']);
    let (function, at) = match rest.split_once(' ') {
        Some(parts) => parts,
        None => (rest, ""),
    };
    let mut numbers = at.rsplitn(3, ':');
    let (_column, line, file) = (numbers.next(), numbers.next(), numbers.next());
    let place = file.zip(line.and_then(|line| line.parse().ok()));
    let function = match function {
        "" => "(anonymous)",
        named => named,
    };
    Place {
        function: Some(function.to_owned()),
        file: place.map(|(file, _)| file.trim_start_matches("file://").to_owned()),
        line: place.map(|(_, line)| line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Option<Place> {
        Some(place(name))
    }

    #[test]
    fn the_last_line_about_an_address_holds() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let lines = "1000 10 first\n1010 10 second\n\nnonsense\n2000 0 none\n1008 10 third one\n0x3000 20 LazyCompile:*f /a b/c.js:12:5\n";
        std::fs::write(file.path(), lines).expect("written");
        let addresses = [
            0xfff, 0x1000, 0x1007, 0x1008, 0x1017, 0x1018, 0x101f, 0x1020, 0x2000, 0x3010,
        ];
        let found = read(file.path(), 0, &addresses).expect("read");
        let expected = [
            None,
            function("first"),
            function("first"),
            function("third one"),
            function("third one"),
            function("second"),
            function("second"),
            None,
            None,
            Some(Place {
                function: Some("f".to_owned()),
                file: Some("/a b/c.js".to_owned()),
                line: Some(12),
            }),
        ];
        assert_eq!(found, expected);
        assert!(read(file.path(), u64::MAX, &addresses).is_err(), "too old");
        assert!(read(Path::new("/dev/null"), 0, &addresses).is_err());
    }

    #[test]
    fn v8_says_where_a_function_is() {
        let named = |name: &str| {
            let place = place(name);
            (place.function.unwrap_or_default(), place.file, place.line)
        };
        let file = |name: &str| Some(name.to_owned());
        assert_eq!(
            named("JS:~go file:///x/y.mjs:3:10"),
            ("go".to_owned(), file("/x/y.mjs"), Some(3))
        );
        assert_eq!(
            named("JS:^ /x.js:1:1"),
            ("(anonymous)".to_owned(), file("/x.js"), Some(1))
        );
        assert_eq!(
            named("Builtin:Call_ReceiverIsAny"),
            ("Builtin:Call_ReceiverIsAny".to_owned(), None, None)
        );
        assert_eq!(
            named("Lfoo/Bar;::baz"),
            ("Lfoo/Bar;::baz".to_owned(), None, None)
        );
    }
}
