//! Records for a README, a pull request and the Hub.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use base64::Engine;

use crate::program::{Place, captions, stderr, stdout};

/// A saved score.
fn record(place: &Place) -> PathBuf {
    let file = place.path("record.json");
    let mut command = place.score(&captions("good.csv"), &captions("references.csv"));
    command.arg("-o").arg(&file).assert().success();
    file
}

#[test]
fn a_badge_says_the_number_and_what_it_is_not() {
    let place = Place::new();
    let output = place.fgd().args(["export", "badge"]).arg(record(&place)).output().unwrap();
    let badge = stdout(&output);
    assert!(badge.starts_with("<svg ") && badge.ends_with("</svg>\n"), "{badge}");
    // The tiny encoder's numbers are not FGD.
    assert!(badge.contains("fgd_paired (tiny-mean): ") && badge.contains(" ± "), "{badge}");
    assert!(!badge.contains("http://") || badge.matches("http").count() == 1, "{badge}");
}

#[test]
fn the_headline_chart_is_a_picture_of_its_own() {
    let place = Place::new();
    let file = place.path("record.json");
    let mut command = place.fgd();
    command.arg("compare").arg(captions("good.csv")).arg(captions("other.csv"));
    command.arg("--references").arg(captions("references.csv"));
    command.arg("--encoder").arg(crate::program::fixture("encoder/tiny-mean"));
    command.arg("-o").arg(&file).assert().success();
    let output = place.fgd().args(["export", "chart"]).arg(&file).output().unwrap();
    let svg = stdout(&output);
    assert!(svg.starts_with("<svg") && svg.contains("good") && svg.ends_with("</svg>\n"), "{svg}");
    // Alone, it says what it shows, and that it is not FGD.
    assert!(svg.contains("\nfgd_paired\n") && svg.contains("NOT FGD: encoder tiny-mean"), "{svg}");

    let png = place.path("chart.png");
    place.fgd().args(["export", "chart"]).arg(&file).arg("-o").arg(&png).assert().success();
    let picture = image::open(&png).unwrap().into_rgb8();
    // Three pixels a unit, and of the blue that systems are drawn in.
    assert_eq!(picture.width(), 1260);
    let blue = picture.pixels().filter(|pixel| pixel.0 == [0x00, 0x72, 0xB2]).count();
    assert!(blue > 300, "{blue} pixels");
}

#[test]
fn a_comment_is_found_again_by_its_mark() {
    let place = Place::new();
    let file = record(&place);
    let comment = |name: &str| {
        let mut command = place.fgd();
        command.args(["export", "comment", "--name", name]).arg(&file);
        stdout(&command.output().unwrap())
    };
    let text = comment("a b-->c");
    assert!(text.starts_with("<!-- fgd:a-b---c -->\n"), "{text}");
    assert!(text.contains("fgd\\_paired") && text.contains("<details>"), "{text}");
    assert!(text.trim_end().ends_with("</details>"), "{text}");
}

#[test]
fn a_model_card_keeps_what_is_not_ours() {
    let place = Place::new();
    let file = record(&place);
    let card = place.path("README.md");
    let export = || {
        let mut command = place.fgd();
        command
            .args(["export", "hub", "--dataset", "org/captions"])
            .arg(&file)
            .arg("-o")
            .arg(&card);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), stderr(&output))
    };
    let read = || std::fs::read_to_string(&card).unwrap();
    assert_eq!(export().0, 0);
    let fresh = read();
    assert!(fresh.starts_with("---\npipeline_tag: image-to-text\n"), "{fresh}");
    assert!(fresh.contains("\nmodel-index:\n") && fresh.contains("fgd\\_paired"), "{fresh}");
    // Twice is as good as once.
    assert_eq!((export().0, read()), (0, fresh));

    let own = "---\nlicense: mit\n---\n\n# My model\n\nWords of mine.\n";
    std::fs::write(&card, own).unwrap();
    assert_eq!(export().0, 0);
    let merged = read();
    assert!(merged.starts_with("---\nlicense: mit\n# fgd: begin\nmodel-index:\n"), "{merged}");
    assert!(
        merged.contains("# My model\n\nWords of mine.\n") && merged.contains("<!-- fgd: begin -->")
    );
    assert_eq!((export().0, read()), (0, merged));

    let foreign = "---\nmodel-index:\n- name: theirs\n---\n# Theirs\n";
    std::fs::write(&card, foreign).unwrap();
    let (code, said) = export();
    assert!(code == 2 && said.contains("did not write"), "{said}");
    assert_eq!(read(), foreign);
}

#[test]
fn a_card_is_committed_to_the_hub_with_a_token_only() {
    let place = Place::new();
    let file = record(&place);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let answers = ["---\nlicense: mit\n---\n# Old\n", "{\"commitUrl\": \"the/commit\"}"];
        for (body, stream) in answers.into_iter().zip(listener.incoming().flatten()) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).unwrap() > 2 {
                let line = head.lines().last().unwrap_or_default().to_lowercase();
                length =
                    line.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).unwrap();
            let reply = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            (&stream).write_all(reply.as_bytes()).unwrap();
            seen.push((head, String::from_utf8(sent).unwrap()));
        }
        seen
    });
    let push = |token: Option<&str>| {
        let mut command = place.fgd();
        command
            .args(["export", "hub", "--dataset", "org/captions", "--push", "me/model"])
            .arg(&file);
        command
            .env("HF_ENDPOINT", &endpoint)
            .env_remove("HF_HUB_OFFLINE")
            .env("HF_HOME", place.path("hf"));
        match token {
            Some(token) => command.env("HF_TOKEN", token),
            None => command.env_remove("HF_TOKEN"),
        };
        command.output().unwrap()
    };
    let output = push(None);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("set HF_TOKEN"), "{}", stderr(&output));
    let output = push(Some("hf_secret"));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("the/commit") && !stderr(&output).contains("hf_secret"));
    let seen = server.join().unwrap();
    assert!(seen[0].0.starts_with("GET /me/model/resolve/main/README.md "), "{}", seen[0].0);
    let (head, body) = &seen[1];
    assert!(head.starts_with("POST /api/models/me/model/commit/main "), "{head}");
    assert!(head.to_lowercase().contains("authorization: bearer hf_secret"), "{head}");
    let lines: Vec<serde_json::Value> =
        body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["key"], &lines[1]["value"]["path"]),
        (&"header".into(), &"README.md".into())
    );
    let content = base64::engine::general_purpose::STANDARD
        .decode(lines[1]["value"]["content"].as_str().unwrap())
        .unwrap();
    let card = String::from_utf8(content).unwrap();
    assert!(
        card.starts_with("---\nlicense: mit\n# fgd: begin\n") && card.contains("# Old"),
        "{card}"
    );
}
