//! The same server, written on epoll: one thread, sockets that do not block, and for each connection what is to be
//! sent yet.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::AsFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use slab::Slab;

/// What the listening socket is called among the events.
const LISTENER: u64 = u64::MAX;

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The part of the buffer that is to be sent.
    unsent: Range<usize>,
    /// Whether room to send is what is listened for.
    wants_room: bool,
}

/// Accepts that many connections, and answers until all are closed.
pub fn serve(listener: &TcpListener, connections: u32, bytes: u32) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    listener.set_nonblocking(true)?;
    epoll::add(
        &epoll,
        listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut open = Slab::new();
    let mut left = connections;
    let mut events = Vec::with_capacity(128);
    while left > 0 || !open.is_empty() {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)?;
        for event in &events {
            let key = event.data.u64();
            if key == LISTENER {
                left -= accept(listener, &epoll, &mut open, bytes, left)?;
                continue;
            }
            let key = key as usize;
            let connection: &mut Connection = &mut open[key];
            match connection.go_on() {
                // Closing takes it out of the set.
                Ok(false) => drop(open.remove(key)),
                Ok(true) => connection.listen(&epoll, key)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.listen(&epoll, key)?;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn accept(
    listener: &TcpListener,
    epoll: &impl AsFd,
    open: &mut Slab<Connection>,
    bytes: u32,
    most: u32,
) -> io::Result<u32> {
    for accepted in 0..most {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(accepted),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        let place = open.vacant_entry();
        let data = EventData::new_u64(place.key() as u64);
        epoll::add(epoll, &stream, data, EventFlags::IN)?;
        place.insert(Connection {
            stream,
            buffer: vec![0; bytes as usize],
            unsent: 0..0,
            wants_room: false,
        });
    }
    Ok(most)
}

impl Connection {
    /// One read and what follows from it; or the rest of what followed from the last. False at the end.
    fn go_on(&mut self) -> io::Result<bool> {
        if self.unsent.is_empty() {
            let bytes = self.stream.read(&mut self.buffer)?;
            if bytes == 0 {
                return Ok(false);
            }
            self.unsent = 0..bytes;
        }
        while !self.unsent.is_empty() {
            self.unsent.start += self.stream.write(&self.buffer[self.unsent.clone()])?;
        }
        Ok(true)
    }

    /// Listens for what is needed next.
    fn listen(&mut self, epoll: &impl AsFd, key: usize) -> io::Result<()> {
        let wants_room = !self.unsent.is_empty();
        if wants_room != self.wants_room {
            self.wants_room = wants_room;
            let flags = if wants_room {
                EventFlags::OUT
            } else {
                EventFlags::IN
            };
            epoll::modify(epoll, &self.stream, EventData::new_u64(key as u64), flags)?;
        }
        Ok(())
    }
}
