//! Damaged and forged ELF files: any verdict will do, but there must be one.

use std::os::unix::fs::FileExt;

use super::compiled::{OWN_MALLOC, cc};
use super::*;

struct Sample {
    _directory: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

/// A real program, with symbols of its own that are to be looked up.
fn sample() -> Sample {
    let directory = tempfile::tempdir().expect("a directory");
    let path = cc(
        directory.path(),
        OWN_MALLOC,
        &["-rdynamic", "-fno-builtin", "-s"],
    );
    let bytes = std::fs::read(&path).expect("read");
    Sample {
        _directory: directory,
        path,
        bytes,
    }
}

/// The whole way from the file to the verdict.
fn outcome(file: &File) -> Result<usize, String> {
    let file = file.try_clone().expect("a file");
    let image = elf::read(file, Depth::Symbols).map_err(|error| error.to_string())?;
    let path = Path::new("program");
    let dynamic_linker = verdict::of(path, &image)?;
    let program = Library {
        path: path.to_owned(),
        image,
    };
    let search = Search::new(&dynamic_linker, None, Depth::Links);
    let loaded = search.all(program, &[]);
    verdict::of_all(&loaded)?;
    Ok(verdict::remarks(path, &loaded)
        .iter()
        .map(String::len)
        .sum())
}

#[test]
fn a_program_cut_off_anywhere_has_a_verdict() {
    let sample = sample();
    let file = File::options()
        .write(true)
        .read(true)
        .open(&sample.path)
        .expect("opened");
    let whole = outcome(&file).expect("traceable");
    assert!(whole > 0, "it has a malloc of its own");
    let mut refused = 0;
    for length in (0..sample.bytes.len()).rev().step_by(7) {
        file.set_len(length as u64).expect("cut off");
        refused += usize::from(outcome(&file).is_err());
    }
    assert!(refused > 100, "{refused} were refused");
    assert_eq!(
        outcome(&file).expect_err("refused"),
        "is neither an ELF program nor a script with a #! line; to trace a shell script without that line, give: sh FILE"
    );
}

#[test]
fn a_program_with_any_bit_flipped_has_a_verdict() {
    let sample = sample();
    let file = File::options()
        .write(true)
        .read(true)
        .open(&sample.path)
        .expect("opened");
    let whole = outcome(&file);
    let mut others = 0;
    for (index, &byte) in sample.bytes.iter().enumerate() {
        // The headers in all their bits, the rest in one each.
        let bits = if index < 1024 {
            0..8
        } else {
            index % 8..index % 8 + 1
        };
        for bit in bits {
            file.write_all_at(&[byte ^ 1 << bit], index as u64)
                .expect("written");
            others += usize::from(outcome(&file) != whole);
        }
        file.write_all_at(&[byte], index as u64).expect("written");
    }
    assert!(others > 100, "{others} bits mattered");
    assert_eq!(outcome(&file), whole, "all is as it was");
}

#[test]
fn numbers_at_their_extremes_have_a_verdict() {
    let sample = sample();
    let file = File::options()
        .write(true)
        .read(true)
        .open(&sample.path)
        .expect("opened");
    for index in (0..sample.bytes.len() - 8).step_by(4) {
        for extreme in [
            [0xff; 8],
            [0; 8],
            u64::MAX.rotate_right(1).to_le_bytes(),
            (1_u64 << 40).to_le_bytes(),
        ] {
            file.write_all_at(&extreme, index as u64).expect("written");
            let _ = outcome(&file);
        }
        file.write_all_at(&sample.bytes[index..index + 8], index as u64)
            .expect("written");
    }
    assert!(outcome(&file).is_ok(), "all is as it was");
}

#[test]
fn a_segment_that_claims_terabytes_is_not_read() {
    let sample = sample();
    let file = File::options()
        .write(true)
        .read(true)
        .open(&sample.path)
        .expect("opened");
    // Sparse, so that every offset is inside the file.
    file.set_len(1 << 40).expect("a size");
    let header_table = u64::from_le_bytes(sample.bytes[32..40].try_into().expect("8 bytes"));
    for header in 0..u64::from(sample.bytes[56]) {
        let size_at = header_table + header * 56 + 32;
        file.write_all_at(&(1_u64 << 39).to_le_bytes(), size_at)
            .expect("written");
    }
    assert_eq!(
        outcome(&file).expect_err("refused"),
        "is damaged: its dynamic linker's name cannot be read"
    );
}
