//! Writes what has been measured to the ConfigMap.

use kube::Client;
use kube::runtime::utils::Backoff;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    super::watch::retry_delays, announce_delay::announce_delay, delay_config_map::write_delay,
};
use crate::{
    constants::{API_REQUEST_TIMEOUT, RECORD_WRITE_INTERVAL},
    propagation::{DelayChange, DelayRecord},
};

/// What is to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct NewRecord {
    /// What has been measured. `None` before there is anything.
    pub(super) record: Option<DelayRecord>,
    /// The change of the delay that it tells, if it does.
    pub(super) change: Option<DelayChange>,
}

/// Writes each new record to the ConfigMap `name`, and only the last of several. Never ends before the
/// sender does.
pub(super) async fn write_records(
    client: Client,
    name: &str,
    mut records: watch::Receiver<NewRecord>,
    announces: bool,
) {
    let mut is_failing = false;
    let mut delays = retry_delays();
    while records.changed().await.is_ok() {
        loop {
            let NewRecord { record, change } = records.borrow_and_update().clone();
            let Some(record) = record else { break };
            match write_delay(&client, name, &record).await {
                Ok(config_map) => {
                    is_failing = false;
                    delays.reset();
                    if let Some(change) = change.filter(|_| announces) {
                        let announced = announce_delay(&client, &config_map, &change);
                        if let Ok(Err(error)) = timeout(API_REQUEST_TIMEOUT, announced).await {
                            tracing::debug!(%error, "cannot publish an Event");
                        }
                    }
                    break;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(config_map = name, %error, "cannot record the delay; trying again");
                    }
                    sleep(delays.next().unwrap_or_default()).await;
                }
            }
        }
        sleep(RECORD_WRITE_INTERVAL).await;
    }
}
