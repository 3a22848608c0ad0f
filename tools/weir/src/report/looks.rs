//! Whether threads slept in slow calls, in words.

use weir_report::model::Looks;

use crate::{text, units};

/// The states of threads, and how many looks found them.
fn states(looks: &Looks) -> [(&'static str, u64); 4] {
    [
        ("asleep", looks.asleep),
        ("disk", looks.disk),
        ("running", looks.running),
        ("stopped", looks.stopped),
    ]
}

/// The state that most looks found, the first of equal ones; none where there were no looks.
fn most(looks: &Looks) -> Option<(&'static str, u64)> {
    let found = states(looks).into_iter().filter(|&(_, count)| count > 0);
    found.reduce(|most, other| if other.1 > most.1 { other } else { most })
}

/// `asleep 29/30`: the state that most looks found, for a table.
pub fn in_a_table(looks: Option<&Looks>) -> String {
    let most = looks.and_then(|looks| Some((most(looks)?, looks.sum())));
    most.map_or(units::NONE.to_owned(), |((state, count), all)| {
        format!("{state} {}/{}", units::count(count), units::count(all))
    })
}

/// `of 30 looks 29 found the thread asleep, 1 running`: all states that were found. None where there were no looks.
pub fn in_full(looks: &Looks) -> Option<String> {
    let found = states(looks).into_iter().filter(|&(_, count)| count > 0);
    let parts = found.enumerate().map(|(place, (state, count))| {
        let state = match state {
            "disk" => "waiting for a disk",
            other => other,
        };
        let count = units::count(count);
        match place {
            0 => format!(" {count} found the thread {state}"),
            _ => format!(", {count} {state}"),
        }
    });
    let parts: String = parts.collect();
    let all = text::counted(looks.sum(), "look", "looks");
    (!parts.is_empty()).then(|| format!("of {all}{parts}"))
}

/// The same in brackets behind other words; nothing where there were no looks.
pub fn in_brackets(looks: Option<Looks>) -> String {
    let full = looks.as_ref().and_then(in_full);
    full.map(|full| format!(" ({full})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_told_in_short_and_in_full() {
        let looks = |asleep, disk, running, stopped| Looks {
            asleep,
            disk,
            running,
            stopped,
        };
        for (looks, short, full) in [
            (
                looks(29, 0, 1, 0),
                "asleep 29/30",
                "of 30 looks 29 found the thread asleep, 1 running",
            ),
            (
                looks(0, 3, 0, 0),
                "disk 3/3",
                "of 3 looks 3 found the thread waiting for a disk",
            ),
            (
                looks(1, 2, 2000, 3),
                "running 2,000/2,006",
                "of 2,006 looks 1 found the thread asleep, 2 waiting for a disk, 2,000 running, 3 stopped",
            ),
            (
                looks(0, 1, 0, 1),
                "disk 1/2",
                "of 2 looks 1 found the thread waiting for a disk, 1 stopped",
            ),
            (
                looks(0, 0, 0, 1),
                "stopped 1/1",
                "of 1 look 1 found the thread stopped",
            ),
        ] {
            assert_eq!(in_a_table(Some(&looks)), short);
            assert_eq!(in_full(&looks).as_deref(), Some(full));
        }
        assert_eq!(in_full(&Looks::default()), None);
        assert_eq!(in_a_table(Some(&Looks::default())), units::NONE);
        assert_eq!(in_a_table(None), units::NONE);
    }
}
