//! The two functions that the engine is taught, and how scheduler, executors and clients learn them: all three must know the same
//! names, but only executors have an encoder behind them.

mod embed;
mod moments;

use std::sync::Arc;

use ballista_core::registry::BallistaFunctionRegistry;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::{SessionConfig, SessionContext};

pub use embed::Engine;

use crate::storage;

/// In every error that trying again would not mend.
pub const REFUSED: &str = "refused:";

/// An error that ends the score, and not only a task.
fn refused(message: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(format!("{REFUSED} {message}"))
}

/// `fgd_embed(text, fingerprint)`; without an engine it can be planned, but not run.
pub fn embed(engine: Option<Arc<Engine>>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(embed::Embed::new(engine)))
}

/// `fgd_moments(id, candidate, reference)`.
pub fn moments() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(moments::Moments::new()))
}

/// The functions of an executor.
pub fn registry(engine: Arc<Engine>) -> Arc<BallistaFunctionRegistry> {
    let mut registry = BallistaFunctionRegistry::default();
    let (embed, moments) = (embed(Some(engine)), moments());
    registry.scalar_functions.insert(embed.name().to_owned(), embed);
    registry.aggregate_functions.insert(moments.name().to_owned(), moments);
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
    state.register_udf(embed(None))?;
    state.register_udaf(moments())?;
    Ok(state)
}

/// Teaches a client. To be called once the context is one of Ballista's, which replaces all functions.
pub fn register(context: &SessionContext) {
    context.register_udf(embed(None).as_ref().clone());
    context.register_udaf(moments().as_ref().clone());
}
