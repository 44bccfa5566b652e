//! `fgd cache`: what the embedding cache holds, and clearing it.

use fgd_encoder::cache::{self, CacheError, EmbeddingCache};
use fgd_reports::document::width::hanging;
use fgd_store::terminal::visible;

use super::exit::Exit;
use super::output::{Output, Sink};
use crate::jobs::Session;

/// Arguments of `fgd cache`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum Action {
    /// Show where the cache is and what it holds (the default).
    Show,
    /// Remove the cache.
    Clear,
}

/// Runs `fgd cache`.
pub fn run(args: &Args, output: &Output, session: &Session) -> anyhow::Result<Exit> {
    let folder = session.settings.cache.as_deref().ok_or(CacheError::NoFolder)?;
    match args.action.unwrap_or(Action::Show) {
        Action::Clear => {
            let found = cache::clear(folder)?;
            output.say(if found {
                format!("removed {}", EmbeddingCache::file(folder).display())
            } else {
                format!("{}: there is no cache", folder.display())
            });
        }
        Action::Show => {
            let file = EmbeddingCache::file(folder);
            let mut text = format!("{}\n", visible(&file.display().to_string()));
            if file.exists() {
                for holding in EmbeddingCache::open(folder)?.holdings()? {
                    let encoder = visible(&holding.encoder);
                    let (name, details) = encoder.split_once(' ').unwrap_or((&encoder, ""));
                    text.push_str(&format!(
                        "{:>10} embeddings {:>8.1} MB  {name}\n    {}\n",
                        holding.embeddings,
                        holding.bytes as f64 / 1e6,
                        hanging(details, 4, output.width())
                    ));
                }
            } else {
                text.push_str("nothing cached yet\n");
            }
            Sink::Stdout.write(text.as_bytes())?;
        }
    }
    Ok(Exit::Success)
}
