//! The kinds of routes that make a Pod an upstream of APISIX.

/// A kind of route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// APISIX's own.
    ApisixRoute,
    /// Of the class `apisix`.
    Ingress,
    /// Of the Gateway API.
    HttpRoute,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ApisixRoute, Self::Ingress, Self::HttpRoute];

    /// The name of the kind.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::ApisixRoute => "ApisixRoute",
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
        }
    }

    /// The name of the workload behind it, of its Service and of the route itself.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ApisixRoute => "apisix-route",
            Self::Ingress => "ingress",
            Self::HttpRoute => "http-route",
        }
    }

    /// The name of its host, which is another one in each namespace.
    pub(crate) fn host(self, namespace: &str) -> String {
        format!("{}.{namespace}.test", self.name())
    }

    /// The route, in which `$NAME` and `$HOST` are to be filled in.
    pub(crate) fn manifest(self) -> &'static str {
        match self {
            Self::ApisixRoute => include_str!("../manifests/routes/apisix-route.yaml"),
            Self::Ingress => include_str!("../manifests/routes/ingress.yaml"),
            Self::HttpRoute => include_str!("../manifests/routes/http-route.yaml"),
        }
    }
}

/// An Ingress of APISIX that sends requests to the Service `web`.
pub const WEB_INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: apisix
  rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
";
