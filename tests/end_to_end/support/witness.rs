//! A victim's own account (`tests/programs/witness.h`), and its comparison with the report.

use std::collections::BTreeMap;

use weir_record::sizes::SIZE_CLASSES;
use weir_report::model::{Function, Process};

use super::{Mode, Outcome, Program, victim};

/// Runs a victim that prints one account, and compares every counter. It says nothing else.
#[track_caller]
pub fn expect_exact(name: &str) {
    for mode in Mode::MEASURED {
        let outcome = Program::new(victim(name)).run(mode).expect_status(0);
        assert_eq!(outcome.complaints(), "");
        Account::of(&outcome.text()).expect_in(outcome.process());
    }
}

/// The calls of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls.
    pub calls: u64,
    /// Failed calls.
    pub errors: u64,
    /// Requested bytes.
    pub requested_bytes: u64,
    /// Moved bytes.
    pub moved_bytes: u64,
    /// Calls by size: smallest and largest size of the class in bytes, and number of calls.
    pub size_classes: Vec<(u64, u64, u64)>,
    /// Failed calls by errno.
    pub errors_by_errno: BTreeMap<String, u64>,
}

impl Calls {
    fn reported(function: &Function) -> Calls {
        Calls {
            calls: function.calls,
            errors: function.errors,
            requested_bytes: function.requested_bytes,
            moved_bytes: function.moved_bytes,
            size_classes: function
                .size_classes
                .iter()
                .map(|class| (class.from_bytes, class.to_bytes, class.calls))
                .collect(),
            errors_by_errno: function.errors_by_errno.clone(),
        }
    }
}

/// What one process image did.
#[derive(Clone, Debug)]
pub struct Account {
    /// Process id.
    pub pid: u32,
    /// By function; functions that were never called are missing.
    pub calls: BTreeMap<String, Calls>,
    /// Live at the end, in bytes.
    pub live_bytes: i64,
    /// Live at the end, in blocks.
    pub live_blocks: i64,
    /// The largest number of bytes that were live at the same time.
    pub peak_bytes: u64,
    /// Live when the image began by fork, in bytes and blocks.
    pub inherited: (i64, i64),
}

impl Account {
    /// The accounts in a victim's output, one for each process image, in the order of the output.
    #[track_caller]
    pub fn all(stdout: &str) -> Vec<Account> {
        let mut accounts = Vec::new();
        let mut current: Option<Account> = None;
        for line in stdout
            .lines()
            .filter_map(|line| line.strip_prefix("witness "))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["image", pid] => {
                    current = Some(Account {
                        pid: number(pid),
                        calls: BTreeMap::new(),
                        live_bytes: 0,
                        live_blocks: 0,
                        peak_bytes: 0,
                        inherited: (0, 0),
                    });
                }
                ["call", name, ref numbers @ ..] => {
                    let account = current.as_mut().expect("an image before its calls");
                    account.calls.insert(name.to_owned(), calls(numbers));
                }
                [
                    "heap",
                    live_bytes,
                    live_blocks,
                    peak,
                    inherited_bytes,
                    inherited_blocks,
                ] => {
                    let mut account = current.take().expect("an image before its heap");
                    account.live_bytes = number(live_bytes);
                    account.live_blocks = number(live_blocks);
                    account.peak_bytes = number(peak);
                    account.inherited = (number(inherited_bytes), number(inherited_blocks));
                    accounts.push(account);
                }
                _ => panic!("not a line of a witness: {line}"),
            }
        }
        assert!(current.is_none(), "an account without its end:\n{stdout}");
        accounts
    }

    /// The only account in a victim's output.
    #[track_caller]
    pub fn of(stdout: &str) -> Account {
        let mut accounts = Account::all(stdout);
        assert_eq!(accounts.len(), 1, "accounts in\n{stdout}");
        accounts.remove(0)
    }

    /// Compares every account in a victim's output with the process image of that pid; if there are several, in their
    /// order. Returns the number of accounts.
    #[track_caller]
    pub fn expect_all_in(outcome: &Outcome) -> usize {
        let accounts = Account::all(&outcome.text());
        let mut images: BTreeMap<u32, std::vec::IntoIter<&Process>> = BTreeMap::new();
        for account in &accounts {
            let of_pid = || {
                outcome
                    .processes()
                    .into_iter()
                    .filter(|image| image.pid == account.pid)
            };
            let images = images
                .entry(account.pid)
                .or_insert_with(|| of_pid().collect::<Vec<_>>().into_iter());
            let Some(image) = images.next() else {
                panic!(
                    "{:?}: process {} is not in the report",
                    outcome.mode, account.pid
                );
            };
            account.expect_in(image);
        }
        for (pid, mut images) in images {
            assert!(
                images.next().is_none(),
                "process {pid} has more images than it should"
            );
        }
        accounts.len()
    }

    /// How many times the victim called a function.
    pub fn count(&self, name: &str) -> u64 {
        self.calls.get(name).map_or(0, |calls| calls.calls)
    }

    /// Fails unless the process's report agrees with the victim's account, for every function.
    #[track_caller]
    pub fn expect_in(&self, process: &Process) {
        self.expect_calls(process);
        self.expect_heap(process);
    }

    /// The same as [`Account::expect_in`], for the calls only.
    #[track_caller]
    pub fn expect_calls(&self, process: &Process) {
        self.expect_calls_but(process, &[]);
    }

    /// The same as [`Account::expect_calls`], without the calls of the C library for the victim: allocations, and
    /// stdio's system calls.
    #[track_caller]
    pub fn expect_own_calls(&self, process: &Process) {
        self.expect_calls_but(process, &["alloc", "stdio_system"]);
    }

    #[track_caller]
    fn expect_calls_but(&self, process: &Process, families: &[&str]) {
        let reported: BTreeMap<_, _> = process
            .functions
            .iter()
            .filter(|(_, function)| function.calls != 0)
            .filter(|(_, function)| !families.contains(&&*function.family))
            .map(|(name, function)| (name.clone(), Calls::reported(function)))
            .collect();
        for name in reported.keys().chain(self.calls.keys()) {
            assert_eq!(
                reported.get(name),
                self.calls.get(name),
                "{name}: the report, and the victim's own account"
            );
        }
        assert_eq!(process.missed.uncounted_calls, 0, "uncounted calls");
        self.expect_sum_of_threads(process);
    }

    /// The same as [`Account::expect_in`], for the heap only.
    #[track_caller]
    pub fn expect_heap(&self, process: &Process) {
        self.expect_live(process);
        let heap = &process.heap;
        assert_eq!(
            (heap.inherited_bytes, heap.inherited_blocks),
            self.inherited,
            "inherited"
        );
        let range = heap.peak_bytes..=heap.peak_bytes + heap.peak_error_bytes;
        assert!(
            range.contains(&self.peak_bytes),
            "the peak was {}, the report says {range:?}",
            self.peak_bytes
        );
    }

    /// The same as [`Account::expect_in`], for several threads: the victim does not know the peak.
    #[track_caller]
    pub fn expect_in_threaded(&self, process: &Process) {
        self.expect_calls(process);
        self.expect_live(process);
    }

    #[track_caller]
    fn expect_live(&self, process: &Process) {
        assert_eq!(
            (process.heap.live_bytes, process.heap.live_blocks),
            (self.live_bytes, self.live_blocks),
            "live bytes and blocks: the report, and the victim's own account"
        );
    }

    /// Checks that the sums over the threads equal the process's counters.
    #[track_caller]
    fn expect_sum_of_threads(&self, process: &Process) {
        for (name, calls) in &self.calls {
            let of_threads = process
                .threads
                .iter()
                .filter_map(|thread| thread.functions.get(name));
            let sums = of_threads.fold([0_u64; 4], |sums, function| {
                [
                    sums[0].wrapping_add(function.calls),
                    sums[1].wrapping_add(function.errors),
                    sums[2].wrapping_add(function.requested_bytes),
                    sums[3].wrapping_add(function.moved_bytes),
                ]
            });
            assert_eq!(
                sums,
                [
                    calls.calls,
                    calls.errors,
                    calls.requested_bytes,
                    calls.moved_bytes
                ],
                "{name}: the sum of the threads, and the victim's own account"
            );
        }
    }
}

/// `CALLS ERRORS REQUESTED MOVED classes C:N… errnos E:N…`
fn calls(words: &[&str]) -> Calls {
    let [calls, errors, requested, moved, "classes", rest @ ..] = words else {
        panic!("not the calls of a witness: {words:?}");
    };
    let end = rest
        .iter()
        .position(|&word| word == "errnos")
        .expect("errnos after classes");
    let pairs = |words: &[&str]| -> Vec<(u32, u64)> {
        words
            .iter()
            .map(|word| word.split_once(':').expect("a pair"))
            .map(|(key, count)| (number(key), number(count)))
            .collect()
    };
    Calls {
        calls: number(calls),
        errors: number(errors),
        requested_bytes: number(requested),
        moved_bytes: number(moved),
        size_classes: classes(pairs(&rest[..end])),
        errors_by_errno: pairs(&rest[end + 1..])
            .into_iter()
            .map(|(errno, count)| (errno_name(errno).to_owned(), count))
            .collect(),
    }
}

/// The classes of powers of two. The last class has no upper end.
fn classes(counts: Vec<(u32, u64)>) -> Vec<(u64, u64, u64)> {
    const LAST: u32 = SIZE_CLASSES as u32 - 1;
    let mut sums = BTreeMap::new();
    for (class, count) in counts {
        *sums.entry(class.min(LAST)).or_default() += count;
    }
    sums.into_iter()
        .map(|(class, count)| {
            let from = if class == 0 { 0 } else { 1 << class };
            let to = match class {
                LAST => u64::MAX,
                _ => (2 << class) - 1,
            };
            (from, to, count)
        })
        .collect()
}

fn errno_name(errno: u32) -> &'static str {
    const NAMES: [(i32, &str); 28] = [
        (libc::ENOENT, "ENOENT"),
        (libc::EINTR, "EINTR"),
        (libc::E2BIG, "E2BIG"),
        (libc::ENOEXEC, "ENOEXEC"),
        (libc::EBADF, "EBADF"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::ENOMEM, "ENOMEM"),
        (libc::EACCES, "EACCES"),
        (libc::EFAULT, "EFAULT"),
        (libc::EEXIST, "EEXIST"),
        (libc::ENOTDIR, "ENOTDIR"),
        (libc::EISDIR, "EISDIR"),
        (libc::EINVAL, "EINVAL"),
        (libc::EMFILE, "EMFILE"),
        (libc::EFBIG, "EFBIG"),
        (libc::ESPIPE, "ESPIPE"),
        (libc::ECHILD, "ECHILD"),
        (libc::EPIPE, "EPIPE"),
        (libc::ENOTTY, "ENOTTY"),
        (libc::EDEADLK, "EDEADLK"),
        (libc::ETIMEDOUT, "ETIMEDOUT"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::ENOSPC, "ENOSPC"),
        (libc::ENOTSOCK, "ENOTSOCK"),
        (libc::ENOTCONN, "ENOTCONN"),
        (libc::ENOPROTOOPT, "ENOPROTOOPT"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::EAFNOSUPPORT, "EAFNOSUPPORT"),
    ];
    NAMES
        .iter()
        .find(|&&(number, _)| number.cast_unsigned() == errno)
        .unwrap_or_else(|| panic!("no name for errno {errno}"))
        .1
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(word: &str) -> T {
    word.parse()
        .unwrap_or_else(|error| panic!("{word}: {error:?}"))
}
