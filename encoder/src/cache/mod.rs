//! The embedding cache: what was encoded once is never encoded again.
//!
//! One SQLite file holds embeddings keyed by *everything they depend on*: the encoder (hash of its
//! files, pooling, most tokens, engine) and the caption's text. It stands between the jobs and the
//! encoder. SQLite's write-ahead log makes it safe under several processes at once; each batch is its
//! own transaction, so an interrupted run keeps what it has encoded. Every embedding has a checksum over itself and what it
//! belongs to: what the disk has changed is not found, and is encoded again.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndarray::Array1;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

/// Raised whenever the tables change; a file of another version is rebuilt, since it is only a cache.
const SCHEMA: i64 = 3;
/// Bytes of a page of a new file.
const PAGE: i64 = 16_384;
/// Bytes of the checksum behind an embedding.
const CHECKSUM: usize = 16;
/// How long a process waits for another one that writes.
const BUSY: Duration = Duration::from_secs(60);

/// Why the cache could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The database refused.
    #[error(
        "embedding cache {}: {source}; `fgd cache clear` makes it anew",
        path.display()
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The folder or a file could not be read or made.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no place for a cache.
    #[error("no cache folder: set FGD_CACHE_DIR, XDG_CACHE_HOME or HOME, or use --no-cache")]
    NoFolder,
}

/// The opened cache.
#[derive(Debug)]
pub struct EmbeddingCache {
    connection: Connection,
    path: PathBuf,
    /// Held with all others that use the file, so that nobody removes it; `None` for a temporary one.
    _users: Option<File>,
}

/// What the cache holds for one encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The encoder's description, as it was given to [`EmbeddingCache::encoder`].
    pub encoder: String,
    /// Number of embeddings.
    pub embeddings: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An encoder's place in the cache. It is the same in every file, and is made again where somebody has cleared the cache.
#[derive(Debug, Clone)]
pub struct EncoderKey {
    id: i64,
    key: String,
    description: String,
}

/// The cache folder: `FGD_CACHE_DIR`, else `fgd` in the user's cache folder. `variable` gives the value of a variable that is
/// set and not empty.
///
/// # Errors
/// None of the variables is set.
pub fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, CacheError> {
    let folder = |name| variable(name).map(PathBuf::from);
    folder("FGD_CACHE_DIR")
        .or_else(|| folder("XDG_CACHE_HOME").map(|dir| dir.join("fgd")))
        .or_else(|| folder("HOME").map(|dir| dir.join(".cache").join("fgd")))
        .ok_or(CacheError::NoFolder)
}

impl EmbeddingCache {
    /// Where the cache of `folder` lies.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("embeddings.sqlite")
    }

    /// Where the hashes of weight files are remembered beside it.
    pub fn hashes(folder: &Path) -> PathBuf {
        folder.join("hashes.json")
    }

    /// Opens the cache in `folder`, making both where they are missing.
    ///
    /// # Errors
    /// The folder cannot be made, or the file is no cache.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| CacheError::Io { path: folder.into(), source })?;
        let path = Self::file(folder);
        let database = |source| CacheError::Database { path: path.clone(), source };
        let users = lock(folder, "embeddings.users", File::lock_shared)?;
        // SQLite does not wait for another process while it switches a file to its log.
        let guard = lock(folder, "embeddings.lock", File::lock)?;
        let connection = Connection::open(&path).map_err(database)?;
        prepare(&connection).map_err(database)?;
        drop(guard);
        Ok(Self { connection, path, _users: Some(users) })
    }

    /// A cache of this process alone, for a job that shall have none or can have none: its files share their captions all the
    /// same. It lies in memory, and on the disk where it grows, without a name.
    ///
    /// # Errors
    /// The database refused.
    pub fn temporary() -> Result<Self, CacheError> {
        let path = PathBuf::from("a temporary one");
        let database = |source| CacheError::Database { path: path.clone(), source };
        let connection = Connection::open("").map_err(database)?;
        prepare(&connection).map_err(database)?;
        Ok(Self { connection, path, _users: None })
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> CacheError + use<> {
        let path = self.path.clone();
        move |source| CacheError::Database { path: path.clone(), source }
    }

    /// The place of the encoder of this `key`, a digest of everything that an embedding depends on besides the caption;
    /// `description` tells people which encoder it is.
    ///
    /// # Errors
    /// The database refused.
    pub fn encoder(&self, key: &str, description: &str) -> Result<EncoderKey, CacheError> {
        let hash = Sha256::digest(key.as_bytes());
        let id = hash.first_chunk().map_or(0, |first| i64::from_le_bytes(*first));
        let encoder = EncoderKey { id, key: key.into(), description: description.into() };
        encoder.register(&self.connection).map_err(self.failed())?;
        Ok(encoder)
    }

    /// The embeddings of `captions` that are there, `None` for the others. Those of other dimensions than `dim` and those whose
    /// checksum is wrong count as absent.
    ///
    /// # Errors
    /// The database refused.
    pub fn get(
        &self,
        encoder: &EncoderKey,
        captions: &[&str],
        dim: usize,
    ) -> Result<Vec<Option<Array1<f32>>>, CacheError> {
        let failed = self.failed();
        // One transaction: otherwise every row takes and lets go the locks of the file.
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        let mut select = transaction
            .prepare("SELECT vector FROM embedding WHERE encoder = ?1 AND caption = ?2")
            .map_err(&failed)?;
        // In the order of the keys, so that neighbours are read from the same pages.
        let mut keys: Vec<_> = captions.iter().map(|text| digest(text)).zip(0..).collect();
        keys.sort_unstable();
        let mut found = vec![None; captions.len()];
        for (key, place) in keys {
            let place: usize = place;
            found[place] = select
                .query_row(params![encoder.id, key], |row| {
                    let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
                    Ok(decode(bytes, dim, |vector| encoder.checksum(&key, vector)))
                })
                .optional()
                .map_err(&failed)?
                .flatten();
        }
        Ok(found)
    }

    /// Stores embeddings, all or none; row `i` of `embeddings` belongs to `captions[i]`.
    ///
    /// # Errors
    /// The database refused.
    pub fn put(
        &mut self,
        encoder: &EncoderKey,
        captions: &[&str],
        embeddings: ndarray::ArrayView2<f32>,
    ) -> Result<(), CacheError> {
        let failed = self.failed();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        {
            encoder.register(&transaction).map_err(&failed)?;
            let mut insert = transaction
                .prepare(
                    "INSERT OR REPLACE INTO embedding (encoder, caption, vector) VALUES (?1, ?2, ?3)",
                )
                .map_err(&failed)?;
            for (caption, row) in captions.iter().zip(embeddings.rows()) {
                let key = digest(caption);
                let mut bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
                bytes.extend(encoder.checksum(&key, &bytes));
                insert.execute(params![encoder.id, key, bytes]).map_err(&failed)?;
            }
        }
        transaction.commit().map_err(&failed)
    }

    /// What the cache holds, by encoder.
    ///
    /// # Errors
    /// The database refused.
    pub fn holdings(&self) -> Result<Vec<Holding>, CacheError> {
        let mut select = self
            .connection
            .prepare(
                "SELECT description, count(vector), coalesce(sum(length(vector)), 0)
                 FROM encoder LEFT JOIN embedding ON encoder.id = embedding.encoder
                 GROUP BY encoder.id ORDER BY description, encoder.id",
            )
            .map_err(self.failed())?;
        let rows = select
            .query_map([], |row| {
                Ok(Holding { encoder: row.get(0)?, embeddings: row.get(1)?, bytes: row.get(2)? })
            })
            .map_err(self.failed())?;
        rows.collect::<Result<_, _>>().map_err(self.failed())
    }
}

impl EncoderKey {
    /// The same encoder's place in another cache.
    ///
    /// # Errors
    /// The database refused.
    pub fn place_in(&self, cache: &EmbeddingCache) -> Result<Self, CacheError> {
        cache.encoder(&self.key, &self.description)
    }

    /// Makes the encoder known where it is not.
    fn register(&self, connection: &Connection) -> Result<(), rusqlite::Error> {
        let encoder = params![self.id, self.key, self.description];
        connection
            .prepare_cached(
                "INSERT INTO encoder (id, key, description) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            )?
            .execute(encoder)?;
        Ok(())
    }

    fn checksum(&self, caption: &[u8; 32], vector: &[u8]) -> [u8; CHECKSUM] {
        let hash = Sha256::new().chain_update(&self.key).chain_update(caption);
        let hash = hash.chain_update(vector).finalize();
        *hash.first_chunk().expect("a SHA-256 has 32 bytes")
    }
}

/// Empties the cache of `folder`; returns whether there was one. Its file is removed, unless another process is using it: then
/// it is emptied, and the other goes on.
///
/// # Errors
/// A file that cannot be removed or emptied.
pub fn clear(folder: &Path) -> Result<bool, CacheError> {
    let file = EmbeddingCache::file(folder);
    if !file.exists() {
        return Ok(false);
    }
    let users = lock(folder, "embeddings.users", |_| Ok(()))?;
    if users.try_lock().is_err() {
        let cache = EmbeddingCache::open(folder)?;
        let found = !cache.holdings()?.is_empty();
        let empty = "DELETE FROM embedding; DELETE FROM encoder; VACUUM;";
        cache.connection.execute_batch(empty).map_err(cache.failed())?;
        return Ok(found);
    }
    let mut found = false;
    for suffix in ["", "-wal", "-shm"] {
        let mut path = file.clone().into_os_string();
        path.push(suffix);
        match std::fs::remove_file(&path) {
            Ok(()) => found = true,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(CacheError::Io { path: path.into(), source });
            }
        }
    }
    Ok(found)
}

/// Opens a lock file of the folder and locks it.
fn lock(
    folder: &Path,
    name: &str,
    how: impl Fn(&File) -> std::io::Result<()>,
) -> Result<File, CacheError> {
    let path = folder.join(name);
    // Not truncated and not written: a lock is all that it is for.
    let opened = File::options().create(true).append(true).open(&path);
    opened
        .and_then(|file| how(&file).map(|()| file))
        .map_err(|source| CacheError::Io { path, source })
}

/// Makes the tables where they are missing; only one process at a time may do so.
fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY)?;
    // Counts for new files: an embedding of several hundred dimensions then lies inside its page.
    connection.pragma_update(None, "page_size", PAGE)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    if schema_version(connection)? != SCHEMA {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             DROP TABLE IF EXISTS embedding; DROP TABLE IF EXISTS encoder; DROP TABLE IF EXISTS file;
             CREATE TABLE encoder (
                 id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, description TEXT NOT NULL);
             CREATE TABLE embedding (
                 encoder INTEGER NOT NULL REFERENCES encoder (id),
                 caption BLOB NOT NULL,
                 vector BLOB NOT NULL,
                 PRIMARY KEY (encoder, caption)) WITHOUT ROWID;
             PRAGMA user_version = {SCHEMA};
             COMMIT;"
        ))?;
    }
    Ok(())
}

fn schema_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn digest(caption: &str) -> [u8; 32] {
    Sha256::digest(caption.as_bytes()).into()
}

/// An embedding of `dim` numbers in front of its checksum; `None` for anything else.
fn decode(
    bytes: &[u8],
    dim: usize,
    checksum: impl Fn(&[u8]) -> [u8; CHECKSUM],
) -> Option<Array1<f32>> {
    let (vector, sum) = bytes.split_at_checked(dim * 4)?;
    (sum == checksum(vector))
        .then(|| vector.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

#[cfg(test)]
mod tests;
