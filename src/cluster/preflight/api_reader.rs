//! Requests to the API server, each with a limit of time and size.

use std::time::Duration;

use kube::{
    Client, Resource,
    api::{ApiResource, ListParams, PostParams, Request},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::{
    list_pages::list_pages,
    read_error::{ReadError, in_time},
    watched_object::WatchedObject,
};
use crate::{constants::MAX_PAGES, preflight::Listed};

/// Sends requests, and says in few words why one has failed.
pub(super) struct ApiReader {
    pub(super) client: Client,
}

impl ApiReader {
    /// Lists the objects of a kind: those of one namespace, or of all.
    pub(super) async fn list<K, T>(&self, namespace: Option<&str>, what: ListParams) -> Listed<T>
    where
        K: Resource<DynamicType = ()>,
        T: DeserializeOwned,
    {
        self.list_resource(&ApiResource::erase::<K>(&()), namespace, what).await
    }

    /// The same of a kind that this program does not know. A kind that the API server does not know
    /// has no objects.
    pub(super) async fn list_resource<T: DeserializeOwned>(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        what: ListParams,
    ) -> Listed<T> {
        let mut listed = Listed::default();
        let keep = |object: &WatchedObject| match serde_json::from_str(object.text()) {
            Ok(object) => listed.items.push(object),
            Err(error) => listed.missing = Some(format!("{}: {error}", object.name())),
        };
        let pages = list_pages(&self.client, resource, namespace, what, MAX_PAGES, keep);
        if let Err(error) = pages.await
            && !error.is_absent()
        {
            listed.missing = Some(error.to_string());
        }
        listed
    }

    /// Creates an object, or asks for a review, at `path`.
    pub(super) async fn create<T: DeserializeOwned>(
        &self,
        path: String,
        object: &Value,
        dry_run: bool,
        limit: Duration,
    ) -> Result<T, ReadError> {
        let options = PostParams { dry_run, ..PostParams::default() };
        let request = Request::new(path).create(&options, object.to_string().into_bytes());
        let request = request.map_err(|error| ReadError::Api(kube::Error::BuildRequest(error)))?;
        in_time(limit, self.client.request(request)).await
    }
}

#[cfg(test)]
mod tests {
    //! The API server in here is a mock: a real one refuses no single page.
    use std::convert::Infallible;

    use hyper::{Request, Response};
    use k8s_openapi::api::core::v1::Namespace;
    use kube::client::Body;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::preflight::NamespaceFacts;

    /// What is listed, if the API server answers the first page, and `later` to each further one.
    async fn listed(later: (u16, Value)) -> Listed<NamespaceFacts> {
        let first = (200, page("a", "next"));
        let service = tower::service_fn(move |request: Request<Body>| {
            let query = request.uri().query().unwrap_or_default();
            assert!(query.contains("limit=500"), "each request has a limit: {query}");
            let (status, body) =
                if query.contains("continue=") { later.clone() } else { first.clone() };
            let body = Body::from(body.to_string().into_bytes());
            let response = Response::builder().status(status).body(body).unwrap();
            async move { Ok::<_, Infallible>(response) }
        });
        let reader = ApiReader { client: Client::new(service, "default") };
        reader.list::<Namespace, _>(None, ListParams::default()).await
    }

    fn page(name: &str, next: &str) -> Value {
        let items = json!([{"metadata": {"name": name}}]);
        json!({"apiVersion": "v1", "kind": "NamespaceList", "metadata": {"continue": next}, "items": items})
    }

    fn refusal() -> Value {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "message": "not you", "reason": ""})
    }

    fn odd_object() -> Value {
        let items = json!([{"metadata": {"name": "odd", "labels": [1]}}]);
        json!({"apiVersion": "v1", "kind": "NamespaceList", "metadata": {}, "items": items})
    }

    #[rstest]
    #[case::all((200, page("b", "")), 2, None)]
    #[case::second_page_refused((403, refusal()), 1, Some("not you"))]
    #[case::one_object_unreadable((200, odd_object()), 1, Some("odd: invalid type"))]
    #[case::no_end((200, page("b", "next")), MAX_PAGES, Some("there are more than 40"))]
    #[tokio::test]
    async fn what_is_missing_is_said_and_the_rest_kept(
        #[case] later: (u16, Value),
        #[case] count: usize,
        #[case] missing: Option<&str>,
    ) {
        let listed = listed(later).await;
        assert_eq!(listed.items.len(), count, "{listed:?}");
        let found = listed.missing.unwrap_or_default();
        assert!(found.starts_with(missing.unwrap_or("")), "{missing:?}, and it is {found:?}");
        assert_eq!(found.is_empty(), missing.is_none(), "{found:?}");
    }
}
