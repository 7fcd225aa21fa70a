//! The AdmissionReview that the API server sends: the fields that the webhook uses.
//!
//! API reference: `admission.k8s.io/v1`, AdmissionReview.

use std::{
    borrow::Cow,
    str::{Utf8Error, from_utf8},
};

use serde::{Deserialize, de::IgnoredAny};

use super::json;
use crate::{
    constants::{ADMISSION_API_VERSION, MAX_ANNOTATIONS_BYTES, MAX_NAME_BYTES},
    injection::{AnnotationsBytes, Pod},
};

/// An admission request. `O` is the type of its object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionRequest<'a, O = Pod<'a>> {
    /// Identifies the request; the response repeats it.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The kind of the object.
    #[serde(borrow)]
    kind: GroupVersionKind<'a>,
    /// Set for a subresource such as `pods/eviction`.
    #[serde(borrow, default)]
    sub_resource: Option<Cow<'a, str>>,
    /// The namespace of the Pod. The Pod's own may be empty when a controller creates it.
    #[serde(borrow, default)]
    pub namespace: Cow<'a, str>,
    /// CREATE, UPDATE, DELETE or CONNECT.
    #[serde(borrow)]
    operation: Cow<'a, str>,
    /// Whether the API server discards the object afterwards. The response is the same.
    #[serde(default)]
    pub dry_run: Option<bool>,
    /// The object, defaulted. Absent on DELETE.
    #[serde(default = "none")]
    pub object: Option<O>,
    /// The length of the Pod's annotations, if they may be near the limit of the API server.
    #[serde(skip)]
    pub annotations_bytes: Option<usize>,
}

/// serde's `default` attribute alone requires that `O` has a default.
const fn none<O>() -> Option<O> {
    None
}

impl<O> AdmissionRequest<'_, O> {
    /// The object, if the request is the creation of a Pod.
    pub fn created_pod(&self) -> Option<&O> {
        let is_pod = self.kind.group.is_empty() && self.kind.kind == "Pod";
        let is_whole = self.sub_resource.as_deref().unwrap_or_default().is_empty();
        let created = is_pod && is_whole && self.operation == "CREATE";
        self.object.as_ref().filter(|_| created)
    }
}

#[derive(Debug, Deserialize)]
struct GroupVersionKind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
struct AdmissionReview<'a, O> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    request: Option<AdmissionRequest<'a, O>>,
}

/// Why a body gets no review. The API server gets an HTTP 400 with this text, and its
/// failurePolicy decides about the Pod.
#[derive(Debug, thiserror::Error)]
pub enum MalformedReview {
    /// It is not UTF-8.
    #[error("the body is not JSON: {0}")]
    NotUtf8(#[from] Utf8Error),
    /// It is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    /// It is JSON, but does not have the fields of an AdmissionReview.
    #[error("the body is not an AdmissionReview: {0}")]
    NotAReview(#[source] serde_json::Error),
    /// It is another kind or version.
    #[error("the body is {api_version} {kind}; expected {ADMISSION_API_VERSION} AdmissionReview")]
    OtherKind {
        /// Its apiVersion.
        api_version: String,
        /// Its kind.
        kind: String,
    },
    /// The API server never sends such a long name.
    #[error("uid or namespace has more than {MAX_NAME_BYTES} bytes")]
    TooLong,
    /// It has no request: it may be a response.
    #[error("the AdmissionReview has no request")]
    NoRequest,
}

/// Reads the body of a request.
///
/// # Errors
/// When it is not an `admission.k8s.io/v1` AdmissionReview with a request, or when it creates a Pod
/// with fields of the wrong type.
pub fn read(body: &[u8]) -> Result<AdmissionRequest<'_>, MalformedReview> {
    // Once for all strings: checking each by itself takes longer. The standard library, which is
    // slower, says where the text is wrong.
    let body = simdutf8::basic::from_utf8(body).or_else(|_| from_utf8(body))?;
    let mut request = read_text(body)?;
    // Only a long body can have long annotations. Their length takes a second reading.
    if body.len() > MAX_ANNOTATIONS_BYTES / 2 && request.created_pod().is_some() {
        let object = read_as::<AnnotationsBytes>(body)?.object;
        request.annotations_bytes = object.map(|AnnotationsBytes(length)| length);
    }
    Ok(request)
}

fn read_text(body: &str) -> Result<AdmissionRequest<'_>, MalformedReview> {
    match read_as::<Pod<'_>>(body) {
        // An object of another kind may have fields of other types. Such a request is valid, and
        // skipped.
        Err(MalformedReview::NotAReview(error)) => match read_as::<IgnoredAny>(body) {
            Ok(request) if request.created_pod().is_none() => Ok(request.without_object()),
            _ => Err(MalformedReview::NotAReview(error)),
        },
        result => result,
    }
}

impl<'a> AdmissionRequest<'a, IgnoredAny> {
    fn without_object(self) -> AdmissionRequest<'a> {
        let Self { uid, kind, sub_resource, namespace, operation, dry_run, .. } = self;
        AdmissionRequest {
            uid,
            kind,
            sub_resource,
            namespace,
            operation,
            dry_run,
            object: None,
            annotations_bytes: None,
        }
    }
}

fn read_as<'a, O: Deserialize<'a>>(
    body: &'a str,
) -> Result<AdmissionRequest<'a, O>, MalformedReview> {
    let review: AdmissionReview<'_, O> = json::from_str(body).map_err(|error| {
        if error.is_data() {
            MalformedReview::NotAReview(error)
        } else {
            MalformedReview::NotJson(error)
        }
    })?;
    if review.api_version != ADMISSION_API_VERSION || review.kind != "AdmissionReview" {
        let shorten = |text: Cow<'_, str>| text.escape_default().take(60).collect();
        let (api_version, kind) = (shorten(review.api_version), shorten(review.kind));
        return Err(MalformedReview::OtherKind { api_version, kind });
    }
    let request = review.request.ok_or(MalformedReview::NoRequest)?;
    if request.uid.len().max(request.namespace.len()) > MAX_NAME_BYTES {
        return Err(MalformedReview::TooLong);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn review(request: Value) -> Vec<u8> {
        let mut review = json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "1", "operation": "CREATE", "namespace": "shop",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "object": {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app"}]}},
                "oldObject": null, "dryRun": false, "options": {"kind": "CreateOptions"},
            },
        });
        json_patch::merge(&mut review["request"], &request);
        review.to_string().into_bytes()
    }

    #[test]
    fn the_creation_of_a_pod_is_read() {
        let body = review(json!({}));
        let request = read(&body).unwrap();
        assert_eq!((&*request.uid, &*request.namespace), ("1", "shop"));
        assert_eq!(request.created_pod().unwrap().metadata.as_ref().unwrap().name, "web");
    }

    #[rstest]
    #[case::update(json!({"operation": "UPDATE"}))]
    #[case::delete(json!({"operation": "DELETE", "object": null}))]
    #[case::connect(json!({"operation": "CONNECT", "subResource": "exec"}))]
    #[case::eviction(json!({"subResource": "eviction"}))]
    #[case::other_kind(json!({"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}}))]
    #[case::same_kind_of_another_group(json!({"kind": {"group": "example.org", "version": "v1", "kind": "Pod"}}))]
    #[case::other_kind_with_another_shape(json!({
        "kind": {"group": "example.org", "version": "v1", "kind": "Ship"},
        "object": {"spec": {"containers": "forty"}}}))]
    #[case::no_object(json!({"object": null}))]
    fn anything_else_is_read_and_is_no_pod(#[case] request: Value) {
        let body = review(request.clone());
        let request = read(&body).unwrap_or_else(|error| panic!("{request:#}: {error}"));
        assert!(request.created_pod().is_none(), "{request:?}");
    }

    #[rstest]
    #[case::nothing("", "the body is not JSON")]
    #[case::text("hello", "the body is not JSON")]
    #[case::half("{\"apiVersion\":", "the body is not JSON")]
    #[case::two("{} {}", "the body is not")]
    #[case::number("1", "the body is not an AdmissionReview")]
    #[case::other_object("{}", "the body is not an AdmissionReview: missing field `apiVersion`")]
    #[case::old_version(
        r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#,
        "the body is admission.k8s.io/v1beta1 AdmissionReview; expected admission.k8s.io/v1 AdmissionReview"
    )]
    #[case::a_pod(r#"{"apiVersion":"v1","kind":"Pod"}"#, "the body is v1 Pod; expected")]
    #[case::an_answer(
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{}}"#,
        "the AdmissionReview has no request"
    )]
    #[case::empty_request(
        r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}"#,
        "the body is not an AdmissionReview: missing field `uid`"
    )]
    fn what_is_wrong_is_said(#[case] body: &str, #[case] message: &str) {
        let error = read(body.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "expected {message:?}, got {error:?}");
    }

    #[rstest]
    #[case::containers(json!({"object": {"spec": {"containers": "forty"}}}))]
    #[case::grace(json!({"object": {"spec": {"terminationGracePeriodSeconds": "thirty"}}}))]
    #[case::annotation(json!({"object": {"metadata": {"annotations": {"apisix-prestop/delay": 5}}}}))]
    fn a_pod_of_no_valid_shape_is_refused(#[case] request: Value) {
        let error = read(&review(request)).unwrap_err();
        assert!(matches!(error, MalformedReview::NotAReview(_)), "{error:?}");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let error = read(b"{\"apiVersion\":\"\xff\"}").unwrap_err().to_string();
        assert_eq!(error, "the body is not JSON: invalid utf-8 sequence of 1 bytes from index 15");
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let body = "[".repeat(1_000_000);
        assert!(matches!(
            read(body.as_bytes()),
            Err(MalformedReview::NotJson(_) | MalformedReview::NotAReview(_))
        ));
    }
}
