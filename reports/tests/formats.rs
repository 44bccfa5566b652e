//! Every example in every format against its golden file.
//!
//! `UPDATE_GOLDEN=1 cargo test -p fgd-reports` writes the files anew; look at the difference.

#[path = "../../record/tests/examples/mod.rs"]
mod examples;
mod golden;

use fgd_record::{DifferenceSlice, Measure, Metric, Record, Results};
use fgd_reports::{Format, Style, render};
use unicode_width::UnicodeWidthStr;

use golden::hold;

#[test]
fn every_format_matches_its_golden_file() {
    for (name, record) in examples::all() {
        let style = Style::default();
        hold(&format!("{name}.txt"), &render(&record, Format::Text, &style));
        hold(&format!("{name}.md"), &render(&record, Format::Md, &style));
        hold(&format!("{name}.csv"), &render(&record, Format::Csv, &style));
        hold(&format!("{name}.json"), &render(&record, Format::Json, &style));
    }
}

#[test]
fn narrow_and_coloured_terminals_match_their_golden_files() {
    for (name, width, color) in [("narrow", 40, false), ("colour", 100, true)] {
        for (example, record) in examples::all() {
            let style = Style { color, width };
            let text = render(&record, Format::Text, &style);
            hold(&format!("{example}.{name}.txt"), &text);
        }
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (name, record) in examples::all() {
        for width in [20, 33, 60, 80, 100, 200] {
            let style = Style { color: false, width };
            for line in render(&record, Format::Text, &style).lines() {
                let is_signature = line == record.signature;
                assert!(
                    is_signature || line.width() <= width,
                    "{name} at {width}: {line:?} has {}",
                    line.width()
                );
            }
        }
    }
}

#[test]
fn what_a_narrow_terminal_leaves_out_is_named_and_not_explained() {
    let record = (examples::all().into_iter()).find(|(name, _)| *name == "compare").unwrap().1;
    let at = |width| render(&record, Format::Text, &Style { color: false, width });
    let (narrow, wide) = (at(80), at(200));
    assert!(narrow.contains("left out: ") && narrow.contains("`--format md` has"), "{narrow}");
    assert!(narrow.contains("misalignment") && !narrow.contains("N needed: images"), "{narrow}");
    assert!(wide.contains("N needed: images") && !wide.contains("left out: "), "{wide}");
}

#[test]
fn a_record_survives_its_json() {
    for (name, record) in examples::all() {
        let again = Record::from_json(&record.to_json()).unwrap();
        assert_eq!(record, again, "{name}");
    }
}

#[test]
fn a_caption_sends_no_escape_sequence_to_the_terminal() {
    let text = render(&examples::score(), Format::Text, &Style::default());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    assert!(text.contains("<script>"));
}

#[test]
fn csv_has_no_formula_in_its_text_columns() {
    for (name, record) in examples::all() {
        let text = render(&record, Format::Csv, &Style::default());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        for row in reader.records() {
            for cell in row.unwrap().iter().filter(|c| c.parse::<f64>().is_err()) {
                assert!(!cell.starts_with(['=', '+', '-', '@']), "{name}: {cell:?}");
            }
        }
    }
}

#[test]
fn numbers_of_another_encoder_are_labelled_in_every_format_for_people() {
    let record = examples::score_missing();
    for format in [Format::Text, Format::Md] {
        let text = render(&record, format, &Style::default());
        assert!(text.contains("NOT FGD: numbers of encoder intfloat/e5-small-v2"));
    }
}

#[test]
fn a_metric_is_called_and_counted_alike_in_all_tables_of_a_comparison() {
    let mut record = examples::compare();
    let Results::Compare(results) = &mut record.results else { panic!("another kind") };
    let metric = Metric {
        measure: Measure::exact(5.0),
        label: "images with text".into(),
        higher_is_better: Some(true),
        is_count: true,
    };
    results.systems[0].scores.metrics.insert("ocr_images".into(), metric);
    let group = DifferenceSlice {
        column: "label".into(),
        value: "indoor".into(),
        n: 9,
        estimate: Measure::exact(-2.0),
        marks: Vec::new(),
    };
    results.differences[0].metric = "ocr_images".into();
    results.differences[0].estimate = Measure::exact(3.0);
    results.differences[0].slices = vec![group];
    let text = render(&record, Format::Md, &Style::default());
    let rows = text.lines().filter(|line| line.starts_with("| images with text |"));
    let [whole, group] = rows.collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert!(whole.contains("+3 |") || whole.contains("+3** |"), "{whole}");
    assert!(group.contains("| -2 |"), "{group}");
}

#[test]
fn a_training_says_what_ended_it() {
    let mut record = examples::train();
    let text = render(&record, Format::Text, &Style::default());
    assert!(text.contains("ended after step 600 of 1,336: the validation got no better"), "{text}");
    let Results::Train(results) = &mut record.results else { panic!("another kind") };
    results.validation[3].is_poorer = Some(true);
    let text = render(&record, Format::Text, &Style::default());
    let said = "ended after step 600 of 1,336: CIDEr-D or the number of different words has fallen";
    assert!(text.contains(said), "{text}");
}

#[test]
fn people_agree_with_a_metric_only_where_its_interval_says_so() {
    let examples = examples::all();
    let (_, record) = examples.iter().find(|(name, _)| *name == "agreement").unwrap();
    for (tau, said) in [
        (0.5, "people agree with fgd_paired"),
        (-0.5, "people disagree with fgd_paired"),
        (0.01, "whether people agree with fgd_paired is not shown"),
    ] {
        let mut record = record.clone();
        let Results::Agreement(results) = &mut record.results else { panic!("another kind") };
        results.metrics[0].tau_c = Measure::estimated(tau, 0.05, [tau - 0.1, tau + 0.1]);
        let text = render(&record, Format::Text, &Style::default());
        assert!(text.contains(said), "{text}");
    }
}
