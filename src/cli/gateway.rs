//! The flags that say where the gateways are, and how to ask them.

use clap::{Args, ValueEnum, value_parser};

use super::{label_selector::label_selector, object_name::namespace_name};
use crate::{
    cluster::GatewayPlace,
    constants::{DEFAULT_CONTROL_PORT, DEFAULT_GATEWAY_SELECTOR},
};

/// The gateways of APISIX.
#[derive(Clone, Debug, Args)]
pub struct GatewayArgs {
    /// The namespace of the gateways (default: all namespaces are searched)
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_GATEWAY_NAMESPACE", value_parser = namespace_name)]
    pub gateway_namespace: Option<String>,
    /// The labels of their Pods
    #[arg(long, value_name = "SELECTOR", env = "APISIX_PRESTOP_GATEWAY_SELECTOR", value_parser = label_selector, default_value = DEFAULT_GATEWAY_SELECTOR)]
    pub gateway_selector: String,
    /// The port of their Control API
    #[arg(long, value_name = "PORT", env = "APISIX_PRESTOP_CONTROL_PORT", value_parser = value_parser!(u16).range(1..), default_value_t = DEFAULT_CONTROL_PORT)]
    pub control_port: u16,
    /// How to reach it
    #[arg(
        long,
        value_name = "HOW",
        env = "APISIX_PRESTOP_GATEWAY_ACCESS",
        value_enum,
        default_value_t
    )]
    pub gateway_access: AccessMode,
}

impl From<GatewayArgs> for GatewayPlace {
    fn from(args: GatewayArgs) -> Self {
        Self {
            namespace: args.gateway_namespace,
            selector: args.gateway_selector,
            control_port: args.control_port,
            is_forwarded: args.gateway_access == AccessMode::PortForward,
        }
    }
}

/// How to reach the Control API of a gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AccessMode {
    /// Through the API server. It reaches 127.0.0.1 in the Pod, where APISIX listens by default
    #[default]
    PortForward,
    /// At the IP of the Pod. The Control API has to listen there, and this machine has to reach it
    PodIp,
}
