//! A certificate and its key in two mounted files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    pki_types::{CertificateDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::{
    key_pair::{CertificateError, certified_key},
    metrics::{CertificateMetrics, CertificateRole},
    served::ServedCertificate,
    validity::Validity,
};
use crate::constants::CERTIFICATE_POLL_INTERVAL;

/// The two files, and their content as last read.
#[derive(Debug)]
pub struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    seen: (Vec<u8>, Vec<u8>),
}

/// Why the files cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFilesError {
    /// A file cannot be read.
    #[error("{flag} {}: {source}", path.display())]
    Unreadable {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The files are not a certificate and its key.
    #[error("--tls-cert {}, --tls-key {}: {source}", chain.display(), key.display())]
    Unusable {
        /// The certificate's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: CertificateError,
    },
}

impl CertificateFiles {
    /// Reads the two files.
    ///
    /// # Errors
    /// When they cannot be read, or are not a certificate and its key.
    pub fn open(
        chain: PathBuf,
        key: PathBuf,
    ) -> Result<(Self, CertifiedKey), CertificateFilesError> {
        let mut files = Self { chain, key, seen: Default::default() };
        files.seen = files.read()?;
        let pair = files.pair()?;
        Ok((files, pair))
    }

    /// Shows when the certificate expires.
    pub fn show_expiry(&self, metrics: &CertificateMetrics) {
        let certificate = CertificateDer::from_pem_slice(&self.seen.0).ok();
        let validity = certificate.and_then(|certificate| Validity::of(&certificate).ok());
        let end = validity.map(|validity| validity.not_after);
        metrics.set_expiry(CertificateRole::Serving, end);
    }

    /// Reads the files every second, and serves their content when it has changed and is a valid
    /// pair. Until then, the server keeps the last good pair.
    ///
    /// The files are read, not watched: the kubelet updates a Secret's volume by a swap of the
    /// `..data` symlink above them, which a watch loses, and takes a minute to do it anyway.
    pub async fn follow(mut self, served: Arc<ServedCertificate>, metrics: CertificateMetrics) {
        loop {
            tokio::time::sleep(CERTIFICATE_POLL_INTERVAL).await;
            match self.reload() {
                Ok(None) => {}
                Ok(Some(pair)) => {
                    served.replace(pair);
                    metrics.count_reload(true);
                    self.show_expiry(&metrics);
                    tracing::info!(file = %self.chain.display(), "serving the new certificate");
                }
                Err(error) => {
                    metrics.count_reload(false);
                    tracing::warn!(%error, "still serving the last good certificate");
                }
            }
        }
    }

    /// The pair, if the files have changed. A bad pair is reported once, an unreadable file every
    /// time.
    fn reload(&mut self) -> Result<Option<CertifiedKey>, CertificateFilesError> {
        let now = self.read()?;
        if now == self.seen {
            return Ok(None);
        }
        self.seen = now;
        self.pair().map(Some)
    }

    fn read(&self) -> Result<(Vec<u8>, Vec<u8>), CertificateFilesError> {
        let read = |flag, path: &Path| {
            fs::read(path).map_err(|source| CertificateFilesError::Unreadable {
                flag,
                path: path.to_owned(),
                source,
            })
        };
        Ok((read("--tls-cert", &self.chain)?, read("--tls-key", &self.key)?))
    }

    fn pair(&self) -> Result<CertifiedKey, CertificateFilesError> {
        certified_key(&self.seen.0, &self.seen.1).map_err(|source| {
            CertificateFilesError::Unusable {
                chain: self.chain.clone(),
                key: self.key.clone(),
                source,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use support::mounted_secret::MountedSecret;

    use super::*;

    fn mounted((chain, key): &(String, String)) -> MountedSecret {
        MountedSecret::new(&[("tls.crt", chain), ("tls.key", key)])
    }

    fn replace(secret: &MountedSecret, (chain, key): &(String, String)) {
        secret.swap(&[("tls.crt", chain), ("tls.key", key)]);
    }

    fn pem() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn open(
        secret: &MountedSecret,
    ) -> Result<(CertificateFiles, CertifiedKey), CertificateFilesError> {
        CertificateFiles::open(secret.path("tls.crt"), secret.path("tls.key"))
    }

    #[test]
    fn several_swaps_in_a_row_are_followed() {
        let secret = mounted(&pem());
        let (mut files, mut last) = open(&secret).unwrap();
        for swap in 1..=3 {
            assert!(files.reload().unwrap().is_none(), "nothing has changed before swap {swap}");
            replace(&secret, &pem());
            let new = files.reload().unwrap().unwrap_or_else(|| panic!("swap {swap} was missed"));
            assert_ne!(new.cert, last.cert, "swap {swap} brought another certificate");
            last = new;
        }
    }

    #[test]
    fn a_half_written_pair_is_told_once_and_a_good_one_heals_it() {
        let (first, second) = (pem(), pem());
        let secret = mounted(&first);
        let (mut files, _) = open(&secret).unwrap();
        replace(&secret, &(second.0.clone(), first.1));
        assert!(matches!(files.reload(), Err(CertificateFilesError::Unusable { .. })));
        assert!(files.reload().unwrap().is_none(), "told once");
        replace(&secret, &second);
        assert!(files.reload().unwrap().is_some(), "the good pair is taken");
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_flag() {
        let secret = mounted(&pem());
        fs::remove_file(secret.path("tls.key")).unwrap();
        let error = open(&secret).unwrap_err().to_string();
        let expected = format!("--tls-key {}: No such file", secret.path("tls.key").display());
        assert!(error.starts_with(&expected), "{error}");
    }
}
