//! What the process was started with: settings, executable, command line, working directory.
//!
//! This is read once, at the first call of the process. Then nothing may be allocated, and constructors may not have
//! run. It is kept in static memory, because a program may overwrite its environment.

mod auxiliary;
mod secure;

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char};

use weir_record::escape::escape;
use weir_record::settings::{self, Setting, Stacks, Timing};

use crate::arch;
use crate::memory::bytes::Bytes;
use crate::sys;

/// The longest path, in bytes (limits.h, PATH_MAX).
pub const PATH_MAX: usize = 4096;

/// A path.
pub type Path = Bytes<PATH_MAX>;

/// What the process was started with.
pub struct Environment {
    /// Which calls are timed.
    pub timing: Timing,
    /// The time between two reports while the program runs, in nanoseconds. `None`: only the report at the end.
    pub interval_ns: Option<u64>,
    /// The template of the report's path. It is absolute if the working directory is known.
    pub out: Path,
    /// Whether the user has named a directory for the reports.
    pub out_is_directory: bool,
    /// The directory of the region's file; empty for the default.
    pub region_dir: Path,
    /// The directory of the recording that this process is part of; empty if there is none.
    pub session: Path,
    /// The path of the executable.
    pub executable: Path,
    /// The entries that are added to environments without them; none if that is not wanted.
    pub additions: Additions,
    /// Whether calls that may block are made in two parts.
    pub is_parted: bool,
    /// Which calls have their call stack taken.
    pub stacks: Stacks,
    /// Whether blocks have lifetimes where all have stacks.
    pub has_lifetimes: bool,
    /// Whether call stacks follow frame pointers through code without unwind information.
    pub follows_frame_pointers: bool,
    /// The program's own segments, where the kernel says that they are: address and number; 0 where it does not.
    pub program_headers: (usize, usize),
    /// An address behind all frames of the first thread's stack; 0 where the kernel says none.
    pub stack_end: usize,
    /// What [`crate::thread::identity`] is in the first thread.
    pub first_thread: usize,
    /// Whether a setting had a value that is not valid.
    pub has_bad_setting: bool,
    /// Whether the process has rights that its caller does not have. Then it obeys no setting, because the settings
    /// are the caller's. It also records nothing: the caller chooses the places of the region and of the report.
    pub is_secure: bool,
}

/// Entries for an environment, in place: `LD_PRELOAD=` with our own path, and the settings as they were found.
pub struct Additions {
    /// The entries, each ended by NUL.
    texts: Bytes<{ 4 * PATH_MAX }>,
    /// For each entry, where it begins, and the length of its name with the equals sign. In bytes.
    places: [(usize, usize); Self::MOST],
    count: usize,
}

impl Additions {
    /// The largest number of entries.
    pub const MOST: usize = 1 + settings::ALL.len();

    const fn new() -> Additions {
        Additions {
            texts: Bytes::new(),
            places: [(0, 0); Self::MOST],
            count: 0,
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// For each entry, its name with the equals sign, and the whole entry.
    pub fn all(&self) -> impl Iterator<Item = (&[u8], &CStr)> {
        self.places[..self.count].iter().map(|&(from, name)| {
            let text = &self.texts.as_bytes()[from..];
            (
                &text[..name],
                CStr::from_bytes_until_nul(text).unwrap_or(c""),
            )
        })
    }

    /// Adds an entry. Adds nothing if there is no room for it.
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let before = self.texts.as_bytes().len();
        let texts = &mut self.texts;
        let added = texts.push(name) && texts.push(b"=") && texts.push(value) && texts.push(b"\0");
        match self.places.get_mut(self.count).filter(|_| added) {
            Some(place) => {
                *place = (before, name.len() + 1);
                self.count += 1;
            }
            None => self.texts.truncate(before),
        }
    }
}

impl Environment {
    const fn new() -> Environment {
        Environment {
            timing: Timing::OneIn(settings::DEFAULT_ONE_IN),
            interval_ns: None,
            out: Bytes::new(),
            region_dir: Bytes::new(),
            session: Bytes::new(),
            executable: Bytes::new(),
            additions: Additions::new(),
            is_parted: false,
            stacks: Stacks::Off,
            has_lifetimes: false,
            follows_frame_pointers: false,
            program_headers: (0, 0),
            stack_end: 0,
            first_thread: 0,
            has_bad_setting: false,
            out_is_directory: false,
            is_secure: false,
        }
    }

    /// The last part of the executable's path.
    pub fn executable_name(&self) -> &[u8] {
        let path = self.executable.as_bytes();
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        if name.is_empty() { b"program" } else { name }
    }

    /// Whether `weir run` writes the report, not the process.
    pub fn has_session(&self) -> bool {
        !self.session.is_empty()
    }

    /// Whether images of one recording would have the same path for their reports: the template has no process id.
    pub fn shares_name(&self) -> bool {
        // Of `%%p`, the second is no sign.
        let mut rest = self.out.as_bytes();
        while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
            if rest.get(at + 1) == Some(&b'p') {
                return false;
            }
            rest = rest.get(at + 2..).unwrap_or_default();
        }
        !self.has_session()
    }

    fn fill(&mut self, own: impl FnOnce() -> Option<&'static CStr>) {
        let [
            is_secure,
            page,
            features,
            segments,
            segment_count,
            random_bytes,
        ] = auxiliary::values([
            libc::AT_SECURE,
            libc::AT_PAGESZ,
            libc::AT_HWCAP,
            libc::AT_PHDR,
            libc::AT_PHNUM,
            libc::AT_RANDOM,
        ]);
        self.program_headers = match (segments, segment_count) {
            (Some(at), Some(count)) => (at as usize, count as usize),
            _ => (0, 0),
        };
        // They stand behind the program's arguments.
        self.stack_end = random_bytes.map_or(0, |at| at as usize);
        self.first_thread = arch::thread_state().addr();
        self.is_secure = secure::is_secure(is_secure);
        if let Some(page) = page {
            sys::pages::set_page_bytes(page);
        }
        if let Some(features) = features {
            arch::use_features(features);
        }
        if self.is_secure {
            return;
        }
        self.executable.set_to_target_of(c"/proc/self/exe");
        let variables = Variables::of_this_process();
        // A setting with an empty value is not set.
        let value = |setting: &Setting| {
            variables
                .get(setting.name.as_bytes())
                .filter(|value| !value.is_empty())
        };
        if let Some(value) = value(&settings::TIME) {
            match Timing::parse(value) {
                Some(timing) => self.timing = timing,
                None => self.complain(&settings::TIME, value),
            }
        }
        if let Some(value) = value(&settings::INTERVAL) {
            self.interval_ns = settings::parse_seconds(value);
            if self.interval_ns.is_none() {
                self.complain(&settings::INTERVAL, value);
            }
        }
        if let Some(value) = value(&settings::REGION_DIR)
            && !absolute(&mut self.region_dir, value, b"%")
        {
            self.complain(&settings::REGION_DIR, value);
        }
        if let Some(value) = value(&settings::SESSION)
            && !absolute(&mut self.session, value, b"%")
        {
            self.complain(&settings::SESSION, value);
        }
        if let Some(value) = value(&settings::COOP) {
            self.is_parted = value == b"on";
            if !self.is_parted {
                self.complain(&settings::COOP, value);
            }
        }
        self.stacks = match self.has_session() {
            true => Stacks::OF_RUN,
            false => Stacks::default(),
        };
        if let Some(value) = value(&settings::STACKS) {
            match Stacks::parse(value) {
                Some(stacks) => self.stacks = stacks,
                None => self.complain(&settings::STACKS, value),
            }
        }
        if let Some(value) = value(&settings::LIFETIMES) {
            self.has_lifetimes = value == b"on";
            if !self.has_lifetimes {
                self.complain(&settings::LIFETIMES, value);
            }
        }
        if let Some(value) = value(&settings::FRAME_POINTERS) {
            self.follows_frame_pointers = value == b"on";
            if !self.follows_frame_pointers {
                self.complain(&settings::FRAME_POINTERS, value);
            }
        }
        if let Some(value) = value(&settings::FOLLOW) {
            if value == b"cleared" {
                self.prepare_additions(&variables, own());
            } else {
                self.complain(&settings::FOLLOW, value);
            }
        }
        if self.has_session() {
            // `weir` writes the report, so `out` is not needed.
            return;
        }
        let template = value(&settings::OUT);
        self.out_is_directory = template.is_some_and(|template| template.ends_with(b"/"));
        if !absolute(&mut self.out, template.unwrap_or(DEFAULT_OUT), b"%%")
            || self.out_is_directory && !self.out.push(DEFAULT_OUT)
        {
            self.complain(&settings::OUT, template.unwrap_or_default());
            self.out_is_directory = false;
            let _ = absolute(&mut self.out, DEFAULT_OUT, b"%%");
        }
    }

    fn prepare_additions(&mut self, variables: &Variables, own: Option<&CStr>) {
        let mut library = Path::new();
        let Some(own) = own else { return };
        if !absolute(&mut library, own.to_bytes(), b"%") {
            return;
        }
        self.additions.add(b"LD_PRELOAD", library.as_bytes());
        for setting in settings::ALL {
            if let Some(value) = variables.get(setting.name.as_bytes()) {
                self.additions.add(setting.name.as_bytes(), value);
            }
        }
    }

    fn complain(&mut self, setting: &Setting, value: &[u8]) {
        self.has_bad_setting = true;
        let mut line = Bytes::<2048>::new();
        let shown = &value[..value.len().min(256)];
        let _ = line.push(b"weir: ")
            && line.push(setting.name.as_bytes())
            && line.push(b" must be ")
            && setting
                .values
                .bytes()
                .filter(|&byte| byte != b'`')
                .all(|byte| line.push(&[byte]));
        let _ = line.push(b", not '");
        // What does not fit is left out.
        escape(shown, |piece| _ = line.push(piece.as_bytes()));
        let _ = line.push(b"'; going on as if it were not set\n");
        sys::write(2, line.as_bytes());
    }
}

/// Sets a path to `value`, after the working directory if `value` is relative. `percent` replaces each percent sign
/// of that directory. False if the path is too long.
fn absolute(path: &mut Path, value: &[u8], percent: &[u8]) -> bool {
    path.clear();
    (value.starts_with(b"/") || push_working_directory(path, percent)) && path.push(value)
}

/// Appends the working directory and a slash; nothing if the directory is not known. False if there is no room.
#[inline(never)] // So that no caller has its frame, which is large.
fn push_working_directory(path: &mut Path, percent: &[u8]) -> bool {
    let mut buffer = [0; PATH_MAX];
    let directory = sys::working_directory(&mut buffer);
    let separator: &[u8] = match directory {
        [] | [.., b'/'] => b"",
        _ => b"/",
    };
    directory.iter().all(|byte| match byte {
        b'%' => path.push(percent),
        byte => path.push(std::slice::from_ref(byte)),
    }) && path.push(separator)
}

/// The default that the documentation of [`settings::OUT`] states.
pub const DEFAULT_OUT: &[u8] = b"weir.%e.%p.json";

struct Place(UnsafeCell<Environment>);

// SAFETY: only `read` writes it, before any other thread may read it.
unsafe impl Sync for Place {}

static ENVIRONMENT: Place = Place(UnsafeCell::new(Environment::new()));

/// Reads everything. `own` returns this library's path; it is called only if the path is needed.
///
/// # Safety
/// It is called once, and nothing else of this module is called before or at the same time.
pub unsafe fn read(own: impl FnOnce() -> Option<&'static CStr>) {
    // SAFETY: there is no other reference, as the caller promises.
    unsafe { (*ENVIRONMENT.0.get()).fill(own) }
}

/// What the process was started with. Valid after [`read`].
pub fn get() -> &'static Environment {
    // SAFETY: after `read`, nothing writes it.
    unsafe { &*ENVIRONMENT.0.get() }
}

/// The process's environment.
enum Variables {
    /// The C library's list.
    List(*const *const c_char),
    /// The kernel's copy from the start of the process, and its length in bytes. It is used if the C library has not
    /// made its list yet: a program calls us from its `.preinit_array`.
    Copy(sys::Memory, usize),
}

impl Variables {
    /// The limit on the bytes that are read of the kernel's copy. exec allows a quarter of the stack's limit, which
    /// is usually 8 MiB.
    const MOST: usize = 2 * 1024 * 1024;

    fn of_this_process() -> Variables {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        // SAFETY: the C library's variable; no other thread changes it this early.
        let list = unsafe { environ };
        match list
            .is_null()
            .then(|| sys::Memory::new(Self::MOST))
            .flatten()
        {
            Some(mut memory) => {
                let length = sys::read_file(c"/proc/self/environ", memory.as_bytes_mut()).len();
                Variables::Copy(memory, length)
            }
            None => Variables::List(list),
        }
    }

    /// The value of a variable. `None` if it is not set.
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let value = |text: &[u8]| -> Option<(usize, usize)> {
            let rest = text.strip_prefix(name)?.strip_prefix(b"=")?;
            Some((text.len() - rest.len(), text.len()))
        };
        match self {
            Variables::Copy(memory, length) => {
                let mut texts = memory.as_bytes()[..*length].split(|&byte| byte == 0);
                texts.find_map(|text| value(text).map(|(from, to)| &text[from..to]))
            }
            Variables::List(list) => {
                let mut entry = *list;
                // SAFETY: an array of C strings that ends with NULL, or NULL. The comparison stops at the first
                // difference, so it reads no byte behind a string's NUL.
                unsafe {
                    while !entry.is_null() && !(*entry).is_null() {
                        let text: *const u8 = (*entry).cast();
                        // Most entries differ in the first bytes, so the rest of them is not read.
                        let is_it = name
                            .iter()
                            .chain(b"=")
                            .enumerate()
                            .all(|(index, &byte)| text.add(index).read() == byte);
                        if is_it {
                            let value = text.add(name.len() + 1);
                            return Some(CStr::from_ptr(value.cast()).to_bytes());
                        }
                        entry = entry.add(1);
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_all_or_nothing() {
        let mut bytes = Bytes::<8>::new();
        assert!(bytes.push(b"abc") && bytes.push_number(1234));
        assert!(!bytes.push(b"x"));
        assert_eq!(bytes.as_c_str(), c"abc1234");
        let mut number = Bytes::<32>::new();
        assert!(number.push_number(0) && number.push_number(u64::MAX));
        assert_eq!(number.as_bytes(), b"018446744073709551615");
    }
}
