//! Coroutines over an epoll set, on one thread.
//!
//! A coroutine that has to wait says for what, and is suspended; the loop in [`run`] resumes it when that has
//! happened. Nothing of what is borrowed here stays borrowed while a coroutine runs.

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use rustix::event::{Timespec, epoll};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use slab::Slab;
use weir_coop::{Events, Id};

/// Only what is touched of a stack takes memory.
const STACK_BYTES: usize = 128 << 10;

/// How many descriptors are heard at a time. Few, since those who sleep are looked after only between.
const HEARD_AT_A_TIME: usize = 128;

/// A wait is answered with what happened; with nothing, where its time has passed.
type Resumed = Coroutine<Events, (), (), DefaultStack>;

/// The coroutine that runs.
#[derive(Clone, Copy)]
struct Running {
    id: Id,
    task: usize,
    yielder: *const Yielder<Events, ()>,
}

thread_local! {
    /// Weir asks at every call that it counts, of which one is the first allocation of the scheduler: so this is apart
    /// from it, and needs no start.
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
    static SCHEDULER: Scheduler = Scheduler {
        epoll: epoll::create(epoll::CreateFlags::CLOEXEC).expect("a descriptor for the epoll set"),
        state: RefCell::default(),
    };
}

struct Scheduler {
    epoll: OwnedFd,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    tasks: Slab<Task>,
    /// Who goes on, and what their wait is answered with.
    ready: VecDeque<(usize, Events)>,
    /// What is known of a descriptor, by its number.
    descriptors: Vec<Descriptor>,
    /// Until when who waits.
    deadlines: BTreeSet<(Instant, usize)>,
    /// Of coroutines that have ended.
    stacks: Vec<DefaultStack>,
}

struct Task {
    id: Id,
    /// None while it runs.
    suspended: Option<Resumed>,
    waits_for: Option<RawFd>,
    deadline: Option<Instant>,
}

#[derive(Default)]
struct Descriptor {
    waiters: Vec<Waiter>,
    /// What the epoll set listens for on it; nothing where it is not in the set. It stays there after a wait: most are
    /// waited for again before anything happens.
    listened: Events,
}

#[derive(Clone, Copy)]
struct Waiter {
    task: usize,
    events: Events,
}

/// The coroutine that runs on this thread.
pub fn current() -> Option<Id> {
    RUNNING.get().map(|running| running.id)
}

/// Starts a coroutine. Where another one starts it, it runs at once, until it first waits; the other goes on after that.
pub fn spawn(id: Id, body: impl FnOnce() + 'static) {
    SCHEDULER.with(|scheduler| {
        let mut state = scheduler.state.borrow_mut();
        let stack = state
            .stacks
            .pop()
            .unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("memory for a stack"));
        let place = state.tasks.vacant_entry();
        let task = place.key();
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<Events, ()>, _| {
            RUNNING.set(Some(Running { id, task, yielder }));
            body();
            RUNNING.set(None);
        });
        place.insert(Task {
            id,
            suspended: Some(coroutine),
            waits_for: None,
            deadline: None,
        });
        match RUNNING.get() {
            Some(me) => {
                state.ready.push_front((task, Events::NONE));
                state.ready.push_back((me.task, Events::NONE));
            }
            None => state.ready.push_back((task, Events::NONE)),
        }
    });
    if RUNNING.get().is_some() {
        suspend();
    }
}

/// Lets others run until something of `events` happens on the descriptor, or the time has passed.
pub fn wait_fd(fd: RawFd, events: Events, timeout: Option<Duration>) -> io::Result<Events> {
    let Some(me) = RUNNING.get() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    SCHEDULER.with(|scheduler| {
        let mut state = scheduler.state.borrow_mut();
        state.wait(me.task, fd, events);
        if let Err(error) = scheduler.listen_for(&mut state.descriptors[fd as usize], fd) {
            state.leave(me.task, fd);
            return Err(error);
        }
        state.until(me.task, timeout);
        Ok(())
    })?;
    Ok(suspend())
}

/// Lets others run until the time has passed.
pub fn sleep(time: Duration) -> io::Result<()> {
    let Some(me) = RUNNING.get() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    SCHEDULER.with(|scheduler| scheduler.state.borrow_mut().until(me.task, Some(time)));
    suspend();
    Ok(())
}

/// Wakes all who wait for a descriptor that is about to be closed, and forgets it.
pub fn fd_closing(fd: RawFd) {
    // The last to be closed is the epoll set, when there is no scheduler any more.
    let _ = SCHEDULER.try_with(|scheduler| {
        let mut state = scheduler.state.borrow_mut();
        state.heard(fd, Events::NVAL);
        if let Some(descriptor) = state.descriptors.get_mut(fd as usize) {
            // Closing would take it out of the set, but for a copy of the descriptor.
            scheduler.listen_no_more(descriptor, fd);
        }
    });
}

/// Runs coroutines until all have ended.
pub fn run() {
    SCHEDULER.with(|scheduler| {
        let mut heard = Vec::with_capacity(HEARD_AT_A_TIME);
        loop {
            // Those who become ready now come after the next look at descriptors and clock.
            let ready = scheduler.state.borrow().ready.len();
            for _ in 0..ready {
                scheduler.resume_next();
            }
            if scheduler.state.borrow().tasks.is_empty() {
                break;
            }
            scheduler.listen(&mut heard);
        }
    });
}

/// Back to the loop, until that resumes us.
fn suspend() -> Events {
    let me = RUNNING.take().expect("a coroutine runs");
    // SAFETY: the yielder is on our stack, below this call, and we are what runs on it.
    let happened = unsafe { (*me.yielder).suspend(()) };
    RUNNING.set(Some(me));
    happened
}

impl Scheduler {
    /// Runs the next of those who are ready until it waits or ends.
    fn resume_next(&self) {
        let mut state = self.state.borrow_mut();
        let Some((task, happened)) = state.ready.pop_front() else {
            return;
        };
        let mut coroutine = state.tasks[task].suspended.take().expect("it waits");
        drop(state);
        let result = coroutine.resume(happened);
        let mut state = self.state.borrow_mut();
        match result {
            CoroutineResult::Yield(()) => state.tasks[task].suspended = Some(coroutine),
            CoroutineResult::Return(()) => {
                weir_coop::ended(state.tasks.remove(task).id);
                state.stacks.push(coroutine.into_stack());
            }
        }
    }

    /// Waits until something happens, or the next deadline; not at all where somebody is ready.
    fn listen(&self, heard: &mut Vec<epoll::Event>) {
        let timeout = self.state.borrow().idle_for(Instant::now());
        let timeout = timeout.map(|time| Timespec::try_from(time).expect("less than centuries"));
        heard.clear();
        // Interrupted is as good as not heard.
        let _ = epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(heard),
            timeout.as_ref(),
        );
        let mut state = self.state.borrow_mut();
        for event in heard.iter() {
            let fd = event.data.u64() as RawFd;
            if !state.heard(fd, Events::from_bits({ event.flags }.bits() as i16)) {
                let descriptor = &mut state.descriptors[fd as usize];
                // It would be heard again and again. Others may wait for something else.
                self.listen_no_more(descriptor, fd);
                let _ = self.listen_for(descriptor, fd);
            }
        }
        state.expire(Instant::now());
    }

    /// Listens for what is waited for on the descriptor, and for what was.
    fn listen_for(&self, descriptor: &mut Descriptor, fd: RawFd) -> io::Result<()> {
        let waiters = descriptor.waiters.iter();
        let wanted = waiters.fold(descriptor.listened, |all, one| all | one.events);
        if wanted == descriptor.listened {
            return Ok(());
        }
        let flags = epoll::EventFlags::from_bits_retain(wanted.bits() as u16 as u32);
        let data = epoll::EventData::new_u64(fd as u64);
        if descriptor.listened == Events::NONE {
            epoll::add(&self.epoll, borrowed(fd), data, flags)?;
        } else {
            epoll::modify(&self.epoll, borrowed(fd), data, flags)?;
        }
        descriptor.listened = wanted;
        Ok(())
    }

    fn listen_no_more(&self, descriptor: &mut Descriptor, fd: RawFd) {
        if std::mem::take(&mut descriptor.listened) != Events::NONE {
            // Where that fails it is gone already.
            let _ = epoll::delete(&self.epoll, borrowed(fd));
        }
    }
}

impl State {
    fn wait(&mut self, task: usize, fd: RawFd, events: Events) {
        let place = fd as usize;
        if self.descriptors.len() <= place {
            self.descriptors.resize_with(place + 1, Descriptor::default);
        }
        self.descriptors[place]
            .waiters
            .push(Waiter { task, events });
        self.tasks[task].waits_for = Some(fd);
    }

    fn leave(&mut self, task: usize, fd: RawFd) {
        let waiters = &mut self.descriptors[fd as usize].waiters;
        waiters.retain(|waiter| waiter.task != task);
        self.tasks[task].waits_for = None;
    }

    fn until(&mut self, task: usize, timeout: Option<Duration>) {
        // A time that the clock does not reach is for ever.
        let deadline = timeout.and_then(|time| Instant::now().checked_add(time));
        self.tasks[task].deadline = deadline;
        self.deadlines
            .extend(deadline.map(|deadline| (deadline, task)));
    }

    /// Something has happened on the descriptor: those who wait for it go on. False where nobody does.
    fn heard(&mut self, fd: RawFd, happened: Events) -> bool {
        let unasked = Events::ERR | Events::HUP | Events::NVAL;
        let Some(descriptor) = self.descriptors.get_mut(fd as usize) else {
            return false;
        };
        let before = self.ready.len();
        for waiter in descriptor
            .waiters
            .extract_if(.., |one| happened.intersects(one.events | unasked))
        {
            let task = &mut self.tasks[waiter.task];
            task.waits_for = None;
            if let Some(deadline) = task.deadline.take() {
                self.deadlines.remove(&(deadline, waiter.task));
            }
            self.ready.push_back((waiter.task, happened));
        }
        self.ready.len() > before
    }

    /// Those whose time has passed go on.
    fn expire(&mut self, now: Instant) {
        while let Some(&(deadline, task)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.pop_first();
            self.tasks[task].deadline = None;
            if let Some(fd) = self.tasks[task].waits_for {
                self.leave(task, fd);
            }
            self.ready.push_back((task, Events::NONE));
        }
    }

    /// How long nobody has anything to do; None is until something happens.
    fn idle_for(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let (deadline, _) = self.deadlines.first()?;
        Some(deadline.saturating_duration_since(now))
    }
}

fn borrowed<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: it is only borrowed for a call of epoll_ctl, and the call of the program that waits for it, or closes
    // it, is under way.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

#[cfg(test)]
mod tests;
