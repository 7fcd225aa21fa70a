//! A certificate and its key in two mounted files.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
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
    /// The validity of the certificate that is served.
    served: Option<Validity>,
    /// The files hold a certificate that is not valid now, and are looked at until it is.
    waits: bool,
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
    /// The certificate has expired, or its time has not come.
    #[error("--tls-cert {}: the certificate is not valid now", chain.display())]
    NotValidNow {
        /// The certificate's file.
        chain: PathBuf,
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
        let mut files = Self { chain, key, seen: Default::default(), served: None, waits: false };
        files.seen = files.read()?;
        let pair = files.pair()?;
        files.served = files.validity();
        Ok((files, pair))
    }

    /// Shows when the certificate expires.
    pub fn show_expiry(&self, metrics: &CertificateMetrics) {
        metrics.set_expiry(CertificateRole::Serving, self.served.map(|served| served.not_after));
    }

    /// The validity of the certificate in the files.
    fn validity(&self) -> Option<Validity> {
        let certificate = CertificateDer::from_pem_slice(&self.seen.0).ok()?;
        Validity::of(&certificate).ok()
    }

    /// Reads the files every second, and serves their content when it has changed and is a pair that
    /// is valid now. Until then, the server keeps the last good pair.
    ///
    /// The files are read, not watched: the kubelet updates a Secret's volume by a swap of the
    /// `..data` symlink above them, which a watch loses, and takes a minute to do it anyway.
    pub async fn follow(mut self, served: Arc<ServedCertificate>, metrics: CertificateMetrics) {
        loop {
            tokio::time::sleep(CERTIFICATE_POLL_INTERVAL).await;
            match self.reload(SystemTime::now()) {
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

    /// The pair to serve from `now` on, if it is another one. A bad pair is reported once, an
    /// unreadable file every time.
    fn reload(&mut self, now: SystemTime) -> Result<Option<CertifiedKey>, CertificateFilesError> {
        let found = self.read()?;
        let is_new = found != self.seen;
        if !is_new && !self.waits {
            return Ok(None);
        }
        self.seen = found;
        self.waits = false;
        let pair = self.pair()?;
        let is_valid = |validity: Option<Validity>| validity.is_some_and(|it| it.includes(now));
        let validity = self.validity();
        if !is_valid(validity) && is_valid(self.served) {
            self.waits = true;
            let error = CertificateFilesError::NotValidNow { chain: self.chain.clone() };
            return if is_new { Err(error) } else { Ok(None) };
        }
        self.served = validity;
        Ok(Some(pair))
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
            assert!(
                files.reload(SystemTime::now()).unwrap().is_none(),
                "nothing has changed before swap {swap}"
            );
            replace(&secret, &pem());
            let new = files
                .reload(SystemTime::now())
                .unwrap()
                .unwrap_or_else(|| panic!("swap {swap} was missed"));
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
        assert!(matches!(
            files.reload(SystemTime::now()),
            Err(CertificateFilesError::Unusable { .. })
        ));
        assert!(files.reload(SystemTime::now()).unwrap().is_none(), "told once");
        replace(&secret, &second);
        assert!(files.reload(SystemTime::now()).unwrap().is_some(), "the good pair is taken");
    }

    /// Valid for 10 days from `from` days after now.
    fn valid_from(from: i64) -> (String, String) {
        const DAY: i64 = 24 * 3600;
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
        let date = |seconds: i64| {
            let since = std::time::Duration::from_secs(seconds.cast_unsigned());
            rcgen::date_time_ymd(1970, 1, 1) + since
        };
        params.not_before = date(now + from * DAY);
        params.not_after = date(now + (from + 10) * DAY);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn a_certificate_that_is_not_valid_now_does_not_replace_one_that_is() {
        let day = |days: u64| SystemTime::now() + std::time::Duration::from_secs(days * 24 * 3600);
        let secret = mounted(&valid_from(-1));
        let (mut files, _) = open(&secret).unwrap();
        for (from, text) in [(-20, "expired"), (5, "not yet valid")] {
            replace(&secret, &valid_from(from));
            let error = files.reload(day(0)).unwrap_err().to_string();
            assert!(error.ends_with("the certificate is not valid now"), "{text}: {error}");
            assert!(files.reload(day(0)).unwrap().is_none(), "{text}: told once");
        }
        assert!(files.reload(day(6)).unwrap().is_some(), "its time has come");
        // Nothing better is there.
        replace(&secret, &valid_from(-30));
        assert!(files.reload(day(20)).unwrap().is_some(), "the one that is served has expired too");
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
