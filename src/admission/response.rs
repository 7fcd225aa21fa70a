//! The response to an AdmissionReview. It always allows the Pod.
//!
//! API reference: `admission.k8s.io/v1`, AdmissionResponse.

use base64::{Engine, encoded_len, prelude::BASE64_STANDARD};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{outcome::Outcome, review::AdmissionRequest};
use crate::{
    constants::ADMISSION_API_VERSION,
    injection::{Decision, Plan},
    upstreams::Target,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionReviewResponse<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: AdmissionResponse<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionResponse<'a> {
    uid: &'a str,
    allowed: bool,
    // The API server requires both of these, or neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    audit_annotations: AuditAnnotations<'a>,
}

/// In the audit log as `<webhook name>/<key>`.
#[derive(Serialize)]
struct AuditAnnotations<'a> {
    decision: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    target: Option<&'a Target>,
}

fn as_text<S: Serializer>(target: &Option<&Target>, serializer: S) -> Result<S::Ok, S::Error> {
    match target {
        Some(target) => serializer.collect_str(target),
        None => serializer.serialize_none(),
    }
}

/// The size of a patch for a container or two, and of a response without its patch, in bytes. Both
/// may be larger.
const USUAL_LENGTH: usize = 512;

/// Writes the body of the response, with a patch if the outcome is [`Outcome::Inject`].
///
/// # Errors
/// When serde_json cannot write one of the types.
pub fn write(
    request: &AdmissionRequest<'_>,
    plan: &Plan<'_>,
    target: Option<&Target>,
    outcome: Outcome,
) -> Result<Vec<u8>, serde_json::Error> {
    let patch = match &plan.decision {
        Decision::Inject(injection) if outcome == Outcome::Inject => {
            let mut json = Vec::with_capacity(USUAL_LENGTH);
            serde_json::to_writer(&mut json, injection)?;
            Some(base64(&json)?)
        }
        _ => None,
    };
    let patch_length = patch.as_ref().map_or(0, |patch| patch.get().len());
    let mut answer = Vec::with_capacity(USUAL_LENGTH + patch_length);
    serde_json::to_writer(
        &mut answer,
        &AdmissionReviewResponse {
            api_version: ADMISSION_API_VERSION,
            kind: "AdmissionReview",
            response: AdmissionResponse {
                uid: &request.uid,
                allowed: true,
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch,
                warnings: plan.notices.iter().map(ToString::to_string).collect(),
                audit_annotations: AuditAnnotations {
                    decision: outcome.as_str(),
                    reason: plan.decision.reason().as_str(),
                    target,
                },
            },
        },
    )?;
    Ok(answer)
}

/// The bytes as a JSON string in Base64, in which serde_json looks for nothing to escape.
fn base64(bytes: &[u8]) -> Result<Box<RawValue>, serde_json::Error> {
    let length = encoded_len(bytes.len(), true).unwrap_or_default();
    let mut string = String::with_capacity(length + 2);
    string.push('"');
    BASE64_STANDARD.encode_string(bytes, &mut string);
    string.push('"');
    RawValue::from_string(string)
}
