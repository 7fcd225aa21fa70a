//! The flags that describe the ingress controller of APISIX.

use clap::Args;

use crate::upstreams::{
    DEFAULT_CONTROLLER_NAME, DEFAULT_INGRESS_CLASS, IngressController, VersionChoice,
};

/// The ingress controller of APISIX.
#[derive(Debug, Args)]
pub struct ControllerArgs {
    /// What the IngressClasses and GatewayClasses of APISIX name as their controller (version 2)
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_APISIX_CONTROLLER_NAME", default_value = DEFAULT_CONTROLLER_NAME)]
    pub apisix_controller_name: String,
    /// The ingress class of APISIX (version 1.8). apisix-and-all means the Ingresses of the class
    /// apisix, and all objects of APISIX
    #[arg(long, value_name = "CLASS", env = "APISIX_PRESTOP_APISIX_INGRESS_CLASS", default_value = DEFAULT_INGRESS_CLASS)]
    pub apisix_ingress_class: String,
    /// The version of the controller, whose rules apply
    #[arg(
        long,
        value_name = "VERSION",
        env = "APISIX_PRESTOP_APISIX_VERSION",
        value_enum,
        default_value_t
    )]
    pub apisix_version: VersionChoice,
}

impl From<ControllerArgs> for IngressController {
    fn from(args: ControllerArgs) -> Self {
        let ControllerArgs { apisix_controller_name, apisix_ingress_class, apisix_version } = args;
        Self {
            name: apisix_controller_name,
            ingress_class: apisix_ingress_class,
            version: apisix_version,
        }
    }
}
