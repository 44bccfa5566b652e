//! Many comparisons at once: the more are made, the more luck finds.

/// Holm's step-down adjustment (Holm 1979, *A simple sequentially rejective multiple test procedure*).
///
/// Returns the adjusted p-values in the order given: rejecting those below α keeps the chance of any false
/// rejection at α or less, however the tests depend on each other.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let tests = p_values.len();
    let mut order: Vec<usize> = (0..tests).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; tests];
    let mut largest: f64 = 0.0;
    for (rank, &test) in order.iter().enumerate() {
        largest = largest.max((tests - rank) as f64 * p_values[test]);
        adjusted[test] = largest.min(1.0);
    }
    adjusted
}
