//! A terminal, a shell on it, what is typed there and what is seen.
//!
//! The test holds both of its ends: what was put out before a moment is there to be read after it, whatever has ended meanwhile. (Where
//! the first process of a session ends, the kernel throws away what nobody has read yet.)

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::finish::patient;
use super::scratch;

/// What a page that takes the whole terminal begins and ends with.
pub const ENTERS: &str = "\x1b[?1049h";
pub const LEAVES: &str = "\x1b[?1049l";

/// What the test itself puts on the terminal.
const MARK: &str = "<the end>";
/// What is waited for without an end on any machine.
const LONG: Duration = Duration::from_secs(60);
/// Between two looks at a file.
const TICK: Duration = Duration::from_millis(20);

/// Rows and columns.
pub const SIZE: (u16, u16) = (30, 100);

/// The terminal of a session whose first process is a shell in a folder.
pub struct Terminal {
    /// Where the shell's lines leave their files.
    pub folder: TempDir,
    shell: Shell,
    /// The end of who looks at the terminal.
    outer: File,
    /// The end of the processes.
    inner: File,
    /// How it was set before anything ran there.
    before: String,
    /// What was put out so far.
    pub shown: Vec<u8>,
    /// What of that is to be seen now.
    pub screen: Screen,
}

impl Terminal {
    /// Starts a shell that does job control, as one that a user types to. When its lines are done, their status is in the file
    /// `status`.
    pub fn start(folder: TempDir, lines: &str) -> Terminal {
        let (outer, inner) = ends();
        let script = format!(
            "set -m; trap : INT; mkfifo leave\n{lines}\necho $? > status.new; mv status.new status; read -r line < leave"
        );
        resize(&outer, SIZE);
        let before = settings(&inner);
        let stream = || Stdio::from(inner.try_clone().expect("a descriptor"));
        // What runs in the background of a shell without job control, as tests may, ignores SIGINT.
        let shell = Command::new("env")
            .args(["--default-signal", "setsid", "--ctty"])
            .args(["sh", "-c", &script])
            .current_dir(folder.path())
            .env("TERM", "xterm-256color")
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("started");
        Terminal {
            folder,
            shell: Shell(shell),
            outer,
            inner,
            before,
            shown: Vec::new(),
            screen: Screen::new(),
        }
    }

    /// The same in a new folder.
    pub fn here(lines: &str) -> Terminal {
        Terminal::start(scratch(), lines)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn press(&mut self, keys: &str) {
        self.outer.write_all(keys.as_bytes()).expect("typed");
    }

    pub fn resize(&self, size: (u16, u16)) {
        resize(&self.outer, size);
    }

    /// The terminal is set as it was before anything ran there.
    #[track_caller]
    pub fn is_as_before(&self) {
        assert_eq!(settings(&self.inner), self.before);
    }

    /// Waits for something, and takes what is put out meanwhile.
    #[track_caller]
    pub fn await_so(&mut self, what: &str, is_so: impl Fn(&Terminal) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            if began.elapsed() > patient(LONG) {
                let last = &self.shown[self.shown.len().saturating_sub(200)..];
                let last = String::from_utf8_lossy(last);
                panic!("before {what:?}: {}\n{last:?}", self.screen.text());
            }
            self.take_one();
        }
    }

    /// Takes a byte that is put out, if one is for a moment.
    fn take_one(&mut self) {
        let mut byte = [0];
        match self.outer.read(&mut byte) {
            Ok(1) => {
                self.shown.extend(byte);
                self.screen.take(byte[0]);
            }
            Ok(_) => panic!("the terminal ended"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TICK),
            Err(error) => panic!("{error}"),
        }
    }

    /// Waits until this is to be seen.
    #[track_caller]
    pub fn see(&mut self, text: &str) {
        self.await_so(text, |of| of.is_drawn() && of.screen.text().contains(text));
    }

    /// Whether a page is drawn to its end: it is, a row after the other, before the cursor is hidden again.
    pub fn is_drawn(&self) -> bool {
        self.shown.ends_with(b"\x1b[?25l")
    }

    /// Waits until this is put out.
    #[track_caller]
    pub fn hear(&mut self, text: &str) {
        self.await_so(text, |of| of.shown.ends_with(text.as_bytes()));
    }

    /// Waits until a file has a whole line, or more; what it has.
    #[track_caller]
    pub fn file(&mut self, name: &str) -> String {
        let path = self.path(name);
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        self.await_so(name, |_| read().ends_with('\n'));
        read()
    }

    /// Types keys until the terminal takes no more of what they have put out, as nobody looks at it.
    pub fn fill(&mut self, keys: &str) {
        let began = Instant::now();
        while self.takes_more() {
            assert!(began.elapsed() < patient(LONG), "it takes all");
            self.press(keys);
            std::thread::sleep(TICK);
        }
    }

    fn takes_more(&self) -> bool {
        let mut inner = libc::pollfd {
            fd: self.inner.as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: one descriptor that is open.
        let ready = unsafe { libc::poll(&mut inner, 1, 0) };
        ready == 1
    }

    /// Waits until a file has a whole line, or more, while nobody looks at the terminal.
    #[track_caller]
    pub fn file_unseen(&self, name: &str) -> String {
        line_of(&self.path(name))
    }

    /// Waits until the lines of the shell are done. Their status, and all that was put out.
    #[track_caller]
    pub fn end(&mut self) -> (String, String) {
        let status = self.file("status").trim().to_owned();
        self.inner.write_all(MARK.as_bytes()).expect("written");
        self.hear(MARK);
        let shown = String::from_utf8_lossy(&self.shown).into_owned();
        let shown = shown.strip_suffix(MARK).expect("it was heard");
        (status, shown.to_owned())
    }

    /// Closes the terminal, as a window is. What runs there gets SIGHUP.
    pub fn close(self) -> Closed {
        let Terminal { folder, shell, .. } = self;
        Closed {
            folder,
            _shell: shell,
        }
    }
}

/// What is left of a terminal that is closed.
pub struct Closed {
    pub folder: TempDir,
    _shell: Shell,
}

impl Closed {
    /// Waits for a file that has a whole line, or more; what it has.
    #[track_caller]
    pub fn file(&self, name: &str) -> String {
        line_of(&self.folder.path().join(name))
    }

    /// Waits for something.
    #[track_caller]
    pub fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        wait(what, is_so);
    }
}

#[track_caller]
fn line_of(path: &Path) -> String {
    let read = || std::fs::read_to_string(path).unwrap_or_default();
    wait(&path.display().to_string(), || read().ends_with('\n'));
    read()
}

#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < patient(LONG), "before {what:?}");
        std::thread::sleep(TICK);
    }
}

/// The first process of a session, which waits when its lines are done.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("ended");
    }
}

/// The ends of a new terminal, which no process has for its own.
fn ends() -> (File, File) {
    let mut options = File::options();
    options.read(true).write(true);
    options.custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
    let outer = options.open("/dev/ptmx").expect("a terminal");
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: calls about a descriptor that is open, and one that is new and nobody else's.
    let inner = unsafe {
        assert_eq!(libc::unlockpt(outer.as_raw_fd()), 0);
        let inner = libc::ioctl(outer.as_raw_fd(), libc::TIOCGPTPEER, flags);
        assert!(inner >= 0, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(inner)
    };
    (outer, File::from(inner))
}

fn resize(terminal: &File, (rows, columns): (u16, u16)) {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: a size that may be read.
    let set = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &size) };
    assert_eq!(set, 0);
}

/// How a terminal is set.
fn settings(terminal: &File) -> String {
    // SAFETY: settings are numbers; they may be written.
    let (got, set) = unsafe {
        let mut set: libc::termios = std::mem::zeroed();
        (libc::tcgetattr(terminal.as_raw_fd(), &mut set), set)
    };
    assert_eq!(got, 0);
    let flags = [set.c_iflag, set.c_oflag, set.c_cflag, set.c_lflag];
    format!("{flags:?} {:?}", set.c_cc)
}

/// What a page that is drawn by a cursor looks like: who draws it writes only what has changed.
pub struct Screen {
    rows: Vec<Vec<char>>,
    at: (usize, usize),
    /// What is not a whole letter or sequence yet.
    begun: Vec<u8>,
}

impl Screen {
    fn new() -> Screen {
        let (rows, columns) = (usize::from(SIZE.0), usize::from(SIZE.1));
        Screen {
            rows: vec![vec![' '; columns]; rows],
            at: (0, 0),
            begun: Vec::new(),
        }
    }

    /// Takes a byte that the terminal puts out.
    fn take(&mut self, byte: u8) {
        self.begun.push(byte);
        let whole = match self.begun.as_slice() {
            [b'\x1b'] | [b'\x1b', b'['] => return,
            [b'\x1b', b'[', .., last] if !last.is_ascii_alphabetic() => return,
            bytes => match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => return,
            },
        };
        self.begun.clear();
        match whole.strip_prefix("\x1b[") {
            Some(sequence) => self.obey(sequence),
            None => whole.chars().for_each(|letter| self.put(letter)),
        }
    }

    /// Only what crossterm uses to draw, and what puts colours on a letter is of no interest.
    fn obey(&mut self, sequence: &str) {
        match sequence.split_at(sequence.len() - 1) {
            (place, "H") => {
                let mut numbers = place.split(';').map(|number| number.parse().unwrap_or(1));
                let mut next = || numbers.next().unwrap_or(1_usize) - 1;
                self.at = (next(), next());
            }
            ("2", "J") | ("?1049", "h" | "l") => {
                self.rows.iter_mut().for_each(|row| row.fill(' '));
            }
            _ => {}
        }
    }

    fn put(&mut self, letter: char) {
        let (row, column) = self.at;
        if let Some(place) = self.rows.get_mut(row).and_then(|row| row.get_mut(column)) {
            *place = letter;
        }
        self.at.1 += 1;
    }

    /// One of its lines; the first is 0.
    pub fn line(&self, row: usize) -> String {
        self.rows[row].iter().collect()
    }

    /// Its lines.
    pub fn text(&self) -> String {
        let lines = (0..self.rows.len()).map(|row| self.line(row));
        lines.collect::<Vec<String>>().join("\n")
    }
}

/// Sends a signal, by its name, to a process.
pub fn signal(name: &str, pid: &str) {
    let sent = Command::new("kill").args(["-s", name, pid]).status();
    assert!(sent.expect("started").success());
}

/// A fifo, open: who reads from it waits for lines until this is dropped.
pub fn fifo(path: &Path) -> File {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("started").success());
    let mut options = File::options();
    options.read(true).write(true).open(path).expect("open")
}
