//! Examples as rows, one caption behind the other without padding; captions of one image stand together and share its rows of
//! the encoder.

use super::packed_attention::Stretch;

/// Rows of an example that have names of their own: T5's captions have at most 512 tokens.
const ROWS_OF_A_NAME: u32 = 16;

/// One caption to learn.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// Which of the batch's images it describes.
    pub image: usize,
    /// Its tokens, the last one `</s>`.
    pub labels: &'a [u32],
    /// A number that no other example of the training has, for dropout.
    pub name: u64,
}

/// Rows of both stacks.
pub struct Batch {
    /// The encoder's inputs: every image's vectors and the prompt's embeddings [rows, d_model].
    pub embedded: Vec<f32>,
    /// The rows of each image.
    pub encoder: Vec<Stretch>,
    /// Names of the encoder's rows.
    pub encoder_keys: Vec<u64>,
    /// The decoder's inputs: labels shifted right behind the start token.
    pub ids: Vec<u32>,
    /// The next token of every row.
    pub labels: Vec<u32>,
    /// The rows of each caption.
    pub decoder: Vec<Stretch>,
    /// Names of the decoder's rows.
    pub decoder_keys: Vec<u64>,
    /// The rows of all captions of an image, and its rows of the encoder.
    pub cross: Vec<Stretch>,
    /// The examples in the order of the rows, as places in the list that was given.
    pub order: Vec<usize>,
}

impl Batch {
    /// `images` has the encoder's inputs of each image, `width` wide; every image has an example, and no example is empty.
    pub fn new(images: &[Vec<f32>], width: usize, examples: &[Example], start: u32) -> Self {
        let mut order: Vec<usize> = (0..examples.len()).collect();
        order.sort_by_key(|at| examples[*at].image);
        let mut batch = Self {
            embedded: images.concat(),
            encoder: Vec::new(),
            encoder_keys: Vec::new(),
            ids: Vec::new(),
            labels: Vec::new(),
            decoder: Vec::new(),
            decoder_keys: Vec::new(),
            cross: Vec::new(),
            order,
        };
        let key = |name: u64, row: usize| name << ROWS_OF_A_NAME | row as u64;
        for group in batch.order.chunk_by(|a, b| examples[*a].image == examples[*b].image) {
            let rows = images[examples[group[0]].image].len() / width;
            let first = batch.encoder_keys.len();
            batch.encoder_keys.extend((0..rows).map(|row| key(examples[group[0]].name, row)));
            batch.encoder.push(Stretch { queries: first..first + rows, keys: first..first + rows });
            let begin = batch.labels.len();
            for at in group {
                let Example { labels, name, .. } = examples[*at];
                let from = batch.labels.len();
                let to = from + labels.len();
                batch.decoder.push(Stretch { queries: from..to, keys: from..to });
                batch.decoder_keys.extend((0..labels.len()).map(|row| key(name, row)));
                batch.ids.push(start);
                batch.ids.extend(&labels[..labels.len() - 1]);
                batch.labels.extend(labels);
            }
            let queries = begin..batch.labels.len();
            batch.cross.push(Stretch { queries, keys: first..first + rows });
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_of_an_image_stand_together_and_share_its_rows() {
        let images = [vec![0.0; 6], vec![1.0; 4]];
        let example = |image, labels, name| Example { image, labels, name };
        let examples =
            [example(1, &[5, 1][..], 7), example(0, &[6, 7, 1], 8), example(1, &[9, 1], 9)];
        let batch = Batch::new(&images, 2, &examples, 0);
        assert_eq!(batch.order, [1, 0, 2]);
        assert_eq!(batch.ids, [0, 6, 7, 0, 5, 0, 9]);
        assert_eq!(batch.labels, [6, 7, 1, 5, 1, 9, 1]);
        let stretch = |queries, keys| Stretch { queries, keys };
        assert_eq!(batch.encoder, [stretch(0..3, 0..3), stretch(3..5, 3..5)]);
        assert_eq!(batch.cross, [stretch(0..3, 0..3), stretch(3..7, 3..5)]);
        assert_eq!(batch.decoder[2], stretch(5..7, 5..7));
        assert_eq!(batch.decoder_keys[3..5], [7 << 16, 7 << 16 | 1]);
        assert_eq!(batch.encoder_keys[3..], [7 << 16, 7 << 16 | 1]);
    }
}
