//! Ten thousand connections on one thread; what came of it.
//!
//! The server is this process, and its clients are another: so each needs a descriptor for a connection, and not two.

use std::cell::Cell;
use std::env;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::echo::{self, Plan, Served};
use crate::runtime::{self, Role};
use crate::{limits, scheduler};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    plan: Plan,
    /// After how many seconds the server accepts no more, where it runs without Weir
    #[arg(long, default_value_t = 5)]
    patience: u64,
}

/// The server, and all of it.
pub fn run(Arguments { plan, patience }: Arguments) -> Result<()> {
    limits::raise(plan.connections)?;
    let yields = runtime::register()?;
    println!(
        "coop_echo: {} clients, each with {} messages of {} bytes, and {} ms of thought after each answer",
        plan.connections, plan.messages, plan.bytes, plan.pause_ms
    );
    println!("{}", weir(yields));

    let listener = TcpListener::bind("127.0.0.1:0")?;
    // The standard library's queue of those who are not accepted yet is 128 long, and who finds it full tries again after
    // a second, and then after two more.
    rustix::net::listen(&listener, 4096)?;
    let mut clients = Command::new(env::current_exe()?)
        .arg("clients")
        .arg(listener.local_addr()?.to_string())
        .args(["--connections", &plan.connections.to_string()])
        .args(["--messages", &plan.messages.to_string()])
        .args(["--bytes", &plan.bytes.to_string()])
        .args(["--pause-ms", &plan.pause_ms.to_string()])
        .spawn()
        .context("the clients do not start")?;

    let begun = Instant::now();
    let end = (!yields).then(|| begun + Duration::from_secs(patience));
    let served = Rc::new(Served::default());
    let accepted = Rc::new(Cell::new(Ok(())));
    scheduler::spawn(Role::Acceptor.id(0), {
        let (served, accepted) = (Rc::clone(&served), Rc::clone(&accepted));
        move || {
            accepted.set(echo::serve(&listener, plan, end, &served));
            // Who comes now is refused.
            drop(listener);
            served.closed.set(true);
        }
    });
    let late = Rc::new(Cell::new(None));
    if yields {
        let (served, late) = (Rc::clone(&served), Rc::clone(&late));
        scheduler::spawn(Role::Ticker.id(0), move || {
            late.set(Some(echo::tick(&served)));
        });
    }
    scheduler::run();
    report(plan, &served, begun.elapsed(), late.get());
    let clients = clients.wait()?;
    accepted
        .replace(Ok(()))
        .context("the server cannot accept")?;
    if served.failed.get() > 0 || !clients.success() {
        bail!("not every connection went well");
    }
    Ok(())
}

fn report(plan: Plan, served: &Served, took: Duration, late: Option<Duration>) {
    let connections = served.connections.get();
    let answers = served.bytes.get() / u64::from(plan.bytes);
    println!(
        "server: {connections} connections on one thread, {} at the same time",
        served.most_open.get()
    );
    println!(
        "server: {answers} answers in {:.2} s, {:.0} a second",
        took.as_secs_f64(),
        answers as f64 / took.as_secs_f64()
    );
    match late {
        Some(late) => println!(
            "server: what sleeps 10 ms at a time woke {:.1} ms late at worst",
            late.as_secs_f64() * 1e3
        ),
        None => println!(
            "server: what sleeps would hold the thread, too, so nothing ticks; \
             at this pace all {} clients take {:.0} s",
            plan.connections,
            took.as_secs_f64() / f64::from(connections) * f64::from(plan.connections)
        ),
    }
}

/// What the same code is about to do.
fn weir(yields: bool) -> &'static str {
    if yields {
        "Weir is here: what blocks lets other coroutines run"
    } else {
        "Weir is not here: what blocks holds the thread, so one is served after the other. \
         With it: weir run -- coop_echo"
    }
}

/// The clients.
pub fn clients(server: SocketAddr, plan: Plan) -> Result<()> {
    limits::raise(plan.connections)?;
    let yields = runtime::register()?;
    let answered = Rc::new(Cell::new(0));
    let slowest = Rc::new(Cell::new(Duration::ZERO));
    let failure = Rc::new(Cell::new(None));
    scheduler::spawn(Role::Starter.id(0), {
        let (answered, slowest, failure) = (
            Rc::clone(&answered),
            Rc::clone(&slowest),
            Rc::clone(&failure),
        );
        move || {
            let failed = Rc::new(Cell::new(false));
            for number in 0..plan.connections {
                let (answered, slowest, failure, has_failed) = (
                    Rc::clone(&answered),
                    Rc::clone(&slowest),
                    Rc::clone(&failure),
                    Rc::clone(&failed),
                );
                scheduler::spawn(Role::Client.id(number as usize), move || {
                    match echo::ask(server, plan, number) {
                        Ok(time) => {
                            answered.update(|answered| answered + 1);
                            slowest.set(slowest.get().max(time));
                        }
                        Err(error) => {
                            has_failed.set(true);
                            failure.set(Some(error));
                        }
                    }
                });
                // The server has stopped.
                if failed.get() {
                    break;
                }
            }
        }
    });
    scheduler::run();
    println!(
        "clients: {} of {} have all their answers; the slowest took {:.1} ms",
        answered.get(),
        plan.connections,
        slowest.get().as_secs_f64() * 1e3
    );
    match failure.take() {
        Some(error) if yields => Err(error).context("a client failed"),
        _ => Ok(()),
    }
}
