//! The title that a process has given itself, read from /proc while it runs.
//!
//! Servers and runtimes write over their arguments, so that `ps` says what each process does (setproctitle of BSD), or name their first
//! thread (`PR_SET_NAME` of prctl(2)). Who asks the kernel for the arguments gets what is in that memory now (proc_pid_cmdline(5)), and
//! the kernel gives the thread's name (proc_pid_comm(5)).

use std::fs::{self, File};
use std::io::Read;
use std::time::Instant;

use weir_record::clock::Moment;
use weir_record::region::Header;

use super::usage::FileId;

/// How old an image is at its first reading: so short processes are not read at all.
const YOUNGEST_NS: u64 = 25_000_000;
/// The least that goes by between two readings.
const APART_NS: u64 = 100_000_000;
/// What goes by between two readings, by how long one took, for each process that runs: as with what it takes of the machine, a
/// hundredth of a processor.
const APART: u64 = 100;
/// What a reading takes where nothing is known of it yet.
const FIRST_COST_NS: u64 = 20_000;
/// How much of the arguments is read: twice what a region has room for.
const MOST_READ: u64 = 8192;
/// The longest title, in bytes.
const MOST_BYTES: usize = 256;
/// The longest name of a thread, in bytes (prctl(2)).
const THREAD_NAME_BYTES: usize = 15;

/// Reads the title of one process, which is known to be the image's.
#[derive(Debug)]
pub struct Watch {
    pid: u32,
    region: FileId,
    last: Option<String>,
    cost_ns: u64,
    /// When the next reading may be, on the monotonic clock.
    due_ns: u64,
}

impl Watch {
    /// For the image that started then, with this file for its region, in the process that has this id.
    pub fn new(pid: u32, started: Moment, region: FileId) -> Watch {
        Watch {
            pid,
            region,
            last: None,
            cost_ns: FIRST_COST_NS,
            due_ns: started.monotonic_ns.saturating_add(YOUNGEST_NS),
        }
    }

    /// Reads the title, if that is due, where so many processes run.
    pub fn read(&mut self, header: &Header, now: Moment, running: usize) {
        if now.monotonic_ns < self.due_ns {
            return;
        }
        let began = Instant::now();
        if let Some(title) = read(self.pid, &StartedAs::of(header))
            && title != self.last
            && is_of_image(self.pid, self.region)
        {
            self.last = title;
        }
        // If weir has to wait for a processor, one reading seems to take a hundred times as long as the others.
        let took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.cost_ns = took_ns.clamp(1, self.cost_ns.saturating_mul(2));
        let apart_ns = self.cost_ns.saturating_mul(APART * running as u64);
        self.due_ns = now.monotonic_ns.saturating_add(apart_ns.max(APART_NS));
    }

    /// The title that was seen last; none where there was none.
    pub fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }
}

/// The title that the process with this id has now, which is known to be of an image that was started so; none where it has none.
pub fn of_running(pid: u32, started_as: &StartedAs) -> Option<String> {
    read(pid, started_as)?
}

/// What an image was started as.
#[derive(Debug)]
pub struct StartedAs {
    executable: Vec<u8>,
    command: Vec<u8>,
    /// Whether the region had no room for all of the command.
    is_cut: bool,
}

impl StartedAs {
    /// As the region with this header has it.
    pub fn of(header: &Header) -> StartedAs {
        StartedAs {
            executable: header.executable.bytes().collect(),
            command: header.command.bytes().collect(),
            is_cut: header.command.is_full(),
        }
    }
}

/// Whether what was read of a process just now is of the image: it still has the region mapped, so it has not become another image by
/// exec, nor ended and left its id to another.
fn is_of_image(pid: u32, region: FileId) -> bool {
    region.is_mapped_by(pid) == Some(true)
}

/// The title that a process has now, where it has one. None where the kernel does not give it, as at its end.
fn read(pid: u32, started_as: &StartedAs) -> Option<Option<String>> {
    let mut arguments = Vec::new();
    let file = File::open(format!("/proc/{pid}/cmdline")).ok()?;
    let mut file = file.take(MOST_READ);
    file.read_to_end(&mut arguments).ok()?;
    if arguments.is_empty() {
        return None;
    }
    let StartedAs {
        executable,
        command,
        is_cut,
    } = started_as;
    if let Some(title) = written_over(&arguments, command, *is_cut) {
        return Some(Some(shown(title)));
    }
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = name.strip_suffix(b"\n").unwrap_or(&name);
    Some(is_given(name, executable, command).then(|| shown(name)))
}

/// What a process has for its arguments, where that is not what it was started with, which is known or, where it was cut, its beginning.
fn written_over<'a>(arguments: &'a [u8], command: &[u8], is_cut: bool) -> Option<&'a [u8]> {
    if command.is_empty() {
        return None;
    }
    let (arguments, command) = (trimmed(arguments), trimmed(command));
    // A dynamic linker or an emulator that was started with a program has arguments of its own before those of the program.
    let mut argument = arguments;
    loop {
        if argument == command || (is_cut && argument.starts_with(command)) {
            return None;
        }
        match argument.iter().position(|&byte| byte == 0) {
            Some(end) => argument = &argument[end + 1..],
            None => return Some(arguments).filter(|of| !of.is_empty()),
        }
    }
}

/// Without the zeroes or spaces at the end with which titles fill the room of the arguments.
fn trimmed(text: &[u8]) -> &[u8] {
    let last = text.iter().rposition(|byte| !matches!(byte, 0 | b' '));
    &text[..last.map_or(0, |last| last + 1)]
}

/// Whether the first thread was given this name: one that was not has that of the file that was executed, which was found by the path in the
/// arguments, or is a script among them. Where the file was executed by its descriptor, older kernels take the descriptor's number.
fn is_given(name: &[u8], executable: &[u8], command: &[u8]) -> bool {
    let is_number = name.iter().all(u8::is_ascii_digit);
    let mut paths = [executable]
        .into_iter()
        .chain(command.split(|&byte| byte == 0));
    let is_of_file = paths.any(|path| {
        let file = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        &file[..file.len().min(THREAD_NAME_BYTES)] == name
    });
    !is_number && !is_of_file
}

/// A title as text: of several arguments, with spaces between them, and not too long.
fn shown(title: &[u8]) -> String {
    let words: Vec<u8> = { title.iter() }
        .map(|&byte| if byte == 0 { b' ' } else { byte })
        .collect();
    let mut text = String::from_utf8_lossy(&words).into_owned();
    text.truncate(text.floor_char_boundary(MOST_BYTES));
    text
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mapping;
    use super::super::moment;
    use super::*;

    /// A file that this process has mapped, and a header of a region.
    fn mapped(command: &[u8]) -> (File, Mapping, Box<Header>) {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(1 << 20).expect("room");
        let mapping = Mapping::shared(&file).expect("mapped");
        // SAFETY: the header is made of atomics, for which zeroes are valid.
        let header = unsafe { Box::<Header>::new_zeroed().assume_init() };
        header.command.set(command);
        (file, mapping, header)
    }

    #[test]
    fn only_of_who_has_the_region_mapped_there_is_a_title() {
        let pid = std::process::id();
        let (file, mapping, header) = mapped(b"another\0");
        let region = FileId::of(&file.metadata().expect("metadata"));
        let program = std::env::args().next().expect("a path");
        let read = || {
            let mut now = moment::now();
            let mut watch = Watch::new(pid, now, region);
            now.monotonic_ns += YOUNGEST_NS;
            watch.read(&header, now, 1);
            watch.last().map(str::to_owned)
        };
        let title = read().expect("it is not the command line");
        assert_eq!(
            of_running(pid, &StartedAs::of(&header)),
            Some(title.clone())
        );
        assert!(
            title.starts_with(&program[..program.len().min(MOST_BYTES)]),
            "{title}"
        );
        drop(mapping);
        assert_eq!(read(), None);
    }

    #[test]
    fn a_title_is_read_when_it_is_due_and_seldom_where_many_run() {
        let (file, mapping, header) = mapped(b"another\0");
        let region = FileId::of(&file.metadata().expect("metadata"));
        let mut now = moment::now();
        let mut watch = Watch::new(std::process::id(), now, region);
        watch.read(&header, now, 1);
        assert_eq!(watch.last(), None, "it is too young");
        now.monotonic_ns += YOUNGEST_NS;
        watch.read(&header, now, 1);
        let title = watch.last().expect("a title").to_owned();
        assert_eq!(watch.due_ns, now.monotonic_ns + APART_NS);
        // What has become another image has another title, which is not this one's.
        drop(mapping);
        header
            .command
            .set(&fs::read("/proc/self/cmdline").expect("arguments"));
        header.executable.set(
            fs::read("/proc/self/comm")
                .expect("a name")
                .trim_ascii_end(),
        );
        now.monotonic_ns = watch.due_ns;
        watch.read(&header, now, 1_000_000);
        assert_eq!(watch.last(), Some(&*title));
        // A reading takes more than a microsecond.
        assert!(watch.due_ns - now.monotonic_ns > APART * 1_000_000 * 1000);
    }

    fn over<'a>(arguments: &'a str, command: &str) -> Option<&'a str> {
        let title = written_over(arguments.as_bytes(), command.as_bytes(), false);
        title.map(|title| std::str::from_utf8(title).expect("text"))
    }

    #[test]
    fn what_was_written_over_the_arguments_is_the_title() {
        let command = "./server\0-p\080\0";
        assert_eq!(over("server: idle", command), Some("server: idle"));
        // In the room of the arguments, with zeroes or spaces behind it.
        for fill in ["\0\0\0", "    ", "  \0"] {
            let text = format!("server: idle{fill}");
            assert_eq!(over(&text, command), Some("server: idle"));
        }
        // A forked process is noted with the title of its parent.
        assert_eq!(
            over("server: worker", "server: main\0\0"),
            Some("server: worker")
        );
        assert_eq!(
            over("./server\0-p\081\0", command),
            Some("./server\0-p\081")
        );
    }

    #[test]
    fn the_command_line_is_no_title() {
        let command = "./server\0-p\080\0";
        assert_eq!(over(command, command), None);
        assert_eq!(
            over("/lib64/ld.so\0--argv0\0x\0./server\0-p\080\0", command),
            None
        );
        assert_eq!(
            over("x\0./server\0-p\080\0more\0", command),
            Some("x\0./server\0-p\080\0more")
        );
        assert_eq!(over("\0\0\0", command), None, "all of it was erased");
        assert_eq!(over("server", ""), None, "it is not known");
        assert_eq!(over("\0", "\0"), None);
        let cut = &command.as_bytes()[..9];
        assert_eq!(written_over(command.as_bytes(), cut, true), None);
        assert!(written_over(command.as_bytes(), cut, false).is_some());
    }

    #[test]
    fn the_name_of_the_file_that_was_executed_is_no_title() {
        let given = |name: &str, command: &str| {
            is_given(name.as_bytes(), b"/usr/bin/dash", command.as_bytes())
        };
        for (name, command) in [
            ("dash", "x\0"),
            ("sh", "sh\0-c\0true\0"),
            ("sh", "/bin/sh\0"),
            ("script.sh", "/bin/sh\0./a/script.sh\0"),
            ("with-a-very-lon", "/bin/sh\0/a/with-a-very-long-name.sh\0"),
            ("14", "sh\0"),
        ] {
            assert!(!given(name, command), "{name}");
        }
        for (name, command) in [("dash-2", "dash\0"), ("worker 14", "sh\0"), ("das", "sh\0")] {
            assert!(given(name, command), "{name}");
        }
    }

    #[test]
    fn a_title_is_text_of_bounded_length() {
        assert_eq!(shown(b"a\0b c"), "a b c");
        assert_eq!(shown(b"a\xffb"), "a\u{fffd}b");
        let long = shown("ä".repeat(4000).as_bytes());
        assert_eq!(long, "ä".repeat(MOST_BYTES / 2));
        let odd = shown(format!("x{}", "ä".repeat(4000)).as_bytes());
        assert_eq!(odd.len(), MOST_BYTES - 1);
    }
}
