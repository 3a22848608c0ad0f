//! Call sites as a program in C++ has them, with names, for tests of what shows them.

use weir_report::model::{Frame, Lifetimes, Module, Since, Site, SiteBlocks, Stacks};

use super::Sites;
use super::points::{Point, Points};
use crate::symbols::Lack;

const SHELF: u32 = 0;
const LIBC: u32 = 1;
const LIBZ: u32 = 2;

/// The program `shelf`, which reads a catalogue, packs it and serves it.
pub fn sites() -> Sites {
    let mut sample = Sample::default();
    let start = sample.frame(None, LIBC, &[("__libc_start_call_main", "", 0)]);
    let main =
        |sample: &mut Sample, line| sample.frame(Some(start), SHELF, &[("main", MAIN, line)]);
    let reads = main(&mut sample, 41);
    let packs = main(&mut sample, 44);
    let serves = main(&mut sample, 47);

    let load = sample.frame(Some(reads), SHELF, &[("shelf::load", LOAD, 88)]);
    let line = sample.frame(Some(load), LIBC, &[("getline", "", 0)]);
    sample.site(Some(line), "malloc", 1, 120, 0, 0);
    let fill = sample.frame(Some(line), LIBC, &[("_IO_file_underflow", "", 0)]);
    sample.site(
        Some(fill),
        "_IO_file_read",
        312,
        1_277_952,
        1_275_904,
        41_000_000,
    );
    let parse = sample.frame(
        Some(load),
        SHELF,
        &[
            ("shelf::parse", LOAD, 31),
            (
                "std::vector<shelf::Item, std::allocator<shelf::Item> >::push_back",
                VECTOR,
                1287,
            ),
        ],
    );
    let grow = "std::vector<shelf::Item, std::allocator<shelf::Item> >::_M_realloc_insert<shelf::Item const&>";
    let grow = sample.frame(Some(parse), SHELF, &[(grow, VECTOR, 440)]);
    let new = sample.frame(Some(grow), LIBC, &[("operator new", "", 0)]);
    sample.site(Some(new), "malloc", 48_000, 25_165_824, 0, 7_000);
    sample.blocks(1, 524_304, 12_582_912, 3);
    sample.lived(
        [40_000, 0, 0, 7_999, 0, 0, 0, 0],
        1_600_000_000_000,
        &[(0, 1000, 524_304)],
    );
    let text = sample.frame(
        Some(load),
        SHELF,
        &[("shelf::parse", LOAD, 29), ("shelf::text_of", LOAD, 12)],
    );
    sample.site(Some(text), "realloc", 48_000, 1_572_864, 0, 0);
    sample.blocks(120, 3_936, 1_572_864, 20_000);
    let live = [(1500, 2000, 2_000), (2000, 3000, 1_936)];
    sample.lived([47_880, 0, 0, 0, 0, 0, 0, 0], 1_000_000, &live);
    sample.site(Some(text), "free", 48_000, 0, 0, 0);

    let pack = sample.frame(Some(packs), SHELF, &[("shelf::pack", PACK, 17)]);
    let deflate = sample.frame(Some(pack), LIBZ, &[("deflateInit2_", "", 0)]);
    let inside = sample.frame(Some(deflate), LIBZ, &[]);
    sample.site(Some(inside), "malloc", 5, 268_288, 0, 0);
    let flush = sample.frame(Some(pack), SHELF, &[("shelf::Writer::flush", PACK, 63)]);
    sample.site(Some(flush), "write", 40, 655_360, 655_360, 9_300_000);
    sample.site(Some(flush), "fsync", 1, 0, 0, 180_000_000);
    let quarter = sample.frame(Some(pack), SHELF, &[("shelf::sort", PACK, 90)]);
    let mut sort = quarter;
    for _ in 0..6 {
        sort = sample.frame(Some(sort), SHELF, &[("shelf::sort", PACK, 96)]);
    }
    sample.site(Some(sort), "calloc", 64, 4_194_304, 0, 0);
    sample.blocks(0, 0, 0, 64);

    let serve = sample.frame(Some(serves), SHELF, &[("shelf::serve", SERVE, 120)]);
    sample.site(Some(serve), "poll", 210, 0, 0, 5_300_000_000);
    let answer = sample.frame(Some(serve), SHELF, &[("shelf::answer", SERVE, 77)]);
    sample.site(Some(answer), "send", 200, 409_600, 409_600, 2_100_000);
    sample.site(Some(answer), "fprintf", 200, 0, 9_200, 0);
    let script = sample.nowhere(0x7f31_0000_2a40);
    sample.site(Some(script), "malloc", 3, 96, 0, 0);
    sample.site(None, "malloc", 2, 4096, 0, 0);
    sample.finish()
}

const MAIN: &str = "/src/shelf/main.cc";
const LOAD: &str = "/src/shelf/load.cc";
const PACK: &str = "/src/shelf/pack/pack.cc";
const SERVE: &str = "/src/shelf/net/serve.cc";
const VECTOR: &str = "/usr/include/c++/12/bits/stl_vector.h";

/// A function, its file and its line; no file where it is not known.
type Named<'a> = (&'a str, &'a str, u32);

#[derive(Default)]
struct Sample {
    stacks: Stacks,
    points: Vec<Vec<Point>>,
}

impl Sample {
    /// A frame, with the functions that it is in, the outermost one first.
    fn frame(&mut self, parent: Option<u32>, module: u32, named: &[Named<'_>]) -> u32 {
        let offset = 0x1000 + 0x24 * self.points.len() as u64;
        let path = ["/usr/bin/shelf", "/usr/lib/libc.so.6", "/usr/lib/libz.so.1"][module as usize];
        let mut points: Vec<Point> = named
            .iter()
            .enumerate()
            .map(|(place, &(function, file, line))| Point {
                function: function.to_owned(),
                file: Some(file.to_owned()).filter(|file| !file.is_empty()),
                line: Some(line).filter(|&line| line > 0),
                module: Some(module),
                path: path.to_owned(),
                is_inlined: place > 0,
                is_interpreter: false,
                is_named: true,
            })
            .collect();
        if points.is_empty() {
            points.push(Point {
                function: format!("libz.so.1+{offset:#x}"),
                module: Some(module),
                path: path.to_owned(),
                ..Point::default()
            });
        }
        self.add(
            Frame {
                parent,
                module: Some(module),
                offset,
            },
            points,
        )
    }

    /// A frame in no object.
    fn nowhere(&mut self, offset: u64) -> u32 {
        let point = Point {
            function: format!("{offset:#x}"),
            ..Point::default()
        };
        self.add(
            Frame {
                parent: None,
                module: None,
                offset,
            },
            vec![point],
        )
    }

    fn add(&mut self, frame: Frame, points: Vec<Point>) -> u32 {
        self.stacks.frames.push(frame);
        self.points.push(points);
        self.points.len() as u32 - 1
    }

    fn site(
        &mut self,
        frame: Option<u32>,
        function: &str,
        calls: u64,
        requested: u64,
        moved: u64,
        time_ns: u64,
    ) {
        self.stacks.sites.push(Site {
            frame,
            function: function.to_owned(),
            calls,
            requested_bytes: requested,
            moved_bytes: moved,
            time_ns,
            ..Site::default()
        });
    }

    /// Says what became of the blocks of the site that was made last.
    fn blocks(&mut self, live: u64, live_bytes: u64, live_bytes_at_peak: u64, temporary: u64) {
        if let Some(site) = self.stacks.sites.last_mut() {
            site.blocks = Some(SiteBlocks {
                live,
                live_bytes,
                live_bytes_at_peak,
                temporary,
            });
        }
    }

    /// Says how long the blocks of the site that was made last lived: numbers of those that were freed, their sum, and the live bytes with
    /// the milliseconds from which and to which they were made.
    fn lived(&mut self, freed: [u64; 8], freed_total_ns: u64, live: &[(u64, u64, u64)]) {
        if let Some(site) = self.stacks.sites.last_mut() {
            let since = |&(from_ms, to_ms, bytes): &(u64, u64, u64)| Since {
                from_ms,
                to_ms,
                bytes,
            };
            site.lifetimes = Some(Lifetimes {
                freed,
                freed_total_ns,
                live_since: live.iter().map(since).collect(),
            });
        }
    }

    fn finish(mut self) -> Sites {
        let module = |path: &str, build_id: &str| Module {
            path: path.to_owned(),
            build_id: Some(build_id.to_owned()),
            ..Module::default()
        };
        self.stacks.modules = vec![
            module("/usr/bin/shelf", "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"),
            module(
                "/usr/lib/libc.so.6",
                "1b2c3d4e5f60718293a4b5c6d7e8f90123456780",
            ),
            module(
                "/usr/lib/libz.so.1",
                "2c3d4e5f60718293a4b5c6d7e8f9012345678091",
            ),
        ];
        self.stacks.ended = [("unknown_code".to_owned(), 5), ("too_deep".to_owned(), 60)].into();
        let mut points = Points::new(self.points.len());
        for (frame, of_frame) in (0..).zip(self.points) {
            points.set(frame, of_frame);
        }
        Sites {
            stacks: self.stacks,
            longest_ms: 5_812,
            points,
            lacks: vec![(LIBZ, Lack::NoLines)],
            suppressed: None,
        }
    }
}
