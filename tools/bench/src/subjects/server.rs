//! A server under load: redis-server under redis-benchmark, with 50 clients.

use std::ffi::OsStr;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::command::{find_program, scratch, succeed};
use crate::contestant::Contestant;
use crate::interleave::{Run, interleave};
use crate::section::{Row, Section};
use crate::target::{Bound, Target};
use crate::timing::Timing;

const SERVER: &str = "redis-server";
const CLIENTS: &str = "redis-benchmark";
/// How much of the throughput without a tool should be left.
const LEAST_TO_NO_TOOL: f64 = 0.9;
/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests in a second, of the server without a tool and under each.
pub fn measure(bench: &Bench) -> Result<Section> {
    let contenders = [
        Contestant::Weir(Timing::Sampled),
        Contestant::Preload,
        Contestant::Heaptrack,
        Contestant::Strace,
    ];
    let name = format!("`{SERVER}`, no tool");
    let section = |rows| {
        Section::new(
            "redis-server under redis-benchmark",
            "requests per second",
            rows,
        )
    };
    let (Some(server), Some(_)) = (find_program(SERVER), find_program(CLIENTS)) else {
        return Ok(section(vec![Row::not_installed(name)]));
    };
    let mut no_tool = Vec::new();
    let mut rows = Vec::new();
    for contestant in contenders {
        if !contestant.is_installed() {
            rows.push(Row::not_installed(contestant.label()));
            continue;
        }
        let runs = [
            throughput(bench, Contestant::NoTool, &server),
            throughput(bench, contestant, &server),
        ];
        let rounds = interleave(bench.few_rounds(), &runs)?;
        no_tool.extend(rounds.values(0));
        let ratio = rounds.ratio(1, 0);
        let row = Row::measured(contestant.label(), &rounds, 1).over_no_tool(ratio);
        rows.push(match contestant {
            Contestant::Weir(_) => row.aiming_at(Target::new(
                Bound::AtLeast(LEAST_TO_NO_TOOL),
                format!("≥ {LEAST_TO_NO_TOOL:.2} × no tool"),
                ratio.median,
            )),
            _ => row,
        });
    }
    rows.insert(0, Row::values(name, no_tool));
    Ok(section(rows))
}

/// Requests in a second: as many SETs as GETs, one after the other.
fn throughput<'a>(bench: &'a Bench, contestant: Contestant, server: &'a Path) -> Run<'a> {
    let requests = match (bench.quick, contestant) {
        (true, _) => 500,
        (false, Contestant::Strace) => 5_000,
        (false, _) => 50_000,
    };
    Box::new(move || {
        let server = Server::start(bench, contestant, server.as_os_str())
            .with_context(|| format!("{SERVER} under {}", contestant.label()))?;
        let output = succeed(
            Command::new(CLIENTS)
                .args(["-h", "127.0.0.1", "-p", &server.port.to_string()])
                .args(["-c", "50", "-n", &requests.to_string()])
                .args(["-t", "set,get", "--csv"]),
        )?;
        server.stop()?;
        rate(&String::from_utf8_lossy(&output.stdout))
    })
}

/// The rate of all requests, from the rates of each kind, of which there were as many.
fn rate(csv: &str) -> Result<f64> {
    let rates: Vec<f64> = csv
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(',').map(|field| field.trim_matches('"'));
            let kind = fields.next()?;
            let rate = fields.next()?.parse().ok()?;
            (matches!(kind, "SET" | "GET") && rate > 0.0).then_some(rate)
        })
        .collect();
    if rates.len() != 2 {
        bail!("{CLIENTS} did not print the rates of SET and GET: {csv}");
    }
    Ok(rates.len() as f64 / rates.iter().map(|rate| 1.0 / rate).sum::<f64>())
}

/// A server that answers.
struct Server {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    fn start(bench: &Bench, contestant: Contestant, program: &OsStr) -> Result<Server> {
        let folder = scratch()?;
        // Free now, and not given to others for a while.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let mut command = bench.command(contestant, program, folder.path());
        command
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().context("cannot be started")?;
        let mut server = Server {
            process,
            port,
            _folder: folder,
        };
        let began = Instant::now();
        while server.connect().is_err() {
            if let Some(status) = server.process.try_wait()? {
                bail!("ended before it answered, {status}");
            }
            if began.elapsed() > PATIENCE {
                bail!("does not answer");
            }
            sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Has it end, and the tool with it.
    fn stop(mut self) -> Result<()> {
        self.connect()?.write_all(b"SHUTDOWN NOSAVE\r\n")?;
        let status = self.ended().context("does not end")?;
        if !status.success() {
            bail!("{SERVER} failed, {status}");
        }
        Ok(())
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            sleep(Duration::from_millis(2));
        }
        None
    }
}

impl Drop for Server {
    /// One that was not stopped must not go on; where a tool stands between, it is asked to end first.
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let asked = self
                .connect()
                .and_then(|mut server| server.write_all(b"SHUTDOWN NOSAVE\r\n"));
            if asked.is_err() || self.ended().is_none() {
                let _ = self.process.kill();
                let _ = self.process.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_all_requests() {
        let csv = "\"test\",\"rps\",\"avg\"\n\"SET\",\"100.00\",\"1\"\n\"GET\",\"300.00\",\"1\"\n";
        assert_eq!(rate(csv).unwrap(), 150.0);
        assert!(rate("\"SET\",\"100.00\"\n").is_err());
        assert!(rate("\"SET\",\"0.00\"\n\"GET\",\"300.00\"\n").is_err());
    }
}
