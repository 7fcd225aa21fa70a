//! Who programs a route.

use super::{
    attachment::attachment,
    controller::{DEFAULT_INGRESS_CLASS, INGRESS_CLASS_1_8, IngressController, Version},
    kind::Kind,
    lookup::Lookup,
    object::{ClusterObject, DEFAULT_CLASS_ANNOTATION, INGRESS_CLASS_ANNOTATION, Spec},
    ownership::Ownership,
};

/// Whether `version` of the controller programs a route, and why.
pub(super) fn ownership(
    route: &ClusterObject,
    controller: &IngressController,
    version: Version,
    lookup: &Lookup<'_>,
) -> Ownership {
    match &route.spec {
        Spec::Ingress(ingress) => {
            let class = ingress.ingress_class_name.as_deref().filter(|class| !class.is_empty());
            let annotation = route.annotation(INGRESS_CLASS_ANNOTATION);
            match version {
                Version::V2 => of_class(class.or(annotation), controller, lookup),
                Version::V1_8 => {
                    let expected = match &*controller.ingress_class {
                        DEFAULT_INGRESS_CLASS => INGRESS_CLASS_1_8,
                        class => class,
                    };
                    of_class_name(annotation.or(class), expected)
                }
            }
        }
        Spec::ApisixRoute(spec) => {
            let class = spec.ingress_class_name.as_deref().filter(|class| !class.is_empty());
            match (version, class, &*controller.ingress_class) {
                (Version::V2, ..) => of_class(class, controller, lookup),
                (Version::V1_8, _, DEFAULT_INGRESS_CLASS) | (Version::V1_8, None, _) => {
                    Ownership::OfAnyClass
                }
                (Version::V1_8, class, expected) => of_class_name(class, expected),
            }
        }
        Spec::GatewayRoute(spec) => attachment(&route.id, spec, controller, version, lookup),
        _ => Ownership::NotRead,
    }
}

fn of_class(class: Option<&str>, controller: &IngressController, lookup: &Lookup<'_>) -> Ownership {
    let Some(class) = class else {
        let default = lookup.all(Kind::IngressClass, "").find(|(object, spec)| {
            let is_default = object.annotation(DEFAULT_CLASS_ANNOTATION) == Some("true");
            is_default && matches!(spec, Spec::IngressClass(it) if it.controller == controller.name)
        });
        return match default {
            Some((object, _)) => Ownership::OfDefaultClass {
                class: object.id.name.to_string(),
                controller: controller.name.clone(),
            },
            None => Ownership::NoDefaultClass,
        };
    };
    let class = class.to_owned();
    match lookup.get(Kind::IngressClass, "", &class).map(|object| &object.spec) {
        Some(Spec::IngressClass(spec)) if spec.controller == controller.name => {
            Ownership::OfClass { class, controller: controller.name.clone() }
        }
        Some(Spec::IngressClass(spec)) => {
            Ownership::OtherClass { class, controller: spec.controller.clone() }
        }
        _ => Ownership::ClassMissing { class },
    }
}

fn of_class_name(class: Option<&str>, expected: &str) -> Ownership {
    match class {
        Some(class) if class == expected => Ownership::OfClassName { class: class.to_owned() },
        class => Ownership::OtherClassName {
            class: class.map(str::to_owned),
            expected: expected.to_owned(),
        },
    }
}
