//! Lists of any length.

use kube::{
    Client,
    api::{ApiResource, ListParams},
};

use super::{
    read_error::{ReadError, in_time},
    watched_object::WatchedObject,
};
use crate::constants::{LIST_PAGE_TIMEOUT, OBJECTS_OF_A_PAGE};

/// Calls `take` with each object of a kind: those of one namespace, or all. Keeps one page.
///
/// # Errors
/// When a page cannot be read, or there are more than `most`. The objects of the pages before it were
/// taken.
pub(super) async fn list_pages(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    what: ListParams,
    most: usize,
    mut take: impl FnMut(&WatchedObject),
) -> Result<(), ReadError> {
    let api = WatchedObject::api(client.clone(), resource, namespace);
    let mut what = what.limit(OBJECTS_OF_A_PAGE);
    let mut count = 0;
    for _ in 0..most {
        let page = in_time(LIST_PAGE_TIMEOUT, api.list(&what)).await?;
        count += page.items.len();
        page.items.iter().for_each(&mut take);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => what = what.continue_token(&token),
            None => return Ok(()),
        }
    }
    Err(ReadError::TooMany(count))
}
