//! What PEFT calls the tensors of an adapter.

/// Which part of a module's change a tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// [rank, inputs].
    A,
    /// [outputs, rank].
    B,
    /// The module's own weight, which PEFT saves where the vocabulary may have changed.
    Weight,
}

/// What wrappers of a model put before the names of its modules: PEFT, data-parallel training, compilation.
const WRAPPERS: [&str; 3] = ["base_model.model.", "module.", "_orig_mod."];

/// `base_model.model.MODULE.lora_A.weight` → (MODULE, A); a named adapter may have its name before `weight`.
pub fn split_name(name: &str) -> Option<(&str, Part)> {
    let mut name = name.strip_suffix(".weight")?;
    while let Some(inner) = WRAPPERS.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        name = inner;
    }
    for (marker, part) in [(".lora_A", Part::A), (".lora_B", Part::B)] {
        if let Some((module, tail)) = name.rsplit_once(marker)
            && (tail.is_empty() || tail.starts_with('.') && tail.matches('.').count() == 1)
        {
            return Some((module, part));
        }
    }
    let module = name.strip_suffix(".base_layer").unwrap_or(name);
    (!module.contains(".lora_")).then_some((module, Part::Weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_peft_are_taken_apart() {
        for (name, expected) in [
            ("base_model.model.encoder.q.lora_A.weight", Some(("encoder.q", Part::A))),
            ("base_model.model.q.lora_B.captions.weight", Some(("q", Part::B))),
            ("module.base_model.model.q.lora_B.weight", Some(("q", Part::B))),
            ("q.lora_A.weight", Some(("q", Part::A))),
            ("base_model.model.shared.lora_embedding_A", None),
            ("base_model.model.lm_head.base_layer.weight", Some(("lm_head", Part::Weight))),
            ("base_model.model.lm_head.weight", Some(("lm_head", Part::Weight))),
            ("q.lora_A.one.two.weight", None),
            ("q.lora_magnitude_vector.weight", None),
            ("q.lora_B.bias", None),
        ] {
            assert_eq!(split_name(name), expected, "{name}");
        }
    }
}
