//! Which processes are meant.

use std::collections::HashSet;

use crate::text;

/// What a command line says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All that run under Weir and are this user's.
    All,
    /// One process, and those that came of it.
    Pid(u32),
    /// Those of a program, by its file's name or what it calls itself, and those that came of them.
    Name(String),
}

/// What a process is known by.
#[derive(Clone, Debug)]
pub struct Known {
    pub pid: u32,
    pub parent_pid: u32,
    pub executable: String,
    pub command: Vec<String>,
    /// What it calls itself, where that is something else.
    pub title: Option<String>,
}

impl Target {
    pub fn of(program: Option<&str>) -> Target {
        match (program, program.map(str::parse)) {
            (None, _) => Target::All,
            (Some(_), Some(Ok(pid))) => Target::Pid(pid),
            (Some(name), _) => Target::Name(name.to_owned()),
        }
    }

    /// For each process whether it is meant. Where no program has just this name, those are that begin with it.
    pub fn chosen(&self, processes: &[&Known]) -> Vec<bool> {
        let named = |is: fn(&str, &str) -> bool| -> Vec<bool> {
            processes.iter().map(|of| self.is(of, is)).collect()
        };
        let mut chosen = named(|name, wanted| name == wanted);
        if !chosen.contains(&true) {
            chosen = named(|name, wanted| name.starts_with(wanted));
        }
        // Their children, and theirs.
        loop {
            let pids = processes.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
            let pids: HashSet<u32> = pids.map(|(of, _)| of.pid).collect();
            let mut has_more = false;
            for (of, chosen) in processes.iter().zip(&mut chosen) {
                if !*chosen && pids.contains(&of.parent_pid) {
                    *chosen = true;
                    has_more = true;
                }
            }
            if !has_more {
                return chosen;
            }
        }
    }

    fn is(&self, process: &Known, is_name: fn(&str, &str) -> bool) -> bool {
        match self {
            Target::All => true,
            Target::Pid(pid) => process.pid == *pid,
            Target::Name(name) => {
                let command = process.command.first().map(String::as_str);
                let mut paths = [Some(process.executable.as_str()), command]
                    .into_iter()
                    .flatten();
                let mut title = process.title.iter();
                paths.any(|path| path == name || is_name(text::file_name(path), name))
                    || title.any(|title| is_name(title, name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(pid: u32, parent_pid: u32, executable: &str, command: &str) -> Known {
        Known {
            pid,
            parent_pid,
            executable: executable.to_owned(),
            command: vec![command.to_owned()],
            title: None,
        }
    }

    #[test]
    fn a_process_is_meant_with_all_that_came_of_it() {
        let processes = [
            // A child can be found before its parent.
            known(12, 11, "/bin/cat", "cat"),
            known(10, 1, "/bin/dash", "/usr/local/bin/service"),
            known(11, 10, "/bin/dash", "sh"),
            known(20, 1, "/usr/bin/cat", "/usr/bin/cat"),
            Known {
                title: Some("service: idle/0".to_owned()),
                ..known(30, 1, "/usr/bin/python3", "python3")
            },
        ];
        let pids = |program: Option<&str>| {
            let chosen = Target::of(program).chosen(&processes.each_ref());
            let chosen = processes.iter().zip(chosen).filter(|(_, chosen)| *chosen);
            chosen.map(|(of, _)| of.pid).collect::<Vec<_>>()
        };
        assert_eq!(pids(None), [12, 10, 11, 20, 30]);
        assert_eq!(pids(Some("10")), [12, 10, 11]);
        assert_eq!(pids(Some("11")), [12, 11]);
        assert_eq!(pids(Some("cat")), [12, 20]);
        assert_eq!(pids(Some("service")), [12, 10, 11]);
        assert_eq!(pids(Some("/usr/bin/cat")), [20]);
        assert_eq!(pids(Some("serv")), [12, 10, 11, 30], "what begins so");
        assert_eq!(pids(Some("service: idle/0")), [30]);
        assert_eq!(pids(Some("service:")), [30]);
        assert_eq!(pids(Some("0")), [0; 0]);
        assert_eq!(pids(Some("99")), [0; 0]);
    }
}
