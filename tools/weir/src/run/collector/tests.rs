//! The order of images of one process, and what is no image.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{ExitStatusExt, parent_id};
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use weir_record::region::{Header, Phase, Room};

use super::super::inbox::Handed;
use super::*;

static NOW: LazyLock<Moment> = LazyLock::new(moment::now);

/// A region of this process with a name in a directory; where it is.
pub fn region_in(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name).with_extension("region");
    let file = File::create(&path).unwrap();
    write_region(&file, 0, Phase::Running);
    path
}

/// A region of this process, of an image that started so many nanoseconds after others.
fn region(after_ns: u64, phase: Phase) -> File {
    let file = tempfile::tempfile().unwrap();
    write_region(&file, after_ns, phase);
    file
}

/// Makes such a region of a file.
pub fn write_region(mut file: &File, after_ns: u64, phase: Phase) {
    // SAFETY: the header is made of atomics, for which zeroes are valid.
    let header = unsafe { Box::<Header>::new_zeroed().assume_init() };
    header.prepare(Room {
        files: 0,
        slots: 0,
        coroutines: 0,
        nodes: 0,
        modules: 0,
        interpreted: 0,
    });
    // This process had started by then.
    let now = *NOW;
    header.started.set(Moment {
        ticks: now.ticks + after_ns,
        monotonic_ns: now.monotonic_ns + after_ns,
        unix_ns: 1000 + after_ns,
    });
    header.pid.store(std::process::id(), Ordering::Relaxed);
    header.parent_pid.store(parent_id(), Ordering::Relaxed);
    let executable = std::env::current_exe().unwrap();
    header.executable.set(executable.as_os_str().as_bytes());
    header.complete();
    header.set_phase(phase);
    // SAFETY: the bytes of the header, which has no padding that was not zeroed with it.
    let bytes = unsafe {
        std::slice::from_raw_parts((&raw const *header).cast::<u8>(), size_of::<Header>())
    };
    file.write_all(bytes).unwrap();
}

fn handed(file: File) -> Image {
    let sender = None;
    Image::handed(Handed { file, sender }).expect("a region")
}

/// Of two images of a process, in whatever order they are found, the one that started first became the other.
#[test]
fn the_image_that_started_later_is_what_the_other_became() {
    for phase in [Phase::Running, Phase::Replacing] {
        for order in [&[0, 10][..], &[10, 0], &[20, 0, 10], &[10, 20, 0]] {
            let directory = tempfile::tempdir().unwrap();
            let mut collector = Collector::new(directory.path(), None, 0);
            let last = order.len() as u64 * 10 - 10;
            for &start in order {
                let phase = if start == last { Phase::Running } else { phase };
                collector.adopt(handed(region(start, phase)));
            }
            // Only what still runs is watched.
            let watched: Vec<_> = collector.images.iter().map(Image::started).collect();
            assert_eq!(watched.len(), 1, "{phase:?}, {order:?}");
            assert_eq!(watched[0].unix_ns, 1000 + last, "{phase:?}, {order:?}");
            let processes = collector.finish(ExitStatus::from_raw(0), moment::now());
            let ends: Vec<_> = processes
                .iter()
                .map(|process| (process.started_unix_ns - 1000, process.end.how))
                .collect();
            let expected: Vec<_> = (0..last)
                .step_by(10)
                .map(|start| (start, EndKind::Exec))
                .chain([(last, EndKind::Running)])
                .collect();
            assert_eq!(ends, expected, "{phase:?}, {order:?}");
        }
    }
}

/// One of two images was handed over, and has ended when the other is found, which has a name.
#[test]
fn what_an_image_became_is_known_when_it_has_ended() {
    for (first, notes) in [(10, &[][..]), (0, &[BECAME_UNKNOWN.to_owned()])] {
        let directory = tempfile::tempdir().unwrap();
        let mut collector = Collector::new(directory.path(), None, 0);
        collector.adopt(handed(region(first, Phase::Exiting)));
        let image = collector.images.take_all().next().expect("an image");
        collector
            .close(image, moment::now(), super::super::ending::exited(Some(0)))
            .remove();
        collector.adopt(handed(region(5, Phase::Replacing)));
        let processes = collector.finish(ExitStatus::from_raw(0), moment::now());
        let replaced = processes.iter().find(|of| of.end.how == EndKind::Exec);
        assert_eq!(replaced.expect("an exec").missed.notes, notes, "{first}");
    }
}

#[test]
fn what_is_no_region_is_counted_and_what_is_no_report_is_taken_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    fs::write(file("7-1.region"), "unfinished").unwrap();
    fs::write(file("7-2.region"), vec![b'x'; 1 << 20]).unwrap();
    fs::create_dir(file("7-3.region")).unwrap();
    fs::write(file("7-4.json"), "{}").unwrap();
    fs::write(file("7-5.json.tmp"), "not yet").unwrap();
    let mut collector = Collector::new(directory.path(), None, 7);
    collector.turn(true);
    assert_eq!(collector.finish(ExitStatus::from_raw(0), moment::now()), []);
    assert_eq!(collector.unread(), 3);
    assert!(!collector.found_other_version());
    assert!(!file("7-4.json").exists());
    assert!(file("7-5.json.tmp").exists());
}

#[test]
fn a_session_that_is_gone_is_no_trouble() {
    let mut collector = Collector::new(Path::new("/nonexistent"), None, 7);
    assert_eq!(collector.turn(true), 0);
    assert_eq!(collector.finish(ExitStatus::from_raw(0), moment::now()), []);
}
