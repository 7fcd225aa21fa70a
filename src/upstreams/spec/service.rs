//! Service (v1).

use serde::Deserialize;

use super::super::{limit::Limit, string_map::StringMap};

/// What the rules read of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSpec {
    /// The labels of its Pods. Without any it selects none.
    pub selector: Option<StringMap>,
    /// `ExternalName`, or one of the types that select Pods.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// The DNS name of an `ExternalName` Service.
    pub external_name: Option<String>,
    /// Whether its Pods stay in it while they terminate.
    pub publish_not_ready_addresses: bool,
}

impl ServiceSpec {
    /// The DNS name that it stands for.
    pub(in crate::upstreams) fn external_name(&self) -> Option<&str> {
        let is_external = self.type_.as_deref() == Some("ExternalName");
        self.external_name.as_deref().filter(|_| is_external)
    }

    /// The labels of its Pods. An `ExternalName` Service selects none.
    pub(in crate::upstreams) fn selector(&self) -> Option<&StringMap> {
        let selects = self.external_name().is_none();
        self.selector.as_ref().filter(|selector| selects && !selector.is_empty())
    }

    /// What no sleep cures, whatever route names it.
    pub(in crate::upstreams) fn limits(&self) -> impl Iterator<Item = Limit> {
        let is_selectorless = self.external_name().is_none() && self.selector().is_none();
        let not_ready = self.publish_not_ready_addresses.then_some(Limit::NotReadyAddresses);
        not_ready.into_iter().chain(is_selectorless.then_some(Limit::Selectorless))
    }
}
