//! The example, and what is said of suites that are wrong.

use super::read::parse;
use super::*;

fn error(text: &str) -> String {
    parse(text, Path::new("suite.toml")).unwrap_err().to_string()
}

#[test]
fn the_example_is_a_suite_and_shows_every_key() {
    let suite = parse(EXAMPLE, Path::new("example.toml")).unwrap();
    assert_eq!(suite.gates.speed.rule(), fgd_metrics::series::Rule::default());
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
    let tables = ["[[data]]", "[[system]]", "[[benchmark]]", "[[notify]]", "[retention]"];
    let mut messages: Vec<String> = vec![top];
    for table in &tables[..4] {
        messages.push(probe(table));
    }
    for table in ["gates", "gates.speed", "history", "retention"] {
        let text = format!("name = \"x\"\n[{table}]\nzzzzzz = 1\n");
        messages.push(toml::from_str::<Suite>(&text).unwrap_err().message().to_owned());
    }
    for message in messages {
        let keys: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        assert!(!keys.is_empty(), "{message}");
        for key in keys {
            let written = [
                format!("{key} = "),
                format!("[{key}]"),
                format!("[gates.{key}]"),
                format!("[benchmark.{key}]"),
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
        error("name = \"x\"\n[[benchmark]]\nname = \"b\"\n[benchmark.encodr]\n"),
        "suite.toml:4:12: unknown key `encodr`: did you mean `encoder`?"
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
        with("submission = \"a\"\n[[benchmark]]\nname = \"s\"\nencoder = {}")
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
    assert!(with("submission = \"a\"\ncaptioning = { batch_size = 1 }").contains("`captioning`"));
    let bench = |text: &str| error(&format!("name = \"x\"\n[[benchmark]]\nname = \"b\"\n{text}"));
    assert!(bench("").contains("benchmark `b`: give it one of [benchmark.encoder]"));
    assert!(bench("encoder = {}\nscore = { score = { submission = \"a\", references = { path = \"r\" } } }").contains("one of"));
    assert!(bench("captioner = {}").contains("a `checkpoint`"));
    assert!(bench("encoder = { load = { rate = 5.0 } }").contains("--scenario server"));
    assert!(with("submission = \"a\"\n[gates.speed]\nmin_runs = 1").contains("min_runs"));
}

#[test]
fn every_enumerated_value_has_a_place_and_a_neighbour() {
    let of_system = |text: &str| error(&format!("name = \"x\"\n[[system]]\nname = \"s\"\n{text}"));
    let of_encoder =
        |text: &str| error(&format!("name = \"x\"\n[[benchmark]]\nname = \"b\"\n{text}"));
    for (found, place, meant) in [
        (error("name = \"x\"\nengine = \"packd\""), "2:10", "packed"),
        (error("name = \"x\"\nmetrics = [\"bleu\", \"cidr\"]"), "2:20", "cider"),
        (of_system("captioning.dtype = \"bf61\""), "4:20", "bf16"),
        (
            of_system("[system.captioning.generation]\nearly_stopping = \"hueristic\""),
            "5:18",
            "heuristic",
        ),
        (of_encoder("encoder.load.scenario = \"ofline\""), "4:25", "offline"),
    ] {
        assert!(found.starts_with(&format!("suite.toml:{place}: unknown value")), "{found}");
        assert!(found.ends_with(&format!("did you mean `{meant}`?")), "{found}");
    }
}

#[test]
fn what_a_check_finds_has_its_line_and_the_nearest_word() {
    let system = "name = \"x\"\n[[data]]\nname = \"d\"\nreferences = \"r\"\n[[system]]\nname = \"s\"\nsubmission = \"a\"\n";
    let of_suite = |text: &str| error(&format!("{system}{text}"));
    let of_benchmark =
        |text: &str| error(&format!("name = \"x\"\n[[benchmark]]\nname = \"b\"\n{text}"));
    for (found, place, said) in [
        (of_suite("[gates]\nalpha = 2.0"), "9:9", "lies between 0 and 1"),
        (of_suite("[gates]\ntolerance = -1.0"), "9:13", "is not negative"),
        (
            of_suite("[gates]\nmetrics = [\"fgd_paired\", \"fgd_piared\"]"),
            "9:26",
            "did you mean `fgd_paired`?",
        ),
        (of_suite("[gates]\nmetrics = [\"cider_d\"]"), "9:12", "add `cider` to `metrics`"),
        (
            of_suite("[gates]\nconditions = [\n  \"s.fgd_paired<1\",\n  \"s.fgd_pared<1\",\n]"),
            "11:3",
            "did you mean `fgd_paired`?",
        ),
        (
            of_suite("[gates]\nconditions = [\"t.fgd_paired<1\"]"),
            "9:15",
            "[gates] conditions: t.fgd_paired<1: no system is called `t`",
        ),
        (of_suite("[gates.speed]\nmin_runs = 1"), "8:", "min_runs"),
        (
            of_suite("[[notify]]\ncommand = [\"a\"]\ntoken = \"T\""),
            "10:9",
            "`token` is for a `webhook`",
        ),
        (of_suite("device = \"gpu\""), "8:10", "did you mean `cpu`?"),
        (of_suite("device = \"cdua:1\""), "8:10", "did you mean `cuda:0`?"),
        (of_suite("data = \"e\""), "8:8", "there is no data set `e`"),
        (error(&format!("device = \"cuda:0\"\n{system}")), "1:10", "engine = \"candle\""),
        (error(&format!("threads = 0\n{system}")), "1:11", "at least one"),
        (
            of_benchmark("encoder = { encoding = { device = \"cpuu\" } }"),
            "4:35",
            "did you mean `cpu`?",
        ),
        (
            of_benchmark("[benchmark.captioner]\ncheckpoint = \"c\"\ndevice = \"cuda\""),
            "6:10",
            "did you mean `cuda:0`?",
        ),
        (
            of_benchmark(
                "[benchmark.score.score]\nsubmission = \"a\"\nreferences.path = \"r\"\nmeasuring.metrics = [\"cidr\"]",
            ),
            "7:22",
            "did you mean `cider`?",
        ),
        (of_benchmark("encoder = { load = { rate = 5.0 } }"), "4:11", "--scenario server"),
    ] {
        let place = format!("suite.toml:{place}");
        assert!(found.starts_with(&place) && found.contains(said), "{place} {said}: {found}");
    }
}

#[test]
fn the_suites_encoder_reaches_the_benchmarks_that_embed() {
    let suite = |text: &str| {
        let text =
            format!("name = \"x\"\nencoder = \"own\"\nengine = \"int12\"\nmax_length = 32\n{text}");
        parse(&text, Path::new("suite.toml")).unwrap()
    };
    let encoding = |suite: &Suite| match suite.benchmarks[0].request() {
        Request::Encoder(request) => request.encoding,
        Request::Score(request) => request.score.encoding,
        Request::Captioner(_) => panic!("it embeds nothing"),
    };
    for target in [
        "encoder = { items = 4 }",
        "encoder = { encoding = { cache = false } }",
        "score = { score = { submission = \"a\", references = { path = \"r\" } } }",
    ] {
        let found = encoding(&suite(&format!("[[benchmark]]\nname = \"b\"\n{target}")));
        assert_eq!((found.encoder.as_str(), found.max_length), ("own", Some(32)), "{target}");
        assert_eq!(found.engine, EngineKind::Int12, "{target}");
    }
    // One that names another encoder is left as it is.
    let own = "[[benchmark]]\nname = \"b\"\nencoder = { encoding = { encoder = \"other\" } }";
    let found = encoding(&suite(own));
    assert_eq!((found.encoder.as_str(), found.max_length), ("other", None));
    assert_eq!(found.engine, EngineKind::Packed);
}

#[test]
fn keys_that_are_no_more_say_what_to_write_instead() {
    for (text, instead) in [
        ("[[system]]\nname = \"s\"\narguments = []", "[system.captioning]"),
        ("[[data]]\nname = \"d\"\nreferences = \"r\"\narguments = []", "[data.reading]"),
        ("[[benchmark]]\nname = \"b\"\narguments = []", "[benchmark.encoder]"),
        ("[[benchmark]]\nname = \"b\"\ntarget = \"encoder\"", "[benchmark.encoder]"),
        ("[[benchmark]]\nname = \"b\"\nscenario = \"single\"", "load = {"),
        ("[history]\npostgres = \"URL\"", "fgd nightly export"),
        ("[gates]\nfail_on_invalid = true", "allow_failed"),
    ] {
        let found = error(&format!("name = \"x\"\n{text}\n"));
        assert!(found.contains("is no key any more") && found.contains(instead), "{found}");
    }
}

#[test]
fn a_training_belongs_to_a_checkpoint_and_names_its_data() {
    let with = |text: &str| {
        error(&format!(
            "name = \"x\"\n[[data]]\nname = \"d\"\nreferences = \"r\"\nimages = \"i\"\n[[system]]\nname = \"s\"\n{text}"
        ))
    };
    let whole = "features = \"f\", captions = \"c\"";
    for (text, place, said) in [
        (format!("submission = \"a\"\ntrain = {{ {whole} }}"), "9:9", "for checkpoints"),
        (
            "checkpoint = \"c\"\ntrain = { captions = \"c\" }".into(),
            "9:9",
            "`train` needs `features`",
        ),
        (
            format!("checkpoint = \"c\"\ntrain = {{ {whole}, output = \"o\" }}"),
            "9:9",
            "leave them out",
        ),
        (
            format!("checkpoint = \"c\"\nadapter = \"a\"\ntrain = {{ {whole} }}"),
            "10:9",
            "to begin at",
        ),
        (format!("checkpoint = \"c\"\ntrain = {{ {whole}, lernin = 1 }}"), "9:", "did you mean"),
    ] {
        let found = with(&text);
        let place = format!("suite.toml:{place}");
        assert!(found.starts_with(&place) && found.contains(said), "{place} {said}: {found}");
    }
}
