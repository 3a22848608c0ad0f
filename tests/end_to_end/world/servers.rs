//! Servers with child processes, which are killed or reloaded.

use std::net::TcpListener;

use weir_report::model::Report;

use super::{World, expect_seen};
use crate::support::Program;

/// Checks that a process has called itself so, or by a text that begins so.
#[track_caller]
fn expect_title(report: &Report, begin: &str) {
    let titles = { report.processes.iter() }.filter_map(|image| image.title.as_deref());
    let titles: Vec<&str> = titles.collect();
    let is_there = titles.iter().any(|title| title.starts_with(begin));
    assert!(is_there, "{begin}: {titles:?}");
}

/// A database: a server process is killed in the middle of a query, and all start again.
#[test]
fn postgres() {
    World::script(include_str!("postgres.sh"))
        .by_nobody()
        .noisy()
        .expect_same(|report| {
            expect_seen(report, "postgres");
            expect_title(report, "postgres: checkpointer");
            expect_title(report, "postgres: walwriter");
        });
}

/// It is reloaded while it serves.
#[test]
fn nginx() {
    World::script(include_str!("nginx.sh"))
        .noisy()
        .expect_same(|report| {
            expect_seen(report, "nginx");
            expect_title(report, "nginx: master process /usr/sbin/nginx -p");
            expect_title(report, "nginx: worker process");
        });
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
