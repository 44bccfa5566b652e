//! What can not be trained, and where settings come from.

use crate::*;

#[test]
fn what_can_not_be_trained_is_refused_before_the_work() {
    let place = Place::new();
    // Settings are looked at before anything is read.
    let drawn = |more| [&["--objective", "scst"][..], more].concat();
    for (more, expected) in [
        (vec!["--dtype", "q8"], "f32 or bf16"),
        (vec!["--rank", "0"], "rank 0"),
        (vec!["--dropout", "1"], "dropout 1"),
        (vec!["--targets", "("], "no regular expression"),
        (vec!["--learning-rate=-1"], "learning rate"),
        (vec!["--batch-size", "0"], "batch size"),
        (vec!["--epochs", "0"], "epochs"),
        (vec!["--max-steps", "0"], "max steps"),
        (vec!["--save-every", "0"], "at least 1"),
        (vec!["--device", "tpu"], "give cpu or cuda:N"),
        (vec!["--select-by", "fgd_paired", "--max-new-tokens", "0"], "max_new_tokens is 0"),
        (drawn(&["--samples", "300"]), "num_return_sequences (--samples) is 300"),
        (drawn(&["--max-new-tokens", "5000"]), "max_new_tokens is 5000"),
    ] {
        let said = fail(train(&place, "run", &more));
        assert!(said.contains(expected), "{more:?}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
    assert!(!place.path("run").exists());

    pictures(&place, "train.csv", 0, 12);
    pictures(&place, "validation.csv", 12, 16);
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("fgd features --images"), "{said}");
    features(&place).assert().success();

    for (more, expected) in [
        (&["--targets", "query"][..], "qformer"),
        (&["--targets", "nowhere"], "no layer"),
        (&["--dtype", "bf16"], "--dtype"),
    ] {
        let said = fail(train(&place, "run", more));
        assert!(said.contains(expected), "{more:?}: {said}");
        assert_eq!(
            said.trim().lines().filter(|line| line.starts_with("error")).count(),
            1,
            "{said}"
        );
    }

    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    let again = std::fs::read_to_string(place.path("train.csv")).unwrap();
    // The same picture under another name is the same image.
    std::fs::copy(place.path("images/003.png"), place.path("images/900.png")).unwrap();
    features(&place).assert().success();
    write("validation.csv", "image_id,caption\n900,a man\n");
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("1 image of the validation") && said.contains("900"), "{said}");
    write("validation.csv", "image_id,caption\n13,a man\n");
    write("train.csv", &format!("{again}77777,a dog\n"));
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("1 of 25") && said.contains("77777"), "{said}");
    // Two spellings are two images to a score, and so they are here.
    write("train.csv", &format!("{again}5,a dog\n"));
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("3 of 25") && said.contains("two ways"), "{said}");
    write("train.csv", &format!("{again}5.jpg,\n"));
    assert!(fail(train(&place, "run", &[])).contains("row 25"));
    write("train.csv", &format!("{again}5.jpg,a dog a dog a dog a dog a dog a dog\n"));
    let said = fail(train(&place, "run", &[]));
    assert!(said.contains("row 25") && said.contains("--lenient"), "{said}");
    let mut lenient = train(&place, "run", &["--lenient", "--max-steps", "1"]);
    assert!(lenient.output().unwrap().status.success());
    let record = std::fs::read_to_string(place.path("run/record.json")).unwrap();
    assert!(!record.contains("unknown-token"), "{record}");
    let config = std::fs::read(place.path("run/last/adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    let base = Path::new(config["base_model_name_or_path"].as_str().unwrap());
    assert!(base.is_absolute() && base.join("config.json").exists(), "{}", base.display());
    // What is given beside --resume would not count.
    let resumed = |more: &[&str]| {
        let mut resumed = place.fgd();
        resumed.arg("train").arg("--resume").arg(place.path("run")).args(more);
        resumed
    };
    let said = resumed(&["--rank", "99", "--epochs", "7"]).assert().failure().code(2);
    assert!(stderr(said.get_output()).contains("(rank, epochs)"), "{}", stderr(said.get_output()));
    resumed(&["--max-steps", "1"]).assert().success();
    // What the vocabulary lacks would be learned as <unk>.
    write("train.csv", &format!("{again}5.jpg,a \u{2603} in the park\n"));
    let mut unknown = train(&place, "unknown", &["--max-steps", "1"]);
    let output = unknown.output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("row 25: 1 of 25 captions have characters"), "{said}");
    let record = std::fs::read_to_string(place.path("unknown/record.json")).unwrap();
    assert!(record.contains("unknown-token"), "{record}");
    let mut nothing = place.fgd();
    nothing.arg("train").arg("--resume").arg(place.path("nowhere"));
    let said = stderr(nothing.assert().failure().code(2).get_output());
    assert!(said.contains("give the directory of a run"), "{said}");
}

#[test]
fn presets_stand_behind_flags_and_name_what_is_wrong() {
    let place = Place::new();
    pictures(&place, "train.csv", 0, 6);
    pictures(&place, "validation.csv", 6, 8);
    features(&place).assert().success();
    let presets = place.path("train.toml");
    let init = || {
        let mut init = place.fgd();
        init.arg("train").arg("init").arg(&presets);
        init
    };
    init().assert().success();
    init().assert().failure().code(2);
    let write = |text: &str| std::fs::write(&presets, text).unwrap();
    let path = |name: &str| place.path(name).display().to_string();
    let run = |more: &[&str]| {
        let mut run = place.fgd();
        run.arg("train").arg("--config").arg(&presets).arg("-o").arg(place.path("run")).args(more);
        run
    };
    let whole = format!(
        "checkpoint = {:?}\nfeatures = {:?}\ncaptions = {:?}\n[order]\nbatch_size = 3\nmax_steps = 2\n[learning.lora]\nr = 4\nalpha = 8\n",
        fixture("tiny-blip2/base"),
        path("features"),
        path("train.csv"),
    );
    write(&whole);
    run(&["--max-steps", "1"]).env("FGD_ALPHA", "2").assert().success();
    let request: Value =
        serde_json::from_slice(&std::fs::read(place.path("run/request.json")).unwrap()).unwrap();
    let order = &request["order"];
    assert_eq!((&order["batch_size"], &order["max_steps"]), (&3.into(), &1.into()));
    let lora = &request["learning"]["lora"];
    assert_eq!(
        (&lora["r"], &lora["alpha"], &lora["dropout"]),
        (&4.into(), &2.0.into(), &0.05.into())
    );

    for (text, said) in [
        ("[learning.lora]\nrnak = 4\n", "train.toml:2:1: unknown key `rnak`"),
        ("\n[lerning]\n", "train.toml:2:2: unknown key `lerning`: did you mean `learning`?"),
        ("dtype = \"bf61\"", "train.toml:1:9: unknown value `bf61`: did you mean `bf16`?"),
        ("[order]\nepochs = \"many\"", "train.toml:2:10: "),
    ] {
        write(text);
        let found = stderr(run(&[]).assert().failure().code(2).get_output());
        assert!(found.contains(said), "{text}: {found}");
    }
    write("");
    assert!(stderr(run(&[]).assert().failure().code(2).get_output()).contains("give --checkpoint"));

    // The card of what came of it.
    let mut card = place.fgd();
    card.args(["export", "model-card"]).arg(place.path("run/record.json"));
    let card = program::stdout(card.assert().success().get_output());
    assert!(card.contains("base_model: \"base\"") && card.contains("library_name: peft"), "{card}");
}
