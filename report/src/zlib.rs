//! A zlib stream that holds its bytes as they are (RFC 1950; stored blocks, RFC 1951, 3.2.4).

/// The most that a stored block holds.
const BLOCK: usize = 0xffff;

/// The stream.
pub fn stored(bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.len().div_ceil(BLOCK).max(1);
    let mut stream = Vec::with_capacity(bytes.len() + 5 * blocks + 6);
    // Deflate with a window of 32 KiB, the fastest way; the two bytes are a multiple of 31.
    stream.extend([0x78, 0x01]);
    for block in 0..blocks {
        let rest = &bytes[block * BLOCK..];
        let part = &rest[..rest.len().min(BLOCK)];
        let length = part.len() as u16;
        stream.push(u8::from(block + 1 == blocks));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(part);
    }
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

/// The checksum (RFC 1950, 8.2).
fn adler32(bytes: &[u8]) -> u32 {
    const BASE: u32 = 65521;
    // So many sums of bytes fit in 32 bits.
    const AT_ONCE: usize = 5552;
    let (mut a, mut b) = (1, 0);
    for part in bytes.chunks(AT_ONCE) {
        for &byte in part {
            a += u32::from(byte);
            b += a;
        }
        a %= BASE;
        b %= BASE;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn any_inflater_gives_back_what_was_stored() {
        let all: Vec<u8> = (0..200_000_u32)
            .map(|number| ((number * 7919) >> 5) as u8)
            .collect();
        for length in [
            0,
            1,
            100,
            5552,
            5553,
            BLOCK - 1,
            BLOCK,
            BLOCK + 1,
            2 * BLOCK,
            200_000,
        ] {
            let mut read = Vec::new();
            let stream = stored(&all[..length]);
            let mut inflater = flate2::read::ZlibDecoder::new(stream.as_slice());
            inflater
                .read_to_end(&mut read)
                .expect("a whole stream with its checksum");
            assert_eq!(read, all[..length]);
            assert_eq!(inflater.total_in(), stream.len() as u64);
        }
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
        assert_eq!(adler32(&[0xff; 100_000]), 0x149a_302c);
    }
}
