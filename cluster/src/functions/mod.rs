//! The functions that the engine is taught, and how scheduler, executors and clients learn them: all three must know the same
//! names, but only executors have an encoder behind them.

mod aggregate;
mod embed;
mod pairs;

use std::sync::Arc;

use ballista_core::registry::BallistaFunctionRegistry;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::{SessionConfig, SessionContext};

use aggregate::{Aggregate, Kept};
pub use embed::Engine;

use crate::storage;

/// Around the message of every error that trying again would not mend: on its way from an executor to the client the engine wraps it
/// into others.
const REFUSED: [&str; 2] = ["fgd refuses: ", " (end of the refusal)"];

/// An error that ends the score, and not only a task.
fn refused(message: impl std::fmt::Display) -> DataFusionError {
    let [begin, end] = REFUSED;
    DataFusionError::Execution(format!("{begin}{message}{end}"))
}

/// What was refused, if that is what an error says.
pub fn refusal(error: &str) -> Option<&str> {
    let [begin, end] = REFUSED;
    let (_, message) = error.split_once(begin)?;
    message.split(end).next()
}

/// `fgd_embed(text, fingerprint)` and `fgd_embed_all(texts, fingerprint)`; without an engine they can be planned, but not run.
fn embed(engine: Option<&Arc<Engine>>) -> [Arc<ScalarUDF>; 2] {
    [false, true].map(|all| Arc::new(ScalarUDF::from(embed::Embed::new(engine.cloned(), all))))
}

/// `fgd_moments(id, candidate, references)` and `fgd_distances(id, candidate, references)`.
fn aggregates() -> [Arc<AggregateUDF>; 2] {
    [Kept::Moments, Kept::Distances].map(|kept| Arc::new(Aggregate::new(kept).into()))
}

/// The functions of an executor.
pub fn registry(engine: Arc<Engine>) -> Arc<BallistaFunctionRegistry> {
    let mut registry = BallistaFunctionRegistry::default();
    for embed in embed(Some(&engine)) {
        registry.scalar_functions.insert(embed.name().to_owned(), embed);
    }
    for aggregate in aggregates() {
        registry.aggregate_functions.insert(aggregate.name().to_owned(), aggregate);
    }
    Arc::new(registry)
}

/// The state in which the scheduler plans.
pub fn session_state(config: SessionConfig) -> Result<SessionState> {
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(storage::runtime()?)
        .with_default_features()
        .build();
    use datafusion::execution::FunctionRegistry;
    for embed in embed(None) {
        state.register_udf(embed)?;
    }
    for aggregate in aggregates() {
        state.register_udaf(aggregate)?;
    }
    Ok(state)
}

/// Teaches a client. To be called once the context is one of Ballista's, which replaces all functions.
pub fn register(context: &SessionContext) {
    embed(None).iter().for_each(|embed| context.register_udf(embed.as_ref().clone()));
    aggregates().iter().for_each(|of| context.register_udaf(of.as_ref().clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_in_what_the_engine_makes_of_it() {
        let error = DataFusionError::External(Box::new(refused("an executor has (other) weights")));
        assert_eq!(refusal(&format!("{error:?}")), Some("an executor has (other) weights"));
        assert_eq!(refusal("connection lost"), None);
    }
}
