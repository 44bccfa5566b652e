//! Weights as PyTorch pickles them: not read, since reading a pickle can run code. What to do instead, in a line of Python.

use std::path::Path;

use super::Kind;
use crate::file::folder_of;

/// Files of pickled weights that `from_pretrained` reads and this does not.
const MODEL: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
const ADAPTER: &str = "adapter_model.bin";

/// Extensions of single files of weights.
const EXTENSIONS: [&str; 4] = ["pt", "pth", "bin", "ckpt"];

/// What to do about a directory whose weights are pickled, to follow an error that says what is missing; `None` where they are
/// not.
pub fn pickle_advice(dir: &Path, kind: Kind) -> Option<String> {
    let shown = dir.display();
    if kind == Kind::Adapter {
        return dir.join(ADAPTER).is_file().then(|| {
            format!(
                "; {ADAPTER} is a pickle, which is not read; convert it once: {}",
                state_dict_to_safetensors(
                    &dir.join(ADAPTER),
                    &dir.join("adapter_model.safetensors")
                )
            )
        });
    }
    let pickled = MODEL.iter().find(|name| dir.join(name).is_file())?;
    Some(format!(
        "; {pickled} is a pickle, which is not read; convert it once, in its place: \
         python -c \"from transformers import {class} as M; M.from_pretrained('{shown}').save_pretrained('{shown}')\"",
        class = class(kind),
    ))
}

/// What to do with a single file where a model's directory is expected.
pub(super) fn file_advice(file: &Path, kind: Kind) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let (single, _) = kind.weights();
    let folder = folder_of(file);
    if name == ADAPTER || MODEL.contains(&&*name) {
        let advice = pickle_advice(folder, if name == ADAPTER { Kind::Adapter } else { kind });
        return format!("give its directory, {}{}", folder.display(), advice.unwrap_or_default());
    }
    if extension == "safetensors" {
        return format!("give the directory that holds it as {single}, with its configuration");
    }
    if !EXTENSIONS.contains(&&*extension) {
        return format!("give a directory as save_pretrained writes it, with {single}");
    }
    format!(
        "a pickle is not read; convert it once, into a directory DIR with {}: {}",
        kind.required().join(" and "),
        state_dict_to_safetensors(file, &Path::new("DIR").join(single))
    )
}

/// The class whose `from_pretrained` reads a model of this kind.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Encoder => "AutoModel",
        Kind::Checkpoint | Kind::Adapter => "Blip2ForConditionalGeneration",
    }
}

fn state_dict_to_safetensors(from: &Path, to: &Path) -> String {
    format!(
        "python -c \"import torch; from safetensors.torch import save_file; \
         save_file({{k: v.contiguous().clone() for k, v in torch.load('{}', map_location='cpu').items()}}, '{}')\"",
        from.display(),
        to.display()
    )
}
