//! Mutations of seeds, by number: input 17 of seed 3 is the same on every machine, so that what is found can be had again.

/// Inputs are not made longer than this.
pub const LONGEST: usize = 1_000_000;

/// What readers stumble over: brackets and quotes, separators, numbers at the edge of a type, and what terminals obey.
const WORDS: &[&[u8]] = &[
    b"[",
    b"]",
    b"{",
    b"}",
    b"(",
    b")",
    b"\"",
    b"'",
    b"\\",
    b",",
    b":",
    b"\t",
    b"\n",
    b"\r\n",
    b"\0",
    b"|",
    b";",
    b"=",
    b"NaN",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"9223372036854775807",
    b"4294967295",
    b"0.0000000000000000000000001",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\x1b]0;x\x07",
    b"\x1b[2J",
    b"\xc2\x9b31m",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
    b"\\ud800",
    b"\\u0000",
    b"../",
    b"PAR1",
    b"PK\x03\x04",
    b"\x93NUMPY",
    b"\x1f\x8b\x08",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x08",
    b"\x00\x00\x00\x80",
    b"<\x00\x00\x00\x00\x00\x00\x00",
    b"image_id",
    b"caption",
    b"'fortran_order': True",
];

/// SplitMix64 (Steele, Lea & Flood 2014): enough for choices, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, 0 for a bound of 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Input `index` of the run `seed`: one of the corpus after one to eight mutations.
pub fn input(corpus: &[Vec<u8>], seed: u64, index: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ index);
    random.next();
    let mut bytes = corpus[random.below(corpus.len())].clone();
    // Most readers fail at the first damage, so few mutations reach deepest.
    for _ in 0..1 + random.below(8).min(random.below(8)) {
        mutate(&mut bytes, corpus, &mut random);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    let at = place(bytes.len(), random);
    let power = random.below(8);
    let length = 1 + random.below(1 << power);
    let end = (at + length).min(bytes.len());
    match random.below(13) {
        0 if !bytes.is_empty() => bytes[at.min(end - 1)] ^= 1 << random.below(8),
        1 if !bytes.is_empty() => {
            let last = bytes.len() - 1;
            bytes[at.min(last)] = [0, 1, 0x7f, 0x80, 0xff, random.next() as u8][random.below(6)];
        }
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let piece = bytes[at..end].to_vec();
            insert(bytes, at, &piece);
        }
        5 => {
            let other = &corpus[random.below(corpus.len())];
            let from = random.below(other.len());
            let to = (from + length * 4).min(other.len());
            insert(bytes, at, &other[from..to]);
        }
        6 | 7 => insert(bytes, at, WORDS[random.below(WORDS.len())]),
        8 => {
            let word = WORDS[random.below(WORDS.len())];
            let times = 1 << random.below(18);
            insert(bytes, at, &word.repeat(times.min(LONGEST / word.len())));
        }
        9 => {
            let word = WORDS[random.below(WORDS.len())];
            let end = (at + word.len()).min(bytes.len());
            bytes.splice(at..end, word.iter().copied());
        }
        10 => {
            let number = [0, 1, u64::MAX, 1 << 31, 1 << 40, bytes.len() as u64, random.next()]
                [random.below(7)];
            let width = 1 << random.below(4);
            let end = (at + width).min(bytes.len());
            bytes.splice(at..end, number.to_le_bytes()[..width].iter().copied());
        }
        11 => {
            let times = 1 << random.below(12);
            let piece = bytes[at..end].repeat(times);
            insert(bytes, at, &piece);
        }
        _ => {
            let piece: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            insert(bytes, at, &piece);
        }
    }
}

/// Anywhere, but often near the beginning or the end, where headers and footers are.
fn place(length: usize, random: &mut Random) -> usize {
    match random.below(4) {
        0 => random.below(length.min(200)),
        1 => length - random.below(length.min(1_200) + 1).min(length),
        _ => random.below(length + 1),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    let room = LONGEST.saturating_sub(bytes.len());
    let piece = &piece[..piece.len().min(room)];
    bytes.splice(at..at, piece.iter().copied());
}
