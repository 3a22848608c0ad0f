//! Clients that find out what a server can do: on each connection a message goes out as soon as the last has come back.
//!
//! They are written on epoll, like the server that others are measured by, and are never run under Weir, so that it is
//! the server that is waited for.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use crate::limits;

#[derive(clap::Args)]
pub struct Arguments {
    server: SocketAddr,
    #[arg(long)]
    connections: u32,
    #[arg(long)]
    bytes: u32,
    #[arg(long)]
    seconds: f64,
}

/// How long a server may be silent.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Prints how many messages came back, and the nanoseconds that it took.
pub fn run(arguments: Arguments) -> Result<()> {
    limits::keep_to_processor(1)?;
    let message = vec![0x5a; arguments.bytes as usize];
    let mut buffer = message.clone();
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    // Each with how much has come back of the message that is under way.
    let mut connections = Vec::new();
    for key in 0..u64::from(arguments.connections) {
        let stream = TcpStream::connect(arguments.server)?;
        stream.set_nonblocking(true)?;
        epoll::add(&epoll, &stream, EventData::new_u64(key), EventFlags::IN)?;
        connections.push((stream, 0));
    }
    let mut under_way = connections.len();
    let begun = Instant::now();
    let time = Duration::from_secs_f64(arguments.seconds);
    for (stream, _) in &mut connections {
        send(stream, &message)?;
    }
    let mut came_back = 0u64;
    let mut events = Vec::with_capacity(128);
    while under_way > 0 {
        events.clear();
        epoll::wait(
            &epoll,
            rustix::buffer::spare_capacity(&mut events),
            Some(&PATIENCE),
        )?;
        if events.is_empty() {
            bail!("the server says nothing");
        }
        let over = begun.elapsed() >= time;
        for event in &events {
            let (stream, back) = &mut connections[event.data.u64() as usize];
            match stream.read(&mut buffer[*back..]) {
                Ok(0) => bail!("the server has closed a connection"),
                Ok(bytes) => *back += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if *back < message.len() {
                continue;
            }
            *back = 0;
            came_back += 1;
            if over {
                under_way -= 1;
            } else {
                send(stream, &message)?;
            }
        }
    }
    if buffer != message {
        bail!("what came back is not what was sent");
    }
    println!("{came_back} {}", begun.elapsed().as_nanos());
    Ok(())
}

/// There is room for a message, since none is under way.
fn send(stream: &mut TcpStream, message: &[u8]) -> Result<()> {
    stream
        .write_all(message)
        .context("a message is too long to be sent at once")
}
