//! Which kernels run: the fastest that the CPU has and that agree with the portable ones on a small problem.

use super::activation::Activation;
use super::attention::{Attention, Scratch};
use super::integer::{self, IntegerKernels};
use super::matrix::{Buffer, Matrix, Shape};
use super::norm::Norm;
use super::product::{Finish, Product};
use super::table::{Kernels, available, portable};

/// `FGD_SIMD` names kernels that do not exist, or that this CPU cannot run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("FGD_SIMD = {wanted}: this CPU runs {}", present.join(", "))]
pub struct NoSuchKernels {
    wanted: String,
    present: Vec<&'static str>,
}

/// The kernels to use. `FGD_SIMD=portable|avx2|avx512` chooses by name.
///
/// # Errors
/// `FGD_SIMD` names kernels that do not exist or that this CPU cannot run.
pub fn kernels() -> Result<&'static Kernels, NoSuchKernels> {
    let wanted = std::env::var("FGD_SIMD").unwrap_or_default();
    if !wanted.is_empty() {
        return available()
            .find(|kernels| kernels.name == wanted)
            .ok_or_else(|| NoSuchKernels {
                wanted,
                present: available().map(|kernels| kernels.name).collect(),
            });
    }
    let expected = small_problem(portable());
    for kernels in available() {
        let got = small_problem(kernels);
        if got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5) {
            return Ok(kernels);
        }
        tracing::warn!(
            "the {} kernels disagree with the portable ones on this CPU and are not used; please report this",
            kernels.name
        );
    }
    Ok(portable())
}

/// The integer kernels beside the f32 kernels in use.
///
/// # Errors
/// Those of [`kernels`].
pub fn integer_kernels() -> Result<&'static IntegerKernels, NoSuchKernels> {
    Ok(integer::beside(kernels()?.name))
}

/// A product with an activation, a LayerNorm and an attention, all with odd sizes: what every kernel must agree on.
pub(super) fn small_problem(kernels: &Kernels) -> Vec<f32> {
    let (rows, width) = (19, 48);
    let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
    let weights = Matrix::pack(
        Shape::new([3 * width, width], kernels.panel),
        |o, i| value(o * 31 + i),
        value,
    );
    let input: Vec<f32> = (0..rows * width).map(value).collect();
    let mut output = vec![0.0; rows * weights.shape.outputs];
    kernels.product(Product {
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
    kernels.layer_norm(&norm, &sums, &mut output);
    kernels.attention(Attention {
        qkv: &mut output,
        tokens: rows,
        heads: 3,
        width: 16,
        scale: 0.25,
        scratch: &mut Scratch::default(),
    });
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kernels_agree_with_the_portable_ones() {
        let want = small_problem(portable());
        assert!(want.iter().any(|value| value.abs() > 0.1));
        for name in ["avx512", "avx2"] {
            let Some(kernels) = available().find(|kernels| kernels.name == name) else {
                eprintln!("SKIPPED: this CPU has no {name}");
                continue;
            };
            for (got, want) in small_problem(kernels).iter().zip(&want) {
                assert!((got - want).abs() < 1e-6, "{name}: {got}, not {want}");
            }
        }
    }

    #[test]
    fn a_product_in_parts_is_the_whole_product_to_the_bit() {
        let value = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let (rows, inputs, outputs) = (31, 800, 96);
        let input: Vec<f32> = (0..rows * inputs).map(value).collect();
        for kernels in available() {
            let shape = Shape::new([outputs, inputs], kernels.panel);
            let weights = Matrix::pack(shape, |o, i| value(o * 31 + i), value);
            let run = |rows: std::ops::Range<usize>, parts: &[usize]| {
                let mut output = vec![0.0; rows.len() * outputs];
                let mut from = 0;
                for (part, to) in parts.iter().enumerate() {
                    kernels.product(Product {
                        input: &input[rows.start * inputs + from..],
                        input_stride: inputs,
                        rows: rows.len(),
                        weights: &weights,
                        columns: 0..outputs,
                        inner: from..*to,
                        output: &mut output,
                        output_stride: outputs,
                        proceed: part > 0,
                        finish: if *to == inputs {
                            Finish::Bias
                        } else {
                            Finish::Keep
                        },
                    });
                    from = *to;
                }
                output
            };
            let whole = run(0..rows, &[inputs]);
            assert_eq!(run(0..rows, &[16, 400, inputs]), whole, "{}", kernels.name);
            for row in 0..rows {
                let alone = run(row..row + 1, &[inputs]);
                assert_eq!(
                    alone,
                    whole[row * outputs..][..outputs],
                    "{} row {row}",
                    kernels.name
                );
            }
        }
    }
}
