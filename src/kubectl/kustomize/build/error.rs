//! Why a build fails: kustomize's sentences, with the chain of what was being done before them.

/// A failure of a build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A sentence.
    #[error("{0}")]
    Said(String),
    /// A file is no YAML: whoever tries it as a directory next reports this instead.
    #[error("{0}")]
    Malformed(String),
    /// A URL: there is no way to it from here, whatever else is tried.
    #[error("{0}")]
    Remote(String),
}

/// What a step of a build gives.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn said(message: impl Into<String>) -> Error {
        Error::Said(message.into())
    }

    /// The failure with what was being done in front of it.
    pub fn within(self, what: impl std::fmt::Display) -> Error {
        let say = |m: String| format!("{what}: {m}");
        match self {
            Error::Said(m) => Error::Said(say(m)),
            Error::Malformed(m) => Error::Malformed(say(m)),
            Error::Remote(m) => Error::Remote(say(m)),
        }
    }
}

/// A failure with this sentence.
///
/// # Errors
/// Always.
pub fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::said(message))
}
