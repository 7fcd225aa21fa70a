//! Reads and writes the Secret. Its resourceVersion decides between replicas that write at the same
//! moment.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::PostParams};

use super::{state::State, step::RotationRequest};
use crate::constants::{DEFAULT_NAME, ROTATE_ANNOTATION};

/// The request in the annotation of the Secret.
pub(super) fn request(secret: &Secret) -> Option<RotationRequest> {
    secret
        .metadata
        .annotations
        .as_ref()?
        .get(ROTATE_ANNOTATION)
        .map(String::as_str)
        .and_then(RotationRequest::named)
}

/// Replaces the Secret that was `found` by `state`, or creates it. Removes the annotation with the
/// request, which the new content fulfils.
///
/// # Errors
/// With a conflict when the Secret has changed since.
pub(super) async fn write(
    secrets: &Api<Secret>,
    name: &str,
    found: Option<&Secret>,
    state: &State,
) -> kube::Result<Secret> {
    let field_manager = Some(DEFAULT_NAME.to_owned());
    let parameters = PostParams { field_manager, ..PostParams::default() };
    let data = Some(state.data());
    let Some(found) = found else {
        let labels = [("app.kubernetes.io/managed-by", DEFAULT_NAME)];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from(labels)),
            ..ObjectMeta::default()
        };
        let type_ = Some("kubernetes.io/tls".to_owned());
        return secrets
            .create(&parameters, &Secret { metadata, data, type_, ..Secret::default() })
            .await;
    };
    // The type cannot change, and the resourceVersion makes this safe.
    let mut metadata = found.metadata.clone();
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(ROTATE_ANNOTATION);
    }
    let type_ = found.type_.clone();
    secrets.replace(name, &parameters, &Secret { metadata, data, type_, ..Secret::default() }).await
}
