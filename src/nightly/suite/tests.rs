//! The example, and what is said of suites that are wrong.

use super::check::wrong_metric;
use super::read::parse;
use super::*;

fn error(text: &str) -> String {
    parse(text, Path::new("suite.toml"))
        .unwrap_err()
        .to_string()
}

#[test]
fn the_example_is_a_suite_and_shows_every_key() {
    let suite = parse(EXAMPLE, Path::new("example.toml")).unwrap();
    assert_eq!(
        suite.gates.speed.rule(),
        fgd_metrics::series::Rule::default()
    );
    // Every key that the shapes know stands in the example, commented out or not.
    let probe = |table: &str| {
        let text = format!("{EXAMPLE}\n{table}\nzzzzzz = 1\n");
        match toml::from_str::<Suite>(&text) {
            Err(error) => error.message().to_owned(),
            Ok(_) => panic!("an unknown key passes in {table}"),
        }
    };
    let top = match toml::from_str::<Suite>("zzzzzz = 1") {
        Err(error) => error.message().to_owned(),
        Ok(_) => panic!("an unknown key passes"),
    };
    let tables = [
        "[[data]]",
        "[[system]]",
        "[[benchmark]]",
        "[[notify]]",
        "[retention]",
    ];
    let mut messages: Vec<String> = vec![top];
    for table in &tables[..4] {
        messages.push(probe(table));
    }
    for table in ["gates", "gates.speed", "history", "retention"] {
        let text = format!("name = \"x\"\n[{table}]\nzzzzzz = 1\n");
        messages.push(
            toml::from_str::<Suite>(&text)
                .unwrap_err()
                .message()
                .to_owned(),
        );
    }
    for message in messages {
        let keys: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        assert!(!keys.is_empty(), "{message}");
        for key in keys {
            let written = [
                format!("{key} = "),
                format!("[{key}]"),
                format!("[gates.{key}]"),
            ];
            assert!(
                written.iter().any(|form| EXAMPLE.contains(form.as_str())),
                "`{key}` does not stand in the example"
            );
        }
    }
}

#[test]
fn unknown_keys_have_a_place_and_a_neighbour() {
    assert_eq!(
        error("name = \"x\"\n\n[gates]\nalpah = 0.1\n"),
        "suite.toml:4:1: unknown key `alpah`: did you mean `alpha`?"
    );
    assert_eq!(
        error("name = \"x\"\n[[benchmark]]\nname = \"b\"\ntarget = \"encodr\"\n"),
        "suite.toml:4:10: unknown value `encodr`: did you mean `encoder`?"
    );
    assert!(error("name = \"x\"\nqqq = 1").contains(":2:1: unknown key `qqq`: there are name"));
    assert!(error("name = ").starts_with("suite.toml:1:"));
    assert!(error("name = \"x\"\nbudget = \"6 days\"").contains("no length of time"));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let with = |text: &str| {
        error(&format!(
            "name = \"x\"\n[[data]]\nname = \"d\"\nreferences = \"r.csv\"\n[[system]]\nname = \"s\"\n{text}"
        ))
    };
    assert!(with("").contains("give a `submission` or a `checkpoint`"));
    assert!(with("checkpoint = \"c\"").contains("no `images`"));
    assert!(with("submission = \"a\"\ndata = \"e\"").contains("no data set `e`"));
    assert!(with("submission = \"a\"\n[[system]]\nname = \"s\"").contains("two systems"));
    assert!(
        with("submission = \"a\"\n[[benchmark]]\nname = \"s\"\ntarget = \"score\"\nscenario = \"single\"")
            .contains("both called `s`")
    );
    assert!(
        with("submission = \"a\"\n[gates]\nconditions = [\"t.fgd_paired<1\"]")
            .contains("no system")
    );
    assert!(
        with("submission = \"a\"\n[[notify]]\nwebhook = \"https://example.org\"").contains("NAME")
    );
    assert!(error("name = \"a/x\"").contains("letters, digits"));
    assert!(error("name = \"x\"\nmetrics = [\"cidr\"]").contains("nothing to do"));
    assert!(with("submission = \"a\"\n[gates.speed]\nmin_runs = 1").contains("min_runs"));
}

#[test]
fn metrics_are_those_of_score() {
    assert_eq!(wrong_metric("cider"), None);
    assert!(
        wrong_metric("cidr")
            .unwrap()
            .contains("did you mean `cider`?")
    );
}
