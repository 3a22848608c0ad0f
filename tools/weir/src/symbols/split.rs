//! Debug information that is not in the program's file (`-gsplit-dwarf`): in a file for each source that was compiled (`.dwo`), or in one
//! file for all of them (`.dwp`, made by dwp). The program's file has the lines, and names these; they have functions, and what was
//! inlined where.

use std::cell::{Cell, OnceCell};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addr2line::SplitDwarfLoad;
use addr2line::gimli::{Dwarf, DwarfPackage, EndianSlice};

use super::dwarf::{Reader, Sections, endian};
use super::object::{Object, Unusable};

/// The section with most of the debug information.
const DEBUG_INFO: &str = ".debug_info.dwo";

/// No more debug information is read of them all together, in bytes: what is read stays in memory.
const MOST_BYTES: u64 = 1 << 30;

/// The files beside one with debug information.
pub struct Parts {
    /// The file that names them.
    of: PathBuf,
    package: Option<(Object, Sections)>,
    /// What was read of each, and how many there are.
    read: Vec<OnceCell<Sections>>,
    count: Cell<usize>,
    /// How many bytes of debug information may still be read.
    left: Cell<u64>,
    missing: OnceCell<PathBuf>,
    are_too_large: Cell<bool>,
}

impl Parts {
    /// Those of a file, as many as may be needed for so many addresses. No more than so many bytes of debug information are read.
    pub fn of(debug: &Object, addresses: usize, most_bytes: u64) -> Parts {
        let mut package = debug.path.clone().into_os_string();
        package.push(".dwp");
        let package = Object::open(Path::new(&package)).ok();
        Parts {
            of: debug.path.clone(),
            package: package.map(|object| (object, Sections::default())),
            read: (0..addresses).map(|_| OnceCell::new()).collect(),
            count: Cell::new(0),
            left: Cell::new(most_bytes.min(MOST_BYTES)),
            missing: OnceCell::new(),
            are_too_large: Cell::new(false),
        }
    }

    /// A file that is not there, if one was missed.
    pub fn missing(&self) -> Option<&Path> {
        self.missing.get().map(PathBuf::as_path)
    }

    /// Whether something was left out because they have more than [`MOST_BYTES`].
    pub fn are_too_large(&self) -> bool {
        self.are_too_large.get()
    }

    /// The package.
    pub fn package(&self) -> Option<DwarfPackage<Reader<'_>>> {
        let (object, sections) = self.package.as_ref()?;
        let empty = EndianSlice::new(&[][..], endian(object).ok()?);
        let section = |id| sections.read_package(object, id);
        DwarfPackage::load(section, empty).ok()
    }

    /// What is asked for, from the package or from a file of its own. None if it is not there, or would be too much.
    pub fn load<'d>(
        &'d self,
        package: Option<&DwarfPackage<Reader<'d>>>,
        asked: &SplitDwarfLoad<Reader<'d>>,
    ) -> Option<Arc<Dwarf<Reader<'d>>>> {
        let in_package = package.and_then(|all| all.find_cu(asked.dwo_id, &asked.parent).ok()?);
        if let Some(dwarf) = in_package {
            return Some(Arc::new(dwarf));
        }
        let name = Path::new(OsStr::from_bytes(asked.path?.slice()));
        let directory = asked.comp_dir.map_or(Path::new(""), |path| {
            Path::new(OsStr::from_bytes(path.slice()))
        });
        // Where it was made; or beside the program, if both were moved.
        let beside = |name| Some(self.of.parent()?.join(name));
        let places = [
            Some(directory.join(name)),
            name.file_name().and_then(beside),
        ];
        let opened = { places.iter().flatten() }.find_map(|path| Object::open(path).ok());
        let Some(object) = opened else {
            let _ = self.missing.set(directory.join(name));
            return None;
        };
        let left = self
            .left
            .get()
            .checked_sub(object.section_bytes(DEBUG_INFO))?;
        self.left.set(left);
        let mut dwarf = self.read(&object).ok()??;
        let header = dwarf.units().next().ok()??;
        // An older or a newer one is of no use.
        if dwarf.unit(header).ok()?.dwo_id != Some(asked.dwo_id) {
            let _ = self.missing.set(object.path);
            return None;
        }
        dwarf.make_dwo(&asked.parent);
        Some(Arc::new(dwarf))
    }

    /// Reads a file, which is closed then: there may be many. None where there are more of them than addresses.
    fn read<'d>(&'d self, object: &Object) -> Result<Option<Dwarf<Reader<'d>>>, Unusable> {
        let Some(place) = self.read.get(self.count.get()) else {
            return Ok(None);
        };
        self.count.set(self.count.get() + 1);
        let sections = place.get_or_init(Sections::default);
        let dwarf = Dwarf::load(|id| sections.keep(object, id, id.dwo_name().unwrap_or("")))?;
        Ok(Some(dwarf))
    }
}
