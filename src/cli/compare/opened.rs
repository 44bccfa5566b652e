//! Everything that goes into a comparison, in the order that wastes no work: files first, then checkpoints.

use super::systems::{Given, refuse_invalid};
use super::{Args, checkpoints};
use crate::cli::exit::usage;
use crate::cli::inputs::Named;
use crate::cli::output::Output;
use crate::jobs::caption::Captioned;
use crate::jobs::images::Images;
use crate::jobs::scoring::system::System;
use fgd_captioner::run::list_images;
use fgd_record::Input;

/// Everything that was given, read and, where it is a checkpoint, captioned.
pub struct Opened {
    /// The systems; the path of a checkpoint is that of its captions.
    pub systems: Vec<Named>,
    /// What stands for each.
    pub given: Vec<Given>,
    /// How each was captioned, where it is a checkpoint.
    pub captioned: Vec<Option<Captioned>>,
    /// The references; records alone do without.
    pub references: Option<System>,
    /// The images, where they are at hand.
    pub images: Option<Images>,
}

impl Opened {
    /// Reads all files and refuses those with errors before the first checkpoint runs.
    pub fn open(args: &Args, mut systems: Vec<Named>, output: &Output) -> anyhow::Result<Self> {
        let checkpoints: Vec<Option<checkpoints::Name>> = systems
            .iter()
            .map(|system| checkpoints::Name::of(&system.path))
            .collect();
        let files = systems
            .iter()
            .zip(&checkpoints)
            .map(|(system, checkpoint)| match checkpoint {
                Some(_) => Ok(None),
                None => Given::open(system, args).map(Some),
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let references = match &args.references {
            Some(path) => Some(args.columns.open(path, &args.captions)?),
            None if files.iter().all(|f| matches!(f, Some(Given::Saved(_)))) => None,
            None => {
                return Err(usage(
                    "--references FILE is missing: what the captions are compared with",
                ));
            }
        };
        let read = systems.iter().zip(&files);
        let read = read.filter_map(|(system, file)| Some((system, file.as_ref()?)));
        refuse_invalid(read, references.as_ref(), output)?;

        let images = match &args.images {
            Some(source) => {
                let list = list_images(source, args.image_root.as_deref())?;
                Some(Images::new(list))
            }
            None => None,
        };
        let mut captioned: Vec<Option<Captioned>> = systems.iter().map(|_| None).collect();
        if let Some(at) = checkpoints.iter().position(Option::is_some) {
            let (Some(images), Some(System::Captions(references))) = (&images, &references) else {
                return Err(usage(format!(
                    "{}: a checkpoint needs --images DIR, and references that are captions of these images",
                    systems[at].path.display()
                )));
            };
            captioned = checkpoints::caption_all(
                args,
                &checkpoints,
                &mut systems,
                references,
                images,
                output,
            )?;
        }
        let given = systems
            .iter()
            .zip(files)
            .map(|(system, file)| match file {
                Some(file) => Ok(file),
                None => Given::of_captioner(system),
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let of_checkpoints = systems.iter().zip(&given).zip(&captioned);
        let of_checkpoints = of_checkpoints.filter(|(_, captioned)| captioned.is_some());
        let of_checkpoints = of_checkpoints.map(|(system, _)| system);
        refuse_invalid(of_checkpoints, references.as_ref(), output)?;
        Ok(Self {
            systems,
            given,
            captioned,
            references,
            images,
        })
    }

    /// The systems' files, and the images that checkpoints captioned.
    pub fn inputs(&self) -> anyhow::Result<Vec<Input>> {
        let mut inputs = self
            .systems
            .iter()
            .zip(&self.given)
            .map(|(system, given)| given.input(system))
            .collect::<anyhow::Result<Vec<_>>>()?;
        inputs.extend(
            self.captioned
                .iter()
                .flatten()
                .next()
                .map(|c| c.images.clone()),
        );
        Ok(inputs)
    }
}
