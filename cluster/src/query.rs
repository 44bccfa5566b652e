//! One query of the engine: the sums of a bucket.

use std::ops::Range;

use ballista::prelude::{SessionConfigExt, SessionContextExt};
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::{as_binary_array, as_string_array};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use fgd_metrics::pair_sums::{PairSums, SlicedSums};

use crate::fingerprint::Fingerprint;
use crate::functions::register;
use crate::scheduler::MESSAGE;
use crate::storage;
use crate::tls::Key;

/// Captions of one call of the encoder, which is not interrupted.
const BATCH: usize = 1024;
/// Most tasks of a bucket.
const PARTITIONS: usize = 16;

/// How the engine reaches other processes.
pub fn session_config(key: Option<&Key>) -> SessionConfig {
    let config = SessionConfig::new_with_ballista();
    match key {
        Some(key) => config.with_ballista_override_create_grpc_client_endpoint(key.endpoints()),
        None => config,
    }
}

/// A connection to the scheduler at `url`, as a session of its own.
async fn connect(url: &str, key: Option<&Key>) -> Result<SessionContext> {
    let config = session_config(key)
        .with_target_partitions(PARTITIONS)
        .with_batch_size(BATCH)
        .with_ballista_grpc_client_max_message_size(MESSAGE as usize)
        // The plan is the same whatever was measured on the way.
        .with_ballista_adaptive_query_planner(false)
        // Sums are dense: compressing them takes longer than sending them.
        .set_str("ballista.shuffle.compression.codec", "none")
        // A connection that is lost is seen here, where a whole bucket is tried again.
        .set_str("ballista.client.io_retries_times", "1")
        .set_str("ballista.client.io_retry_wait_time_ms", "500")
        .set_str("ballista.client.grpc_connect_timeout_seconds", "5")
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(storage::runtime()?)
        .with_default_features()
        .build();
    let context = SessionContext::remote_with_state(url, state).await?;
    register(&context);
    Ok(context)
}

/// What a query sums.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The folder of a bucket.
    pub folder: &'a str,
    /// Columns of slices.
    pub slices: usize,
    /// Systems, by their numbers.
    pub systems: Range<usize>,
    /// What embeds them.
    pub fingerprint: &'a Fingerprint,
}

impl Asked<'_> {
    /// In SQL, of the table `pairs`. Embeddings of the references are an expression that all systems have in common.
    fn query(&self) -> String {
        let fingerprint = self.fingerprint;
        let columns: Vec<String> = (0..self.slices).map(|slice| format!("slice_{slice}")).collect();
        let sums = self.systems.clone().map(|system| {
            let candidate = match system {
                0 => "candidate".to_owned(),
                system => format!("candidate_{system}"),
            };
            format!(
                "fgd_moments(id, fgd_embed({candidate}, '{fingerprint}'), fgd_embed(reference, '{fingerprint}')) AS sums_{system}"
            )
        });
        let selected: Vec<String> = columns.iter().cloned().chain(sums).collect();
        let group = match self.slices {
            0 => String::new(),
            _ => format!(" GROUP BY {}", columns.join(", ")),
        };
        format!("SELECT {} FROM pairs{group}", selected.join(", "))
    }
}

/// The sums of every system that is asked for.
pub async fn sums_of(url: &str, key: Option<&Key>, asked: &Asked<'_>) -> Result<Vec<SlicedSums>> {
    let context = connect(url, key).await?;
    context.register_parquet("pairs", asked.folder, ParquetReadOptions::default()).await?;
    let batches = context.sql(&asked.query()).await?.collect().await?;
    let mut sums = vec![None; asked.systems.len()];
    for batch in &batches {
        for (system, sums) in sums.iter_mut().enumerate() {
            add(sums, batch, asked.slices, asked.slices + system)?;
        }
    }
    let nothing = || DataFusionError::Execution(format!("{}: nothing was summed", asked.folder));
    sums.into_iter().map(|sums| sums.ok_or_else(nothing)).collect()
}

/// Adds the rows of an answer: the values of the slices in its first columns, and the sums of their pairs in another one.
fn add(
    sums: &mut Option<SlicedSums>,
    batch: &RecordBatch,
    slices: usize,
    column: usize,
) -> Result<()> {
    let external = |error| DataFusionError::External(Box::new(error));
    let values: Vec<_> = (batch.columns()[..slices].iter())
        .map(|column| cast(column, &DataType::Utf8))
        .collect::<std::result::Result<_, _>>()?;
    let states = as_binary_array(batch.column(column))?;
    for row in (0..batch.num_rows()).filter(|&row| states.is_valid(row)) {
        let part = PairSums::from_bytes(states.value(row)).map_err(external)?;
        let values = (values.iter())
            .map(|column| Ok(as_string_array(column)?.value(row).to_owned()))
            .collect::<Result<Vec<String>>>()?;
        let sums = sums.get_or_insert_with(|| SlicedSums::new(part.dim(), slices));
        sums.add(&values, &part).map_err(external)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, StringArray};

    use super::*;
    use crate::functions::session_state;

    #[tokio::test]
    async fn references_are_embedded_once_for_all_systems() {
        let context = SessionContext::new_with_state(session_state(SessionConfig::new()).unwrap());
        let names = ["id", "reference", "candidate", "candidate_1", "candidate_2", "slice_0"];
        let column = || Arc::new(StringArray::from(vec!["a"])) as ArrayRef;
        let batch = RecordBatch::try_from_iter(names.map(|name| (name, column()))).unwrap();
        context.register_batch("pairs", batch).unwrap();
        for slices in [0, 1] {
            let fingerprint = Fingerprint::parse("weights=ab");
            let asked = Asked { folder: "", slices, systems: 0..3, fingerprint: &fingerprint };
            let plan = context.sql(&asked.query()).await.unwrap().into_optimized_plan().unwrap();
            let plan = plan.display_indent().to_string();
            let shared = "fgd_embed(pairs.reference, Utf8(\"weights=ab\")) AS __common_expr_1";
            assert_eq!(plan.matches(shared).count(), 1, "{plan}");
            assert_eq!(plan.matches("__common_expr_1").count(), 4, "{plan}");
        }
    }
}
