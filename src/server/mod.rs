//! HTTP and TLS around the webhook.

mod admin;
mod body;
mod certificate_files;
mod connections;
mod listener;
mod phase;
mod tls;
mod webhook;

pub use admin::Admin;
pub use certificate_files::{CertificateFiles, CertificateFilesError};
pub use connections::accept;
pub use listener::{BindError, bind};
pub use phase::Phase;
pub use tls::{
    CertificateError, ServedCertificate, certified_key, crypto_provider, server_config, throw_away,
};
pub use webhook::{Mode, Webhook};
