//! Servers with child processes, which are killed or reloaded.

use std::net::TcpListener;

use super::{World, expect_seen};
use crate::support::Program;

/// A database: a server process is killed in the middle of a query, and all start again.
#[test]
fn postgres() {
    World::script(include_str!("postgres.sh"))
        .by_nobody()
        .noisy()
        .expect_same(|report| expect_seen(report, "postgres"));
}

/// It is reloaded while it serves.
#[test]
fn nginx() {
    World::script(include_str!("nginx.sh"))
        .noisy()
        .expect_same(|report| expect_seen(report, "nginx"));
}

/// It is reloaded while it serves; its children have another user.
#[test]
fn apache() {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port that is free now")
        .port()
        .to_string();
    let program =
        Program::new("/bin/sh").args(["-c", include_str!("apache.sh"), "apache.sh", &port]);
    World::new(program)
        .noisy()
        .expect_same(|report| expect_seen(report, "apache2"));
}
