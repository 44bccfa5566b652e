//! Checkpoints and adapters as they come: beside one another, named, in formats to be converted.

use crate::*;

#[test]
fn an_adapter_directory_brings_its_base() {
    let images = images(2);
    let dir = tempfile::tempdir().unwrap();
    let with_flags = dir.path().join("flags.csv");
    let adapter = fixture("tiny-blip2/adapter");
    succeed(caption(images.path(), &with_flags, &["--adapter", adapter.to_str().unwrap()]));

    let alone = dir.path().join("adapter");
    std::fs::create_dir(&alone).unwrap();
    std::fs::copy(
        adapter.join("adapter_model.safetensors"),
        alone.join("adapter_model.safetensors"),
    )
    .unwrap();
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(adapter.join("adapter_config.json")).unwrap())
            .unwrap();
    config["base_model_name_or_path"] = fixture("tiny-blip2/base").to_str().unwrap().into();
    std::fs::write(alone.join("adapter_config.json"), config.to_string()).unwrap();
    let output = dir.path().join("alone.csv");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
    command.args(["caption", "--batch-size", "2", "--checkpoint"]).arg(&alone);
    command.arg("--images").arg(images.path()).arg("-o").arg(&output).env("HF_HUB_OFFLINE", "1");
    succeed(command);
    assert_eq!(std::fs::read(&output).unwrap(), std::fs::read(&with_flags).unwrap());
}

/// A directory with the files of all these.
fn together(parts: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for part in parts {
        for entry in std::fs::read_dir(fixture(part)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    dir
}

/// `fgd caption` with another checkpoint.
fn caption_by(checkpoint: &Path, images: &Path, output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fgd"));
    command.args(["caption", "--batch-size", "2", "--checkpoint"]).arg(checkpoint);
    command.arg("--images").arg(images).arg("-o").arg(output).args(more);
    command.env("HF_HUB_OFFLINE", "1").stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn an_adapter_beside_the_weights_belongs_to_them() {
    let images = images(2);
    let dir = tempfile::tempdir().unwrap();
    let (with_flags, own) = (dir.path().join("flags.csv"), dir.path().join("own.csv"));
    let adapter = fixture("tiny-blip2/adapter");
    let adapter_flags = ["--adapter", adapter.to_str().unwrap()];
    succeed(caption(images.path(), &with_flags, &adapter_flags));
    let both = together(&["tiny-blip2/base", "tiny-blip2/adapter"]);
    let stderr = succeed(caption_by(both.path(), images.path(), &own, &[]));
    assert!(stderr.contains("holds an adapter, which is merged"), "{stderr}");
    assert_eq!(std::fs::read(&own).unwrap(), std::fs::read(&with_flags).unwrap());
    assert_eq!(
        record(&own)["checkpoint"]["adapter"][1],
        record(&with_flags)["checkpoint"]["adapter"][1]
    );
    // Named twice it is the same one; another one has no place.
    let same = ["--adapter", both.path().to_str().unwrap()];
    succeed(caption_by(both.path(), images.path(), &dir.path().join("twice.csv"), &same));
    let other = dir.path().join("other.csv");
    let stderr = fail(caption_by(both.path(), images.path(), &other, &adapter_flags));
    assert!(
        stderr.contains("adapter of its own") && stderr.contains("adapter_config.json"),
        "{stderr}"
    );
    assert!(!other.exists());
    // Without weights beside it, but with their configuration, it brings its base.
    let config = together(&["tiny-blip2/adapter"]);
    std::fs::copy(fixture("tiny-blip2/base/config.json"), config.path().join("config.json"))
        .unwrap();
    let file = config.path().join("adapter_config.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let base = fixture("tiny-blip2/base");
    std::fs::write(&file, text.replace("tiny/base", base.to_str().unwrap())).unwrap();
    let alone = dir.path().join("alone.csv");
    succeed(caption_by(config.path(), images.path(), &alone, &[]));
    assert_eq!(std::fs::read(&alone).unwrap(), std::fs::read(&with_flags).unwrap());
}

#[test]
fn adapters_with_names_are_found_in_their_folders() {
    let images = images(2);
    let dir = tempfile::tempdir().unwrap();
    let named = fixture("tiny-blip2/adapters/named");
    let inside = named.join("captions");
    let (outer, inner) = (dir.path().join("outer.csv"), dir.path().join("inner.csv"));
    succeed(caption(images.path(), &outer, &["--adapter", named.to_str().unwrap()]));
    succeed(caption(images.path(), &inner, &["--adapter", inside.to_str().unwrap()]));
    assert_eq!(std::fs::read(&outer).unwrap(), std::fs::read(&inner).unwrap());
    // All of them lie in one folder, of which none is meant by itself.
    let all = fixture("tiny-blip2/adapters");
    let stderr = fail(caption(images.path(), &outer, &["--adapter", all.to_str().unwrap()]));
    assert!(stderr.contains("give one of those inside") && stderr.contains("lm_head"), "{stderr}");
    let above = fixture("tiny-blip2");
    let stderr = fail(caption_by(&above, images.path(), &outer, &[]));
    assert!(stderr.contains("give one of those inside") && stderr.contains("merged"), "{stderr}");
}

#[test]
fn pickles_and_single_files_say_how_they_are_converted() {
    let images = images(1);
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("captions.csv");
    let pickled = together(&["tiny-blip2/base"]);
    for entry in std::fs::read_dir(pickled.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("safetensors") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let adapter = together(&["tiny-blip2/adapter"]);
    let tensors = adapter.path().join("adapter_model.safetensors");
    std::fs::rename(tensors, adapter.path().join("adapter_model.bin")).unwrap();
    std::fs::write(pickled.path().join("pytorch_model.bin"), "PK").unwrap();
    let weights = dir.path().join("tuned.pt");
    std::fs::write(&weights, "PK").unwrap();
    let file = fixture("tiny-blip2/adapter/adapter_model.safetensors");
    let adapter_flags = |path: &Path| ["--adapter".to_owned(), path.to_str().unwrap().to_owned()];
    for (command, expected) in [
        (
            caption_by(pickled.path(), images.path(), &output, &[]),
            ["pytorch_model.bin is a pickle", "save_pretrained("],
        ),
        (
            caption_by(&pickled.path().join("pytorch_model.bin"), images.path(), &output, &[]),
            ["give its directory", "save_pretrained("],
        ),
        (
            caption_by(&weights, images.path(), &output, &[]),
            ["config.json and tokenizer.json", "DIR/model.safetensors"],
        ),
        (
            caption_by(adapter.path(), images.path(), &output, &[]),
            ["adapter_model.bin is a pickle", "save_file("],
        ),
        (
            caption(
                images.path(),
                &output,
                &adapter_flags(adapter.path()).each_ref().map(|s| s.as_str()),
            ),
            ["adapter_model.bin is a pickle", "save_file("],
        ),
        (
            caption(
                images.path(),
                &output,
                &adapter_flags(&weights).each_ref().map(|s| s.as_str()),
            ),
            ["adapter_config.json", "save_file("],
        ),
        (
            caption(images.path(), &output, &adapter_flags(&file).each_ref().map(|s| s.as_str())),
            ["is a file", "give the directory"],
        ),
    ] {
        let stderr = fail(command);
        for part in expected {
            assert!(stderr.contains(part), "{part:?} is not in {stderr}");
        }
    }
}
