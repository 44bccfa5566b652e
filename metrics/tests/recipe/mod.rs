//! The rows of the goldens' scripts.

use ndarray::Array2;

/// The script's recipe: small integers over powers of two, exact in f32.
pub fn recipe(rows: usize, columns: usize, seed: u32) -> Array2<f32> {
    let mut state = seed;
    let mut out = Array2::zeros((rows, columns));
    for mut row in out.outer_iter_mut() {
        let mut previous = 0_i64;
        for (j, value) in row.iter_mut().enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let k = i64::from(state >> 20) - 2048 + 16 * i64::from(seed % 7);
            let scaled = 2 * k + (i64::from(seed % 3) + 1) * previous;
            *value = scaled as f32 / 2_f32.powi(13 + (j % 4) as i32);
            previous = k;
        }
    }
    out
}
