//! `fgd agreement` through the program: metrics beside judgements that agree with the words.

use std::collections::HashSet;

use crate::program::{Place, captions, fixture, json, stderr, stdout};

#[test]
fn metrics_are_held_against_judgements() {
    let place = Place::new();
    let mut reader = csv::Reader::from_path(captions("references.csv")).unwrap();
    let rows: Vec<(String, String)> = reader
        .records()
        .map(|row| row.unwrap())
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    // Half of the reference is better than a fifth, and both better than the caption of another image.
    let mut writer = csv::Writer::from_path(place.path("judged.csv")).unwrap();
    writer.write_record(["image_id", "caption", "first", "second"]).unwrap();
    for (at, (id, text)) in rows.iter().enumerate().take(120) {
        let words: Vec<&str> = text.split(' ').collect();
        let part = |share: usize| words[..words.len().div_ceil(share)].join(" ");
        let elsewhere = &rows[(at + 1) % rows.len()].1;
        for (caption, ratings) in [
            (&part(2), ["4", "3"]),
            (&part(5), ["2", ""]),
            (elsewhere, ["1", "1"]),
            (text, ["4", "4"]),
        ] {
            writer.write_record([id.as_str(), caption.as_str(), ratings[0], ratings[1]]).unwrap();
        }
    }
    writer.flush().unwrap();
    let run = |more: &[&str]| {
        let mut command = place.fgd();
        command.arg("agreement").arg(place.path("judged.csv"));
        command.arg("--references").arg(captions("references.csv"));
        command.arg("--encoder").arg(fixture("encoder/tiny-mean")).args(more);
        command
    };
    let fixed = ["--rating", "first,second", "--metrics", "rouge,cider", "--replicates", "100"];
    let record = json(run(&fixed).args(["--format", "json"]));
    let results = &record["results"];
    assert_eq!(record["kind"], "agreement");
    // The references themselves are left out; an empty cell is no judgement.
    assert_eq!((&results["left_out"], &results["captions"]), (&120.into(), &360.into()));
    assert_eq!((&results["judgements"], &results["images"]), (&600.into(), &120.into()));
    // Unless they are asked for: then every metric looks better than it is.
    let kept = json(run(&fixed).args(["--keep-references", "--format", "json"]));
    assert_eq!(kept["results"]["left_out"], 0);
    let cider = |record: &serde_json::Value| {
        record["results"]["metrics"][2]["tau_b"]["value"].as_f64().unwrap()
    };
    assert!(cider(&kept) > cider(&record), "{} {}", cider(&kept), cider(&record));
    let metrics = results["metrics"].as_array().unwrap();
    let names: Vec<&str> =
        metrics.iter().map(|metric| metric["metric"].as_str().unwrap()).collect();
    assert_eq!(names, ["fgd_paired", "rouge_l", "cider", "cider_d"]);
    let rouge = &metrics[1];
    assert!(rouge["tau_c"]["value"].as_f64().unwrap() > 0.6, "{rouge}");
    assert!(rouge["accuracy"]["value"].as_f64().unwrap() > 0.9, "{rouge}");
    assert!(rouge["p_holm"].is_number() && metrics[0].get("p_holm").is_none());
    // A distance is turned round: close captions are good ones.
    assert!(metrics[0]["tau_b"]["value"].as_f64().unwrap() > 0.0, "{}", metrics[0]);
    let table = run(&fixed).output().unwrap();
    assert!(String::from_utf8(table.stdout).unwrap().contains("τ-c"));

    for (more, said) in [
        (&["--rating", "third"][..], "--rating third"),
        (&[][..], "first, second"),
        (&["--rating", "first,first"][..], "first is named twice"),
        (&["--rating", "first", "--metrics", "vendi"][..], "single caption"),
        (&["--rating", "first", "--cluster", "scene"][..], "--cluster"),
    ] {
        let refused = run(more).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(said), "{}", stderr(&refused));
    }
}

#[test]
fn a_row_for_each_judge_and_ids_of_another_spelling_are_the_same_judgements() {
    let place = Place::new();
    let rows = captions("references.csv");
    let rows: Vec<_> =
        csv::Reader::from_path(rows).unwrap().into_records().map(Result::unwrap).collect();
    let texts: Vec<(String, String)> = (rows.iter().zip(rows.iter().skip(1)).take(60))
        .map(|(row, next)| (row[0].to_owned(), next[1].to_owned()))
        .collect();
    let write = |name: &str, header: &[&str], rows: Vec<Vec<String>>| {
        let mut writer = csv::Writer::from_path(place.path(name)).unwrap();
        writer.write_record(header).unwrap();
        rows.iter().for_each(|row| writer.write_record(row).unwrap());
        writer.flush().unwrap();
    };
    let ratings = |at: usize| [at % 4, (at * 7 + 1) % 3].map(|rating| rating.to_string());
    let reference = (rows[0][0].to_owned(), rows[0][1].to_owned());
    let (mut wide, mut long) = (Vec::new(), Vec::new());
    for (at, (id, text)) in texts.iter().chain([&reference]).enumerate() {
        let [first, second] = ratings(at);
        for rating in [&first, &second] {
            long.push(vec![format!("folder/{id}.jpg"), text.clone(), rating.clone()]);
        }
        wide.push(vec![id.clone(), text.clone(), text.clone(), first, second]);
    }
    write("wide.csv", &["image_id", "caption", "prediction", "first", "second"], wide);
    write("long.csv", &["image_id", "caption", "rating"], long);
    let results = |name: &str, rating: &str| {
        let mut command = place.fgd();
        command.arg("agreement").arg(place.path(name)).args(["--rating", rating]);
        command.arg("--references").arg(captions("references.csv"));
        command.arg("--encoder").arg(fixture("encoder/tiny-mean"));
        json(command.args(["--replicates", "100", "--format", "json"]))
    };
    let wide = results("wide.csv", "first, second");
    let long = results("long.csv", "rating");
    for field in ["images", "captions", "judgements", "left_out", "metrics"] {
        assert_eq!(wide["results"][field], long["results"][field], "{field}");
    }
    let kinds = |record: &serde_json::Value| {
        let findings = record["findings"].as_array().unwrap().clone();
        findings.iter().map(|f| f["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(kinds(&wide).contains(&"column-choice".into()), "{:?}", kinds(&wide));
    assert!(kinds(&long).contains(&"id-extension".into()), "{:?}", kinds(&long));
}

#[test]
fn the_order_of_rows_and_other_images_decide_nothing() {
    let place = Place::new();
    let rows: Vec<_> = csv::Reader::from_path(captions("references.csv"))
        .unwrap()
        .into_records()
        .map(Result::unwrap)
        .collect();
    // Two captions of each image, of which judges said different things.
    let judged: Vec<Vec<String>> = (0..80)
        .map(|at| {
            let text = rows[(at * 7 + 3) % rows.len()][1].to_owned();
            let ratings = [(at * 7 + 1) % 5, (at * 11) % 3].map(|rating| rating.to_string());
            [vec![rows[at / 2 * 3][0].to_owned(), text], ratings.to_vec()].concat()
        })
        .collect();
    let write = |name: &str, rows: &mut dyn Iterator<Item = &Vec<String>>| {
        let mut writer = csv::Writer::from_path(place.path(name)).unwrap();
        writer.write_record(["image_id", "caption", "first", "second"]).unwrap();
        rows.for_each(|row| writer.write_record(row).unwrap());
        writer.flush().unwrap();
    };
    write("down.csv", &mut judged.iter());
    write("up.csv", &mut judged.iter().rev());
    let results = |name: &str| {
        let mut command = place.fgd();
        command.arg("agreement").arg(place.path(name)).args(["--rating", "first,second"]);
        command.arg("--references").arg(captions("references.csv"));
        command.arg("--encoder").arg(fixture("encoder/tiny-mean"));
        command.args(["--metrics", "all", "--replicates", "200", "--format", "json"]);
        json(&mut command)["results"].clone()
    };
    let down = results("down.csv");
    assert!(down["metrics"][0]["accuracy"]["value"].is_number(), "{down}");
    assert_eq!(down, results("up.csv"));

    // Of all the references those of the judged images are embedded, each text once.
    let ids: HashSet<&str> = judged.iter().map(|row| row[0].as_str()).collect();
    let own = rows.iter().filter(|row| ids.contains(&row[0])).map(|row| &row[1]);
    let texts: HashSet<&str> = own.chain(judged.iter().map(|row| row[1].as_str())).collect();
    let shown = stdout(&place.fgd().arg("cache").output().unwrap());
    assert!(texts.len() < 150 && rows.len() > 300);
    assert!(shown.contains(&format!(" {} embeddings", texts.len())), "{}: {shown}", texts.len());
}

#[test]
fn judgements_of_one_image_are_refused_with_what_would_do() {
    let place = Place::new();
    let mut rows = csv::Reader::from_path(captions("references.csv")).unwrap().into_records();
    let reference = rows.next().unwrap().unwrap();
    for (more, said) in [("", "no image has"), ("A cat.,1\n", "one image alone has")] {
        let others =
            if more.is_empty() { more.to_owned() } else { format!("{},{more}", &reference[0]) };
        let text =
            format!("image_id,caption,rating\n{},\"{}\",3\n{others}", &reference[0], &reference[1]);
        std::fs::write(place.path("judged.csv"), text).unwrap();
        let mut command = place.fgd();
        command.arg("agreement").arg(place.path("judged.csv"));
        command.arg("--references").arg(captions("references.csv"));
        let refused = command.arg("--encoder").arg(fixture("encoder/tiny-mean")).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        for said in [said, "--keep-references", "judgements of several"] {
            assert!(stderr(&refused).contains(said), "{}", stderr(&refused));
        }
    }
}

#[test]
fn settings_that_a_job_does_not_go_by_are_refused_in_requests_too() {
    let place = Place::new();
    for (job, setting) in [
        (r#""agreement", "judgements": "j.csv", "references": {"path": "r.csv"}"#, "slice"),
        (r#""agreement", "judgements": "j.csv", "references": {"path": "r.csv"}"#, "cluster"),
        (r#""select", "systems": [{"name": "a", "path": "a.csv"}]"#, "population"),
    ] {
        let value = match setting {
            "slice" => r#"["scene"]"#,
            "cluster" => r#""scene""#,
            _ => "9",
        };
        let request = format!(r#"{{"job": {job}, "measuring": {{"{setting}": {value}}}}}"#);
        std::fs::write(place.path("job.json"), request).unwrap();
        let refused = place.fgd().arg("job").arg(place.path("job.json")).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains(&format!("--{setting}: ")), "{}", stderr(&refused));
    }
}

#[test]
fn judged_references_that_leave_one_image_are_said() {
    let place = Place::new();
    std::fs::write(place.path("j.csv"), "image_id,caption,rating\n1,a dog,3\n2,a cat,1\n").unwrap();
    std::fs::write(place.path("r.csv"), "image_id,caption\n1,two dogs\n2,a cat\n").unwrap();
    let mut command = place.fgd();
    command.arg("agreement").arg(place.path("j.csv")).arg("--references").arg(place.path("r.csv"));
    let refused =
        command.args(["--rating", "rating", "--encoder"]).arg(fixture("encoder/tiny-mean"));
    let refused = refused.output().unwrap();
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains(
            "one image alone has judged captions besides 1 that are references (--keep-references"
        ),
        "{said}"
    );
}
