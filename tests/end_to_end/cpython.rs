//! CPython's own tests of I/O, files, memory, threads and processes. Each case has the same result with the library
//! and without.
//!
//! These are left out because they take too long: `test_concurrent_futures`, `test_multiprocessing_spawn`,
//! `test_multiprocessing_forkserver`, `test_multiprocessing_main_handling`, `test_venv`, `test_zipfile`, `test_bz2`,
//! `test_lzma`, `test_imaplib`, `test_xmlrpc`, and `test_largefile`, which copies gigabytes. `test_ioctl` needs a
//! terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::support::Mode;
use crate::support::regrtest::{Module, Results};

/// How many modules run at the same time. They mostly wait.
const JOBS: usize = 10;
/// How many more times a case runs if its results differ. A case that does not differ each time differs by chance.
const REPETITIONS: usize = 4;

const fn plain(name: &'static str) -> Module {
    Module { name, options: &[] }
}

/// The modules, the longest first.
const MODULES: &[Module] = &[
    Module {
        name: "test_asyncio",
        // In two halves, and without a case that collects garbage for a minute.
        options: &[
            "-i",
            "test.test_asyncio.test_s*",
            "-i",
            "*.test_task_del_collect",
        ],
    },
    Module {
        name: "test_asyncio",
        options: &["-i", "test.test_asyncio.test_[!s]*"],
    },
    plain("test_multiprocessing_fork"),
    plain("test_signal"),
    plain("test_io"),
    plain("test_subprocess"),
    plain("test_ssl"),
    Module {
        name: "test_socket",
        // Even without the library they never end, if the machine has such sockets without a peer.
        options: &["-i", "*VSOCK*"],
    },
    plain("test_logging"),
    plain("test_tarfile"),
    plain("test_faulthandler"),
    plain("test_selectors"),
    plain("test_threading"),
    plain("test_poll"),
    plain("test_ftplib"),
    plain("test_eintr"),
    plain("test_poplib"),
    Module {
        name: "test_socketserver",
        // Its servers are on this machine.
        options: &["-u", "network"],
    },
    plain("test_wait3"),
    plain("test_wait4"),
    plain("test_popen"),
    plain("test_fork1"),
    plain("test_os"),
    plain("test_cmd_line"),
    plain("test_c_locale_coercion"),
    plain("test_utf8_mode"),
    plain("test_embed"),
    plain("test_site"),
    plain("test_sys"),
    plain("test_pathlib"),
    plain("test_select"),
    plain("test_mmap"),
    plain("test_tempfile"),
    plain("test_shutil"),
    plain("test_ctypes"),
    plain("test_posix"),
    plain("test_fileio"),
    plain("test_file"),
    plain("test_file_eintr"),
    plain("test_bufio"),
    plain("test_pty"),
    plain("test_openpty"),
    plain("test_epoll"),
    plain("test_fcntl"),
    plain("test_resource"),
    plain("test_glob"),
    plain("test_gzip"),
    plain("test_httplib"),
    plain("test_httpservers"),
    plain("test_urllib2_localnet"),
    plain("test_smtplib"),
    plain("test_asyncore"),
    plain("test_asynchat"),
    plain("test_telnetlib"),
    plain("test_gc"),
    plain("test_thread"),
    plain("test_threadsignals"),
    plain("test_threadedtempfile"),
    plain("test_atexit"),
    plain("test_memoryio"),
    plain("test_uuid"),
    plain("test_decimal"),
    plain("test_mailbox"),
    plain("test_pipes"),
    plain("test_getpass"),
    plain("test_print"),
    plain("test_fileinput"),
    plain("test_filecmp"),
    plain("test_posixpath"),
    plain("test_time"),
];

/// The modules for which it may matter that the writer is another process, and that another process starts the
/// program.
const MODULES_UNDER_RUN: &[&str] = &[
    "test_subprocess",
    "test_faulthandler",
    "test_threading",
    "test_os",
    "test_cmd_line",
    "test_posix",
    "test_mmap",
    "test_pty",
    "test_fork1",
];

/// A module's results without the library, and with it.
struct Pair {
    module: Module,
    without: Arc<Results>,
    with: Arc<Results>,
}

/// Runs a module once. Without the library, all tests share one run.
fn first_run(module: Module, mode: Mode) -> Arc<Results> {
    type Runs = BTreeMap<(&'static str, &'static [&'static str]), Arc<OnceLock<Arc<Results>>>>;
    static WITHOUT: Mutex<Runs> = Mutex::new(BTreeMap::new());
    if mode != Mode::Plain {
        return Arc::new(module.run(mode, &[]));
    }
    let run = {
        let mut runs = WITHOUT.lock().unwrap_or_else(PoisonError::into_inner);
        runs.entry((module.name, module.options))
            .or_default()
            .clone()
    };
    run.get_or_init(|| Arc::new(module.run(mode, &[]))).clone()
}

/// Runs modules without the library and with it, some at the same time.
fn run(modules: &[Module], mode: Mode) -> Vec<Pair> {
    let runs: Vec<(Module, Mode)> = modules
        .iter()
        .flat_map(|&module| [(module, Mode::Plain), (module, mode)])
        .collect();
    let results: Vec<OnceLock<Arc<Results>>> = runs.iter().map(|_| OnceLock::new()).collect();
    let next = Mutex::new(0..runs.len());
    let take = || next.lock().expect("no panic").next();
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some(index) = take() {
                    let (module, mode) = runs[index];
                    results[index].get_or_init(|| first_run(module, mode));
                }
            });
        }
    });
    let mut results = results
        .into_iter()
        .map(|result| result.into_inner().expect("it was run"));
    modules
        .iter()
        .map(|&module| Pair {
            module,
            without: results.next().expect("two for each"),
            with: results.next().expect("two for each"),
        })
        .collect()
}

impl Pair {
    /// The cases whose results differ.
    fn differing(&self) -> BTreeSet<String> {
        let names = |results: &Results| -> Vec<String> {
            let cases = results.cases.iter().flat_map(|cases| cases.keys());
            cases.cloned().collect()
        };
        let mut differing: BTreeSet<String> = names(&self.without).into_iter().collect();
        differing.extend(names(&self.with));
        differing.retain(|case| self.without.of(case) != self.with.of(case));
        differing
    }

    /// Runs the cases that differ several times, and returns those that differ each time.
    fn differing_each_time(&self, mode: Mode) -> BTreeSet<String> {
        let mut differing = self.differing();
        for _ in 0..REPETITIONS {
            if differing.is_empty() {
                break;
            }
            // A name with a result on one side only may not be a case: it can be a fixture that failed, or the
            // module.
            let are_cases = differing
                .iter()
                .all(|case| self.without.of(case).is_some() && self.with.of(case).is_some());
            let names: Vec<String> = differing.iter().cloned().collect();
            let names = if are_cases { &names[..] } else { &[] };
            let again = Pair {
                module: self.module,
                without: Arc::new(self.module.run(Mode::Plain, names)),
                with: Arc::new(self.module.run(mode, names)),
            };
            let differ_again = again.differing();
            differing.retain(|case| {
                let is_reported = again.without.of(case).or(again.with.of(case)).is_some();
                differ_again.contains(case) || !is_reported
            });
        }
        differing
    }
}

/// Checks that the modules have the same results, case by case, and that at least `ran` cases are not skipped.
#[track_caller]
fn expect_same(modules: &[Module], mode: Mode, ran: usize) {
    let pairs = run(modules, mode);
    let mut different = String::new();
    for pair in &pairs {
        let name = pair.module.name;
        let cases = pair.differing_each_time(mode);
        if !cases.is_empty() {
            different += &format!("{name}: {cases:?}\n{}\n", pair.with.log);
        }
        assert_ne!(pair.without.ran(), 0, "{name}: {}", pair.without.log);
        assert!(pair.with.reports > 0);
    }
    assert!(different.is_empty(), "{mode:?}: {different}");
    let sum: usize = pairs.iter().map(|pair| pair.with.ran()).sum();
    assert!(sum >= ran, "{sum} cases ran");
}

#[test]
fn the_same_results() {
    expect_same(MODULES, Mode::Bare, 8_000);
}

#[test]
fn the_same_results_under_weir_run() {
    let modules: Vec<Module> = MODULES
        .iter()
        .filter(|module| MODULES_UNDER_RUN.contains(&module.name))
        .copied()
        .collect();
    assert_eq!(modules.len(), MODULES_UNDER_RUN.len());
    expect_same(&modules, Mode::Run, 1_000);
}
