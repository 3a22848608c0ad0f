//! The server and its clients. This is the code that the example is about: each of these functions runs in a coroutine,
//! and knows nothing of it. All that they call blocks, or so they think.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::runtime::Role;
use crate::scheduler::spawn;

/// What is done.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Plan {
    /// How many clients there are
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
    /// How many messages each client sends, one after the other
    #[arg(long, default_value_t = 5)]
    pub messages: u32,
    /// How long a message is
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    pub bytes: u32,
    /// How many milliseconds a client thinks after each answer
    #[arg(long, default_value_t = 1000)]
    pub pause_ms: u64,
}

/// What the server has done.
#[derive(Default)]
pub struct Served {
    pub connections: Cell<u32>,
    pub open: Cell<u32>,
    pub most_open: Cell<u32>,
    pub bytes: Cell<u64>,
    pub failed: Cell<u32>,
    /// Whether no more connections are accepted.
    pub closed: Cell<bool>,
}

/// Accepts that many connections, and answers each in a coroutine of its own; no more, once the time is over.
pub fn serve(
    listener: &TcpListener,
    plan: Plan,
    end: Option<Instant>,
    served: &Rc<Served>,
) -> io::Result<()> {
    for number in 0..plan.connections {
        let (stream, _) = listener.accept()?;
        served.connections.update(|connections| connections + 1);
        let its = Rc::clone(served);
        spawn(Role::Connection.id(number as usize), move || {
            its.open.update(|open| open + 1);
            its.most_open.set(its.most_open.get().max(its.open.get()));
            if echo(stream, plan.bytes, &its.bytes).is_err() {
                its.failed.update(|failed| failed + 1);
            }
            its.open.update(|open| open - 1);
        });
        if end.is_some_and(|end| end < Instant::now()) {
            break;
        }
    }
    Ok(())
}

/// Sends back what comes, until no more does.
fn echo(mut stream: TcpStream, bytes: u32, echoed: &Cell<u64>) -> io::Result<()> {
    let mut buffer = vec![0; bytes as usize];
    loop {
        let bytes = stream.read(&mut buffer)?;
        if bytes == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..bytes])?;
        echoed.update(|all| all + bytes as u64);
    }
}

/// Sends messages, and checks that each comes back. Says how long the slowest answer took.
pub fn ask(server: SocketAddr, plan: Plan, number: u32) -> io::Result<Duration> {
    let mut stream = TcpStream::connect(server)?;
    let mut answer = vec![0; plan.bytes as usize];
    let mut slowest = Duration::ZERO;
    for round in 0..plan.messages {
        let message = vec![(number ^ round) as u8; plan.bytes as usize];
        let asked = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        slowest = slowest.max(asked.elapsed());
        if answer != message {
            return Err(io::Error::other("the answer is not what was sent"));
        }
        thread::sleep(Duration::from_millis(plan.pause_ms));
    }
    Ok(slowest)
}

/// Sleeps 10 ms at a time while the server is at work. Says how much too late it woke at worst.
pub fn tick(served: &Served) -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let mut latest = Duration::ZERO;
    while !served.closed.get() || served.open.get() > 0 {
        let begun = Instant::now();
        thread::sleep(TICK);
        latest = latest.max(begun.elapsed().saturating_sub(TICK));
    }
    latest
}
