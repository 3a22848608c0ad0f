//! Names and lines of code that a program has made while it ran, from the file that it writes for `perf inject --jit`.
//!
//! The file has a record for each function: where its code is, and its name; and perhaps one before it, which has the lines
//! (`jitdump-specification.txt` in `tools/perf/Documentation` of Linux). Code may come to where other code was: the last record about an
//! address holds.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::Place;
use super::perf_map;

/// No more is read of a file, in bytes: it has the code, too.
const MOST_BYTES: u64 = 4 << 30;
/// Larger records of lines are passed over, in bytes.
const MOST_OF_LINES: u64 = 16 << 20;
/// No more of a name is kept, in bytes.
const MOST_OF_NAME: u64 = 4096;

const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;

/// Kinds of records.
const LOAD: u32 = 0;
const MOVE: u32 = 1;
const LINES: u32 = 2;

/// What V8 adds to the addresses of lines: the size of the ELF header that older versions of perf put before the code.
const ADDED_BY_V8: u64 = 64;

/// What a file says of these addresses, which are in order: for each the function, where it is known, and the line at the address.
///
/// # Errors
/// Those of [`perf_map::read`]; and where it is not such a file, or of another process.
pub fn read(
    path: &Path,
    pid: u32,
    since_unix_ns: u64,
    addresses: &[u64],
) -> io::Result<Vec<Option<Place>>> {
    let mut file = BufReader::new(perf_map::open(path, since_unix_ns)?.take(MOST_BYTES));
    let head = words::<10>(&mut file)?;
    let [magic, version, bytes, _, _, of, ..] = head;
    if (magic, version, of) != (MAGIC, VERSION, pid) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    skip(&mut file, u64::from(bytes).saturating_sub(40))?;
    let mut names = vec![None; addresses.len()];
    let mut lines = Lines::default();
    // A program that was killed may have left a part of a record; what is before it holds.
    while record(&mut file, addresses, &mut names, &mut lines).is_ok() {}
    Ok(names)
}

type Dump = BufReader<io::Take<File>>;

/// Reads a record.
fn record(
    file: &mut Dump,
    addresses: &[u64],
    names: &mut [Option<Place>],
    lines: &mut Lines,
) -> io::Result<()> {
    const HEAD: u64 = 16;
    let [kind, bytes, _, _] = words(file)?;
    let Some(body) = u64::from(bytes).checked_sub(HEAD) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    match kind {
        LOAD if body > 40 => {
            let [_process, _thread, ..] = words::<2>(file)?;
            let [_, start, code, _] = longs(file)?;
            let name = bytes_of(file, (body - 40).min(MOST_OF_NAME))?;
            skip(file, (body - 40).saturating_sub(MOST_OF_NAME))?;
            let Some(end) = name.iter().position(|&byte| byte == 0) else {
                return Ok(());
            };
            let name = String::from_utf8_lossy(&name[..end]);
            let lines = std::mem::take(lines);
            let range = within(addresses, start, code);
            for (address, known) in addresses[range.clone()].iter().zip(&mut names[range]) {
                let mut place = perf_map::place(&name);
                if let Some((file, line)) = lines.at(*address, start, perf_map::is_of_v8(&name)) {
                    place.file = Some(file.to_owned());
                    place.line = Some(line);
                }
                *known = Some(place);
            }
        }
        MOVE if body >= 48 => {
            let [_process, _thread] = words(file)?;
            let [_, _, start, code, _] = longs(file)?;
            skip(file, body - 48)?;
            // No compiler is known to move code and to say so. What is there now is not known.
            names[within(addresses, start, code)].fill(None);
        }
        LINES if body <= MOST_OF_LINES => {
            *lines = Lines::read(&bytes_of(file, body)?).unwrap_or_default();
        }
        _ => skip(file, body)?,
    }
    Ok(())
}

/// Those of the addresses that are in so many bytes from `start` on.
fn within(addresses: &[u64], start: u64, bytes: u64) -> std::ops::Range<usize> {
    let first = addresses.partition_point(|&address| address < start);
    let end = addresses.partition_point(|&address| address < start.saturating_add(bytes));
    first..end.max(first)
}

/// The lines of a function.
#[derive(Default)]
struct Lines {
    start: u64,
    files: Vec<String>,
    /// From which address on, the file's number, and the line.
    entries: Vec<(u64, usize, u32)>,
}

impl Lines {
    /// None where they are not as they should be: V8 has written names of files that are gone.
    fn read(mut record: &[u8]) -> Option<Lines> {
        /// In place of the name of the entry before.
        const SAME: &[u8] = b"\xff";
        let [start, count] = longs(&mut record).ok()?;
        let mut lines = Lines {
            start,
            ..Lines::default()
        };
        for _ in 0..count {
            let [address] = longs(&mut record).ok()?;
            let [line, _column] = words(&mut record).ok()?;
            let end = record.iter().position(|&byte| byte == 0)?;
            let (name, rest) = (&record[..end], &record[end + 1..]);
            record = rest;
            if name != SAME {
                let name = std::str::from_utf8(name).ok()?;
                let is_name = !name.is_empty() && !name.contains(char::is_control);
                if lines.files.last().is_none_or(|last| last != name) {
                    lines.files.push(is_name.then(|| name.to_owned())?);
                }
            }
            let before = lines.entries.last().map_or(start, |&(before, ..)| before);
            if address < before {
                return None;
            }
            let file = lines.files.len().checked_sub(1)?;
            lines.entries.push((address, file, line));
        }
        record.is_empty().then_some(lines)
    }

    /// The file and the line of an address of the function that begins at `start`.
    fn at(&self, address: u64, start: u64, is_of_v8: bool) -> Option<(&str, u32)> {
        if self.start != start {
            return None;
        }
        let address = address + if is_of_v8 { ADDED_BY_V8 } else { 0 };
        let next = self
            .entries
            .partition_point(|&(begin, ..)| begin <= address);
        let (_, file, line) = self.entries.get(next.checked_sub(1)?)?;
        Some((&self.files[*file], *line))
    }
}

fn words<const N: usize>(from: &mut impl Read) -> io::Result<[u32; N]> {
    let mut words = [0; N];
    for word in &mut words {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes)?;
        *word = u32::from_le_bytes(bytes);
    }
    Ok(words)
}

fn longs<const N: usize>(from: &mut impl Read) -> io::Result<[u64; N]> {
    let mut longs = [0; N];
    for long in &mut longs {
        let [low, high] = words(from)?;
        *long = u64::from(high) << 32 | u64::from(low);
    }
    Ok(longs)
}

/// So many bytes, of which there is memory only for those that the file has.
fn bytes_of(file: &mut Dump, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match file.take(count).read_to_end(&mut bytes)? as u64 == count {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn skip(file: &mut Dump, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut file.take(count), &mut io::sink())?;
    match skipped == count {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as it is written.
    struct Dumped(Vec<u8>);

    impl Dumped {
        fn new(pid: u32) -> Dumped {
            let words = [MAGIC, VERSION, 44, 62, 0, pid, 1, 0, 0, 0, 7];
            Dumped(words.iter().flat_map(|word| word.to_le_bytes()).collect())
        }

        fn record(mut self, kind: u32, body: &[u8]) -> Dumped {
            let head = [kind, body.len() as u32 + 16, 5, 0];
            self.0
                .extend(head.iter().flat_map(|word| word.to_le_bytes()));
            self.0.extend(body);
            self
        }

        fn load(self, start: u64, name: &str, code: u64) -> Dumped {
            let mut body: Vec<u8> = [1_u32, 1].iter().flat_map(|id| id.to_le_bytes()).collect();
            body.extend(
                [start, start, code, 9]
                    .iter()
                    .flat_map(|of| of.to_le_bytes()),
            );
            body.extend(name.as_bytes());
            body.push(0);
            body.extend(vec![0xcc; code as usize]);
            self.record(LOAD, &body)
        }

        fn lines(self, start: u64, entries: &[(u64, u32, &[u8])]) -> Dumped {
            let count = entries.len() as u64;
            let mut body: Vec<u8> = [start, count]
                .iter()
                .flat_map(|of| of.to_le_bytes())
                .collect();
            for (address, line, name) in entries {
                body.extend(address.to_le_bytes());
                body.extend(line.to_le_bytes());
                body.extend(3_u32.to_le_bytes());
                body.extend(*name);
                body.push(0);
            }
            self.record(LINES, &body)
        }

        fn found(&self, addresses: &[u64]) -> io::Result<Vec<Option<(String, String, u32)>>> {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), &self.0).expect("written");
            let found = read(file.path(), 42, 0, addresses)?;
            let known = |place: Place| {
                let file = place.file.unwrap_or_default();
                (
                    place.function.unwrap_or_default(),
                    file,
                    place.line.unwrap_or(0),
                )
            };
            Ok(found.into_iter().map(|place| place.map(known)).collect())
        }
    }

    fn place(function: &str, file: &str, line: u32) -> Option<(String, String, u32)> {
        Some((function.to_owned(), file.to_owned(), line))
    }

    #[test]
    fn each_address_has_the_last_function_and_its_line() {
        let dumped = Dumped::new(42)
            .load(0x1000, "gone", 0x40)
            .record(4, &[0; 100])
            .lines(
                0x1000,
                &[
                    (0x1000, 3, b"/a.x"),
                    (0x1008, 4, b"\xff"),
                    (0x1010, 9, b"/b.x"),
                ],
            )
            .load(0x1000, "here", 0x20)
            .load(0x2000, "no lines", 0x10);
        let found = dumped.found(&[
            0xfff, 0x1000, 0x1007, 0x1008, 0x101f, 0x1020, 0x200f, 0x2010,
        ]);
        let expected = [
            None,
            place("here", "/a.x", 3),
            place("here", "/a.x", 3),
            place("here", "/a.x", 4),
            place("here", "/b.x", 9),
            place("gone", "", 0),
            place("no lines", "", 0),
            None,
        ];
        assert_eq!(found.expect("read"), expected);
    }

    #[test]
    fn lines_of_v8_are_where_its_code_is() {
        let name = "JS:^reads /x.js:2:16";
        let lines: [(u64, u32, &[u8]); 2] = [(0x1040, 3, b"/x.js"), (0x1048, 4, b"/x.js")];
        let found = Dumped::new(42).lines(0x1000, &lines).load(0x1000, name, 64);
        let expected = [place("reads", "/x.js", 3), place("reads", "/x.js", 4)];
        assert_eq!(found.found(&[0x1002, 0x1008]).expect("read"), expected);
        // Some have what was in the memory of a name. The function's own line is left.
        let lines: [(u64, u32, &[u8]); 1] = [(0x1040, 3, b"8\xe7q:")];
        let found = Dumped::new(42).lines(0x1000, &lines).load(0x1000, name, 64);
        assert_eq!(
            found.found(&[0x1002]).expect("read"),
            [place("reads", "/x.js", 2)]
        );
    }

    #[test]
    fn a_file_may_end_anywhere_and_say_anything() {
        let whole = Dumped::new(42)
            .lines(0x1000, &[(0x1000, 3, b"/a.x")])
            .load(0x1000, "f", 0x20);
        for end in 0..whole.0.len() {
            let part = Dumped(whole.0[..end].to_vec());
            assert!(part.found(&[0x1000]).is_ok_and(|found| found == [None]) || end < 44);
        }
        for at in 0..whole.0.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut damaged = Dumped(whole.0.clone());
                damaged.0[at] = value;
                let _ = damaged.found(&[0x1000]);
            }
        }
        assert!(Dumped::new(41).found(&[1]).is_err(), "of another process");
    }
}
