//! The self-check of a level: small problems with odd sizes, on which every level must agree with the portable one.

use super::activation::Activation;
use super::attention::{Attention, Scratch};
use super::head::{Head, Strided};
use super::integer::{Codes, Inputs};
use super::level::Level;
use super::matrix::{Buffer, Matrix};
use super::norm::Norm;
use super::panels::{Form, PANEL, PanelProduct, Panels};
use super::product::Product;
use super::tile::Finish;

/// Whether a level computes what the portable one does.
pub fn agrees(level: Level) -> bool {
    let (floats, expected) = (float_problem(level), float_problem(Level::PORTABLE));
    let size = [13, 112, 400];
    let same = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-2;
    level == Level::PORTABLE
        || floats.iter().zip(&expected).all(same)
            && rounded_head(level).iter().zip(&rounded_head(Level::PORTABLE)).all(near)
            && integer_problem(level, size) == integer_problem(Level::PORTABLE, size)
}

/// Values between −1 and 1.
pub fn value(i: usize) -> f32 {
    ((i * 7919 + 13) % 1013) as f32 / 506.0 - 1.0
}

/// A product with an activation, a LayerNorm, an attention, and products with panels of every form.
pub fn float_problem(level: Level) -> Vec<f32> {
    let (rows, width) = (19, 48);
    let weights = Matrix::pack([3 * width, width], level.panel(), |o, i| value(o * 31 + i), value);
    let input: Vec<f32> = (0..rows * width).map(value).collect();
    let mut output = vec![0.0; rows * weights.shape.outputs];
    level.product(Product {
        input: &input,
        input_stride: width,
        rows,
        weights: &weights,
        columns: 0..weights.shape.outputs,
        inner: 0..width,
        output: &mut output,
        output_stride: weights.shape.outputs,
        proceed: false,
        finish: Finish::Activate(Activation::Gelu),
    });
    let norm = Norm {
        scale: Buffer::padded(&[1.0; 47], width),
        shift: Buffer::zeros(width),
        width: 47,
        epsilon: 1e-12,
    };
    let sums = output.clone();
    level.layer_norm(&norm, width, &sums, &mut output);
    level.attention(Attention {
        qkv: &mut output,
        tokens: rows,
        heads: 3,
        width: 16,
        scale: 0.25,
        scratch: &mut Scratch::default(),
    });
    Form::ALL.into_iter().for_each(|form| output.extend(panel_problem(level, form)));
    output
}

/// A panel of 145 inputs and some rows.
fn panel_problem(level: Level, form: Form) -> Vec<f32> {
    let (rows, inputs) = (35, 145);
    let values: Vec<f32> = (0..inputs * (PANEL + rows)).map(|i| value(i) / 4.0).collect();
    let (x, weights) = values.split_at(rows * inputs);
    let width = form.input_words(inputs);
    let mut input = vec![0; rows * width];
    for (x, input) in x.chunks(inputs).zip(input.chunks_mut(width)) {
        form.round(level, x, input);
    }
    let mut words = vec![0; form.weight_words([PANEL, inputs])];
    form.pack(level, weights, inputs, &mut words);
    let mut output = vec![0.0; rows * PANEL];
    level.panel_product(PanelProduct {
        input: &input,
        weights: Panels::new(form, &words, [PANEL, inputs]),
        panels: 0..1,
        inner: 0..inputs,
        bias: &[],
        activation: None,
        output: &mut output,
    });
    output
}

/// A head whose products are of bf16: probabilities are rounded too, so a sum's last bit may show.
fn rounded_head(level: Level) -> Vec<f32> {
    let [queries, keys, width] = [35, 40, 24];
    let values: Vec<f32> = (0..keys * width).map(value).collect();
    let rows = Strided { values: &values, stride: width };
    let mut output = vec![0.0; queries * width];
    level.attend(Head {
        query: rows,
        key: rows,
        value: rows,
        sizes: [queries, keys, width],
        scale: 0.25,
        halves: true,
        bias: None,
        mask: None,
        output: &mut output,
        output_stride: width,
        scratch: &mut Scratch::default(),
    });
    output
}

/// A product of `rows` rows, `columns` outputs and `inner` inputs: all levels give the same floats.
pub fn integer_problem(level: Level, [rows, columns, inner]: [usize; 3]) -> Vec<f32> {
    let input: Vec<f32> = (0..rows * inner).map(value).collect();
    let weights = Codes::pack(
        [columns, inner],
        level.panel(),
        |output, input| value(output * 37 + input * 3),
        value,
    );
    let mut output = vec![0.0; rows * columns];
    let product = Product {
        input: &input,
        input_stride: inner,
        rows,
        weights: &weights,
        columns: 0..columns,
        inner: 0..inner,
        output: &mut output,
        output_stride: columns,
        proceed: false,
        finish: Finish::Bias,
    };
    level.integer_product(product, &mut Inputs::default());
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_levels_agree_with_the_portable_one() {
        let want = float_problem(Level::PORTABLE);
        assert!(want.iter().any(|value| value.abs() > 0.1));
        for level in Level::available() {
            for (got, want) in float_problem(level).iter().zip(&want) {
                assert!((got - want).abs() < 1e-6, "{level}: {got}, not {want}");
            }
            assert!(agrees(level), "{level}");
        }
    }

    /// Every level gives the same floats, hence the same integers, for odd sizes and several blocks.
    #[test]
    fn all_levels_give_the_same_integers() {
        for size in [[1, 16, 16], [7, 48, 80], [13, 112, 384], [29, 80, 832]] {
            let [rows, columns, inner] = size;
            let want = integer_problem(Level::PORTABLE, size);
            for level in Level::available() {
                let got = integer_problem(level, size);
                assert_eq!(got, want, "{} {size:?}", level.integer_name());
            }
            // And the twin is right: near the product of the floats.
            for row in 0..rows {
                for column in 0..columns {
                    let exact: f32 = (0..inner)
                        .map(|i| value(row * inner + i) * value(column * 37 + i * 3))
                        .sum::<f32>()
                        + value(column);
                    let got = want[row * columns + column];
                    let bound = 0.001 * (inner as f32).sqrt() + 1e-3;
                    assert!((got - exact).abs() < bound, "{got}, not {exact}");
                }
            }
        }
    }
}
