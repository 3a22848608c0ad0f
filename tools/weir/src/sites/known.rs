//! What frames are, kept: files are read once for several questions about the same objects.

use std::collections::HashMap;

use weir_report::model::{Module, Process, Stacks};

use super::{Sites, Suppressions, debug_directories, no_stacks};
use crate::cli::SiteArgs;
use crate::failure::Failure;
use crate::symbols::Place;

/// What is known of places in objects.
#[derive(Debug, Default)]
pub struct KnownPlaces {
    /// By build id, or by path where there is none, as in [`Stacks::together`]; then by offset.
    of_modules: HashMap<(Option<String>, String), HashMap<u64, Vec<Place>>>,
}

fn key(module: &Module) -> (Option<String>, String) {
    match &module.build_id {
        Some(id) => (Some(id.clone()), String::new()),
        None => (None, module.path.clone()),
    }
}

impl KnownPlaces {
    /// The places of these frames of an object; none where one of them was never asked for.
    pub fn of(&self, module: &Module, stacks: &Stacks, frames: &[u32]) -> Option<Vec<Vec<Place>>> {
        let known = self.of_modules.get(&key(module))?;
        let places = frames.iter().map(|&frame| {
            let offset = stacks.frames[frame as usize].offset;
            known.get(&offset).cloned()
        });
        places.collect()
    }

    /// Keeps the places of these frames.
    pub fn add(&mut self, module: &Module, stacks: &Stacks, frames: &[u32], places: &[Vec<Place>]) {
        let known = self.of_modules.entry(key(module)).or_default();
        for (&frame, places) in frames.iter().zip(places) {
            let offset = stacks.frames[frame as usize].offset;
            known.entry(offset).or_insert_with(|| places.clone());
        }
    }
}

/// A command line's questions about the call sites of one report: of all processes, and then of some.
#[derive(Debug)]
pub struct Questions<'a> {
    args: &'a SiteArgs,
    suppressions: Option<Suppressions>,
    known: KnownPlaces,
}

impl<'a> Questions<'a> {
    /// # Errors
    /// The suppressions cannot be read.
    pub fn new(args: &'a SiteArgs) -> Result<Questions<'a>, Failure> {
        let suppressions = args.suppressions.as_deref();
        Ok(Questions {
            args,
            suppressions: suppressions.map(Suppressions::read).transpose()?,
            known: KnownPlaces::default(),
        })
    }

    /// The call sites of these processes.
    ///
    /// # Errors
    /// None of them has stacks.
    pub fn ask(&mut self, processes: &[&Process]) -> Result<Sites, Failure> {
        let args = self.args;
        let directories = debug_directories(&args.debug_dir);
        let sites = Sites::with_known(processes.iter().copied(), &directories, &mut self.known);
        let mut sites = sites.ok_or_else(no_stacks)?;
        if args.files {
            sites.split_by_file();
        }
        let suppressions = self.suppressions.as_ref();
        sites.suppressed = suppressions.map(|of| of.apply(&mut sites.stacks, &sites.points));
        if !args.native {
            sites.leave_out_interpreters();
        }
        Ok(sites)
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::{CodeName, CodePlace, Frame, Site};

    use super::*;

    /// A process that called from these functions of one object. The report has their names only where they are asked for.
    fn process(functions: &[(u64, &str)], has_names: bool) -> Process {
        let mut process = crate::sample::report().processes.remove(0);
        let name = |&(offset, function): &(u64, &str)| CodeName {
            offset,
            places: vec![CodePlace {
                function: Some(function.to_owned()),
                ..CodePlace::default()
            }],
        };
        let frame = |&(offset, _): &(u64, &str)| Frame {
            parent: None,
            module: Some(0),
            offset,
        };
        let names = match has_names {
            true => functions.iter().map(name).collect(),
            false => Vec::new(),
        };
        let site = |frame| Site {
            frame: Some(frame),
            function: "malloc".to_owned(),
            calls: 1,
            ..Site::default()
        };
        process.stacks = Some(Stacks {
            modules: vec![Module {
                path: "/no/such/object".to_owned(),
                names,
                ..Module::default()
            }],
            frames: functions.iter().map(frame).collect(),
            sites: (0..functions.len() as u32).map(site).collect(),
            ..Stacks::default()
        });
        process
    }

    #[test]
    fn what_was_asked_of_all_is_known_of_each() {
        let args = SiteArgs::default();
        let mut questions = Questions::new(&args).expect("no suppressions");
        let named = process(&[(1, "first"), (2, "second")], true);
        questions.ask(&[&named]).expect("stacks");
        // An object whose file is not here: only what was kept can name its frames.
        let nameless = process(&[(2, "")], false);
        let sites = questions.ask(&[&nameless]).expect("stacks");
        let functions: Vec<&str> = sites.points.all().map(|of| of.function.as_str()).collect();
        assert_eq!(functions, ["second"]);
        assert!(sites.lacks.is_empty(), "no file was looked for");
        let unknown = process(&[(2, ""), (3, "")], false);
        let sites = questions.ask(&[&unknown]).expect("stacks");
        assert_eq!(sites.lacks.len(), 1, "one of them was never asked for");
    }
}
