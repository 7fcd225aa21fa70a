//! What a measurement comes to.

use std::{net::SocketAddr, time::Duration};

use super::left_out::LeftOut;
use crate::units::Delay;

/// What a measurement comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropagationReport {
    /// How long the measurement took.
    pub measured_for: Duration,
    /// How many Pods every gateway has dropped.
    pub samples: u64,
    /// How long half of them took at most. `None` without samples, as for the next two.
    pub p50: Option<Duration>,
    /// How long 99 of 100 took at most.
    pub p99: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
    /// The samples by how long they took, in ascending order.
    pub histogram: Vec<HistogramBucket>,
    /// The gateways, by name.
    pub gateways: Vec<GatewayReport>,
    /// The workloads whose Pods have left, by name.
    pub workloads: Vec<WorkloadPropagation>,
    /// What took longer than the longest delay that helps: an outage of the ingress controller, and no
    /// sample.
    pub outliers: Vec<OutlierReport>,
    /// The delay that follows from the samples.
    pub recommended: Option<Delay>,
    /// The delay of the webhook.
    pub configured: Option<Delay>,
    /// What there was too much of to be measured, or to be in this report.
    pub left_out: LeftOut,
}

/// How many samples took about as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramBucket {
    /// How long they took at most.
    pub up_to: Duration,
    /// How many.
    pub count: u64,
}

/// What a measurement says of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayReport {
    /// `NAMESPACE/POD`.
    pub name: String,
    /// How many Pods it has dropped.
    pub samples: u64,
    /// How long half of them took at most.
    pub p50: Option<Duration>,
    /// How long 99 of 100 took at most.
    pub p99: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
    /// Whether it takes much longer than the others.
    pub lags: bool,
    /// Addresses of Pods that have left, and that it still has.
    pub stale: Vec<StaleReport>,
    /// Why it cannot be asked, if it cannot.
    pub problem: Option<String>,
}

/// An address that a gateway should have dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleReport {
    /// `NAMESPACE/POD`.
    pub pod: String,
    /// The address.
    pub address: SocketAddr,
    /// How long ago the Pod left.
    pub since: Duration,
}

/// What a measurement says of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadPropagation {
    /// The namespace.
    pub namespace: String,
    /// The kind and the name, such as `Deployment/web`.
    pub name: String,
    /// How many of its Pods every gateway has dropped.
    pub samples: u64,
    /// The slowest of them.
    pub slowest: Option<Duration>,
    /// How long its Pods sleep before they stop, in seconds. `None` if that is not known.
    pub sleep: Option<u64>,
    /// Whether its containers end within a second of SIGTERM: what is in flight then is cut off.
    pub ends_at_once: bool,
}

/// A Pod that took longer than the longest delay that helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierReport {
    /// `NAMESPACE/POD`.
    pub pod: String,
    /// `NAMESPACE/POD` of the slowest gateway.
    pub gateway: String,
    /// How long it took, or takes so far.
    pub took: Duration,
    /// Whether it is over.
    pub has_ended: bool,
}
