//! Where buckets and their sums lie: local files, or S3 with credentials from the environment (`AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, …). Every process of the cluster resolves the same addresses.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use datafusion::common::config_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as StorePath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use url::Url;

/// A store by the address of what is in it.
fn store(url: &Url) -> Result<Arc<dyn ObjectStore>> {
    match (url.scheme(), url.host_str()) {
        ("file", _) => Ok(Arc::new(LocalFileSystem::new())),
        ("s3", Some(bucket)) => {
            let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build();
            Ok(Arc::new(store.map_err(|error| DataFusionError::ObjectStore(Box::new(error)))?))
        }
        _ => config_err!("{url}: captions are read from local files and s3://"),
    }
}

/// Makes stores as they are asked for.
#[derive(Debug)]
struct Stores;

impl ObjectStoreRegistry for Stores {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        store(url)
    }
}

/// What queries are run with.
pub fn runtime() -> Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new().with_object_store_registry(Arc::new(Stores)).build_arc()
}

/// The same with a folder for what does not fit into memory.
pub fn runtime_in(work_dir: &str) -> Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new()
        .with_object_store_registry(Arc::new(Stores))
        .with_temp_file_path(work_dir)
        .build_arc()
}

/// A folder, wherever it is.
#[derive(Debug, Clone)]
pub struct Folder {
    store: Arc<dyn ObjectStore>,
    url: Url,
}

impl Folder {
    /// A local path, or an address that begins with `s3://`.
    pub fn open(place: &str) -> anyhow::Result<Self> {
        let url = match Url::parse(place) {
            Ok(url) if url.scheme().len() > 1 => url,
            _ => {
                let path = std::path::absolute(Path::new(place))?;
                let Ok(url) = Url::from_directory_path(&path) else {
                    bail!("{place}: is no path");
                };
                url
            }
        };
        let url = match url.path().ends_with('/') {
            true => url,
            false => Url::parse(&format!("{url}/"))?,
        };
        Ok(Self { store: store(&url)?, url })
    }

    /// The address of something in it.
    pub fn address(&self, name: &str) -> anyhow::Result<String> {
        Ok(self.url.join(name)?.into())
    }

    fn path(&self, name: &str) -> anyhow::Result<StorePath> {
        Ok(StorePath::from_url_path(self.url.join(name)?.path())?)
    }

    /// What is in a file; `None` where there is none.
    pub async fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let place = || format!("{}{name}: cannot be read", self.url);
        match self.store.get(&self.path(name)?).await {
            Ok(found) => Ok(Some(found.bytes().await.with_context(place)?.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error).with_context(place),
        }
    }

    /// Writes a file, whole or not at all.
    pub async fn write(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let put = self.store.put(&self.path(name)?, PutPayload::from(bytes)).await;
        put.with_context(|| format!("{}{name}: cannot be written", self.url))?;
        Ok(())
    }
}
