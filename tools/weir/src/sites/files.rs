//! Stacks that end with the file or socket that a call was about, between the place that called and the function that it called.

use weir_report::model::{Frame, Site, Stacks};

use super::Sites;

impl Sites {
    /// Makes a site for each file that a site's calls were about, with one frame more: the file. What was about none, or about one
    /// that the report does not list, stays as it is.
    pub fn split_by_file(&mut self) {
        let Sites { stacks, points, .. } = self;
        let Stacks {
            frames,
            sites,
            files,
            ..
        } = stacks;
        let mut split = Vec::new();
        for site in sites.iter_mut() {
            for part in std::mem::take(&mut site.by_file) {
                let Some(file) = files.get(part.file as usize) else {
                    continue;
                };
                // More frames than numbers is more than a report that can be read has.
                let Ok(frame) = u32::try_from(frames.len()) else {
                    continue;
                };
                frames.push(Frame {
                    parent: site.frame,
                    module: None,
                    offset: 0,
                });
                points.add_file(frame, file);
                for (rest, taken) in [
                    (&mut site.calls, part.calls),
                    (&mut site.errors, part.errors),
                    (&mut site.requested_bytes, part.requested_bytes),
                    (&mut site.moved_bytes, part.moved_bytes),
                    (&mut site.time_ns, part.time_ns),
                ] {
                    *rest = rest.saturating_sub(taken);
                }
                split.push(Site {
                    frame: Some(frame),
                    function: site.function.clone(),
                    calls: part.calls,
                    errors: part.errors,
                    requested_bytes: part.requested_bytes,
                    moved_bytes: part.moved_bytes,
                    time_ns: part.time_ns,
                    ..Site::default()
                });
            }
        }
        sites.append(&mut split);
    }
}
