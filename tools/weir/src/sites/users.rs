//! The place in a program that a call is reported at: its own, where it has one on the stack.

use weir_report::model::{InFlight, Process};

use super::{PointId, Sites, shortened};

/// Names of functions are not longer, as long as there is another way to write them.
pub const NAME: usize = 40;

/// Stands for the place where no frame is known.
pub const NO_STACK: &str = "(no stack)";

impl Sites {
    /// For each frame the innermost place on its stack that is the program's own, and no language's or library's of one.
    pub fn users(&self) -> Vec<PointId> {
        let mut users: Vec<PointId> = Vec::with_capacity(self.stacks.frames.len());
        let mut has_one: Vec<bool> = Vec::with_capacity(self.stacks.frames.len());
        for (index, frame) in (0..).zip(&self.stacks.frames) {
            let points = self.points.of_frame(index);
            let own = points
                .iter()
                .rev()
                .find(|&&point| !self.points.get(point).is_plumbing());
            let caller = frame.parent.map(|parent| parent as usize);
            let caller = caller
                .filter(|&caller| has_one[caller])
                .map(|caller| users[caller]);
            has_one.push(own.is_some() || caller.is_some());
            // Where all is a library's, the innermost one will do. Every frame has a point.
            let last = points.last().copied().unwrap_or_default();
            users.push(own.copied().or(caller).unwrap_or(last));
        }
        users
    }

    /// Where a process had made a call that had not returned; none where its stack is not known. The process is one of those
    /// of these sites.
    pub fn place_of_call(&self, process: &Process, call: &InFlight) -> Option<String> {
        let frame = self
            .stacks
            .matching(process.stacks.as_ref()?, call.frame?)?;
        Some(self.place(self.users().get(frame as usize).copied()))
    }

    /// A place in a few words: function, file and line.
    pub fn place(&self, point: Option<PointId>) -> String {
        let Some(point) = point.map(|point| self.points.get(point)) else {
            return NO_STACK.to_owned();
        };
        let function = shortened(&point.function, NAME);
        match point.place() {
            place if place.is_empty() => function,
            place => format!("{function} ({place})"),
        }
    }
}
