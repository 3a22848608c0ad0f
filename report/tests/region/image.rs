//! What the header says about a process image.

use weir_record::functions::Function;
use weir_record::region::Circumstance;
use weir_report::model::{End, EndKind, IoUringSeen, Provenance};
use weir_report::recording;

use crate::memory::{Memory, RELAXED, STARTED, STARTED_AT, after, exited};

#[test]
fn the_image_is_described() {
    let memory = Memory::new(1);
    let header = memory.header();
    header.pid.store(4711, RELAXED);
    header.parent_pid.store(4000, RELAXED);
    header.executable.set(b"/opt/f\xffrob");
    header.command.set(b"frob\0--t\xc3\xb6ne\0\0x y\0");
    header.note(Circumstance::Forked);
    header.timed_one_in.store(128, RELAXED);
    let end = End {
        how: EndKind::Signaled,
        status: None,
        signal: Some(9),
    };
    let report = recording::report_of(memory.region(), after(3_000_000), end.clone());
    let process = &report.processes[0];
    assert_eq!((process.pid, process.parent_pid), (4711, 4000));
    assert_eq!(process.executable, "/opt/f\u{fffd}rob");
    assert_eq!(process.command, ["frob", "--töne", "", "x y"]);
    assert!(process.forked);
    assert_eq!(process.started_unix_ns, STARTED.unix_ns);
    assert_eq!(process.started_at.as_deref(), Some(STARTED_AT));
    assert_eq!(process.duration_ns, 3_000_000);
    assert_eq!(process.end, end);
    assert_eq!(process.timed_one_in, 128);
    assert_eq!(
        process.tool.region_bytes,
        size_of::<weir_record::region::Header>() as u64
    );

    assert_eq!(report.schema, "weir.report/1");
    assert_eq!(report.command, process.command);
    assert_eq!(report.started_unix_ns, STARTED.unix_ns);
    assert_eq!(report.started_at.as_deref(), Some(STARTED_AT));
    assert_eq!((report.duration_ns, report.end), (3_000_000, end));
    assert_eq!(report.timed_one_in, 128);
    assert_eq!(report.missed.notes, Vec::<String>::new());
}

#[test]
fn timing_is_reported_as_it_is_set() {
    let memory = Memory::new(1);
    for one_in in [0, 1, 1000] {
        memory.header().timed_one_in.store(one_in, RELAXED);
        let report = memory.report(2_000_000);
        let told = (report.timed_one_in, report.processes[0].timed_one_in);
        assert_eq!(told, (one_in, one_in));
    }
}

#[test]
fn a_command_line_that_was_cut_is_called_so() {
    let memory = Memory::new(1);
    memory.header().command.set(&[b'x'; 5000]);
    let report = memory.report(2_000_000);
    assert_eq!(report.command, ["x".repeat(4096)]);
    assert!(
        report.missed.notes[0].contains("was cut"),
        "{:?}",
        report.missed.notes
    );
}

#[test]
fn circumstances_are_reported_in_words() {
    let memory = Memory::new(1);
    for circumstance in Circumstance::ALL {
        memory.header().note(circumstance);
    }
    let notes = memory.report(2_000_000).missed.notes;
    for word in [
        "no region file",
        "resource limit",
        "may change its rate",
        "took the time-stamp counter",
        "dispatched to itself",
        "no writer",
        "setting",
        "thread-specific key",
        "stdio: not seen",
        "heap is not known",
        "directory",
        "(seccomp)",
        "table of coroutines",
        "in no class of size",
    ] {
        assert_eq!(
            notes.iter().filter(|note| note.contains(word)).count(),
            1,
            "{word}: {notes:?}"
        );
    }
    assert_eq!(
        notes.len(),
        20,
        "that it was forked is told elsewhere: {notes:?}"
    );
}

#[test]
fn io_uring_is_reported_by_its_surest_sign() {
    let memory = Memory::new(1);
    let told = || {
        let missed = memory.report(2_000_000).missed;
        let io_uring = missed.io_uring;
        io_uring.map(|io_uring| (io_uring.seen, io_uring.library))
    };
    assert_eq!(told(), None);
    memory.header().note(Circumstance::UringAskedFor);
    assert_eq!(told(), Some((IoUringSeen::AskedFor, None)));
    memory.header().forget(Circumstance::UringAskedFor);
    memory.header().uring_library.set(b"/lib/liburing.so.2");
    let library = || Some("/lib/liburing.so.2".to_owned());
    assert_eq!(told(), Some((IoUringSeen::Loaded, library())));
    memory.header().note(Circumstance::UringAskedFor);
    memory.header().note(Circumstance::UringUsed);
    assert_eq!(told(), Some((IoUringSeen::Used, library())));
}

#[test]
fn who_counts_in_the_region_of_another_process_is_reported() {
    let memory = Memory::new(1);
    let header = memory.header();
    for (sharers, told) in [(1, "1 forked process "), (3, "3 forked processes ")] {
        header.sharers.set(sharers);
        let missed = memory.report(2_000_000).missed;
        let notes = &missed.notes;
        assert!(notes.iter().any(|note| note.starts_with(told)), "{notes:?}");
        // The second note says that the heap is not known.
        assert_eq!(notes.len(), 2, "{notes:?}");
    }
}

#[test]
fn starts_that_there_was_no_room_to_note_are_reported() {
    let memory = Memory::new(1);
    memory.header().unlisted_starts.set(6);
    assert_eq!(memory.report(2_000_000).missed.unlisted_starts, 6);
}

#[test]
fn provenance_is_by_object() {
    let memory = Memory::new(1);
    let header = memory.header();
    header.objects[0].set(b"/lib/libc.so.6");
    header.objects[1].set(b"/usr/bin/bash");
    header.objects[2].set(b"/lib/libweir.so");
    for (function, places) in [
        (Function::Malloc, [1, 2, 0]),
        (Function::Read, [1, 3, 1]),
        (Function::FreeSized, [0, 3, 1]),
        (Function::Write, [200, 33, 7]),
        (Function::Open, [1, 0, 0]),
    ] {
        let known = &header.provenance[function.index()];
        known.next.store(places[0], RELAXED);
        known.bound.store(places[1], RELAXED);
        known.interposed.store(places[2], RELAXED);
    }
    let report = memory.report(2_000_000);
    let process = &report.processes[0];
    let told = |name| process.provenance_of(name).cloned();
    let known = |next: Option<&str>, bound: Option<&str>, interposed| {
        Some(Provenance {
            next: next.map(str::to_owned),
            bound: bound.map(str::to_owned),
            interposed,
        })
    };
    assert_eq!(
        told("malloc"),
        known(Some("/lib/libc.so.6"), Some("/usr/bin/bash"), false)
    );
    assert_eq!(
        told("read"),
        known(Some("/lib/libc.so.6"), Some("/lib/libweir.so"), true)
    );
    assert_eq!(
        told("free_sized"),
        known(None, Some("/lib/libweir.so"), true)
    );
    assert_eq!(
        told("write"),
        known(None, None, true),
        "places that there are not"
    );
    assert_eq!(told("close"), None);
    let names = process.provenance.iter().map(|group| group.functions.len());
    assert_eq!(names.sum::<usize>(), 5);
    assert_eq!(report.missed.not_interposed, ["malloc"]);
}

#[test]
fn functions_that_lead_alike_stand_together() {
    let memory = Memory::new(1);
    let header = memory.header();
    header.objects[0].set(b"libc");
    header.objects[1].set(b"libweir");
    header.objects[2].set(b"bash");
    header.objects[3].set(b"libc");
    for (function, places) in [
        (Function::Write, [4, 2, 1]),
        (Function::Read, [1, 2, 1]),
        (Function::Free, [0, 3, 0]),
        (Function::Close, [1, 2, 1]),
    ] {
        let known = &header.provenance[function.index()];
        known.next.store(places[0], RELAXED);
        known.bound.store(places[1], RELAXED);
        known.interposed.store(places[2], RELAXED);
    }
    let report = memory.report(2_000_000);
    assert_eq!(
        serde_json::to_value(&report.processes[0].provenance).unwrap(),
        serde_json::json!([
            { "bound": "bash", "interposed": false, "functions": ["free"] },
            { "next": "libc", "bound": "libweir", "interposed": true, "functions": ["close", "read", "write"] },
        ])
    );
}

#[test]
fn a_slot_names_its_latest_thread_and_counts_all() {
    let memory = Memory::new(2);
    let first = memory.thread(0, "first");
    first.call(Function::Malloc, 1);
    first.slot.owner.leave();
    memory
        .thread(0, "sixteen bytes...")
        .call(Function::Malloc, 2);
    memory.thread(1, "idle");
    let mut writer = memory.writer();
    let process = writer.process(after(2_000_000), crate::memory::running());
    assert_eq!(process.threads.len(), 1, "one with no calls is not told");
    let thread = &process.threads[0];
    assert_eq!(thread.name, "sixteen bytes...");
    assert_eq!((thread.threads, thread.running), (2, true));
    assert_eq!(thread.functions["malloc"].calls, 2);
    first.slot.owner.leave();
    assert!(
        !writer
            .process(after(3_000_000), crate::memory::running())
            .threads[0]
            .running
    );
    assert!(!writer.process(after(3_000_000), exited()).threads[0].running);
}
