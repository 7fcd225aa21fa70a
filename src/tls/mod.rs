//! Certificates, keys and the TLS that is spoken with them.

mod certificate;
mod client_ca;
mod client_names;
mod crypto;
mod files;
mod key_pair;
mod metrics;
mod served;
mod validity;

pub use certificate::{Certificate, Pair, PrivateKey, is_signed};
pub use client_ca::{ClientCaError, client_verifier};
pub use crypto::crypto_provider;
pub use files::{CertificateFiles, CertificateFilesError};
pub use key_pair::{CertificateError, certified_key, self_signed};
pub use metrics::{CertificateMetrics, CertificateRole};
pub use served::{ServedCertificate, server_config};
pub use validity::{MalformedCertificate, Validity};
