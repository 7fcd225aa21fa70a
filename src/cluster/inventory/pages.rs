//! Lists of any length.

use std::time::Duration;

use kube::{
    Api, Client,
    api::{ApiResource, ListParams},
};
use tokio::time::timeout;

use super::super::watched_object::WatchedObject;
use crate::constants::{LIST_PAGE_TIMEOUT, OBJECTS_OF_A_PAGE};

/// Why a list ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// The API server refuses, or does not answer.
    #[error("{0}")]
    Api(#[from] kube::Error),
    /// It takes too long.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
}

impl PageError {
    /// Whether the API server does not know the kind.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Api(kube::Error::Api(status)) if status.code == 404)
    }

    /// Whether the user may not list the objects.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Api(kube::Error::Api(status)) if status.code == 403)
    }
}

/// Calls `take` with each object of a kind: those of one namespace, or all. Keeps one page.
///
/// # Errors
/// When a page cannot be read. The objects of the pages before it were taken.
pub(super) async fn list_pages(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    parameters: ListParams,
    mut take: impl FnMut(&WatchedObject),
) -> Result<(), PageError> {
    let api = match namespace {
        Some(namespace) => {
            Api::<WatchedObject>::namespaced_with(client.clone(), namespace, resource)
        }
        None => Api::all_with(client.clone(), resource),
    };
    let mut parameters = parameters.limit(OBJECTS_OF_A_PAGE);
    loop {
        let page = timeout(LIST_PAGE_TIMEOUT, api.list(&parameters)).await;
        let page = page.map_err(|_| PageError::Timeout(LIST_PAGE_TIMEOUT))??;
        page.items.iter().for_each(&mut take);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(()),
        }
    }
}
