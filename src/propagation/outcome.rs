//! What became of a Pod that has left its Services.

use std::{net::SocketAddr, time::Duration};

use strum::IntoStaticStr;

use super::pod_id::PodId;

/// What became of a Pod that has left its Services, or of a gateway's part in that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DepartureOutcome {
    /// Every gateway has dropped the Pod: a sample.
    Dropped(Departure),
    /// A gateway still has an address of the Pod after the bound. No sample.
    Stale {
        /// The Pod.
        pod: PodId,
        /// The gateway.
        gateway: PodId,
        /// The address.
        address: SocketAddr,
        /// When the Pod left.
        left: Duration,
    },
    /// An address is no longer stale: the gateway has dropped it at last, or is gone, or a Pod is ready
    /// at it.
    StaleEnded {
        /// The Pod.
        pod: PodId,
        /// The gateway.
        gateway: PodId,
    },
    /// A gateway did not answer until the bound, or too seldom to know when it dropped the Pod. No
    /// sample.
    Unanswered {
        /// The Pod.
        pod: PodId,
        /// The gateway.
        gateway: PodId,
    },
    /// There is nothing to measure.
    Void {
        /// The Pod.
        pod: PodId,
        /// Why.
        cause: VoidCause,
    },
}

/// A Pod that every gateway has dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The Pod.
    pub pod: PodId,
    /// From the change of its EndpointSlice until the last gateway had dropped it.
    pub took: Duration,
    /// How long each gateway took. Not empty, and the longest first.
    pub gateways: Vec<(PodId, Duration)>,
}

/// Why there is nothing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum VoidCause {
    /// The Pod, or another one at its addresses, was ready again before every gateway had dropped it.
    Returned,
    /// No gateway has ever had an address of it: APISIX sends requests to the ClusterIP, or not at all.
    NeverSeen,
    /// There is no gateway.
    NoGateway,
}

impl VoidCause {
    /// Its name in the log.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
