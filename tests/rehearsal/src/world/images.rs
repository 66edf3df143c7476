//! The image registry: which generator an image runs.

use std::sync::Arc;

use miner::Generator;
use schema::files::Leaders;
use schema::{StateFile, paths};

use super::bootstrap::commit7;
use crate::clouds::Images;
use crate::gateway::{WorldFetch, image_digest, short};
use crate::git::Remote;
use crate::github::{Conclusion, Conclusions};
use crate::miners::Cast;

/// An image `…/{hk10}:{commit7}-…` is that miner's, if its build succeeded; by its digest it has the same name. Any other image
/// that leads or has led is the base generator. All others cannot be pulled.
pub(super) fn images(
    cast: Arc<Cast>,
    remote: Remote,
    fetch: Arc<WorldFetch>,
    conclusions: Conclusions,
) -> Images {
    Arc::new(move |image| {
        let (name, reference) = named(image)?;
        let last = name.rsplit('/').next()?;
        let miner = cast.miners().iter().find(|miner| short(miner) == last);
        if let Some(miner) = miner {
            let built = reference.is(name, commit7(&miner.commit))
                && conclusions(&miner.hotkey) == Conclusion::Success;
            let generator = built.then(|| cast.generator(&miner.hotkey)).flatten()?;
            return Some(Arc::new(generator.with_images(fetch.clone())) as Arc<dyn Generator>);
        }
        let bytes = remote.read(&paths::leader()).ok().flatten()?;
        let leaders = Leaders::parse(&paths::leader(), &bytes).ok()?;
        let leads = leaders.0.iter().any(|leader| match named(&leader.docker) {
            Some((known, Reference::Tag(tag))) => known == name && reference.is(name, tag),
            _ => leader.docker == image,
        });
        leads.then(|| {
            Arc::new(cast.leader_generator().with_images(fetch.clone())) as Arc<dyn Generator>
        })
    })
}

/// How an image is named within its repository.
enum Reference<'a> {
    Tag(&'a str),
    Digest(&'a str),
}

impl Reference<'_> {
    /// Whether the image of `name` that is tagged `tag…` is meant.
    fn is(&self, name: &str, tag: &str) -> bool {
        match self {
            Self::Tag(own) => own.starts_with(tag),
            Self::Digest(digest) => *digest == image_digest(name, tag),
        }
    }
}

/// Repository with its host, and what stands behind it.
fn named(image: &str) -> Option<(&str, Reference<'_>)> {
    match image.split_once('@') {
        Some((name, digest)) => Some((name, Reference::Digest(digest))),
        None => {
            let (name, tag) = image.rsplit_once(':')?;
            (!tag.contains('/')).then_some((name, Reference::Tag(tag)))
        }
    }
}
