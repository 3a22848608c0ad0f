//! What a finding says.

use super::*;

#[test]
fn a_finding_names_the_place_and_what_it_is_about() {
    let sentence = |change: Change| {
        let mut report = quiet();
        change(&mut report);
        found(&report)[0].sentence()
    };
    assert_eq!(
        sentence(leaks),
        "memory grows: 1.00 MiB in 1,000 blocks were made all through the run and never freed, in a.out+0x1"
    );
    assert_eq!(
        sentence(storms),
        "temporary blocks: 100,000 of 125,000 blocks lived less than 1 ms; that took ≈500 ms of 10.0 s, in a.out+0x2"
    );
    let synced = |report: &mut Report| {
        call(report, "fsync", 100, 1_000_000);
        stacks(report).sites = vec![site(1, "write", 900), about_a_file(site(0, "fsync", 100))];
        report.files.listed.push(FileUse {
            written_bytes: 10_000,
            ..file("file", "/data/file")
        });
    };
    assert_eq!(
        sentence(synced),
        "sync in a loop: 100 syncs of /data/file, 100 B written for each, took 100 ms of 10.0 s, in a.out+0x1"
    );
    let mut looked_at = quiet();
    synced(&mut looked_at);
    call(&mut looked_at, "fsync", 100, 1_000_000).looks = Some(asleep(5));
    assert_eq!(
        found(&looked_at)[0].sentence(),
        "sync in a loop: 100 syncs of /data/file, 100 B written for each, took 100 ms of 10.0 s (of 6 looks 5 found the thread asleep, 1 \
         running), in a.out+0x1"
    );
}

#[test]
fn a_read_that_meets_the_end_does_not_make_the_mean_nothing() {
    let mut report = quiet();
    report.files.listed.push(FileUse {
        reads: 6501,
        read_bytes: 6500,
        read_ns: report.duration_ns / 2,
        ..file("file", "/names.txt")
    });
    let found = found(&report);
    let evidence = &found.first().expect("a finding").evidence;
    assert!(evidence.contains(", 1 B each on average,"), "{evidence}");
}

#[test]
fn a_thread_that_is_stuck_in_a_lock_is_found_also_after_a_normal_end() {
    let mut report = quiet();
    report.processes[0].in_flight = [(7, RUN / 4), (8, RUN / 2), (9, RUN / 2)]
        .map(|(tid, age_ns)| InFlight {
            tid,
            function: "pthread_mutex_lock".to_owned(),
            age_ns: Some(age_ns),
            ..InFlight::default()
        })
        .into();
    let findings = found(&report);
    assert_eq!(findings.len(), 1);
    let said = "pthread_mutex_lock of process 4711, thread 8, was under way for 5.00 s and had not returned";
    assert_eq!(findings[0].evidence, said);
    report.processes[0].in_flight[1].looks = Some(asleep(79));
    let said = format!("{said} (of 80 looks 79 found the thread asleep, 1 running)");
    assert_eq!(found(&report)[0].evidence, said);
}

/// So many looks found the thread asleep, and one running.
fn asleep(asleep: u64) -> Looks {
    Looks {
        asleep,
        running: 1,
        ..Looks::default()
    }
}

#[test]
fn each_place_that_waits_for_locks_is_reported_with_its_own_time() {
    let mut report = quiet();
    let of = |frame, function: &str, ns| Site {
        time_ns: ns,
        ..site(frame, function, 10)
    };
    stacks(&mut report).sites = vec![
        of(0, "pthread_mutex_lock", RUN / 5),
        of(1, "pthread_rwlock_rdlock", RUN / 10),
    ];
    call(&mut report, "pthread_mutex_lock", 10, RUN / 50);
    call(&mut report, "pthread_rwlock_rdlock", 10, RUN / 100);
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    assert_eq!(
        sentences,
        [
            "waits for locks: 10 calls found it taken and waited 2.00 s of 10.0 s, in a.out+0x1",
            "waits for locks: 10 calls found it taken and waited 1.00 s of 10.0 s, in a.out+0x2",
        ]
    );
    // Where no place has enough of it, all of them together do.
    stacks(&mut report).sites[0].time_ns = RUN / 11;
    stacks(&mut report).sites[1].time_ns = RUN / 12;
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    let all = "waits for locks: 20 calls found it taken and waited 3.00 s of 10.0 s, in several places, most of it a.out+0x1";
    assert_eq!(sentences, [all]);
}

/// A futex is a lock where a function says so that waits for one; other waits at a futex are of threads without work.
#[test]
fn locks_of_languages_are_known_by_their_stacks() {
    let mut report = quiet();
    let of = |frame, function: &str, ns| Site {
        time_ns: ns,
        ..site(frame, function, 10)
    };
    let names = [
        (1, "app::work"),
        (2, "std::sys::sync::mutex::futex::Mutex::lock_contended"),
        (3, "app::other"),
    ];
    let all = stacks(&mut report);
    all.frames[1].parent = Some(0);
    all.modules[0].names = names
        .into_iter()
        .map(|(offset, function)| CodeName {
            offset,
            places: vec![CodePlace {
                function: Some(function.to_owned()),
                ..CodePlace::default()
            }],
        })
        .collect();
    all.sites = vec![of(1, "futex", RUN / 5), of(0, "futex", RUN)];
    call(&mut report, "futex", 20, RUN / 20);
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    let said = "waits for locks: 10 calls found it taken and waited 2.00 s of 10.0 s, in app::work";
    assert_eq!(sentences, [said]);
    // With a lock of the C library, if none has enough alone.
    stacks(&mut report).sites[0].time_ns = RUN / 11;
    let all = stacks(&mut report);
    all.frames.push(Frame {
        parent: None,
        module: Some(0),
        offset: 3,
    });
    all.sites.push(of(2, "pthread_mutex_lock", RUN / 12));
    call(&mut report, "pthread_mutex_lock", 10, RUN / 120);
    let sentences: Vec<String> = found(&report).iter().map(Finding::sentence).collect();
    let all = "waits for locks: 20 calls found it taken and waited 1.74 s of 10.0 s, in several places, most of it app::work";
    assert_eq!(sentences, [all]);
}

#[test]
fn estimates_are_no_more_than_what_there_was() {
    let mut report = quiet();
    storms(&mut report);
    call(&mut report, "malloc", 120_000, 100_000);
    let other = Site {
        frame: Some(0),
        ..stacks(&mut report).sites[0].clone()
    };
    stacks(&mut report).frames[0] = stacks(&mut report).frames[1];
    stacks(&mut report).sites.push(other);
    let said = "120,000 of 120,000 blocks lived less than 1 ms; that took ≈10.0 s of 10.0 s";
    assert_eq!(found(&report)[0].evidence, said);
}

#[test]
fn time_that_is_longer_than_the_run_is_that_of_several_threads() {
    let mut report = quiet();
    report.files.listed.push(FileUse {
        reads: 5,
        read_ns: 3 * RUN,
        ..file("tcp", "to 10.0.0.1:80")
    });
    let findings = found(&report);
    assert!(
        findings[0]
            .evidence
            .ends_with("took 30.0 s, summed over its threads, in 10.0 s"),
        "{findings:?}"
    );
}
