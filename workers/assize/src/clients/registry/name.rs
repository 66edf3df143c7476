//! Names of images, as the Docker command line reads them.

use url::Url;

/// What an image name that has no host means.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// Longest name or tag that is asked for, in bytes. The specification's limits are 255 and 128.
const LONGEST_PART: usize = 255;

/// A name of an image, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The registry, with its port if it has one.
    pub host: String,
    /// Repository on it.
    pub repository: String,
    /// Tag, or digest.
    pub reference: String,
}

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The host is none.
    #[error("{host:?} is no host")]
    Host {
        /// What stands there.
        host: String,
    },
    /// The repository breaks the rules of the registry interface.
    #[error(
        "{repository:?} is no repository: expected lower-case letters, digits and . _ - between slashes"
    )]
    Repository {
        /// What stands there.
        repository: String,
    },
    /// The tag or digest does.
    #[error("{reference:?} is no tag and no sha256 digest")]
    Reference {
        /// What stands there.
        reference: String,
    },
}

impl ImageName {
    /// Reads `[host[:port]/]repository[:tag][@sha256:…]`. Without a host Docker Hub is meant, without a tag `latest`; a
    /// digest counts before a tag.
    ///
    /// # Errors
    ///
    /// [`NameError`] for the part that cannot be asked for.
    pub fn parse(image: &str) -> Result<Self, NameError> {
        let (host, rest) = match image.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
            _ => (DOCKER_HUB, image),
        };
        let (named, digest) = match rest.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = named.rsplit_once(':').unwrap_or((named, "latest"));
        let repository = if host == DOCKER_HUB && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        let name = Self {
            host: host.to_owned(),
            repository,
            reference: digest.unwrap_or(tag).to_owned(),
        };
        name.check(digest.is_some())
    }

    fn check(self, by_digest: bool) -> Result<Self, NameError> {
        let is_host = self
            .host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
            && Url::parse(&self.base()).is_ok();
        if !is_host {
            return Err(NameError::Host { host: self.host });
        }
        let is_lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_part = |part: &str| {
            part.starts_with(is_lower)
                && part.ends_with(is_lower)
                && part.chars().all(|c| is_lower(c) || "._-".contains(c))
                && !part.contains("..")
        };
        if self.repository.len() > LONGEST_PART || !self.repository.split('/').all(is_part) {
            return Err(NameError::Repository {
                repository: self.repository,
            });
        }
        let is_tag = |tag: &str| {
            !tag.is_empty()
                && tag.len() <= 128
                && !tag.starts_with(['.', '-'])
                && tag
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let is_fit = if by_digest {
            is_digest(&self.reference)
        } else {
            is_tag(&self.reference)
        };
        if is_fit {
            Ok(self)
        } else {
            Err(NameError::Reference {
                reference: self.reference,
            })
        }
    }

    /// Where the manifest is.
    pub fn manifest_url(&self) -> String {
        let Self {
            repository,
            reference,
            ..
        } = self;
        format!("{}/v2/{repository}/manifests/{reference}", self.base())
    }

    /// Where the registry is: by HTTPS, except on this machine.
    pub fn base(&self) -> String {
        let here = ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| {
            self.host
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        format!("{}://{}", if here { "http" } else { "https" }, self.host)
    }
}

/// Whether `text` is `sha256:` and 64 lower-case hexadecimal digits.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hexadecimal| {
        hexadecimal.len() == 64
            && hexadecimal
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parts(image: &str) -> (String, String, String) {
        let name = ImageName::parse(image).unwrap();
        (name.base(), name.repository, name.reference)
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (image, base, repository, reference) in [
            (
                "europe-west3-docker.pkg.dev/gen-456515/active-competition/5ggpgadxzt:aa10f6f-mesh-0",
                "https://europe-west3-docker.pkg.dev",
                "gen-456515/active-competition/5ggpgadxzt",
                "aa10f6f-mesh-0",
            ),
            (
                "debian",
                "https://registry-1.docker.io",
                "library/debian",
                "latest",
            ),
            (
                "ann/thing:1.0",
                "https://registry-1.docker.io",
                "ann/thing",
                "1.0",
            ),
            (
                "localhost:5000/thing",
                "http://localhost:5000",
                "thing",
                "latest",
            ),
            ("127.0.0.1:5000/a/b:c", "http://127.0.0.1:5000", "a/b", "c"),
            (
                "host.example:8443/a",
                "https://host.example:8443",
                "a",
                "latest",
            ),
            (
                &format!("host.example/a:tag@{digest}"),
                "https://host.example",
                "a",
                &digest,
            ),
        ] {
            let expected = (base.to_owned(), repository.to_owned(), reference.to_owned());
            assert_eq!(parts(image), expected, "{image}");
        }
    }

    #[test]
    fn what_could_lead_a_request_elsewhere_is_no_name() {
        for image in [
            "",
            "host.example/",
            "host.example/A",
            "host.example/a/../b",
            "host.example/a//b",
            "host.example/a?b",
            "host.example/a:b/c",
            "host.example/a:",
            "host.example/a:b c",
            "host.example/a@sha256:12",
            "user@host.example/a",
            "host.example:port/a",
            "host.example#/a",
        ] {
            assert!(ImageName::parse(image).is_err(), "{image}");
        }
    }
}
