//! From a checkpoint's directory to a [`Captioner`], with an adapter merged in; what can be known without the weights' numbers is
//! checked before one of them is read.

use std::path::Path;

use candle_core::Device;

use super::config::Config;
use super::error::{Error, Result};
use super::identity::Identity;
use super::layers::Linear;
use super::model::{Captioner, Eyes, Parts};
use super::options::LoadOptions;
use super::preprocess::Preprocessor;
use super::qformer::QFormer;
use super::special_tokens::SpecialTokens;
use super::t5::T5;
use super::tokenizer::PromptTokenizer;
use super::vision::VisionModel;
use super::weights::{Adapter, LoadProgress, Loader, Precision, Scope, TensorFiles, is_ignorable};

impl Parts {
    fn load(root: &Scope, config: &Config) -> Result<Self> {
        let (queries, text) = (&config.qformer_config, &config.text_config);
        let eyes = Eyes {
            vision: VisionModel::load(&root.pp("vision_model"), &config.vision_config)?,
            qformer: QFormer::load(root, queries, &config.vision_config, config.num_query_tokens)?,
        };
        Ok(Self {
            eyes: Some(eyes),
            language_projection: Linear::load(
                &root.pp("language_projection"),
                queries.hidden_size,
                text.d_model,
            )?,
            t5: T5::load(&root.pp("language_model"), text)?,
        })
    }
}

/// Names and shapes of the tensors of a checkpoint with this configuration and an output layer of its own.
///
/// # Errors
/// An activation that is not supported.
pub fn tensors_of(config: &Config) -> Result<Vec<(String, Vec<usize>)>> {
    Loader::new(&TensorFiles::none(), None, Device::Cpu, &|_| {})
        .inventory(|root| Parts::load(root, config))
}

/// The files of a checkpoint and its adapter, read but for the weights' numbers.
struct Files {
    config: Config,
    special: SpecialTokens,
    tokenizer: PromptTokenizer,
    preprocessor: Preprocessor,
    tensors: TensorFiles,
    adapter: Option<Adapter>,
}

impl Files {
    fn read(checkpoint: &Path, adapter: Option<&Path>, options: &LoadOptions) -> Result<Self> {
        if options.precision == Precision::Q8 && !options.device.is_cpu() {
            return Err(Error::Setting("--dtype q8 runs on a CPU only; use bf16 on a GPU".into()));
        }
        let config = Config::read(checkpoint)?;
        let special = SpecialTokens::of(&config);
        let tokenizer = PromptTokenizer::read(checkpoint, config.image_token_index)?;
        let preprocessor = Preprocessor::read(checkpoint, config.vision_config.image_size)?;
        let tensors = TensorFiles::open_dir(checkpoint)?;
        let adapter = adapter.map(|dir| Adapter::read(dir, &tensors)).transpose()?;
        Ok(Self { config, special, tokenizer, preprocessor, tensors, adapter })
    }
}

impl Captioner {
    /// Checks everything of [`Self::load`] that can be known without reading the weights' numbers.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn check(checkpoint: &Path, adapter: Option<&Path>, options: &LoadOptions) -> Result<()> {
        let files = Files::read(checkpoint, adapter, options)?;
        let adapter = files.adapter.as_ref();
        Loader::new(&files.tensors, adapter, Device::Cpu, &|_| {}).rehearse(
            checkpoint,
            Precision::F32,
            |root| Parts::load(root, &files.config),
        )
    }

    /// Loads a checkpoint directory and, if given, merges a LoRA adapter directory into it.
    ///
    /// # Errors
    /// Files that are missing, damaged, or not those of a supported model; every tensor at fault is listed.
    pub fn load(
        checkpoint: &Path,
        adapter: Option<&Path>,
        options: LoadOptions,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<Self> {
        let files = Files::read(checkpoint, adapter, &options)?;
        let digests = files.tensors.digests();
        let broken: Vec<&str> = digests.not_finite().filter(|name| !is_ignorable(name)).collect();
        if !broken.is_empty() {
            let problems =
                broken.iter().map(|name| format!("{name} holds NaN or infinite numbers"));
            return Err(Error::Tensors { path: checkpoint.into(), problems: problems.collect() });
        }
        let Files { config, special, tokenizer, preprocessor, tensors, adapter } = files;
        let identity = Identity::of(
            checkpoint,
            &digests,
            adapter.as_ref(),
            &config,
            &special,
            &preprocessor,
            &options,
        )?;
        let loader = Loader::new(&tensors, adapter.as_ref(), options.device.clone(), progress);
        let parts =
            loader.load(checkpoint, options.precision, |root| Parts::load(root, &config))?;
        Ok(Self { parts, tokenizer, preprocessor, special, config, options, identity })
    }
}
