use std::sync::mpsc::{Sender, channel};
use std::thread;

use weir_record::slot::Tenancy;
use weir_report::model::{InFlight, SlowCall};

use super::super::life::Life;
use super::super::moment;
use super::*;

const MS: u64 = 1_000_000;

/// Slots of no thread.
fn slots(count: usize) -> Box<[Slot]> {
    // SAFETY: a slot is made of atomics, for which zeroes are valid.
    unsafe { Box::<[Slot]>::new_zeroed_slice(count).assume_init() }
}

/// A thread has a slot.
fn take(slot: &Slot, tid: u32) {
    assert!(slot.owner.take(Tenancy::Free, tid, [0; 2], 1));
}

/// A watch of this process, as one of weir's pid namespace.
fn watch() -> Watch {
    let pid = std::process::id();
    let since = Life::of(pid).since().expect("this process runs");
    let seen = Seen {
        pid,
        since: Some(since),
        namespace: Namespace::Here,
    };
    Watch::new(seen, since, pid)
}

/// An hour ago, and this moment, where a tick is a nanosecond.
fn moments() -> (Moment, Moment) {
    let now = moment::now().monotonic_ns;
    let at = |ns| Moment {
        ticks: ns,
        monotonic_ns: ns,
        unix_ns: ns,
    };
    (at(7 * MS), at(now + 3_600_000 * MS))
}

fn later(moment: Moment, by_ns: u64) -> Moment {
    Moment {
        ticks: moment.ticks + by_ns,
        monotonic_ns: moment.monotonic_ns + by_ns,
        unix_ns: moment.unix_ns + by_ns,
    }
}

/// What lasts until any number of looks.
fn ample(now: Moment) -> Allowance {
    let mut allowance = Allowance::default();
    allowance.add_up_to(now.monotonic_ns - 100 * MS);
    allowance.add_up_to(now.monotonic_ns);
    allowance
}

/// A thread's id, and what it waits for before it ends.
fn sleeper() -> (u32, Sender<()>) {
    let (id, known) = channel();
    let (end, ended) = channel();
    thread::spawn(move || {
        id.send(own_id()).expect("it is awaited");
        let _ = ended.recv();
    });
    let id = known.recv().expect("it runs");
    // Until it sleeps.
    while state(id) != "S" {
        thread::yield_now();
    }
    (id, end)
}

fn own_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

fn state(tid: u32) -> String {
    let mut text = [0; life::MOST_BYTES];
    let stat = life::read_in(&format!("/proc/self/task/{tid}"), &mut text);
    stat.and_then(|stat| Some(stat.state()?.to_owned()))
        .expect("a thread")
}

/// All looks of a watch.
fn sum(watch: &Watch) -> Looks {
    Looks::together(watch.of_functions.values().copied()).unwrap_or_default()
}

#[test]
fn a_call_begins_a_step_before_it_does_at_most() {
    let slots = slots(1);
    let slot = &slots[0];
    take(slot, 7);
    let started = moments().0;
    for began_ticks in (0..STEP_TICKS * 5).step_by(99_991) {
        let began_ticks = started.ticks + began_ticks;
        slot.in_flight.begin(Function::Read, 3, began_ticks);
        let call = Call::of(slot, started).expect("a call");
        assert!((call.began_ticks..call.began_ticks + STEP_TICKS).contains(&began_ticks));
    }
    slot.owner.leave();
    assert_eq!(Call::of(slot, started), None, "its thread has ended");
}

#[test]
fn a_thread_that_sleeps_and_one_that_works_are_told_apart() {
    let slots = slots(2);
    let (asleep, _end) = sleeper();
    take(&slots[0], asleep);
    take(&slots[1], own_id());
    let (started, mut now) = moments();
    slots[0].in_flight.begin(Function::Read, 3, now.ticks);
    slots[1].in_flight.begin(Function::Write, 4, now.ticks);
    let mut watch = watch();
    for _ in 0..10 {
        now = later(now, 4 * MS);
        watch.look(&slots, started, now, &mut ample(now));
    }
    let found = |name| watch.of_functions[name];
    let all = Looks {
        asleep: 10,
        ..Looks::default()
    };
    assert_eq!(found("read"), all);
    // It looks itself.
    let all = Looks {
        running: 10,
        ..Looks::default()
    };
    assert_eq!(found("write"), all);
}

/// How many looks there are at a call until it has these ages, in milliseconds.
fn looks_until<const N: usize>(function: Function, ages_ms: [u64; N]) -> [u64; N] {
    let slots = slots(1);
    take(&slots[0], own_id());
    let (started, began) = moments();
    slots[0].in_flight.begin(function, 3, began.ticks);
    let mut watch = watch();
    let mut ms = 0;
    ages_ms.map(|age_ms| {
        while ms < age_ms {
            let now = later(began, ms * MS);
            watch.look(&slots, started, now, &mut ample(now));
            ms += 1;
        }
        sum(&watch).sum()
    })
}

#[test]
fn only_slow_calls_are_looked_at_and_old_ones_seldom() {
    let [first, early, late] = looks_until(Function::Read, [2, 32, 10_000]);
    assert_eq!(first, 0);
    assert!((13..=15).contains(&early), "{early}");
    // Every 16th of the age: 16 times the logarithm.
    assert!((100..=115).contains(&late), "{late}");
    let [first, early, late] = looks_until(Function::Poll, [2, 32, 10_000]);
    assert_eq!(first, 0);
    assert!((4..=7).contains(&early), "{early}");
    assert!((18..=22).contains(&late), "{late}");
}

#[test]
fn nothing_is_looked_at_that_is_not_allowed() {
    let slots = slots(100);
    let (started, began) = moments();
    for (place, slot) in slots.iter().enumerate() {
        take(slot, own_id());
        let function = match place {
            0..10 => Function::Nanosleep,
            _ => Function::Read,
        };
        slot.in_flight.begin(function, 3, began.ticks);
    }
    let now = later(began, 10 * MS);
    let mut watch = watch();
    watch.look(&slots, started, now, &mut Allowance::default());
    assert_eq!(sum(&watch).sum(), 0);
    // So little that waits have none of it.
    let mut little = Allowance::default();
    little.add_up_to(now.monotonic_ns - 3 * MS);
    little.add_up_to(now.monotonic_ns);
    watch.look(&slots, started, now, &mut little);
    assert!((1..=60).contains(&sum(&watch).sum()), "{watch:?}");
    assert!(!watch.of_functions.contains_key("nanosleep"));
    // In time each has its turn.
    for turn in 1..500 {
        let now = later(now, turn * 5 * MS);
        watch.look(&slots, started, now, &mut ample(now));
    }
    assert_eq!(watch.under_way.len(), 100);
    let looked = watch.under_way.values();
    let least = looked.map(|looked| looked.looks.sum()).min();
    assert!(least > Some(1), "{least:?}");
}

#[test]
fn a_stranger_is_not_looked_at() {
    let slots = slots(1);
    let (asleep, _end) = sleeper();
    let looks = |tid: u32, change: &dyn Fn(&mut Watch)| {
        let slot = &slots[0];
        if !slot.owner.is_taken() {
            take(slot, tid);
        }
        let (started, began) = moments();
        slot.in_flight.begin(Function::Read, 3, began.ticks);
        let now = later(began, 10 * MS);
        let mut watch = watch();
        change(&mut watch);
        watch.look(&slots, started, now, &mut ample(now));
        sum(&watch).sum()
    };
    assert_eq!(looks(asleep, &|_| ()), 1);
    let changes: [&dyn Fn(&mut Watch); 4] = [
        // The thread is another process's.
        &|watch| watch.seen.pid = 1,
        // Another process has the id by now.
        &|watch| watch.since = u64::MAX,
        // The thread has another id here.
        &|watch| watch.seen.namespace = Namespace::Elsewhere,
        &|watch| watch.seen.pid = u32::MAX,
    ];
    for (number, change) in changes.iter().enumerate() {
        assert_eq!(looks(asleep, change), 0, "{number}");
    }
}

#[test]
fn the_first_thread_has_its_process_id_in_any_namespace() {
    let mut watch = watch();
    (watch.seen.namespace, watch.own) = (Namespace::Elsewhere, 1);
    assert!(watch.state_of(1).is_some());
    assert_eq!(watch.state_of(2), None);
    watch.since -= 1;
    assert_eq!(watch.state_of(1), None, "it is another process");
}

/// What the report says of a call of this thread that began so long after the image.
fn looks_of(watch: &Watch, started: Moment, now: Moment, call: &SlowCall) -> [Option<Looks>; 3] {
    let mut process = crate::sample::report().processes[0].clone();
    process.slowest = vec![call.clone()];
    process.longest_waits = vec![call.clone()];
    process.in_flight = vec![InFlight {
        tid: call.tid,
        function: call.function.clone(),
        at_ns: Some(call.at_ns),
        ..InFlight::default()
    }];
    watch.report_in(&mut process, started, now);
    [
        process.slowest[0].looks,
        process.longest_waits[0].looks,
        process.in_flight[0].looks,
    ]
}

#[test]
fn looks_are_told_of_the_call_that_they_were_at() {
    let slots = slots(1);
    take(&slots[0], own_id());
    let (started, began) = moments();
    let mut watch = watch();
    let mut now = began;
    // Each is longer by a look than the one before.
    for number in 1..=5_u64 {
        let began_ticks = now.ticks + 12_345;
        slots[0].in_flight.begin(Function::Read, 3, began_ticks);
        for _ in 0..number {
            now = later(now, 5 * MS);
            watch.look(&slots, started, now, &mut ample(now));
        }
        let call = SlowCall {
            function: "read".to_owned(),
            took_ns: number * 5 * MS,
            at_ns: began_ticks - started.ticks,
            pid: 7,
            tid: own_id(),
            size_bytes: None,
            fd: None,
            looks: None,
        };
        let of = |watch: &Watch, now: Moment, call: &SlowCall| {
            let looks = looks_of(watch, started, now, call);
            assert_eq!(looks, [looks[0]; 3]);
            looks[0].map(|looks| looks.running)
        };
        assert_eq!(of(&watch, now, &call), Some(number));
        let changes: [fn(&mut SlowCall); 4] = [
            |call| call.tid += 1,
            |call| call.function = "write".to_owned(),
            |call| call.at_ns += 2 * MS,
            |call| call.at_ns -= 2 * MS,
        ];
        for change in changes {
            let mut other = call.clone();
            change(&mut other);
            assert_eq!(of(&watch, now, &other), None);
        }
        if number % 2 == 0 {
            slots[0].in_flight.end();
            now = later(now, 5 * MS);
            watch.look(&slots, started, now, &mut ample(now));
            assert_eq!(of(&watch, now, &call), Some(number), "it is over");
        }
    }
    let mut process = crate::sample::report().processes[0].clone();
    watch.report_in(&mut process, started, now);
    let all = process.functions["read"].looks.expect("looks");
    assert_eq!((all.running, all.sum()), (15, 15));
    assert_eq!(process.functions["write"].looks, None);
}

#[test]
fn of_many_calls_the_longest_are_kept() {
    let slots = slots(1);
    take(&slots[0], own_id());
    let (started, mut now) = moments();
    let mut watch = watch();
    for number in 0..1000 {
        let function = match number % 2 {
            0 => Function::Read,
            _ => Function::Poll,
        };
        slots[0].in_flight.begin(function, 3, now.ticks);
        now = later(now, (4 + number / 2 * 7 % 10 * 10) * MS);
        watch.look(&slots, started, now, &mut ample(now));
        assert!(watch.over.len() <= MOST_OVER);
    }
    assert_eq!(sum(&watch).sum(), 1000, "the sums have all");
    let kept = |wanted: bool| {
        let of_kind = watch
            .over
            .iter()
            .filter(|of| waits(of.call.function) == wanted);
        of_kind.filter(|of| of.age_ns > 90 * MS).count()
    };
    // A tenth of each kind.
    assert_eq!((kept(false), kept(true)), (50, 50));
}

#[test]
fn each_thread_has_its_turn() {
    let slots = slots(40);
    slots.iter().for_each(|slot| take(slot, own_id()));
    let (started, mut now) = moments();
    let mut watch = watch();
    let mut seen = vec![0_u64; slots.len()];
    for _ in 0..slots.len() {
        // All are in new calls, and each is due; there may be one look at least.
        for slot in &slots {
            slot.in_flight.begin(Function::Read, 3, now.ticks);
        }
        now = later(now, 4 * MS);
        let mut little = Allowance::default();
        little.add_up_to(now.monotonic_ns - 1_000);
        little.add_up_to(now.monotonic_ns);
        watch.look(&slots, started, now, &mut little);
        for (&place, looked) in &watch.under_way {
            seen[place] += u64::from(looked.age_ns > 0);
        }
    }
    assert!(seen.iter().all(|&looks| looks > 0), "{seen:?}");
    let sum = sum(&watch).sum();
    assert_eq!(sum, slots.len() as u64, "one in each turn");
}
