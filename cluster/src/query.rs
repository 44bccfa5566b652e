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
use fgd_metrics::pair_sums::{Distances, PairSums, SlicedSums};

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
    /// Whether distances of single images are asked for too.
    pub distances: bool,
    /// What embeds them.
    pub fingerprint: &'a Fingerprint,
}

impl Asked<'_> {
    /// In SQL, of the table `pairs`. Embeddings of the references are an expression that all systems have in common, those of a
    /// system's captions one that both of its aggregates have.
    fn query(&self) -> String {
        let fingerprint = self.fingerprint;
        let columns = (0..self.slices).map(|slice| format!("slice_{slice}"));
        let columns: Vec<String> = columns.collect();
        let aggregate = |name: &str, system: usize| {
            let candidate = match system {
                0 => "candidate".to_owned(),
                system => format!("candidate_{system}"),
            };
            format!(
                "{name}(id, fgd_embed({candidate}, '{fingerprint}'), fgd_embed_all(reference, '{fingerprint}')) AS {name}_{system}"
            )
        };
        let of_all = |name| self.systems.clone().map(move |system| aggregate(name, system));
        let mut selected = columns.clone();
        selected.extend(of_all("fgd_moments"));
        if self.distances {
            selected.extend(of_all("fgd_distances"));
        }
        let group = match self.slices {
            0 => String::new(),
            _ => format!(" GROUP BY {}", columns.join(", ")),
        };
        format!("SELECT {} FROM pairs{group}", selected.join(", "))
    }
}

/// What a query found of a system.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its sums.
    pub sums: SlicedSums,
    /// Its distances image by image, where they were asked for.
    pub distances: Distances,
}

/// What is found of every system that is asked for.
pub async fn sums_of(url: &str, key: Option<&Key>, asked: &Asked<'_>) -> Result<Vec<Found>> {
    let context = connect(url, key).await?;
    context.register_parquet("pairs", asked.folder, ParquetReadOptions::default()).await?;
    let batches = context.sql(&asked.query()).await?.collect().await?;
    let systems = asked.systems.len();
    let found = |system: usize| {
        let (mut sums, mut distances) = (None, Distances::default());
        for batch in &batches {
            add(&mut sums, batch, asked.slices, asked.slices + system)?;
            if asked.distances {
                add_distances(&mut distances, batch, asked.slices + systems + system)?;
            }
        }
        let nothing =
            || DataFusionError::Execution(format!("{}: nothing was summed", asked.folder));
        Ok(Found { sums: sums.ok_or_else(nothing)?, distances })
    };
    (0..systems).map(found).collect()
}

/// Adds the distances in a column of an answer.
fn add_distances(distances: &mut Distances, batch: &RecordBatch, column: usize) -> Result<()> {
    for part in as_binary_array(batch.column(column))?.iter().flatten() {
        let part = Distances::from_bytes(part);
        let part =
            part.ok_or_else(|| DataFusionError::Execution("these are no distances".into()))?;
        distances.merge(&part);
    }
    Ok(())
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
        for (slices, distances) in [(0, false), (1, false), (1, true)] {
            let fingerprint = Fingerprint::parse("weights=ab");
            let asked =
                Asked { folder: "", slices, systems: 0..3, distances, fingerprint: &fingerprint };
            let plan = context.sql(&asked.query()).await.unwrap().into_optimized_plan().unwrap();
            let plan = plan.display_indent().to_string();
            let embedded = |column: &str| {
                plan.matches(&format!("(pairs.{column}, Utf8(\"weights=ab\"))")).count()
            };
            for column in ["reference", "candidate", "candidate_1", "candidate_2"] {
                assert_eq!(embedded(column), 1, "{column}: {plan}");
            }
        }
    }
}
