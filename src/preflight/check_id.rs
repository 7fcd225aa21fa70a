//! What is checked.

use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckSection {
    /// The API server and the kubelets.
    KubernetesApi,
    /// What the caller may do.
    Permissions,
    /// The MutatingWebhookConfiguration.
    Webhook,
    /// The Pods of the webhook.
    Replicas,
    /// The certificate that they serve.
    Certificate,
    /// Who has opted in.
    Namespaces,
    /// What happens to a Pod.
    DryRun,
    /// What else is in the cluster.
    Platform,
}

impl CheckSection {
    /// Its title, as on the page of each runbook.
    pub const fn title(self) -> &'static str {
        match self {
            Self::KubernetesApi => "Kubernetes API",
            Self::Permissions => "Permissions",
            Self::Webhook => "Webhook",
            Self::Replicas => "Replicas",
            Self::Certificate => "Certificate",
            Self::Namespaces => "Namespaces",
            Self::DryRun => "Dry run",
            Self::Platform => "Platform",
        }
    }
}

/// A check. Its name is its anchor in `docs/runbooks.md` too.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CheckId {
    /// The API server is new enough.
    ApiServerVersion,
    /// Every kubelet knows the native sleep.
    NativeSleep,
    /// The caller may read what this command reads.
    ReadPermissions,
    /// The caller may install the chart.
    InstallPermissions,
    /// Nothing is left of an earlier release.
    EarlierRelease,
    /// There is a webhook configuration.
    WebhookConfiguration,
    /// It is called when a Pod is created.
    WebhookRules,
    /// It selects the namespaces and Pods that it should.
    WebhookSelectors,
    /// No Pod is sent to two releases.
    TwoReleases,
    /// All replicas are ready.
    ReplicasReady,
    /// All replicas are the same.
    ReplicaVersions,
    /// This program and the release have the same version.
    VersionSkew,
    /// The webhook configuration names a CA.
    CaBundle,
    /// The CA has signed what the replicas serve.
    ServedCertificate,
    /// It is valid for long enough.
    CertificateExpiry,
    /// A namespace has opted in.
    OptedIn,
    /// The label is written as an annotation.
    LabelAsAnnotation,
    /// The label has another value.
    LabelValue,
    /// The label is on a namespace that is excluded.
    ExcludedNamespace,
    /// The label is on a workload.
    LabelOnWorkload,
    /// A Pod gets the hook and keeps it.
    DryRun,
    /// What changes a Pod afterwards.
    LaterAdmission,
    /// Which policy engines there are.
    PolicyEngine,
    /// NetworkPolicies let the API server in.
    NetworkPolicy,
    /// What the provider of the cluster needs.
    Provider,
}

impl CheckId {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The part of the report in which it is.
    pub const fn section(self) -> CheckSection {
        match self {
            Self::ApiServerVersion | Self::NativeSleep => CheckSection::KubernetesApi,
            Self::ReadPermissions | Self::InstallPermissions => CheckSection::Permissions,
            Self::EarlierRelease
            | Self::WebhookConfiguration
            | Self::WebhookRules
            | Self::WebhookSelectors
            | Self::TwoReleases => CheckSection::Webhook,
            Self::ReplicasReady | Self::ReplicaVersions | Self::VersionSkew => {
                CheckSection::Replicas
            }
            Self::CaBundle | Self::ServedCertificate | Self::CertificateExpiry => {
                CheckSection::Certificate
            }
            Self::OptedIn
            | Self::LabelAsAnnotation
            | Self::LabelValue
            | Self::ExcludedNamespace
            | Self::LabelOnWorkload => CheckSection::Namespaces,
            Self::DryRun | Self::LaterAdmission => CheckSection::DryRun,
            Self::PolicyEngine | Self::NetworkPolicy | Self::Provider => CheckSection::Platform,
        }
    }
}
