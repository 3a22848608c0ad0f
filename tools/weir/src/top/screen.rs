//! The terminal: draws what is looked at, and takes keys.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libc::{SIGHUP, SIGINT, SIGTERM};
use ratatui::Frame;
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::grid::Grid;
use super::keyboard::Keyboard;
use super::looking::{Looking, Tab};
use super::tables;
use super::watch::Watch;
use crate::failure::Failure;

/// How soon a signal, or the end of a pause, is noticed.
const TICK: Duration = Duration::from_millis(100);

const KEYS: [(&str, &str); 11] = [
    ("1 to 5, Tab", "choose a table"),
    ("← →", "choose the column that sorts"),
    ("r", "reverse the order"),
    ("/", "show only rows with these letters; Esc: all rows"),
    ("↑ ↓ PgUp PgDn Home", "move through the rows"),
    ("t", "since the start, or for each second"),
    ("p, space", "pause, and go on"),
    ("+ -", "look less often, or more"),
    ("? h", "these keys"),
    ("q, Ctrl-C", "quit"),
    (
        "",
        "p50, p99, longest: of the timed calls since the last look",
    ),
];

/// Shows the processes until somebody quits.
pub fn show(watch: Watch, looking: Looking) -> Result<(), Failure> {
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGHUP, SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register_usize(number, signal.clone(), number as usize);
        registered.map_err(failed)?;
    }
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let shown = Screen::new(watch, looking).run(&mut terminal, &signal);
    // Where the terminal is gone, that is said below, and nowhere else.
    let _ = ratatui::try_restore();
    if terminal.show_cursor().is_err() {
        std::mem::forget(terminal);
    }
    match signal.load(Ordering::Relaxed) {
        0 => shown.map_err(failed),
        // The terminal is as it was: now as if weir had not taken it.
        number => {
            let _ = signal_hook::low_level::emulate_default_handler(number as libc::c_int);
            Ok(())
        }
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::of_weir("cannot use the terminal")
        .because(error)
        .with_remedy("weir top --once prints one page")
}

struct Screen {
    watch: Watch,
    looking: Looking,
    /// The table as it is looked at, made once for each look and change.
    grid: Grid,
    looked: Instant,
    /// How many rows the table has room for.
    rows: usize,
}

impl Screen {
    fn new(watch: Watch, looking: Looking) -> Screen {
        Screen {
            grid: tables::of_tab(looking.tab, &watch, looking.is_whole),
            watch,
            looking,
            looked: Instant::now(),
            rows: 1,
        }
    }

    fn run(
        &mut self,
        terminal: &mut ratatui::DefaultTerminal,
        signal: &AtomicUsize,
    ) -> io::Result<()> {
        let input = io::stdin();
        let mut keyboard = Keyboard::new(input.as_fd());
        while signal.load(Ordering::Relaxed) == 0 {
            terminal.draw(|frame| self.draw(frame))?;
            let due = self.looking.interval.saturating_sub(self.looked.elapsed());
            if let Some(key) = keyboard.wait(due.min(TICK))? {
                if !self.take(key) {
                    break;
                }
            } else if due.is_zero() && !self.looking.is_paused {
                self.watch.look();
                self.looked = Instant::now();
                self.renew();
            }
        }
        Ok(())
    }

    fn renew(&mut self) {
        self.grid = tables::of_tab(self.looking.tab, &self.watch, self.looking.is_whole);
    }

    /// False if it is to quit.
    fn take(&mut self, key: KeyEvent) -> bool {
        let before = (self.looking.tab, self.looking.is_whole);
        let goes_on = self.looking.press(key, self.grid.fields.len(), self.rows);
        if before != (self.looking.tab, self.looking.is_whole) {
            self.renew();
        }
        goes_on
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let [head, tabs, table, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(2),
            Constraint::Min(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(self.head(), head);
        frame.render_widget(self.tabs(), tabs);
        self.draw_table(frame, table);
        frame.render_widget(self.foot(), foot);
        if self.looking.shows_keys {
            draw_keys(frame);
        }
    }

    fn head(&self) -> Line<'static> {
        Line::from(vec![
            Span::styled("weir top", Modifier::BOLD),
            format!("  {}  ", self.looking.mode()).dim(),
            Span::raw(self.watch.headline(self.looking.is_whole)),
        ])
    }

    fn tabs(&self) -> Line<'static> {
        let mut spans = Vec::new();
        for (number, tab) in (1..).zip(Tab::ALL) {
            let style = match tab == self.looking.tab {
                true => Style::new().add_modifier(Modifier::REVERSED),
                false => Style::new(),
            };
            spans.push(Span::styled(format!(" {number} {} ", tab.title()), style));
        }
        Line::from(spans)
    }

    fn draw_table(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let view = self.looking.view().clone();
        let fitted = self.grid.table(&view).fitted(area.width.into());
        let lines = fitted.lines(false);
        let (head, rows) = lines
            .split_first()
            .map_or(("", &[][..]), |(head, rows)| (head.as_str(), rows));
        self.rows = usize::from(area.height).saturating_sub(1).max(1);
        let above = view.above.min(rows.len().saturating_sub(self.rows));
        self.looking.view().above = above;
        let sorted_by = self
            .grid
            .fields
            .get(view.sort)
            .map_or("", |field| field.title);
        let mut shown = vec![heading(head, sorted_by)];
        let rows = rows.iter().skip(above).take(self.rows);
        shown.extend(rows.map(|row| Line::raw(row.clone())));
        if shown.len() == 1 {
            shown.push(Line::from("nothing".dim()));
        }
        frame.render_widget(Paragraph::new(shown), area);
    }

    fn foot(&mut self) -> Line<'static> {
        let is_typing = self.looking.is_typing;
        let filter = self.looking.view().filter.clone();
        match (is_typing, filter.is_empty()) {
            (true, _) => Line::from(vec![
                Span::raw(format!("show rows with: {filter}█")),
                "  Enter, Esc".dim(),
            ]),
            (false, false) => Line::from(format!("rows with: {filter}  (Esc: all rows)")),
            (false, true) => {
                Line::from("q quit  ? keys  ← → sort  / filter  p pause  t totals".dim())
            }
        }
    }
}

/// The head of the table, the column that sorts standing out.
fn heading(head: &str, sorted_by: &str) -> Line<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let sorting = bold.add_modifier(Modifier::UNDERLINED);
    match head.split_once(sorted_by).filter(|_| !sorted_by.is_empty()) {
        Some((before, after)) => Line::from(vec![
            Span::styled(before.to_owned(), bold),
            Span::styled(sorted_by.to_owned(), sorting),
            Span::styled(after.to_owned(), bold),
        ]),
        None => Line::from(Span::styled(head.to_owned(), bold)),
    }
}

fn draw_keys(frame: &mut Frame<'_>) {
    let area = frame.area();
    let lines = KEYS.iter().map(|(key, text)| {
        Line::from(vec![
            Span::styled(format!("{key:<20}"), Modifier::BOLD),
            Span::raw(*text),
        ])
    });
    let width = 84.min(area.width);
    let height = (KEYS.len() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(" Keys ");
    frame.render_widget(
        Paragraph::new(lines.collect::<Vec<_>>()).block(block),
        place,
    );
}
