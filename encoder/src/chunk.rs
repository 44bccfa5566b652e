//! Tokenised captions cut into the pieces of work that engines take: whole captions, one after the other, no padding.

use std::ops::Range;

/// Some captions of a window, their tokens in a row.
pub(super) struct Chunk {
    ids: Vec<u32>,
    /// End of each caption in `ids`.
    ends: Vec<usize>,
    /// Index of each caption in its window.
    members: Vec<usize>,
}

/// Some captions of a chunk.
pub(super) struct Block {
    /// Their places in the chunk.
    pub captions: Range<usize>,
    /// Their tokens in the chunk.
    pub rows: Range<usize>,
}

impl Chunk {
    fn new(members: &[usize], captions: &[Vec<u32>]) -> Chunk {
        let mut ids = Vec::new();
        let mut ends = Vec::with_capacity(members.len());
        for member in members {
            ids.extend_from_slice(&captions[*member]);
            ends.push(ids.len());
        }
        Chunk { ids, ends, members: members.to_vec() }
    }

    /// Tokens of all captions together.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Index of each caption in the window that the chunk was made from.
    pub fn members(&self) -> &[usize] {
        &self.members
    }

    /// Whole captions in a row with at most `rows` tokens together (one caption may have more): the captions and their
    /// tokens, as ranges.
    pub fn blocks(&self, rows: usize) -> impl Iterator<Item = Block> {
        let mut first = 0;
        std::iter::from_fn(move || {
            let begin = self.begin(first);
            let next = self.ends[first..].partition_point(|end| *end <= begin + rows);
            let captions = first..(first + next.max(1)).min(self.ends.len());
            first = captions.end;
            (!captions.is_empty())
                .then(|| Block { rows: begin..self.begin(captions.end), captions })
        })
    }

    /// First token of a caption.
    fn begin(&self, caption: usize) -> usize {
        caption.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// The number of tokens of some captions, one after the other.
    pub fn lengths(&self, captions: Range<usize>) -> impl Iterator<Item = usize> {
        captions.map(|caption| self.ends[caption] - self.begin(caption))
    }

    /// The tokens of each caption.
    pub fn captions(&self) -> impl Iterator<Item = &[u32]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let caption = &self.ids[begin..*end];
            begin = *end;
            caption
        })
    }
}

/// Cuts `captions` into chunks of at most `rows` tokens (one caption may be longer). Captions of like length come
/// together, the longest first, so that the last chunks to run are the most even. Few captions are spread over all
/// `threads`.
pub(super) fn compose(captions: &[Vec<u32>], rows: usize, threads: usize) -> Vec<Chunk> {
    let total: usize = captions.iter().map(Vec::len).sum();
    // As many chunks for every thread, of the same size: then all threads end at about the same time.
    let rounds = total.div_ceil(rows * threads.max(1)).max(1);
    let rows = rows.min(total.div_ceil(rounds * threads.max(1)));
    let mut order: Vec<usize> = (0..captions.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(captions[*index].len()));
    let mut chunks = Vec::new();
    let mut begin = 0;
    let mut filled = 0;
    for (at, index) in order.iter().enumerate() {
        let tokens = captions[*index].len();
        if at > begin && filled + tokens > rows {
            chunks.push(Chunk::new(&order[begin..at], captions));
            (begin, filled) = (at, 0);
        }
        filled += tokens;
    }
    if begin < order.len() {
        chunks.push(Chunk::new(&order[begin..], captions));
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_caption_is_in_one_chunk_and_chunks_are_not_too_large(
            lengths in prop::collection::vec(1usize..60, 0..80),
            rows in 1usize..200,
            threads in 1usize..5,
        ) {
            let captions: Vec<Vec<u32>> = lengths
                .iter()
                .enumerate()
                .map(|(i, n)| (0..*n).map(|j| (i * 1000 + j) as u32).collect())
                .collect();
            let mut seen = vec![0; captions.len()];
            for chunk in compose(&captions, rows, threads) {
                prop_assert!(chunk.rows() <= rows || chunk.members().len() == 1);
                prop_assert_eq!(chunk.captions().count(), chunk.members().len());
                let mut end = 0;
                for block in chunk.blocks(rows / 2) {
                    prop_assert_eq!(block.rows.start, end);
                    prop_assert!(block.rows.len() <= rows / 2 || block.captions.len() == 1);
                    prop_assert_eq!(block.rows.len(), chunk.lengths(block.captions).sum::<usize>());
                    end = block.rows.end;
                }
                prop_assert_eq!(end, chunk.rows());
                for (member, ids) in chunk.members().iter().zip(chunk.captions()) {
                    prop_assert_eq!(ids, &captions[*member][..]);
                    seen[*member] += 1;
                }
            }
            prop_assert!(seen.iter().all(|n| *n == 1));
        }
    }
}
