//! What of the processes is looked at, and the keys that change it.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::units;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Functions,
    Files,
    Sites,
    Threads,
    Processes,
}

impl Tab {
    /// In the order in which they stand.
    pub const ALL: [Tab; 5] = [
        Tab::Functions,
        Tab::Files,
        Tab::Sites,
        Tab::Threads,
        Tab::Processes,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Tab::Functions => "Functions",
            Tab::Files => "Files and sockets",
            Tab::Sites => "Call sites",
            Tab::Threads => "Threads",
            Tab::Processes => "Processes",
        }
    }

    /// The column that it is sorted by at first.
    fn first_sort(self) -> usize {
        match self {
            // Time, in most programs what matters.
            Tab::Functions => 5,
            Tab::Files => 6,
            Tab::Sites => 3,
            Tab::Threads => 3,
            Tab::Processes => 4,
        }
    }
}

/// How one of them is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The column that it is sorted by.
    pub sort: usize,
    pub is_reversed: bool,
    /// What the words of a row must have in them.
    pub filter: String,
    /// How many rows are above what is seen.
    pub above: usize,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Looking {
    pub tab: Tab,
    views: [View; Tab::ALL.len()],
    /// Whether the numbers are since the start, and not for each second.
    pub is_whole: bool,
    pub is_paused: bool,
    /// Whether a filter is being typed.
    pub is_typing: bool,
    pub shows_keys: bool,
    pub interval: Duration,
}

impl Default for Looking {
    fn default() -> Looking {
        Looking {
            tab: Tab::Functions,
            views: Tab::ALL.map(|tab| View {
                sort: tab.first_sort(),
                is_reversed: false,
                filter: String::new(),
                above: 0,
            }),
            is_whole: false,
            is_paused: false,
            is_typing: false,
            shows_keys: false,
            interval: Duration::from_secs(1),
        }
    }
}

/// The shortest and the longest time between two looks.
const INTERVALS: [Duration; 2] = [Duration::from_millis(125), Duration::from_secs(64)];

impl Looking {
    /// What the numbers are, in words.
    pub fn mode(&self) -> String {
        let every = units::time(u64::try_from(self.interval.as_nanos()).unwrap_or(u64::MAX));
        match (self.is_paused, self.is_whole) {
            (true, _) => "paused".to_owned(),
            (false, true) => format!("since the start, every {every}"),
            (false, false) => format!("for each second, every {every}"),
        }
    }

    /// How a tab is looked at.
    pub fn of_tab(&self, tab: Tab) -> View {
        self.views[tab as usize].clone()
    }

    pub fn view(&mut self) -> &mut View {
        &mut self.views[self.tab as usize]
    }

    /// Whether there is nothing that the key Escape would take away.
    pub fn is_plain(&self) -> bool {
        let filter = &self.views[self.tab as usize].filter;
        !self.is_typing && !self.shows_keys && filter.is_empty()
    }

    /// Does what a key says; false if that is to quit. `columns` is how many the table has, `rows` how many fit.
    pub fn press(&mut self, key: KeyEvent, columns: usize, rows: usize) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && matches!(key.code, KeyCode::Char('c')) {
            return false;
        }
        if self.is_typing {
            self.type_filter(key.code);
            return true;
        }
        let tabs = Tab::ALL.len();
        let turned = |by: usize| Tab::ALL[(self.tab as usize + by) % tabs];
        match key.code {
            KeyCode::Char('q') => return false,
            KeyCode::Tab => self.tab = turned(1),
            KeyCode::BackTab => self.tab = turned(tabs - 1),
            KeyCode::Char(digit @ '1'..='5') => {
                self.tab = Tab::ALL[digit as usize - '1' as usize];
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('t') => self.is_whole = !self.is_whole,
            KeyCode::Char('?' | 'h') => self.shows_keys = !self.shows_keys,
            KeyCode::Char('r') => self.view().is_reversed = !self.view().is_reversed,
            KeyCode::Char('+') => self.interval = (self.interval * 2).min(INTERVALS[1]),
            KeyCode::Char('-') => self.interval = (self.interval / 2).max(INTERVALS[0]),
            KeyCode::Left => self.view().sort = self.view().sort.saturating_sub(1),
            KeyCode::Right => {
                self.view().sort = (self.view().sort + 1).min(columns.saturating_sub(1));
            }
            KeyCode::Up => self.view().above = self.view().above.saturating_sub(1),
            KeyCode::Down => self.view().above += 1,
            KeyCode::PageUp => self.view().above = self.view().above.saturating_sub(rows),
            KeyCode::PageDown => self.view().above += rows,
            KeyCode::Home => self.view().above = 0,
            KeyCode::Esc if self.shows_keys => self.shows_keys = false,
            KeyCode::Esc => self.view().filter.clear(),
            _ => {}
        }
        true
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.view().filter.clear();
            }
            KeyCode::Backspace => _ = self.view().filter.pop(),
            KeyCode::Char(letter) => self.view().filter.push(letter),
            _ => {}
        }
        self.view().above = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(looking: &mut Looking, code: KeyCode) -> bool {
        looking.press(KeyEvent::from(code), 5, 10)
    }

    #[test]
    fn keys_turn_tabs_and_each_keeps_its_own_view() {
        let mut looking = Looking::default();
        assert!(press(&mut looking, KeyCode::BackTab));
        assert_eq!(looking.tab, Tab::Processes);
        for _ in 0..9 {
            press(&mut looking, KeyCode::Right);
        }
        assert_eq!(looking.view().sort, 4, "at most the last column");
        press(&mut looking, KeyCode::Tab);
        assert_eq!(looking.tab, Tab::Functions);
        assert_eq!(looking.view().sort, 5);
        press(&mut looking, KeyCode::Char('3'));
        assert_eq!(looking.tab, Tab::Sites);
        for _ in 0..9 {
            press(&mut looking, KeyCode::Left);
        }
        assert_eq!(looking.view().sort, 0);
        press(&mut looking, KeyCode::PageDown);
        press(&mut looking, KeyCode::Up);
        assert_eq!(looking.view().above, 9);
    }

    #[test]
    fn a_filter_takes_the_letters_that_are_keys_otherwise() {
        let mut looking = Looking::default();
        press(&mut looking, KeyCode::Char('/'));
        for letter in "qpx".chars() {
            assert!(press(&mut looking, KeyCode::Char(letter)));
        }
        press(&mut looking, KeyCode::Backspace);
        press(&mut looking, KeyCode::Enter);
        assert_eq!(looking.view().filter, "qp");
        assert!(!looking.is_paused);
        press(&mut looking, KeyCode::Esc);
        assert_eq!(looking.view().filter, "");
        assert!(!press(&mut looking, KeyCode::Char('q')));
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        looking.is_typing = true;
        assert!(!looking.press(control_c, 4, 10));
    }

    #[test]
    fn the_interval_stays_in_its_bounds() {
        let mut looking = Looking::default();
        for _ in 0..20 {
            press(&mut looking, KeyCode::Char('-'));
        }
        assert_eq!(looking.interval, INTERVALS[0]);
        for _ in 0..20 {
            press(&mut looking, KeyCode::Char('+'));
        }
        assert_eq!(looking.interval, INTERVALS[1]);
    }
}
