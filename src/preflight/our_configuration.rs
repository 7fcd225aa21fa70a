//! Which webhook configurations are ours.

use super::admission::{MutatingConfiguration, MutatingWebhook};
use crate::constants::{DEFAULT_NAME, NAME_LABEL, WEBHOOK_NAME_END};

/// Whether a release of our chart has made the configuration. `nameOverride` changes the label, and
/// nothing the end of the webhook's name.
pub fn is_ours(configuration: &MutatingConfiguration) -> bool {
    configuration.metadata.label(NAME_LABEL) == Some(DEFAULT_NAME)
        || configuration.webhooks.iter().any(has_our_name)
}

/// The webhook of a configuration of ours.
pub fn our_webhook(configuration: &MutatingConfiguration) -> Option<&MutatingWebhook> {
    let webhooks = &configuration.webhooks;
    webhooks.iter().find(|webhook| has_our_name(webhook)).or(webhooks.first())
}

fn has_our_name(webhook: &MutatingWebhook) -> bool {
    webhook.name.ends_with(WEBHOOK_NAME_END)
}
