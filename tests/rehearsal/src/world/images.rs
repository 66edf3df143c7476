//! The image registry: which generator an image runs.

use std::sync::Arc;

use miner::Generator;
use schema::files::Leaders;
use schema::{StateFile, paths};

use super::bootstrap::commit7;
use crate::clouds::Images;
use crate::gateway::{WorldFetch, short};
use crate::git::Remote;
use crate::github::{Conclusion, Conclusions};
use crate::miners::Cast;

/// An image `…/{hk10}:{commit7}-…` is that miner's, if its build succeeded. Any other image that leads or has led is the
/// base generator. All others cannot be pulled.
pub(super) fn images(
    cast: Arc<Cast>,
    remote: Remote,
    fetch: Arc<WorldFetch>,
    conclusions: Conclusions,
) -> Images {
    Arc::new(move |image| {
        let (name, tag) = image.rsplit('/').next()?.split_once(':')?;
        let miner = cast.miners().iter().find(|miner| short(miner) == name);
        if let Some(miner) = miner {
            let built = tag.starts_with(commit7(&miner.commit))
                && conclusions(&miner.hotkey) == Conclusion::Success;
            let generator = built.then(|| cast.generator(&miner.hotkey)).flatten()?;
            return Some(Arc::new(generator.with_images(fetch.clone())) as Arc<dyn Generator>);
        }
        let bytes = remote.read(&paths::leader()).ok().flatten()?;
        let leaders = Leaders::parse(&paths::leader(), &bytes).ok()?;
        let leads = leaders.0.iter().any(|leader| leader.docker == image);
        leads.then(|| {
            Arc::new(cast.leader_generator().with_images(fetch.clone())) as Arc<dyn Generator>
        })
    })
}
