//! The content of the Secret.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::tls::{
    Certificate, CertificateError, MalformedCertificate, Pair, PrivateKey, certified_key, is_signed,
};

/// The `data` of the Secret.
pub(super) type SecretData = BTreeMap<String, ByteString>;

const TLS_CERT: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";
const CA_CERT: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const NEXT_CA_CERT: &str = "next-ca.crt";
const NEXT_CA_KEY: &str = "next-ca.key";
const RETIRED_CA_CERTS: &str = "retired-ca.crt";

/// The content of the Secret. The keys fit their certificates, and `ca` signed `serving`; a
/// certificate may have expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The CA that signs.
    pub(super) ca: Pair,
    /// The serving certificate.
    pub(super) serving: Pair,
    /// The next CA: it is published, and signs nothing yet.
    pub(super) next: Option<Pair>,
    /// Earlier CAs that are still trusted. Each is signed again so that it expires together with its
    /// last certificate.
    pub(super) retired: Vec<Certificate>,
}

/// Why a Secret is not usable.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("there is no Secret")]
    NoSecret,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is not text")]
    NotText(&'static str),
    #[error("{0}: {1}")]
    NotPem(&'static str, #[source] rustls::pki_types::pem::Error),
    #[error("{0} does not hold exactly one certificate")]
    NotOne(&'static str),
    #[error("{0}: {1}")]
    Malformed(&'static str, #[source] MalformedCertificate),
    #[error("{0}: {1}")]
    Pair(&'static str, #[source] CertificateError),
    #[error("{TLS_CERT} is not signed by {CA_CERT}")]
    NotSigned,
}

impl State {
    /// Reads the data of a Secret.
    ///
    /// # Errors
    /// When an entry is missing or malformed, or the entries do not belong together.
    pub(super) fn read(data: &SecretData) -> Result<Self, Unusable> {
        let next = match data.get(NEXT_CA_CERT).or_else(|| data.get(NEXT_CA_KEY)) {
            Some(_) => Some(read_pair(data, NEXT_CA_CERT, NEXT_CA_KEY)?),
            None => None,
        };
        let retired = match data.get(RETIRED_CA_CERTS) {
            Some(_) => read_certificates(data, RETIRED_CA_CERTS)?,
            None => Vec::new(),
        };
        let ca = read_pair(data, CA_CERT, CA_KEY)?;
        let serving = read_pair(data, TLS_CERT, TLS_KEY)?;
        match is_signed(&serving.certificate, [&ca.certificate]) {
            true => Ok(Self { ca, serving, next, retired }),
            false => Err(Unusable::NotSigned),
        }
    }

    /// The data of the Secret.
    pub(super) fn data(&self) -> SecretData {
        let mut data = SecretData::new();
        let mut put = |name: &str, text: &str| {
            data.insert(name.to_owned(), ByteString(text.as_bytes().to_vec()))
        };
        put(TLS_CERT, self.serving.certificate.pem());
        put(TLS_KEY, self.serving.key.pem());
        put(CA_CERT, self.ca.certificate.pem());
        put(CA_KEY, self.ca.key.pem());
        if let Some(next) = &self.next {
            put(NEXT_CA_CERT, next.certificate.pem());
            put(NEXT_CA_KEY, next.key.pem());
        }
        if !self.retired.is_empty() {
            put(RETIRED_CA_CERTS, &self.retired.iter().map(Certificate::pem).collect::<String>());
        }
        data
    }

    /// The trusted CAs, in PEM form. They follow from the Secret alone: all replicas publish the
    /// same.
    pub(super) fn bundle(&self) -> String {
        self.trusted().map(Certificate::pem).collect()
    }

    /// Whether a client with the bundle trusts `certificate`, while that is valid.
    pub(super) fn trusts(&self, certificate: &Certificate) -> bool {
        is_signed(certificate, self.trusted())
    }

    /// Whether this is the state before the rotation to the CA of `later`.
    pub(super) fn precedes(&self, later: &Self) -> bool {
        self.next.as_ref().is_some_and(|next| next.certificate == later.ca.certificate)
    }

    fn trusted(&self) -> impl Iterator<Item = &Certificate> {
        let next = self.next.iter().map(|next| &next.certificate);
        [&self.ca.certificate].into_iter().chain(next).chain(&self.retired)
    }
}

fn read_text<'a>(data: &'a SecretData, name: &'static str) -> Result<&'a str, Unusable> {
    let bytes = data.get(name).ok_or(Unusable::Missing(name))?;
    std::str::from_utf8(&bytes.0).map_err(|_| Unusable::NotText(name))
}

fn read_pair(
    data: &SecretData,
    certificate_name: &'static str,
    key_name: &'static str,
) -> Result<Pair, Unusable> {
    let mut certificates = read_certificates(data, certificate_name)?;
    let (Some(certificate), true) = (certificates.pop(), certificates.is_empty()) else {
        return Err(Unusable::NotOne(certificate_name));
    };
    let key = PrivateKey::from_pem(read_text(data, key_name)?.to_owned());
    certified_key(certificate.pem().as_bytes(), key.pem().as_bytes())
        .map_err(|error| Unusable::Pair(certificate_name, error))?;
    Ok(Pair { certificate, key })
}

fn read_certificates(data: &SecretData, name: &'static str) -> Result<Vec<Certificate>, Unusable> {
    let text = read_text(data, name)?;
    CertificateDer::pem_slice_iter(text.as_bytes())
        .map(|der| {
            let der = der.map_err(|error| Unusable::NotPem(name, error))?;
            Certificate::new(der).map_err(|error| Unusable::Malformed(name, error))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{Duration, SystemTime},
    };

    use rstest::rstest;

    use super::{
        super::{
            issue::{end_at, new_ca, sign},
            names::ServiceNames,
        },
        *,
    };
    use crate::tls::Validity;

    fn validity() -> Validity {
        let hour = Duration::from_secs(3600);
        Validity { not_before: SystemTime::now() - hour, not_after: SystemTime::now() + hour }
    }

    fn names() -> ServiceNames {
        ServiceNames::new("web".into(), "hooks".into(), "cluster.local".into()).unwrap()
    }

    /// In the middle of everything: three CAs, all of the same name.
    fn state() -> State {
        let [ca, next, retired] = [(); 3].map(|()| new_ca(validity()).unwrap());
        let serving = sign(&ca, &names().all(), validity()).unwrap();
        let retired = vec![end_at(&retired, validity().not_after).unwrap()];
        State { ca, serving, next: Some(next), retired }
    }

    #[test]
    fn what_is_written_is_read() {
        let state = state();
        assert_eq!(State::read(&state.data()).unwrap(), state);
    }

    #[rstest]
    #[case::certificate_missing("tls.crt", None, "tls.crt is missing")]
    #[case::key_missing("tls.key", None, "tls.key is missing")]
    #[case::ca_missing("ca.crt", None, "ca.crt is missing")]
    #[case::ca_key_missing("ca.key", None, "ca.key is missing")]
    #[case::next_key_missing("next-ca.key", None, "next-ca.key is missing")]
    #[case::next_missing("next-ca.crt", None, "next-ca.crt is missing")]
    #[case::empty("tls.crt", Some(""), "tls.crt does not hold exactly one certificate")]
    #[case::two(
        "ca.crt",
        Some("ca.crt retired-ca.crt"),
        "ca.crt does not hold exactly one certificate"
    )]
    #[case::no_pem("tls.key", Some("?"), "tls.crt: no private key in PEM form")]
    #[case::key_of_another(
        "tls.key",
        Some("ca.key"),
        "tls.crt: certificate and key cannot be used together"
    )]
    #[case::ca_of_another(
        "ca.crt",
        Some("next-ca.crt"),
        "ca.crt: certificate and key cannot be used together"
    )]
    #[case::key_as_certificate("retired-ca.crt", Some("ca.key ca.crt"), "")]
    fn what_is_broken_is_named(
        #[case] entry: &str,
        #[case] content: Option<&str>,
        #[case] message: &str,
    ) {
        let whole = state().data();
        let mut data = whole.clone();
        match content {
            None => drop(data.remove(entry)),
            Some(names) => {
                let parts = names.split(' ').map(|name| {
                    whole.get(name).map_or(name.as_bytes().to_vec(), |bytes| bytes.0.clone())
                });
                data.insert(entry.to_owned(), ByteString(parts.flatten().collect()));
            }
        }
        match State::read(&data) {
            Err(error) => assert!(error.to_string().starts_with(message), "{error}"),
            // What is no certificate among the retired CAs is left out.
            Ok(state) => assert!(message.is_empty() && state.retired.len() == 1, "{state:?}"),
        }
    }

    #[test]
    fn another_ca_has_not_signed() {
        let (mut state, another) = (state(), state());
        state.ca = another.ca;
        assert!(matches!(State::read(&state.data()), Err(Unusable::NotSigned)));
    }

    #[test]
    fn the_bundle_trusts_what_the_ca_of_any_stage_signs() {
        let state = state();
        let [ca, next] = [&state.ca, state.next.as_ref().unwrap()];
        for ca in [ca, next] {
            let signed = sign(ca, &names().all(), validity()).unwrap();
            assert!(state.trusts(&signed.certificate), "{signed:?}");
        }
        let another = new_ca(validity()).unwrap();
        let signed = sign(&another, &names().all(), validity()).unwrap();
        assert!(!state.trusts(&signed.certificate), "of a CA that is not in it");
    }

    #[test]
    fn the_certificate_is_for_all_names_of_the_service() {
        let certificate = state().serving.certificate;
        for name in ["web", "web.hooks", "web.hooks.svc", "web.hooks.svc.cluster.local"] {
            assert!(certificate.is_for(name), "{name}");
        }
        for name in ["other.hooks.svc", "web.other.svc", "hooks.svc"] {
            assert!(!certificate.is_for(name), "{name}");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let state = state();
        let shown = format!("{state:?}");
        assert!(shown.contains("PrivateKey(..)"), "{shown}");
        for pair in [&state.ca, &state.serving, state.next.as_ref().unwrap()] {
            let line = pair.key.pem().lines().nth(1).unwrap();
            assert!(!shown.contains(line), "{shown}");
        }
    }

    /// OpenSSL as a second opinion, where it is installed: among CAs of the same name it has to
    /// find the right one, too.
    #[test]
    fn openssl_agrees() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let state = state();
        let another = new_ca(validity()).unwrap();
        let other = sign(&another, &names().all(), validity()).unwrap();
        std::fs::write(path("bundle"), state.bundle()).unwrap();
        std::fs::write(path("ours"), state.serving.certificate.pem()).unwrap();
        std::fs::write(path("other"), other.certificate.pem()).unwrap();
        for (certificate, is_good) in [("ours", true), ("other", false)] {
            let verify = ["verify", "-purpose", "sslserver", "-verify_hostname", "web.hooks.svc"];
            let output = Command::new("openssl")
                .args(verify)
                .args(["-x509_strict", "-CAfile", &path("bundle"), &path(certificate)])
                .output();
            let Ok(output) = output else { return };
            assert_eq!(output.status.success(), is_good, "{certificate}: {output:?}");
        }
    }
}
