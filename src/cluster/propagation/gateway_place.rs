//! Where the Pods of the gateway are, and how they are asked.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{ApiResource, ListParams},
};

use super::{
    super::{
        read_error::{ReadError, in_time},
        watched_object::WatchedObject,
    },
    gateway_client::GatewayAccess,
};
use crate::{
    constants::{API_REQUEST_TIMEOUT, OBJECTS_OF_A_PAGE},
    propagation::PodId,
};

/// Where the Pods of the gateway are, and how they are asked.
#[derive(Clone, Debug)]
pub(crate) struct GatewayPlace {
    /// Their namespace. `None` for all namespaces.
    pub(crate) namespace: Option<String>,
    /// Their labels, as a selector.
    pub(crate) selector: String,
    /// The port of their Control API.
    pub(crate) control_port: u16,
    /// Whether the API server forwards it. Otherwise it is asked at the IP of the Pod.
    pub(crate) is_forwarded: bool,
}

impl GatewayPlace {
    /// All Pods of the namespace.
    pub(super) fn pods(&self, client: &Client) -> Api<WatchedObject> {
        let resource = ApiResource::erase::<Pod>(&());
        WatchedObject::api(client.clone(), &resource, self.namespace.as_deref())
    }

    /// How many Pods there are, up to a page.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) async fn count(&self, client: &Client) -> Result<usize, ReadError> {
        let labels = ListParams::default().labels(&self.selector).limit(OBJECTS_OF_A_PAGE);
        let listed = in_time(API_REQUEST_TIMEOUT, self.pods(client).list(&labels)).await?;
        Ok(listed.items.len())
    }

    /// How to ask a gateway.
    pub(super) fn access(&self, client: &Client, gateway: &PodId, ip: IpAddr) -> GatewayAccess {
        let port = self.control_port;
        if self.is_forwarded {
            let pods = Box::new(Api::namespaced(client.clone(), &gateway.namespace));
            GatewayAccess::PortForward { pods, pod: gateway.name.to_string(), port }
        } else {
            GatewayAccess::PodIp(SocketAddr::new(ip, port))
        }
    }
}
