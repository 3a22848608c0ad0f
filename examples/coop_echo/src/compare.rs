//! The server in coroutines beside the same server written on epoll: who answers more in a second, on one thread.
//!
//! Each server is a process, and so are the clients. Neighbours of a round are compared, since a machine that is shared
//! changes its speed from second to second.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};

use crate::echo::{self, Plan, Served};
use crate::runtime::{self, Role};
use crate::{epoll_server, limits, scheduler};

#[derive(clap::Args)]
pub struct Arguments {
    /// How many connections there are
    #[arg(long, default_value_t = 100)]
    connections: u32,
    /// How long a message is
    #[arg(long, default_value_t = 512)]
    bytes: u32,
    /// How long a server is asked, in seconds
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How often each is asked
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

#[derive(clap::Args)]
pub struct Server {
    kind: Kind,
    #[arg(long)]
    connections: u32,
    #[arg(long)]
    bytes: u32,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    Epoll,
    Coroutines,
}

/// Who is compared: a name, the server, and whether it runs under Weir.
const CONTENDERS: [(&str, Kind, bool); 3] = [
    ("epoll, without Weir", Kind::Epoll, false),
    ("epoll, under Weir", Kind::Epoll, true),
    ("coroutines, under Weir", Kind::Coroutines, true),
];

/// What came of one server in one round.
#[derive(Clone, Copy)]
struct Measured {
    /// Answers in a second.
    rate: f64,
    /// Processor time of the server for an answer, in microseconds.
    cost: f64,
    /// The part of the time in which the server's thread was running.
    busy: f64,
}

pub fn run(arguments: Arguments) -> Result<()> {
    if !runtime::register()? {
        bail!("coroutines wait by Weir only: weir run -- coop_echo compare");
    }
    println!(
        "coop_echo: {} connections, one message of {} bytes under way on each; {} rounds of {} s",
        arguments.connections, arguments.bytes, arguments.rounds, arguments.seconds
    );
    let mut rounds = Vec::new();
    for round in 0..arguments.rounds as usize {
        let mut measured = [None; CONTENDERS.len()];
        for turn in 0..CONTENDERS.len() {
            let turn = (round + turn) % CONTENDERS.len();
            let (name, kind, under_weir) = CONTENDERS[turn];
            measured[turn] =
                Some(measure(&arguments, kind, under_weir).with_context(|| name.to_owned())?);
        }
        rounds.push(measured.map(|measured| measured.expect("each has had its turn")));
    }
    println!(
        "{:24}{:>12}{:>12}{:>8}",
        "server", "answers/s", "CPU µs each", "busy"
    );
    for (contender, (name, ..)) in CONTENDERS.iter().enumerate() {
        let of =
            |value: fn(&Measured) -> f64| median(rounds.iter().map(|all| value(&all[contender])));
        println!(
            "{name:24}{:>12.0}{:>12.2}{:>7.0}%",
            of(|one| one.rate),
            of(|one| one.cost),
            of(|one| one.busy * 100.0)
        );
    }
    for (beside, name) in [(1, "epoll, both under Weir"), (0, "epoll without Weir")] {
        let ratio = median(rounds.iter().map(|all| all[2].rate / all[beside].rate));
        println!("coroutines answer {ratio:.2} times what {name} answers");
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Starts a server, and clients that ask it.
fn measure(arguments: &Arguments, kind: Kind, under_weir: bool) -> Result<Measured> {
    let itself = env::current_exe()?;
    let connections = arguments.connections.to_string();
    let bytes = arguments.bytes.to_string();
    let mut server = Command::new(&itself);
    server.args([
        "serve",
        kind.word(),
        "--connections",
        &connections,
        "--bytes",
        &bytes,
    ]);
    if !under_weir {
        server.env_remove("LD_PRELOAD");
    }
    let mut server = server.stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(server.stdout.take().context("no output")?);
    let mut address = String::new();
    said.read_line(&mut address)?;
    let clients = Command::new(&itself)
        .args(["load", address.trim(), "--connections", &connections])
        .args([
            "--bytes",
            &bytes,
            "--seconds",
            &arguments.seconds.to_string(),
        ])
        .env_remove("LD_PRELOAD")
        .stderr(Stdio::inherit())
        .output()?;
    if !clients.status.success() {
        // It may be waiting for them.
        server.kill()?;
    }
    let mut cpu_ns = String::new();
    said.read_to_string(&mut cpu_ns)?;
    if !server.wait()?.success() || !clients.status.success() {
        bail!("the measurement failed");
    }
    let clients = String::from_utf8(clients.stdout)?;
    let (answers, ns) = clients.trim().split_once(' ').context("two numbers")?;
    let (answers, ns): (f64, f64) = (answers.parse()?, ns.parse()?);
    let cpu_ns: f64 = cpu_ns.trim().parse()?;
    Ok(Measured {
        rate: answers / ns * 1e9,
        cost: cpu_ns / answers / 1e3,
        busy: cpu_ns / ns,
    })
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Epoll => "epoll",
            Self::Coroutines => "coroutines",
        }
    }
}

/// A server. Prints where it is, serves that many connections, and prints the processor time that it took.
pub fn serve(arguments: Server) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let Server {
        kind,
        connections,
        bytes,
    } = arguments;
    limits::keep_to_processor(0)?;
    let begun = cpu_time_ns();
    match kind {
        Kind::Epoll => epoll_server::serve(&listener, connections, bytes)?,
        Kind::Coroutines => serve_in_coroutines(listener, connections, bytes)?,
    }
    println!("{}", cpu_time_ns() - begun);
    Ok(())
}

fn serve_in_coroutines(listener: TcpListener, connections: u32, bytes: u32) -> Result<()> {
    if !runtime::register()? {
        bail!("coroutines wait by Weir only");
    }
    let plan = Plan {
        connections,
        bytes,
        messages: 0,
        pause_ms: 0,
    };
    let served = Rc::new(Served::default());
    scheduler::spawn(Role::Acceptor.id(0), {
        let served = Rc::clone(&served);
        move || {
            if echo::serve(&listener, plan, None, &served).is_err() {
                served.failed.update(|failed| failed + 1);
            }
        }
    });
    scheduler::run();
    if served.failed.get() > 0 {
        bail!("not every connection went well");
    }
    Ok(())
}

fn cpu_time_ns() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
