//! The objects of manifests, for those who only read them.

use serde_json::Value;

use super::{
    error::ManifestError,
    hint::hint,
    objects::{Pods, objects},
    source::{ManifestSource, ReadSource},
    text::{self, Reading},
};

/// An object of a manifest.
#[derive(Clone, Debug)]
pub struct ListedObject {
    /// Where it begins, such as `web.yaml:12`.
    pub place: String,
    /// Its apiVersion, which an item of a list such as a ServiceList need not have.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// The object.
    pub value: Value,
    /// The Pod, or the Pod template, if it has one.
    pub pod: Option<Value>,
}

impl ListedObject {
    /// Its name, or the `generateName` with which its name will begin. `None` if both are empty.
    pub fn name(&self) -> Option<&str> {
        self.metadata("name").or_else(|| self.metadata("generateName"))
    }

    /// The namespace that it names. `None` if it is empty.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata("namespace")
    }

    fn metadata(&self, field: &str) -> Option<&str> {
        self.value["metadata"][field].as_str().filter(|text| !text.is_empty())
    }
}

/// Lists the objects of `sources`, and why some of them cannot be read: a source ends at its first
/// document that is neither YAML nor JSON.
pub fn list(sources: Vec<ReadSource>) -> (Vec<ListedObject>, Vec<ManifestError>) {
    let (mut listed, mut errors) = (Vec::new(), Vec::new());
    for source in sources {
        match source {
            Ok(source) => list_source(&source, &mut listed, &mut errors),
            Err(error) => errors.push(error),
        }
    }
    (listed, errors)
}

fn list_source(
    source: &ManifestSource,
    listed: &mut Vec<ListedObject>,
    errors: &mut Vec<ManifestError>,
) {
    let fail = |line, document, fault| ManifestError::Manifest {
        hint: hint(source, line),
        file: source.name.clone(),
        line,
        document,
        fault: Box::new(fault),
    };
    let reading = Reading { must_be_json: source.must_be_json(), splits_lists: true };
    let documents = match text::documents(&source.text, reading) {
        Ok(documents) => documents,
        Err((line, number, fault)) => return errors.push(fail(line, number, fault)),
    };
    for document in documents {
        let document = match document {
            Ok(document) => document,
            Err((line, number, fault)) => {
                errors.push(fail(line, number, fault));
                continue;
            }
        };
        let data = match document.data() {
            Ok(data) => data,
            Err((line, fault)) => {
                errors.push(fail(line, document.number, fault));
                continue;
            }
        };
        for object in objects(&data.value, document.of_list.as_ref()) {
            let line = document.line_of(&object.path);
            let pod = match &object.pods {
                Pods::At { path, .. } => object.value.pointer(path.as_str()).cloned(),
                _ => None,
            };
            listed.push(ListedObject {
                place: format!("{}:{line}", source.name),
                api_version: object.api_version,
                kind: object.kind,
                value: object.value.clone(),
                pod,
            });
        }
    }
}
