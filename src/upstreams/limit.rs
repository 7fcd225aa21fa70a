//! What no sleep cures, or cures only in part.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumCount, IntoStaticStr, VariantArray};

/// Why a sleep may not be enough for the Pods of a Service. Its `Display` is its name in metrics and
/// JSON.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumCount,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `publishNotReadyAddresses: true`: a Pod stays in the Service until it is gone, however long it
    /// sleeps.
    NotReadyAddresses,
    /// `resolveGranularity: service`: APISIX sends requests to the ClusterIP, and kube-proxy chooses
    /// the Pod.
    ClusterIp,
    /// APISIX finds the Pods by DNS, so the time to live of the answer counts too.
    DnsName,
    /// APISIX watches the endpoints itself, past the controller.
    Discovery,
    /// The Service is of type ExternalName: it has no Pods.
    ExternalName,
    /// The Service has no selector: whoever writes its endpoints decides when a Pod leaves.
    Selectorless,
    /// Requests go to an address outside of the cluster, or to one whose Pods are not known.
    ForeignAddress,
}

impl Limit {
    /// Its name in metrics and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What it means.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NotReadyAddresses => {
                "publishNotReadyAddresses: its Pods get requests until they are gone, whatever they sleep"
            }
            Self::ClusterIp => {
                "resolveGranularity: service: kube-proxy chooses the Pod, and a sleep covers only its delay"
            }
            Self::DnsName => {
                "APISIX finds its Pods by DNS: the sleep has to cover the time to live too"
            }
            Self::Discovery => "APISIX watches its endpoints itself, past the controller",
            Self::ExternalName => "an ExternalName Service has no Pods",
            Self::Selectorless => {
                "without a selector, whoever writes its endpoints decides when a Pod leaves"
            }
            Self::ForeignAddress => "requests go to an address whose Pods are not known",
        }
    }
}
