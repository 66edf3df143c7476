//! Commit signatures: SSH signatures (`sshsig`, ed25519) as git makes and checks them.

use std::fmt;

use git2::Repository;
use secrecy::{ExposeSecret, SecretString};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey};
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use super::{Oid, RepositoryError};

/// Where a repository publishes who may sign, in the form of an `allowed_signers` file of `ssh-keygen`.
pub const SIGNERS_PATH: &str = ".assize/allowed_signers";

/// The namespace git signs in.
const NAMESPACE: &str = "git";

/// The key that signs commits.
#[derive(Clone)]
pub struct SigningKey {
    key: PrivateKey,
}

impl SigningKey {
    /// Reads an unencrypted ed25519 key in OpenSSH form (`-----BEGIN OPENSSH PRIVATE KEY-----`).
    ///
    /// # Errors
    ///
    /// [`RepositoryError::SigningKey`] saying what is wrong; the key itself is never part of the message.
    pub fn from_openssh(text: &SecretString) -> Result<Self, RepositoryError> {
        let wrong = |what: &str| RepositoryError::SigningKey {
            what: what.to_owned(),
        };
        let key = PrivateKey::from_openssh(text.expose_secret().trim())
            .map_err(|_| wrong("expected an OpenSSH private key"))?;
        if key.is_encrypted() {
            return Err(wrong(
                "it has a passphrase; make one without (ssh-keygen -t ed25519 -N '')",
            ));
        }
        if !key.algorithm().is_ed25519() {
            return Err(wrong("expected an ed25519 key (ssh-keygen -t ed25519)"));
        }
        Ok(Self { key })
    }

    /// A new key, for a rehearsal.
    pub fn generate() -> Self {
        let secret = Ed25519PrivateKey::from_bytes(&rand::random());
        Self {
            key: PrivateKey::from(Ed25519Keypair::from(secret)),
        }
    }

    /// The key in OpenSSH form, to keep it.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::SigningKey`] when it cannot be written down.
    pub fn to_openssh(&self) -> Result<SecretString, RepositoryError> {
        self.key
            .to_openssh(LineEnding::LF)
            .map(|text| SecretString::from(text.to_string()))
            .map_err(|error| RepositoryError::SigningKey {
                what: error.to_string(),
            })
    }

    /// The public half: `ssh-ed25519 AAAA…`.
    pub fn public_key(&self) -> String {
        openssh(self.key.public_key())
    }

    /// The line for [`SIGNERS_PATH`]: who, for what, which key.
    pub fn allowed_signers_line(&self, email: &str) -> String {
        format!("{email} namespaces=\"{NAMESPACE}\" {}", self.public_key())
    }

    /// The armoured signature of anything, in `namespace`. The ledger's checkpoints use their own namespace.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::SigningKey`] when the key cannot sign.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<String, RepositoryError> {
        self.key
            .sign(namespace, HashAlg::Sha512, message)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|error| RepositoryError::SigningKey {
                what: error.to_string(),
            })
    }

    pub(super) fn sign_commit(&self, commit: &[u8]) -> Result<String, RepositoryError> {
        self.sign(NAMESPACE, commit)
            .map(|signature| signature.trim_end().to_owned())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("SigningKey")
            .field(&self.public_key())
            .finish()
    }
}

/// What a commit's signature is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitSignature {
    /// None at all.
    Unsigned,
    /// Made by this key (`ssh-ed25519 AAAA…`) over exactly this commit.
    Valid {
        /// The public key.
        public_key: String,
    },
    /// An SSH signature that does not fit the commit.
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// A signature of another kind (PGP, X.509), which is not checked.
    OtherKind,
}

/// Reads and checks the signature of a commit. Whose key it is, is for the caller to say.
///
/// # Errors
///
/// [`git2::Error`] when the commit cannot be read.
pub fn signature_of_commit(
    repository: &Repository,
    commit: Oid,
) -> Result<CommitSignature, git2::Error> {
    let (signature, content) = match repository.extract_signature(&commit, None) {
        Ok(found) => found,
        Err(error) if error.code() == git2::ErrorCode::NotFound => {
            return Ok(CommitSignature::Unsigned);
        }
        Err(error) => return Err(error),
    };
    Ok(match std::str::from_utf8(&signature) {
        Ok(text) if text.contains("SSH SIGNATURE") => {
            match verify_signature(NAMESPACE, &content, text) {
                Ok(public_key) => CommitSignature::Valid { public_key },
                Err(reason) => CommitSignature::Invalid { reason },
            }
        }
        _ => CommitSignature::OtherKind,
    })
}

/// Checks an armoured SSH signature; returns the public key (`ssh-ed25519 AAAA…`) that made it.
///
/// # Errors
///
/// One phrase saying why the signature does not hold.
pub fn verify_signature(
    namespace: &str,
    message: &[u8],
    signature: &str,
) -> Result<String, String> {
    let signature = SshSig::from_pem(signature.trim())
        .map_err(|error| format!("not an SSH signature ({error})"))?;
    let key = PublicKey::from(signature.public_key().clone());
    key.verify(namespace, message, &signature)
        .map_err(|_| "the signature does not fit the content".to_owned())?;
    Ok(openssh(&key))
}

fn openssh(key: &PublicKey) -> String {
    let mut key = key.clone();
    key.set_comment("");
    key.to_openssh()
        .map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_namespace_only() {
        let key = SigningKey::generate();
        let signature = key.sign("git", b"tree 1").unwrap();
        assert_eq!(
            verify_signature("git", b"tree 1", &signature),
            Ok(key.public_key())
        );
        assert!(verify_signature("git", b"tree 2", &signature).is_err());
        assert!(verify_signature("file", b"tree 1", &signature).is_err());
        assert!(verify_signature("git", b"tree 1", "no signature").is_err());
    }

    #[test]
    fn a_key_comes_back_from_its_openssh_form() {
        let key = SigningKey::generate();
        let text = key.to_openssh().unwrap();
        assert_eq!(
            SigningKey::from_openssh(&text).unwrap().public_key(),
            key.public_key()
        );
    }

    #[test]
    fn an_unusable_key_is_refused_without_being_quoted() {
        let error = SigningKey::from_openssh(&SecretString::from("hunter2")).unwrap_err();
        assert!(error.to_string().contains("OpenSSH private key"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
