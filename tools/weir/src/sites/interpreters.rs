//! Stacks without the functions of an interpreter, between those of the language that it runs.

use std::collections::HashMap;

use weir_report::model::{Frame, Module};

use super::Sites;

impl Sites {
    /// Takes an interpreter's own functions out of the stacks that have functions of its language. Other stacks, such as those of the
    /// interpreter's start, stay as they are.
    pub fn leave_out_interpreters(&mut self) {
        let Sites { stacks, points, .. } = self;
        let is = |frame: &Frame, of: fn(&Module) -> bool| {
            let module = frame.module.and_then(|of| stacks.modules.get(of as usize));
            module.is_some_and(of)
        };
        let of_language: Vec<bool> = stacks
            .frames
            .iter()
            .map(|frame| is(frame, |module| module.language.is_some()))
            .collect();
        let of_interpreter: Vec<bool> = stacks
            .frames
            .iter()
            .map(|frame| is(frame, |module| module.interprets.is_some()))
            .collect();
        if !of_language.contains(&true) || !of_interpreter.contains(&true) {
            return;
        }
        // Callers come before what they call.
        let mut has_language: Vec<bool> = Vec::with_capacity(stacks.frames.len());
        for (index, frame) in stacks.frames.iter().enumerate() {
            let of_caller = frame
                .parent
                .is_some_and(|parent| has_language[parent as usize]);
            has_language.push(of_language[index] || of_caller);
        }
        let mut known: HashMap<(Option<u32>, u32), u32> = HashMap::new();
        let mut without: HashMap<u32, Option<u32>> = HashMap::new();
        for site in &mut stacks.sites {
            let Some(innermost) = site.frame.filter(|&of| has_language[of as usize]) else {
                continue;
            };
            if let Some(&frame) = without.get(&innermost) {
                site.frame = frame;
                continue;
            }
            let mut chain: Vec<u32> = Vec::new();
            let mut next = Some(innermost);
            while let Some(frame) = next {
                chain.push(frame);
                next = stacks.frames[frame as usize].parent;
            }
            let mut caller = None;
            for &frame in chain
                .iter()
                .rev()
                .filter(|&&of| !of_interpreter[of as usize])
            {
                let fresh = stacks.frames.len() as u32;
                let own = *known.entry((caller, frame)).or_insert(fresh);
                if own == fresh {
                    let Frame { module, offset, .. } = stacks.frames[frame as usize];
                    stacks.frames.push(Frame {
                        parent: caller,
                        module,
                        offset,
                    });
                    points.add_copy(fresh, frame);
                }
                caller = Some(own);
            }
            without.insert(innermost, caller);
            site.frame = caller;
        }
        self.merge_sites();
    }

    /// Sites that have come to be the same are added up.
    fn merge_sites(&mut self) {
        let mut known: HashMap<(Option<u32>, String), usize> = HashMap::new();
        let mut merged: Vec<weir_report::model::Site> = Vec::with_capacity(self.stacks.sites.len());
        for site in std::mem::take(&mut self.stacks.sites) {
            match known.get(&(site.frame, site.function.clone())) {
                Some(&index) => merged[index].add(&site),
                None => {
                    known.insert((site.frame, site.function.clone()), merged.len());
                    merged.push(site);
                }
            }
        }
        self.stacks.sites = merged;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sites::Naming;
    use weir_report::model::{CodeName, CodePlace, Process, Site, SiteBlocks, Stacks};

    const PROGRAM: u32 = 0;
    const CPYTHON: u32 = 1;
    const SCRIPT: u32 = 2;

    fn module(path: &str, names: &[(u64, &str)]) -> Module {
        let name = |&(offset, function): &(u64, &str)| CodeName {
            offset,
            places: vec![CodePlace {
                function: Some(function.to_owned()),
                ..CodePlace::default()
            }],
        };
        Module {
            path: path.to_owned(),
            names: names.iter().map(name).collect(),
            ..Module::default()
        }
    }

    fn sites() -> Sites {
        let mut cpython = module("/lib/python", &[(2, "run"), (3, "call"), (4, "grow")]);
        cpython.interprets = Some("python".to_owned());
        let mut script = module("a.py", &[(5, "<module>"), (6, "leaf")]);
        script.language = Some("python".to_owned());
        let frame = |parent, module, offset| Frame {
            parent,
            module: Some(module),
            offset,
        };
        let site = |frame, calls| Site {
            frame: Some(frame),
            function: "malloc".to_owned(),
            calls,
            blocks: Some(SiteBlocks {
                live: calls,
                ..SiteBlocks::default()
            }),
            ..Site::default()
        };
        let stacks = Stacks {
            modules: vec![module("/bin/p", &[(1, "main")]), cpython, script],
            frames: vec![
                frame(None, PROGRAM, 1),
                frame(Some(0), CPYTHON, 2),
                frame(Some(1), SCRIPT, 5),
                frame(Some(2), CPYTHON, 3),
                frame(Some(3), SCRIPT, 6),
                // The same line leads to the allocator by two functions of the interpreter.
                frame(Some(4), CPYTHON, 3),
                frame(Some(4), CPYTHON, 4),
            ],
            sites: vec![site(5, 10), site(6, 20), site(1, 3)],
            ..Stacks::default()
        };
        let process = Process {
            stacks: Some(stacks),
            ..crate::sample::report().processes[0].clone()
        };
        Sites::of([&process], &[], Naming::Whole).expect("stacks")
    }

    fn names(sites: &Sites, site: &Site) -> Vec<String> {
        let stack = sites.stack(site.frame).into_iter();
        stack
            .map(|point| sites.points.get(point).function.clone())
            .collect()
    }

    #[test]
    fn stacks_of_a_language_have_no_functions_of_its_interpreter() {
        let mut sites = sites();
        sites.leave_out_interpreters();
        sites.stacks.check().expect("indices that lead somewhere");
        let found: Vec<_> = sites.stacks.sites.iter().collect();
        assert_eq!(found.len(), 2);
        assert_eq!(names(&sites, found[0]), ["main", "<module>", "leaf"]);
        assert_eq!(found[0].calls, 30);
        assert_eq!(found[0].blocks.expect("blocks").live, 30);
        // The interpreter's start.
        assert_eq!(names(&sites, found[1]), ["main", "run"]);
        assert_eq!(found[1].calls, 3);
    }

    #[test]
    fn the_place_in_a_program_is_none_in_the_interpreter() {
        let sites = sites();
        let points = sites.stack(sites.stacks.sites[0].frame);
        let is_plumbing: Vec<bool> = points
            .iter()
            .map(|&point| sites.points.get(point).is_plumbing())
            .collect();
        assert_eq!(is_plumbing, [false, true, false, true, false, true]);
    }
}
