//! HTTP and TLS around the webhook.

mod admin;
mod body;
mod certificate_files;
mod client_ca;
mod connections;
mod listener;
mod newcomers;
mod patience;
mod phase;
mod tls;
mod validity;
mod webhook;

pub use admin::admin_router;
pub use certificate_files::{CertificateFiles, CertificateFilesError};
pub use client_ca::{ClientCaError, client_verifier};
pub use connections::{Terms, accept};
pub use listener::{BindError, bind};
pub use phase::Phase;
pub use tls::{
    CertificateError, ServedCertificate, certified_key, crypto_provider, server_config, throw_away,
};
pub use validity::{MalformedCertificate, Validity};
pub use webhook::{Mode, Webhook, webhook_router};
