//! Ten thousand connections on one thread, in plain blocking code.
//!
//! The server and its clients ([`mod@echo`]) call `std::net` and `std::thread::sleep` as any blocking program does. They
//! run in coroutines, of which neither the standard library nor the C library knows. Under Weir each blocking call
//! of a coroutine lets the others run; without it, each holds the thread:
//!
//! ```text
//! cargo build --release --workspace
//! target/release/weir run -- target/release/coop_echo
//! target/release/coop_echo
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`mod@echo`] | the server and its clients, in blocking calls |
//! | [`scheduler`] | coroutines over an epoll set |
//! | [`runtime`] | what Weir has to know about the scheduler |
//! | [`show`] | ten thousand connections; what came of it |
//! | [`compare`], [`epoll_server`], [`load`] | the same server without coroutines, as a measure |
//! | [`limits`] | descriptors for all |

mod compare;
mod echo;
mod epoll_server;
mod limits;
mod load;
mod runtime;
mod scheduler;
mod show;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Ten thousand connections on one thread, in plain blocking code
///
/// An echo server and its clients, in two processes of one thread each. Run it under Weir (`weir run -- coop_echo`),
/// and without, to see what the same code does then.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    show: show::Arguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Compare with the same server written on epoll
    Compare(compare::Arguments),
    /// The clients, as a process
    #[command(hide = true)]
    Clients {
        server: SocketAddr,
        #[command(flatten)]
        plan: echo::Plan,
    },
    /// A server to compare, as a process
    #[command(hide = true)]
    Serve(compare::Server),
    /// Clients that find out what a server can do, as a process
    #[command(hide = true)]
    Load(load::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        None => show::run(arguments.show),
        Some(Command::Compare(arguments)) => compare::run(arguments),
        Some(Command::Clients { server, plan }) => show::clients(server, plan),
        Some(Command::Serve(server)) => compare::serve(server),
        Some(Command::Load(arguments)) => load::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coop_echo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
