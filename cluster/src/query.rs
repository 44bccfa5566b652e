//! One query of the engine: the sums of a bucket.

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

/// Captions of one call of the encoder, which is not interrupted.
const BATCH: usize = 1024;
/// Most tasks of a bucket.
const PARTITIONS: usize = 16;

/// A connection to the scheduler at `url`, as a session of its own.
async fn connect(url: &str) -> Result<SessionContext> {
    let config = SessionConfig::new_with_ballista()
        .with_target_partitions(PARTITIONS)
        .with_batch_size(BATCH)
        .with_ballista_grpc_client_max_message_size(MESSAGE as usize)
        // The plan is the same whatever was measured on the way.
        .with_ballista_adaptive_query_planner(false)
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

/// The sums of the Parquet files in a folder, with as many columns of slices.
pub async fn sums_of(
    url: &str,
    folder: &str,
    slices: usize,
    fingerprint: &Fingerprint,
) -> Result<SlicedSums> {
    let context = connect(url).await?;
    context.register_parquet("pairs", folder, ParquetReadOptions::default()).await?;
    let columns: Vec<String> = (0..slices).map(|slice| format!("slice_{slice}")).collect();
    let by: String = columns.iter().map(|column| format!("{column}, ")).collect();
    let group = match slices {
        0 => String::new(),
        _ => format!(" GROUP BY {}", columns.join(", ")),
    };
    let query = format!(
        "SELECT {by}fgd_moments(id, fgd_embed(candidate, '{fingerprint}'), fgd_embed(reference, '{fingerprint}')) AS sums \
         FROM pairs{group}"
    );
    let batches = context.sql(&query).await?.collect().await?;
    let mut sums = None;
    for batch in &batches {
        add(&mut sums, batch, slices)?;
    }
    sums.ok_or_else(|| DataFusionError::Execution(format!("{folder}: nothing was summed")))
}

/// Adds the rows of an answer: the values of the slices, and the sums of their pairs.
fn add(sums: &mut Option<SlicedSums>, batch: &RecordBatch, slices: usize) -> Result<()> {
    let external = |error| DataFusionError::External(Box::new(error));
    let values: Vec<_> = (batch.columns()[..slices].iter())
        .map(|column| cast(column, &DataType::Utf8))
        .collect::<std::result::Result<_, _>>()?;
    let states = as_binary_array(batch.column(slices))?;
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
