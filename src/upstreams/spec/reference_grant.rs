//! ReferenceGrant (gateway.networking.k8s.io).

use serde::Deserialize;

/// What the rules read of a ReferenceGrant: what it permits in its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ReferenceGrantSpec {
    /// Who may name something.
    pub from: Option<Box<[GrantFrom]>>,
    /// What they may name.
    pub to: Option<Box<[GrantTo]>>,
}

/// Who may name something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GrantFrom {
    /// The group of the routes.
    pub group: String,
    /// The kind of the routes.
    pub kind: String,
    /// The namespace of the routes.
    pub namespace: String,
}

/// What routes may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GrantTo {
    /// Its group; empty for a Service.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name. Without one, all of the kind.
    pub name: Option<String>,
}
