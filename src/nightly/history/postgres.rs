//! The history on a PostgreSQL server, in builds with the feature `postgres`.

#[cfg(not(feature = "postgres"))]
use super::{Database, HistoryError};

/// Connects to the server.
#[cfg(not(feature = "postgres"))]
pub fn connect(_connection: &str) -> Result<Box<dyn Database>, HistoryError> {
    Err(HistoryError::Server {
        message: "this build has no PostgreSQL; build with --features postgres".into(),
    })
}

#[cfg(feature = "postgres")]
pub use server::connect;

#[cfg(feature = "postgres")]
mod server {
    use super::super::{Database, HistoryError, Value};
    use postgres::fallible_iterator::FallibleIterator;
    use postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
    use postgres::{Client, NoTls, Statement};
    use std::collections::HashMap;
    use std::error::Error;

    /// An opened connection with the statements it has prepared.
    struct Server {
        client: Client,
        statements: HashMap<String, Statement>,
    }

    /// Connects to the server.
    pub fn connect(connection: &str) -> Result<Box<dyn Database>, HistoryError> {
        let client = Client::connect(connection, NoTls).map_err(failed)?;
        let mut server = Server {
            client,
            statements: HashMap::new(),
        };
        server.batch(
            "CREATE TABLE IF NOT EXISTS fgd_history (one BIGINT PRIMARY KEY, version BIGINT NOT NULL)",
        )?;
        Ok(Box::new(server))
    }

    fn failed(error: postgres::Error) -> HistoryError {
        // The cause says what happened; the error itself only where.
        let message = match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        HistoryError::Server { message }
    }

    impl Server {
        fn prepared(&mut self, sql: &str) -> Result<Statement, HistoryError> {
            if let Some(statement) = self.statements.get(sql) {
                return Ok(statement.clone());
            }
            let statement = self.client.prepare(sql).map_err(failed)?;
            self.statements.insert(sql.to_owned(), statement.clone());
            Ok(statement)
        }
    }

    impl Database for Server {
        fn batch(&mut self, sql: &str) -> Result<(), HistoryError> {
            self.client.batch_execute(sql).map_err(failed)
        }

        fn execute(&mut self, sql: &str, values: &[Value]) -> Result<(), HistoryError> {
            let statement = self.prepared(sql)?;
            let values: Vec<&(dyn ToSql + Sync)> = values
                .iter()
                .map(|value| value as &(dyn ToSql + Sync))
                .collect();
            self.client.execute(&statement, &values).map_err(failed)?;
            Ok(())
        }

        fn query(
            &mut self,
            sql: &str,
            values: &[Value],
            row: &mut dyn FnMut(&[Value]) -> Result<(), HistoryError>,
        ) -> Result<(), HistoryError> {
            let statement = self.prepared(sql)?;
            let mut rows = self.client.query_raw(&statement, values).map_err(failed)?;
            while let Some(next) = rows.next().map_err(failed)? {
                let mut found = Vec::with_capacity(next.len());
                for (index, column) in next.columns().iter().enumerate() {
                    found.push(match *column.type_() {
                        Type::INT8 => {
                            let number: Option<i64> = next.try_get(index).map_err(failed)?;
                            number.map_or(Value::Null, Value::Integer)
                        }
                        Type::FLOAT8 => {
                            let number: Option<f64> = next.try_get(index).map_err(failed)?;
                            number.map_or(Value::Null, Value::Real)
                        }
                        _ => {
                            let text: Option<String> = next.try_get(index).map_err(failed)?;
                            text.map_or(Value::Null, Value::Text)
                        }
                    });
                }
                row(&found)?;
            }
            Ok(())
        }

        fn version(&mut self) -> Result<i64, HistoryError> {
            let mut version = 0;
            self.query("SELECT version FROM fgd_history", &[], &mut |row| {
                version = row[0].integer()?;
                Ok(())
            })?;
            Ok(version)
        }

        fn set_version(&mut self, version: i64) -> Result<(), HistoryError> {
            self.execute(
                "INSERT INTO fgd_history (one, version) VALUES (1, $1)
                 ON CONFLICT (one) DO UPDATE SET version = excluded.version",
                &[Value::Integer(version)],
            )
        }

        fn place(&self) -> String {
            "the PostgreSQL history".into()
        }
    }

    impl ToSql for Value {
        fn to_sql(
            &self,
            kind: &Type,
            out: &mut BytesMut,
        ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
            match self {
                Self::Null => Ok(IsNull::Yes),
                Self::Integer(number) => number.to_sql(kind, out),
                Self::Real(number) => number.to_sql(kind, out),
                Self::Text(text) => text.to_sql(kind, out),
            }
        }

        fn accepts(kind: &Type) -> bool {
            matches!(*kind, Type::INT8 | Type::FLOAT8 | Type::TEXT)
        }

        to_sql_checked!();
    }
}
