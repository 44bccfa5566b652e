//! Readers of models and images.

use std::path::Path;

use fgd_captioner::weights::{Adapter, TensorFiles};
use fgd_captioner::{Captioner, LoadOptions, preprocess};
use fgd_encoder::{Encoder, Options, Spec, Tokens};

use super::{at, in_model};
use crate::Target;
use crate::seeds::fixtures;

pub const TARGETS: &[Target] = &[
    Target {
        name: "encoder-config",
        seeds: &["encoder/tiny-mean/config.json"],
        run: |bytes| encoder("config.json", bytes),
        file: "config.json",
        commands: &[],
    },
    Target {
        name: "tokenizer",
        seeds: &["encoder/tiny-mean/tokenizer.json"],
        run: |bytes| encoder("tokenizer.json", bytes),
        file: "tokenizer.json",
        commands: &[],
    },
    Target {
        name: "safetensors",
        seeds: &[
            "encoder/tiny-mean/model.safetensors",
            "tiny-blip2/adapter/adapter_model.safetensors",
        ],
        run: safetensors,
        file: "model.safetensors",
        commands: &[],
    },
    Target {
        name: "adapter",
        seeds: &["tiny-blip2/adapter/adapter_config.json"],
        run: |bytes| {
            let adapter = fixtures().join("tiny-blip2/adapter");
            in_model(&adapter, "adapter_config.json", bytes, |dir| {
                drop(Adapter::read(dir, &TensorFiles::none()));
            });
        },
        file: "adapter_config.json",
        commands: &[],
    },
    Target {
        name: "checkpoint-config",
        seeds: &["tiny-blip2/base/config.json"],
        run: |bytes| {
            let base = fixtures().join("tiny-blip2/base");
            let load =
                |dir: &Path| drop(Captioner::load(dir, None, LoadOptions::default(), &|_| {}));
            in_model(&base, "config.json", bytes, load);
        },
        file: "config.json",
        commands: &[],
    },
    Target {
        name: "image",
        seeds: &[
            "tiny-blip2/img.png",
            "captioner/images/palette_transparent.png",
            "captioner/images/rgb16.png",
            "captioner/images/cmyk.jpg",
            "captioner/images/progressive.jpg",
            "captioner/images/rotated.jpg",
        ],
        run: |bytes| drop(preprocess::decode(bytes)),
        file: "image.png",
        commands: &[],
    },
];

fn encoder(name: &str, bytes: &[u8]) {
    in_model(&fixtures().join("encoder/tiny-mean"), name, bytes, |dir| {
        let Ok(spec) = Spec::read(dir) else { return };
        let captions = ["a dog", "", "\u{1f415} two dogs, [MASK] and a cat"];
        if let Ok(tokens) = Tokens::load(&spec) {
            drop(tokens.counts(&captions));
        }
        if let Ok(encoder) = Encoder::load(&spec, &Options::default()) {
            drop(encoder.encode(&captions, &|_| {}));
        }
    });
}

fn safetensors(bytes: &[u8]) {
    encoder("model.safetensors", bytes);
    at("adapter_model.safetensors", bytes, |path| drop(TensorFiles::open(&[path.to_owned()])));
}
