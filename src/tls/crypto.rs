//! The one provider of cryptography.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

/// ring, for servers, clients and verification alike.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
