//! The model card of a trained adapter: a README.md for the folder that `fgd train` calls best.

use std::fmt::Write;

use fgd_record::{Measure, Record, TrainResults};
use serde_json::Value;

use super::hub::{quoted, whose};
use crate::format::{Format, Style, render};

/// A whole card: metadata of the Hub (`modelcard.md` of huggingface/hub-docs), how to use the adapter, what it was trained on and how,
/// and the record's own tables.
pub fn adapter_card(record: &Record, results: &TrainResults, dataset: Option<&str>) -> String {
    let base = record.checkpoint.as_ref().map_or("the base checkpoint", |base| base.id.as_str());
    let mut card = String::from("---\n");
    // Writing to a String can not fail.
    let _ = writeln!(card, "base_model: {}", quoted(base));
    card += "library_name: peft\npipeline_tag: image-to-text\ntags:\n- image-captioning\n- lora\n";
    if let Some(dataset) = dataset {
        let _ = writeln!(card, "datasets:\n- {}", quoted(dataset));
    }
    let _ = write!(
        card,
        "---\n\n# LoRA of {base} for captions of images\n\n\
         Trained with fgd {} for {} steps ({:.2} epochs) on {} captions of {} images; {} parameters in {} layers.\n\n",
        record.tool.version,
        results.steps,
        results.epochs,
        results.captions,
        results.images,
        results.parameters,
        results.modules,
    );
    if let Some(best) = results.validation.iter().find(|v| Some(v.step) == results.best_step) {
        let loss = format!("a loss of {:.4}", best.loss);
        let fgd = best.fgd_paired.as_ref().and_then(said);
        let fgd = fgd.map(|fgd| format!(" and fgd_paired{} {fgd}", whose(record)));
        let captions = results.validation_captions.unwrap_or_default();
        let _ = write!(
            card,
            "On {captions} captions that it did not learn from, but that chose this adapter (step {}), it has {loss}{}.\n\n",
            best.step,
            fgd.unwrap_or_default(),
        );
    }
    let prompt = record.settings.get("prompt").and_then(Value::as_str).unwrap_or_default();
    let _ = write!(
        card,
        "## Use\n\n```python\nfrom peft import PeftModel\nfrom transformers import Blip2ForConditionalGeneration, Blip2Processor\n\n\
         processor = Blip2Processor.from_pretrained({base:?})\n\
         model = PeftModel.from_pretrained(Blip2ForConditionalGeneration.from_pretrained({base:?}), \"THIS FOLDER\")\n\
         inputs = processor(image, {prompt:?}, return_tensors=\"pt\")\n\
         processor.decode(model.generate(**inputs, max_new_tokens=40)[0], skip_special_tokens=True)\n```\n\n\
         or `fgd caption --checkpoint {base} --adapter \"THIS FOLDER\" --images photos/ --max-new-tokens 40 -o captions.csv`.\n\n\
         ## Settings\n\n```json\n{}\n```\n\n",
        serde_json::to_string_pretty(&record.settings).unwrap_or_default(),
    );
    let tables = render(record, Format::Md, &Style::default());
    card + &tables.replacen("# ", "## ", 1).replace("\n## ", "\n### ")
}

fn said(measure: &Measure) -> Option<String> {
    let value = measure.value?;
    let interval = measure.interval().map(|[low, high]| format!(" (95% {low:.4} to {high:.4})"));
    Some(format!("{value:.4}{}", interval.unwrap_or_default()))
}
