//! Files and sockets: those of a region, and those of several process images together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use weir_record::file::{FileEntry, SIZE_CLASSES, class_from_bytes};
use weir_record::functions::Function;
use weir_record::spread::{self, class_from_ticks};
use weir_record::text::Text;

use crate::model::{FileUse, Files, KindUse, SizeClass, SlowestUse, Spread, SpreadClass};

/// How many files a process image lists.
const LISTED_OF_IMAGE: usize = 256;
/// How many files a report lists.
const LISTED_OF_REPORT: usize = 1024;

/// What a reader of entries knows of their image.
pub struct Clock<'a> {
    /// Ticks in nanoseconds.
    pub ns: &'a dyn Fn(u64) -> u64,
    /// The time-stamp counter when the image started.
    pub started_ticks: u64,
    /// The image's process id.
    pub pid: u32,
}

/// The files of an image. The first entry is of all that have none.
pub fn of_image(entries: &[FileEntry], folded: u64, clock: &Clock<'_>) -> Files {
    let Some((first, rest)) = entries.split_first() else {
        return Files::default();
    };
    let used = rest.iter().map(|entry| of_entry(entry, clock));
    let used = used.filter(|file| file.calls() != 0 || file.opens != 0);
    let used: Vec<FileUse> = used.collect();
    let others = FileUse {
        name: String::new(),
        ..of_entry(first, clock)
    };
    let mut kinds: BTreeMap<String, KindUse> = BTreeMap::new();
    for file in { &used }.iter().chain([&others]) {
        if file.calls() != 0 {
            let sum = match kinds.get_mut(&file.kind) {
                Some(sum) => sum,
                None => kinds.entry(file.kind.clone()).or_default(),
            };
            sum.add_file(file);
        }
    }
    Files {
        kinds,
        ..cut(used, others, folded, LISTED_OF_IMAGE)
    }
}

/// The files of several images: one of the same kind and name in several is one.
pub fn together<'a>(images: impl Iterator<Item = &'a Files>) -> Files {
    let mut sums: HashMap<(&str, &str), FileUse> = HashMap::new();
    let mut others = none();
    let mut folded = 0_u64;
    let mut kinds: BTreeMap<String, KindUse> = BTreeMap::new();
    for image in images {
        for (kind, sum) in &image.kinds {
            kinds.entry(kind.clone()).or_default().add(sum);
        }
        for file in &image.listed {
            let sum = sums
                .entry((&file.kind, &file.name))
                .or_insert_with(|| FileUse {
                    kind: file.kind.clone(),
                    name: file.name.clone(),
                    ..FileUse::default()
                });
            sum.add(file);
        }
        others.add(&image.others);
        folded = folded.saturating_add(image.folded);
    }
    let listed = sums.into_values().collect();
    Files {
        kinds,
        ..cut(listed, others, folded, LISTED_OF_REPORT)
    }
}

fn none() -> FileUse {
    FileUse {
        kind: "other".to_owned(),
        ..FileUse::default()
    }
}

/// In order, and what is beyond `most` with the others.
fn cut(mut listed: Vec<FileUse>, mut others: FileUse, mut folded: u64, most: usize) -> Files {
    listed.sort_by_cached_key(|file| {
        let size = Reverse((file.total_ns(), file.bytes(), file.calls()));
        (size, file.name.clone(), file.kind.clone())
    });
    for file in listed.drain(most.min(listed.len())..) {
        others.add(&file);
        folded = folded.saturating_add(1);
    }
    Files {
        listed,
        others,
        folded,
        ..Files::default()
    }
}

fn of_entry(entry: &FileEntry, clock: &Clock<'_>) -> FileUse {
    let mut sum = FileUse {
        kind: entry.kind().name().to_owned(),
        name: name(&entry.name),
        mapped_bytes: entry.mapped_bytes.get(),
        ..FileUse::default()
    };
    for set in entry.sets() {
        let ns = clock.ns;
        let slowest = Function::from_index(set.slowest_function.get() as usize)
            .filter(|_| set.slowest_ticks.get() != 0)
            .map(|function| SlowestUse {
                function: function.name().to_owned(),
                took_ns: ns(set.slowest_ticks.get()),
                at_ns: ns(set.slowest_began.get().saturating_sub(clock.started_ticks)),
                pid: clock.pid,
                moved_bytes: set.slowest_bytes.get(),
            });
        sum.add(&FileUse {
            kind: String::new(),
            name: String::new(),
            opens: set.opens.get(),
            reads: set.reads.get(),
            writes: set.writes.get(),
            other_calls: set.other_calls.get(),
            errors: set.errors.get(),
            read_bytes: set.read_bytes.get(),
            written_bytes: set.written_bytes.get(),
            read_ns: ns(set.read_ticks.get()),
            write_ns: ns(set.write_ticks.get()),
            other_ns: ns(set.other_ticks.get()),
            sequential: set.sequential.get(),
            random: set.random.get(),
            switches: set.switches.get(),
            size_classes: size_classes(set.sizes.each_ref().map(|calls| calls.get())),
            slowest,
            ..FileUse::default()
        });
    }
    sum.wait = spread(&entry.waits, clock);
    sum.transfer = spread(&entry.transfers, clock);
    sum
}

fn spread(durations: &spread::Spread, clock: &Clock<'_>) -> Option<Spread> {
    let from_ns = |class: usize| (clock.ns)(class_from_ticks(class));
    let to_ns = |class: usize| match class + 1 {
        spread::CLASSES => u64::MAX,
        next => from_ns(next).saturating_sub(1),
    };
    let classes: Vec<SpreadClass> = durations
        .classes()
        .iter()
        .map(|calls| calls.get())
        .enumerate()
        .filter(|&(_, calls)| calls != 0)
        .map(|(class, calls)| SpreadClass {
            from_ns: from_ns(class),
            to_ns: to_ns(class),
            calls,
        })
        .collect();
    (!classes.is_empty()).then(|| Spread {
        calls: classes
            .iter()
            .fold(0, |sum: u64, class| sum.saturating_add(class.calls)),
        total_ns: (clock.ns)(durations.ticks.get()),
        max_ns: (clock.ns)(durations.longest_ticks.get()),
        classes,
    })
}

fn name<const N: usize>(text: &Text<N>) -> String {
    let bytes: Vec<u8> = text.bytes().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn size_classes(sizes: [u64; SIZE_CLASSES]) -> Vec<SizeClass> {
    let to_bytes = |class: usize| match class + 1 {
        SIZE_CLASSES => u64::MAX,
        next => class_from_bytes(next) - 1,
    };
    sizes
        .into_iter()
        .enumerate()
        .filter(|&(_, calls)| calls != 0)
        .map(|(class, calls)| SizeClass {
            from_bytes: class_from_bytes(class),
            to_bytes: to_bytes(class),
            calls,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, read_ns: u64) -> FileUse {
        FileUse {
            kind: "file".to_owned(),
            name: name.to_owned(),
            reads: 1,
            read_bytes: read_ns,
            read_ns,
            ..FileUse::default()
        }
    }

    fn image(listed: Vec<FileUse>) -> Files {
        Files {
            listed,
            others: none(),
            ..Files::default()
        }
    }

    #[test]
    fn one_file_of_several_images_is_one() {
        let images = [
            image(vec![file("/a", 5), file("/b", 7)]),
            image(vec![file("/a", 5)]),
        ];
        let files = together(images.iter());
        let names: Vec<_> = files.listed.iter().map(|file| &*file.name).collect();
        assert_eq!(names, ["/a", "/b"]);
        assert_eq!((files.listed[0].reads, files.listed[0].read_ns), (2, 10));
    }

    #[test]
    fn kinds_have_the_sums_of_all_images() {
        let pipe = |reads, read_ns| KindUse {
            reads,
            read_ns,
            ..KindUse::default()
        };
        let of = |kind: &str, sum| Files {
            kinds: [(kind.to_owned(), sum)].into(),
            ..image(Vec::new())
        };
        let images = [
            of("pipe", pipe(2, 30)),
            of("pipe", pipe(3, 40)),
            of("file", pipe(1, u64::MAX)),
            of("file", pipe(1, 1)),
        ];
        let kinds = together(images.iter()).kinds;
        assert_eq!(kinds["pipe"], pipe(5, 70));
        assert_eq!(kinds["file"], pipe(2, u64::MAX));
    }

    #[test]
    fn what_is_not_listed_is_counted() {
        let most = LISTED_OF_REPORT as u64;
        let all = (0..most + 3).map(|number| file(&format!("/{number}"), number + 1));
        let files = together([image(all.collect())].iter());
        assert_eq!(files.listed.len() as u64, most);
        assert_eq!(files.folded, 3);
        // The three files with the smallest times.
        assert_eq!((files.others.reads, files.others.read_ns), (3, 1 + 2 + 3));
        assert_eq!(files.others.kind, "other");
    }

    #[test]
    fn classes_end_where_the_next_begins() {
        let classes = size_classes([1; SIZE_CLASSES]);
        for pair in classes.windows(2) {
            assert_eq!(pair[0].to_bytes + 1, pair[1].from_bytes);
        }
        assert_eq!(classes.last().map(|last| last.to_bytes), Some(u64::MAX));
    }
}
