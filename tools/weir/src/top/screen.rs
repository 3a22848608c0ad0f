//! The page on the terminal: draws what is looked at, and takes keys.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use ratatui::{Frame, Terminal};

use super::grid::Grid;
use super::keyboard::Keyboard;
use super::looking::{Looking, Tab};
use super::tables;
use super::watch::Watch;
use crate::text;

/// How soon a signal, or the end of a pause, is noticed; and between two looks for the first process.
pub const TICK: Duration = Duration::from_millis(100);

const KEYS: [(&str, &str); 9] = [
    ("1 to 5, Tab", "choose a table"),
    ("← →", "choose the column that sorts"),
    ("r", "reverse the order"),
    ("/", "show only rows with these letters; Esc: all rows"),
    ("↑ ↓ PgUp PgDn Home", "move through the rows"),
    ("t", "since the start, or for each second"),
    ("p, space", "pause, and go on"),
    ("+ -", "look less often, or more"),
    ("? h", "these keys"),
];

/// What stands below them.
const NOTE: (&str, &str) = (
    "",
    "p50, p99, longest: of the timed calls since the last look",
);

/// What the page is about, which decides some of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Programs that run elsewhere.
    Programs,
    /// The program that this weir runs.
    Run,
}

impl Subject {
    fn title(self) -> &'static str {
        match self {
            Subject::Programs => "weir top",
            Subject::Run => "weir run",
        }
    }

    /// The keys to leave with, and what they do.
    fn leaving(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Subject::Programs => &[("q, Ctrl-C", "quit")],
            Subject::Run => &[
                ("q, Esc", "close this page; the program goes on"),
                ("Ctrl-C, Ctrl-Z", "interrupt the program, and stop it"),
            ],
        }
    }

    fn reminder(self) -> &'static str {
        match self {
            Subject::Programs => "q quit  ? keys  ← → sort  / filter  p pause  t totals",
            Subject::Run => "q close  ? keys  ← → sort  / filter  p pause  t totals",
        }
    }
}

/// The page.
pub struct Screen {
    subject: Subject,
    watch: Watch,
    looking: Looking,
    /// The table as it is looked at, made once for each look and change.
    grid: Grid,
    looked: Instant,
    /// How many rows the table has room for.
    rows: usize,
}

impl Screen {
    pub fn new(subject: Subject, watch: Watch, looking: Looking) -> Screen {
        Screen {
            subject,
            grid: tables::of_tab(looking.tab, &watch, looking.is_whole),
            watch,
            looking,
            looked: Instant::now(),
            rows: 1,
        }
    }

    /// Draws the page, takes a key if there is one within a moment, and looks again if it is time. False if somebody quits.
    ///
    /// # Errors
    /// Those of the terminal, which may be gone.
    pub fn turn<W: Write>(
        &mut self,
        terminal: &mut Terminal<CrosstermBackend<W>>,
        keyboard: &mut Keyboard<'_>,
    ) -> io::Result<bool> {
        terminal.draw(|frame| self.draw(frame))?;
        let interval = match self.watch.has_seen() {
            true => self.looking.interval,
            false => TICK,
        };
        let due = interval.saturating_sub(self.looked.elapsed());
        if let Some(key) = keyboard.wait(due.min(TICK))? {
            return Ok(self.take(key));
        }
        if due.is_zero() && !self.looking.is_paused {
            self.watch.look();
            self.looked = Instant::now();
            self.renew();
        }
        Ok(true)
    }

    fn renew(&mut self) {
        self.grid = tables::of_tab(self.looking.tab, &self.watch, self.looking.is_whole);
    }

    /// False if it is to quit.
    fn take(&mut self, key: KeyEvent) -> bool {
        if self.subject == Subject::Run && key.code == KeyCode::Esc && self.looking.is_plain() {
            return false;
        }
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
        frame.render_widget(self.head(head.width.into()), head);
        frame.render_widget(self.tabs(), tabs);
        self.draw_table(frame, table);
        frame.render_widget(self.foot(), foot);
        if self.looking.shows_keys {
            draw_keys(frame, self.subject);
        }
    }

    fn head(&self, width: usize) -> Line<'static> {
        let title = self.subject.title();
        let mode = format!("  {}  ", self.looking.mode());
        let room = width.saturating_sub(text::width(title) + text::width(&mode));
        let headline = self.watch.headline(self.looking.is_whole);
        Line::from(vec![
            Span::styled(title, Modifier::BOLD),
            mode.dim(),
            Span::raw(text::join_within(&headline, room)),
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
            (false, true) => Line::from(self.subject.reminder().dim()),
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

fn draw_keys(frame: &mut Frame<'_>, subject: Subject) {
    let area = frame.area();
    let keys = KEYS.iter().chain(subject.leaving()).chain([&NOTE]);
    let lines: Vec<Line<'_>> = keys
        .map(|(key, text)| {
            Line::from(vec![
                Span::styled(format!("{key:<20}"), Modifier::BOLD),
                Span::raw(*text),
            ])
        })
        .collect();
    let width = 84.min(area.width);
    let height = (lines.len() as u16 + 2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(" Keys ");
    frame.render_widget(Paragraph::new(lines).block(block), place);
}
