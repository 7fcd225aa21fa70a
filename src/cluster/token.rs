//! The ServiceAccount's token.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hyper::{
    Request,
    header::{AUTHORIZATION, HeaderValue},
};
use tower::BoxError;

/// The file in which the kubelet keeps a valid token. It is read for each request: tokens live
/// for an hour, the file is in memory, and requests are few.
#[derive(Clone, Debug)]
pub(super) struct TokenFile(PathBuf);

impl TokenFile {
    pub(super) fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }

    /// The request, with the token.
    pub(super) fn authorize<B>(&self, mut request: Request<B>) -> Result<Request<B>, BoxError> {
        let token = fs::read_to_string(&self.0)
            .map_err(|error| format!("cannot read the token {}: {error}", self.0.display()))?;
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_the_moment_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let file = TokenFile::new(&path);
        for token in ["first", "second\n"] {
            fs::write(&path, token).unwrap();
            let request = file.authorize(Request::new(())).unwrap();
            let value = request.headers()[AUTHORIZATION].to_str().unwrap();
            assert_eq!(value, format!("Bearer {}", token.trim()));
        }
    }

    #[test]
    fn a_missing_token_is_named() {
        let error = TokenFile::new("/nowhere/token").authorize(Request::new(())).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the token /nowhere/token"), "{error}");
    }
}
