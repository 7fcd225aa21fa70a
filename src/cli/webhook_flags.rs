//! What an installed webhook was told by its flags, and what it has measured.

use clap::{Args, Command, FromArgMatches};
use kube::Client;

use super::serve::ServeArgs;
use crate::{
    cluster::{InstalledWebhook, read_delay},
    injection::{Hook, Policy},
    propagation::DelayRecord,
    units::Delay,
};

/// What an installed webhook was told by its flags.
pub(super) struct WebhookFlags {
    /// What they ask for.
    pub(super) policy: Policy,
    /// All of them.
    pub(super) args: ServeArgs,
    /// The namespace of the webhook.
    namespace: String,
}

impl WebhookFlags {
    /// Reads the arguments of a webhook.
    ///
    /// # Errors
    /// When they are those of another version, or contradict each other.
    pub(super) fn read(webhook: InstalledWebhook) -> Result<Self, String> {
        let InstalledWebhook { namespace, arguments } = webhook;
        let first_line =
            |error: clap::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
        let command = ServeArgs::augment_args(Command::new("serve"));
        let matches = command.try_get_matches_from(arguments).map_err(first_line)?;
        let args = ServeArgs::from_arg_matches(&matches).map_err(first_line)?;
        let policy = args.injection.policy(Hook::Sleep).map_err(|error| error.to_string())?;
        let policy = Policy { targets: args.targets.targets, ..policy };
        Ok(Self { policy, args, namespace })
    }

    /// What the webhook has measured, if it measures.
    ///
    /// # Errors
    /// When its ConfigMap cannot be read.
    pub(super) async fn measured(&self, client: &Client) -> Result<Option<DelayRecord>, String> {
        let measure = &self.args.measure;
        let Some(name) = measure.delay_config_map.as_ref().filter(|_| measure.measure) else {
            return Ok(None);
        };
        let record = read_delay(client, &self.namespace, name, measure.range()).await;
        record.map(Some).map_err(|error| format!("what the webhook has measured: {error}"))
    }

    /// The delay that follows what is measured, where it does.
    pub(super) fn measured_delay(&self, record: &DelayRecord) -> Option<Delay> {
        record.in_force().filter(|_| self.args.measure.auto_delay)
    }
}
