//! Whether a route is one of APISIX, and why.

use std::fmt;

use super::object::ObjectId;

/// Whether APISIX programs a route, and why. Its `Display` is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Its IngressClass is one of the controller.
    OfClass {
        /// The class.
        class: String,
        /// The controller.
        controller: String,
    },
    /// It names no class, and the default one is of the controller.
    OfDefaultClass {
        /// The class.
        class: String,
        /// The controller.
        controller: String,
    },
    /// It names the class of the controller (version 1.8).
    OfClassName {
        /// The class.
        class: String,
    },
    /// The controller takes every object of its kind (version 1.8).
    OfAnyClass,
    /// It is attached to a Gateway of the controller.
    Attached {
        /// The Gateway.
        gateway: ObjectId,
        /// The controller.
        controller: String,
    },
    /// It names no Gateway, and the controller takes it nevertheless (version 1.8).
    WithoutParent,
    /// There is no such IngressClass.
    ClassMissing {
        /// The class.
        class: String,
    },
    /// Its IngressClass is one of another controller.
    OtherClass {
        /// The class.
        class: String,
        /// The controller.
        controller: String,
    },
    /// It names no class, and no default one is of the controller.
    NoDefaultClass,
    /// It names another class than that of the controller (version 1.8).
    OtherClassName {
        /// The class, if it names one.
        class: Option<String>,
        /// The class of the controller.
        expected: String,
    },
    /// It names no Gateway.
    NoParent,
    /// It names a Gateway that does not exist.
    GatewayMissing {
        /// The Gateway.
        gateway: ObjectId,
    },
    /// Its Gateway is one of another controller.
    OtherGateway {
        /// The Gateway.
        gateway: ObjectId,
        /// The controller, if the class exists.
        controller: Option<String>,
    },
    /// No listener of its Gateway takes it.
    NoListener {
        /// The Gateway.
        gateway: ObjectId,
    },
    /// The version does not read its kind.
    NotRead,
}

impl Ownership {
    /// Whether APISIX programs the route.
    pub const fn is_owned(&self) -> bool {
        matches!(
            self,
            Self::OfClass { .. }
                | Self::OfDefaultClass { .. }
                | Self::OfClassName { .. }
                | Self::OfAnyClass
                | Self::Attached { .. }
                | Self::WithoutParent
        )
    }
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfClass { class, controller } => {
                write!(f, "IngressClass {class} belongs to {controller}")
            }
            Self::OfDefaultClass { class, controller } => {
                write!(
                    f,
                    "it names no class, and the default IngressClass {class} belongs to {controller}"
                )
            }
            Self::OfClassName { class } => write!(f, "its class is {class}"),
            Self::OfAnyClass => {
                f.write_str("controller 1.8 takes objects of its kind of every class")
            }
            Self::Attached { gateway, controller } => {
                write!(f, "{gateway} takes it, and belongs to {controller}")
            }
            Self::WithoutParent => {
                f.write_str("it names no Gateway, which controller 1.8 does not ask for")
            }
            Self::ClassMissing { class } => write!(f, "there is no IngressClass {class}"),
            Self::OtherClass { class, controller } => {
                write!(f, "IngressClass {class} belongs to {controller}")
            }
            Self::NoDefaultClass => {
                f.write_str("it names no class, and no default IngressClass belongs to APISIX")
            }
            Self::OtherClassName { class: Some(class), expected } => {
                write!(f, "its class is {class}, not {expected}")
            }
            Self::OtherClassName { class: None, expected } => {
                write!(f, "it names no class; controller 1.8 asks for {expected}")
            }
            Self::NoParent => f.write_str("it names no Gateway"),
            Self::GatewayMissing { gateway } => write!(f, "there is no {gateway}"),
            Self::OtherGateway { gateway, controller: Some(controller) } => {
                write!(f, "{gateway} belongs to {controller}")
            }
            Self::OtherGateway { gateway, controller: None } => {
                write!(f, "there is no GatewayClass of {gateway}")
            }
            Self::NoListener { gateway } => write!(f, "no listener of {gateway} takes it"),
            Self::NotRead => f.write_str("controller 1.8 does not read its kind"),
        }
    }
}
