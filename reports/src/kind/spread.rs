//! Which pictures show how values are spread, and how the set distance depends on their number.

use fgd_record::{Distribution, ScoreResults};

use crate::document::number::value;
use crate::document::{Cell, Figure, Plot, Table};

/// How the distances of single captions are spread.
pub fn histogram_of_distances(results: &ScoreResults) -> Option<Figure> {
    let title = "Distance of each caption to its reference";
    histogram(title, "squared distance", results.distances.as_ref()?, None)
}

/// How the influences of single captions are spread.
pub fn histogram_of_influences(results: &ScoreResults) -> Option<Figure> {
    let title = "Influence of each caption on fgd_set";
    let axis = "influence; right pushes the sets apart";
    histogram(title, axis, results.influences.as_ref()?, None)
}

/// How long the captions are, beside the references.
pub fn histogram_of_lengths(results: &ScoreResults) -> Option<Figure> {
    let texts = results.texts.as_ref()?;
    let references = texts.reference_lengths.as_ref();
    histogram("Words per caption", "words", &texts.lengths, references)
}

fn histogram(
    title: &str,
    axis: &str,
    values: &Distribution,
    overlay: Option<&Distribution>,
) -> Option<Figure> {
    let shares_of_bins = shares(values)?;
    let overlay = overlay.filter(|o| o.edges == values.edges).and_then(shares);
    let [_, low, _, median, _, high, _] = values.quantiles;
    // As many digits as a twentieth of the spread of the middle justifies.
    let digits = |number: f64| value(Some(number), Some((high - low).abs() / 20.0));
    let edge = |at: f64| Cell::new(digits(at), Some(at));
    let numbers = Table::of(title, 0..values.counts.len())
        .number("from", |bin| edge(values.edges[bin]))
        .number("to", |bin| edge(values.edges[bin + 1]))
        .number("captions", |bin| Cell::count(values.counts[bin]));
    let numbers = match &overlay {
        Some(shares) => numbers.number("references", |bin| {
            Cell::new(format!("{:.1}%", 100.0 * shares[bin]), Some(shares[bin]))
        }),
        None => numbers,
    };
    let caption = format!(
        "Half of the captions lie below {}, nine of ten between {} and {}.",
        digits(median),
        digits(low),
        digits(high)
    );
    let plot = Plot::Histogram {
        edges: values.edges.clone(),
        shares: shares_of_bins,
        overlay,
        median,
        axis: axis.to_string(),
    };
    Some(Figure { numbers: Some(numbers.into()), ..Figure::new(title, caption, plot) })
}

/// Counts as shares of their sum; `None` where a record from elsewhere does not fit together.
fn shares(values: &Distribution) -> Option<Vec<f64>> {
    let total: u64 = values.counts.iter().sum();
    let fits = total > 0 && values.edges.len() == values.counts.len() + 1;
    fits.then(|| {
        let share = |count: &u64| *count as f64 / total as f64;
        values.counts.iter().map(share).collect()
    })
}

/// The set distance against 1/N.
pub fn infinity(results: &ScoreResults) -> Option<Figure> {
    let infinity = results.fgd_infinity.as_ref()?;
    let (intercept, se) = (infinity.value.value?, infinity.value.se);
    let (slope, r2) = (infinity.slope?, infinity.r2?);
    let numbers = Table::of("fgd_set at fewer captions", &infinity.points)
        .number("captions", |(n, _)| Cell::count(*n))
        .number("fgd_set", |(_, distance)| Cell::value(Some(*distance), se));
    let caption = format!(
        "At infinitely many captions the line meets {} (r² {r2:.3}).",
        value(Some(intercept), se)
    );
    let points = infinity.points.iter().filter(|(n, _)| *n > 0);
    let plot = Plot::Extrapolation {
        points: points.map(|(n, distance)| (*n as f64, *distance)).collect(),
        intercept,
        ci95: infinity.value.interval(),
        slope,
    };
    Some(Figure {
        numbers: Some(numbers.into()),
        ..Figure::new("fgd_set against the number of captions", caption, plot)
    })
}
