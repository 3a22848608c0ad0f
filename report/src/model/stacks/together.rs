//! The stacks of several process images in one tree.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::{CodeName, FilePart, Frame, Module, Site, SiteFile, Stacks};

/// How many frames, sites, objects, files and parts by file are kept of images that share an entry.
pub const MOST: usize = 1 << 17;

/// The key of [`Stacks::ended`] for stacks that were cut because there are too many frames.
const NO_ROOM: &str = "no_room";

impl Stacks {
    /// All of them together, none if there are none. Frames are the same where their objects have the same build id, or the same
    /// path if they have none, and so are their callers. Of each kind of entry there are no more than `most`: what is beyond that
    /// counts for its callers, as far as these have an entry.
    pub fn together<'a>(
        stacks: impl IntoIterator<Item = &'a Stacks>,
        most: usize,
    ) -> Option<Stacks> {
        let mut stacks = stacks.into_iter().peekable();
        stacks.peek()?;
        let mut tree = Tree {
            most,
            ..Tree::default()
        };
        for of_image in stacks {
            tree.add(of_image);
        }
        let Tree {
            mut stacks,
            names,
            parts,
            ..
        } = tree;
        for (module, names) in stacks.modules.iter_mut().zip(names) {
            module.names = names.into_values().cloned().collect();
        }
        for ((site, _), part) in parts {
            stacks.sites[site].by_file.push(part);
        }
        Some(stacks)
    }
}

#[derive(Default)]
struct Tree<'a> {
    stacks: Stacks,
    most: usize,
    /// By build id, or by path where there is none.
    modules: HashMap<(Option<&'a str>, &'a str), u32>,
    /// Those of each object, by offset.
    names: Vec<BTreeMap<u64, &'a CodeName>>,
    frames: HashMap<Frame, u32>,
    sites: HashMap<(Option<u32>, &'a str), usize>,
    files: HashMap<&'a SiteFile, u32>,
    /// By site and file.
    parts: BTreeMap<(usize, u32), FilePart>,
}

/// Where a frame is in the tree.
#[derive(Clone, Copy)]
struct Placed {
    frame: Option<u32>,
    /// Whether that is a caller, because there was no room for the frame itself.
    is_cut: bool,
}

impl<'a> Tree<'a> {
    fn add(&mut self, stacks: &'a Stacks) {
        let modules: Vec<Option<u32>> = stacks.modules.iter().map(|of| self.module(of)).collect();
        let mut placed: Vec<Placed> = Vec::with_capacity(stacks.frames.len());
        for frame in &stacks.frames {
            let place = self.frame(frame, &modules, &placed);
            placed.push(place);
        }
        let files: Vec<Option<u32>> = stacks.files.iter().map(|of| self.file(of)).collect();
        for site in &stacks.sites {
            let place = site.frame.and_then(|frame| placed.get(frame as usize));
            let place = place.copied().unwrap_or(Placed {
                frame: None,
                is_cut: false,
            });
            self.site(site, place, &files);
        }
        for (reason, &calls) in &stacks.ended {
            self.ended(reason, calls);
        }
        self.stacks.sampled_bytes = self.stacks.sampled_bytes.max(stacks.sampled_bytes);
        for (to, by) in [
            (&mut self.stacks.peak_bytes, stacks.peak_bytes),
            (&mut self.stacks.untracked_blocks, stacks.untracked_blocks),
            (&mut self.stacks.untracked_frees, stacks.untracked_frees),
        ] {
            *to = to.saturating_add(by);
        }
    }

    fn module(&mut self, module: &'a Module) -> Option<u32> {
        let key = match &module.build_id {
            Some(id) => (Some(id.as_str()), ""),
            None => (None, module.path.as_str()),
        };
        let index = match self.modules.get(&key) {
            Some(&known) => known,
            None => {
                let index = next(self.stacks.modules.len(), self.most)?;
                self.stacks.modules.push(Module {
                    names: Vec::new(),
                    ..module.clone()
                });
                self.names.push(BTreeMap::new());
                self.modules.insert(key, index);
                index
            }
        };
        let merged = &mut self.stacks.modules[index as usize];
        if merged.interprets.is_none() {
            merged.interprets.clone_from(&module.interprets);
        }
        let names = module.names.iter().map(|name| (name.offset, name));
        self.names[index as usize].extend(names);
        Some(index)
    }

    fn frame(&mut self, frame: &Frame, modules: &[Option<u32>], placed: &[Placed]) -> Placed {
        let parent = frame.parent.and_then(|parent| placed.get(parent as usize));
        let parent = match parent {
            Some(parent) if parent.is_cut => return *parent,
            Some(parent) => parent.frame,
            None => None,
        };
        let cut = Placed {
            frame: parent,
            is_cut: true,
        };
        let module = match frame.module {
            None => None,
            Some(module) => match modules.get(module as usize) {
                Some(&Some(module)) => Some(module),
                _ => return cut,
            },
        };
        let frame = Frame {
            parent,
            module,
            offset: frame.offset,
        };
        let index = match self.frames.get(&frame) {
            Some(&known) => known,
            None => {
                let Some(index) = next(self.stacks.frames.len(), self.most) else {
                    return cut;
                };
                self.stacks.frames.push(frame);
                self.frames.insert(frame, index);
                index
            }
        };
        Placed {
            frame: Some(index),
            is_cut: false,
        }
    }

    fn file(&mut self, file: &'a SiteFile) -> Option<u32> {
        if let Some(&known) = self.files.get(file) {
            return Some(known);
        }
        let index = next(self.stacks.files.len(), self.most)?;
        self.stacks.files.push(file.clone());
        self.files.insert(file, index);
        Some(index)
    }

    fn site(&mut self, site: &'a Site, place: Placed, files: &[Option<u32>]) {
        let mut place = place;
        let function = site.function.as_str();
        let is_new = !self.sites.contains_key(&(place.frame, function));
        if is_new && self.stacks.sites.len() >= self.most {
            place = Placed {
                frame: None,
                is_cut: true,
            };
        }
        if place.is_cut {
            self.ended(NO_ROOM, site.calls);
        }
        let sites = &mut self.stacks.sites;
        let index = *self
            .sites
            .entry((place.frame, function))
            .or_insert_with(|| {
                sites.push(Site {
                    frame: place.frame,
                    function: site.function.clone(),
                    ..Site::default()
                });
                sites.len() - 1
            });
        sites[index].add_sums(site);
        for part in &site.by_file {
            let Some(&Some(file)) = files.get(part.file as usize) else {
                continue;
            };
            let has_room = self.parts.len() < self.most;
            match self.parts.entry((index, file)) {
                Entry::Occupied(mut sum) => sum.get_mut().add(part),
                // Else the calls stay in the numbers of the site.
                Entry::Vacant(place) if has_room => _ = place.insert(FilePart { file, ..*part }),
                Entry::Vacant(_) => {}
            }
        }
    }

    fn ended(&mut self, reason: &str, calls: u64) {
        let ended = &mut self.stacks.ended;
        match ended.get_mut(reason) {
            Some(sum) => *sum = sum.saturating_add(calls),
            None if calls > 0 => _ = ended.insert(reason.to_owned(), calls),
            None => {}
        }
    }
}

/// The index of the next entry, if there is room for one.
fn next(length: usize, most: usize) -> Option<u32> {
    u32::try_from(length).ok().filter(|_| length < most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SiteBlocks;

    fn module(path: &str, build_id: Option<&str>) -> Module {
        Module {
            path: path.to_owned(),
            build_id: build_id.map(str::to_owned),
            ..Module::default()
        }
    }

    fn frame(parent: Option<u32>, module: Option<u32>, offset: u64) -> Frame {
        Frame {
            parent,
            module,
            offset,
        }
    }

    fn site(frame: Option<u32>, function: &str, calls: u64) -> Site {
        Site {
            frame,
            function: function.to_owned(),
            calls,
            requested_bytes: 10 * calls,
            blocks: (function == "malloc").then_some(SiteBlocks {
                live: calls,
                live_bytes: 10 * calls,
                live_bytes_at_peak: 20 * calls,
                temporary: 1,
            }),
            ..Site::default()
        }
    }

    fn file(name: &str) -> SiteFile {
        SiteFile {
            kind: "file".to_owned(),
            name: name.to_owned(),
        }
    }

    /// A site whose calls were about files: the index and the calls of each.
    fn about(site: Site, files: &[(u32, u64)]) -> Site {
        let part = |&(file, calls): &(u32, u64)| FilePart {
            file,
            calls,
            moved_bytes: 100 * calls,
            ..FilePart::default()
        };
        Site {
            by_file: files.iter().map(part).collect(),
            ..site
        }
    }

    /// main → parse, and main → run.
    fn one() -> Stacks {
        Stacks {
            modules: vec![module("/bin/a", Some("aa")), module("/lib/c", None)],
            frames: vec![
                frame(None, Some(0), 1),
                frame(Some(0), Some(0), 2),
                frame(Some(0), Some(1), 3),
            ],
            sites: vec![
                site(Some(1), "malloc", 5),
                about(site(Some(2), "read", 1), &[(0, 1)]),
            ],
            files: vec![file("/etc/one")],
            ended: [("too_deep".to_owned(), 1)].into(),
            peak_bytes: 1000,
            untracked_blocks: 2,
            untracked_frees: 4,
            sampled_bytes: Some(64),
        }
    }

    /// The same objects in another order, the first one at another path; the same main → run, and main → other.
    fn other() -> Stacks {
        Stacks {
            modules: vec![
                module("/lib/c", None),
                module("/mnt/a", Some("aa")),
                module("/lib/c", Some("cc")),
            ],
            frames: vec![
                frame(None, Some(1), 1),
                frame(Some(0), Some(0), 3),
                frame(Some(0), Some(2), 3),
                frame(None, None, 0x7f00),
            ],
            sites: vec![
                about(site(Some(1), "read", 2), &[(0, 1), (1, 1)]),
                site(Some(2), "read", 4),
                site(Some(3), "malloc", 8),
                site(None, "malloc", 16),
            ],
            files: vec![file("/etc/other"), file("/etc/one")],
            ended: [("too_deep".to_owned(), 2), ("interrupted".to_owned(), 3)].into(),
            peak_bytes: 500,
            untracked_blocks: 1,
            untracked_frees: 8,
            sampled_bytes: None,
        }
    }

    #[test]
    fn frames_of_the_same_code_are_one() {
        let (one, other) = (one(), other());
        assert_eq!(Stacks::together([], MOST), None);
        assert_eq!(Stacks::together([&one], MOST), Some(one.clone()));
        let both = Stacks::together([&one, &other], MOST).expect("stacks");
        assert_eq!(both.check(), Ok(()));
        assert_eq!(
            both.modules,
            [&one.modules[..], &other.modules[2..]].concat()
        );
        assert_eq!(both.frames.len(), 5);
        let calls: Vec<(Option<u32>, &str, u64)> = both
            .sites
            .iter()
            .map(|site| (site.frame, site.function.as_str(), site.calls))
            .collect();
        assert_eq!(
            calls,
            [
                (Some(1), "malloc", 5),
                (Some(2), "read", 3),
                (Some(3), "read", 4),
                (Some(4), "malloc", 8),
                (None, "malloc", 16)
            ]
        );
        assert_eq!(both.files, [file("/etc/one"), file("/etc/other")]);
        let by_file = |stacks: &Stacks| -> Vec<(u32, u64, u64)> {
            let parts = stacks.sites.iter().flat_map(|site| &site.by_file);
            parts
                .map(|part| (part.file, part.calls, part.moved_bytes))
                .collect()
        };
        assert_eq!(by_file(&both), [(0, 2, 200), (1, 1, 100)]);
        assert!(
            both.sites
                .iter()
                .all(|site| site.requested_bytes == 10 * site.calls)
        );
        assert_eq!(
            both.ended,
            [("interrupted".to_owned(), 3), ("too_deep".to_owned(), 3)].into()
        );
        assert_eq!((both.peak_bytes, both.untracked_blocks), (1500, 3));
        assert_eq!(both.untracked_frees, 12);
        assert_eq!(both.sampled_bytes, Some(64));
        let again = Stacks::together([&both, &one], MOST).expect("stacks");
        let twice = SiteBlocks {
            live: 10,
            live_bytes: 100,
            live_bytes_at_peak: 200,
            temporary: 2,
        };
        assert_eq!(again.sites[0].blocks, Some(twice));
        assert_eq!(again.sites[1].blocks, None, "read makes none");
    }

    #[test]
    fn what_has_no_room_counts_for_its_callers() {
        let (one, other) = (one(), other());
        let calls = |stacks: &Stacks| stacks.sites.iter().map(|site| site.calls).sum::<u64>();
        for most in 0..8 {
            let both = Stacks::together([&one, &other], most).expect("stacks");
            assert_eq!(both.check(), Ok(()));
            assert!(both.frames.len() <= most && both.modules.len() <= most);
            assert_eq!(calls(&both), calls(&one) + calls(&other), "{most}");
            assert_eq!(
                both.ended.contains_key(NO_ROOM),
                most < 5,
                "{most}: {both:?}"
            );
        }
        let two = Stacks::together([&one], 2).expect("stacks");
        assert_eq!(two.frames, one.frames[..2]);
        assert_eq!(two.sites[1].frame, Some(0), "read counts for main");
        assert_eq!(two.ended[NO_ROOM], 1);
    }

    #[test]
    fn sums_do_not_overflow() {
        let mut most = one();
        most.sites[0].calls = u64::MAX;
        most.ended.insert("too_deep".to_owned(), u64::MAX);
        let both = Stacks::together([&most, &most], MOST).expect("stacks");
        assert_eq!(both.sites[0].calls, u64::MAX);
        assert_eq!(both.ended["too_deep"], u64::MAX);
    }
}
