//! The objects of manifests that a command only reads.

use std::path::PathBuf;

use crate::{
    manifests::{ListedObject, ManifestError, list, read_sources},
    upstreams::{ClusterObject, IngressController, UpstreamIndex, served_by},
};

/// Reads the objects. What cannot be read is named on stderr, and left out.
///
/// # Errors
/// When a path that somebody has typed cannot be read.
#[expect(clippy::print_stderr, reason = "the report is for pipes, what is left out for people")]
pub(super) fn manifest_objects(
    paths: &[PathBuf],
    recursive: bool,
) -> Result<Vec<ListedObject>, ManifestError> {
    let (listed, errors) = list(read_sources(paths, recursive)?);
    for error in errors {
        // A path that somebody has typed is another matter than a file in a directory.
        match &error {
            ManifestError::Read { path, .. }
                if paths.iter().any(|it| it.as_os_str() == &**path) =>
            {
                return Err(error);
            }
            _ => eprintln!("skipped: {error}"),
        }
    }
    Ok(listed)
}

/// The index of the objects that say which Pods APISIX sends requests to. One without a namespace is
/// in `namespace`. What cannot be read is named on stderr, and left out.
#[expect(clippy::print_stderr, reason = "the report is for pipes, what is left out for people")]
pub(super) fn index_of(
    objects: &[ListedObject],
    controller: IngressController,
    namespace: &str,
) -> UpstreamIndex {
    let mut index = UpstreamIndex::new(controller);
    for ListedObject { place, api_version, kind, value, .. } in objects {
        if let Some(kind) = served_by(api_version, kind, value) {
            index.serve(kind, true);
        }
        match ClusterObject::from_manifest(api_version, kind, value, namespace) {
            Ok(Some(object)) => index.apply(object),
            Ok(None) => {}
            Err(error) => eprintln!("skipped: {place}: {error}"),
        }
    }
    index
}
