//! Which pictures show how values are spread, and how the set distance depends on their number.

use super::number::{count, value};
use super::{Cell, Column, Figure, Plot, Table};
use fgd_record::{Distribution, ScoreResults};

/// How the distances of single captions are spread.
pub fn histogram_of_distances(results: &ScoreResults) -> Option<Figure> {
    let distances = results.distances.as_ref()?;
    let title = "Distance of each caption to its reference";
    histogram(title, "squared distance", distances, None)
}

/// How the influences of single captions are spread.
pub fn histogram_of_influences(results: &ScoreResults) -> Option<Figure> {
    let influences = results.influences.as_ref()?;
    let title = "Influence of each caption on fgd_set";
    histogram(
        title,
        "influence; right pushes the sets apart",
        influences,
        None,
    )
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
    let own = shares(values)?;
    let overlay = overlay.filter(|o| o.edges == values.edges).and_then(shares);
    let [_, low, _, median, _, high, _] = values.quantiles;
    // As many digits as a twentieth of the spread of the middle justifies.
    let digits = |number: f64| value(Some(number), Some((high - low).abs() / 20.0));
    let mut numbers = Table::new(
        title,
        vec![
            Column::number("from"),
            Column::number("to"),
            Column::number("captions"),
        ],
    );
    for (edges, counted) in values.edges.windows(2).zip(&values.counts) {
        let edge = |at: f64| Cell::number(digits(at), Some(at));
        numbers.rows.push(vec![
            edge(edges[0]),
            edge(edges[1]),
            Cell::number(count(*counted), Some(*counted as f64)),
        ]);
    }
    if let Some(overlay) = &overlay {
        numbers.columns.push(Column::number("references"));
        for (row, share) in numbers.rows.iter_mut().zip(overlay) {
            row.push(Cell::number(format!("{:.1}%", 100.0 * share), Some(*share)));
        }
    }
    Some(Figure {
        title: title.to_string(),
        caption: format!(
            "Half of the captions lie below {}, nine of ten between {} and {}.",
            digits(median),
            digits(low),
            digits(high)
        ),
        plot: Plot::Histogram {
            edges: values.edges.clone(),
            shares: own,
            overlay,
            median,
            axis: axis.to_string(),
        },
        numbers: Some(numbers),
    })
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
    let intercept = infinity.value.value?;
    let mut numbers = Table::new(
        "fgd_set at fewer captions",
        vec![Column::number("captions"), Column::number("fgd_set")],
    );
    for (n, distance) in &infinity.points {
        numbers.rows.push(vec![
            Cell::number(count(*n), Some(*n as f64)),
            Cell::number(value(Some(*distance), infinity.value.se), Some(*distance)),
        ]);
    }
    Some(Figure {
        title: "fgd_set against the number of captions".into(),
        caption: format!(
            "At infinitely many captions the line meets {} (r² {:.3}).",
            value(Some(intercept), infinity.value.se),
            infinity.r2
        ),
        plot: Plot::Extrapolation {
            points: (infinity.points.iter())
                .filter(|(n, _)| *n > 0)
                .map(|(n, distance)| (*n as f64, *distance))
                .collect(),
            intercept,
            ci95: infinity.value.ci95,
            slope: infinity.slope,
        },
        numbers: Some(numbers),
    })
}
