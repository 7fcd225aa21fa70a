//! Webhooks of others, before and after ours.

use std::{fmt, str::FromStr};

use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

/// A webhook of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Is built with the types of Kubernetes 1.27, which drop what they do not know.
    OlderTypes,
    /// Limits the grace period.
    Cap(i64),
    /// Adds a container, with a hook of its own or without.
    Sidecar(Option<u32>),
    /// Drops the annotations of others.
    Annotations,
}

impl Other {
    /// Changes `pod` as it does.
    pub fn call(self, pod: &mut Value) {
        match self {
            Self::OlderTypes => {
                for container in pod["spec"]["containers"].as_array_mut().unwrap() {
                    if let Some(hook) = container.pointer_mut("/lifecycle/preStop") {
                        hook.as_object_mut().unwrap().remove("sleep");
                    }
                }
            }
            Self::Cap(most) => {
                let grace = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
                let grace = grace.min(most);
                pod["spec"]["terminationGracePeriodSeconds"] = json!(grace);
            }
            Self::Sidecar(sleep) => {
                let containers = pod["spec"]["containers"].as_array_mut().unwrap();
                if containers.iter().all(|container| container["name"] != "sidecar") {
                    let mut sidecar = json!({"name": "sidecar", "image": "none"});
                    if let Some(seconds) = sleep {
                        let command = ["sleep".to_owned(), seconds.to_string()];
                        sidecar["lifecycle"]["preStop"]["exec"]["command"] = json!(command);
                    }
                    containers.push(sidecar);
                }
            }
            Self::Annotations => pod["metadata"]["annotations"] = json!({"other": "annotation"}),
        }
    }
}

/// Any of them.
pub fn other() -> impl Strategy<Value = Other> {
    prop_oneof![
        Just(Other::OlderTypes),
        (1..100i64).prop_map(Other::Cap),
        select(vec![None, Some(3), Some(40)]).prop_map(Other::Sidecar),
        Just(Other::Annotations),
    ]
}

/// As the value of a label.
impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OlderTypes => f.write_str("older-types"),
            Self::Cap(most) => write!(f, "cap-{most}"),
            Self::Sidecar(None) => f.write_str("sidecar"),
            Self::Sidecar(Some(seconds)) => write!(f, "sidecar-{seconds}"),
            Self::Annotations => f.write_str("annotations"),
        }
    }
}

impl FromStr for Other {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('-') {
            Some(("cap", most)) => Self::Cap(most.parse()?),
            Some(("sidecar", seconds)) => Self::Sidecar(Some(seconds.parse()?)),
            Some(_) => Self::OlderTypes,
            None if text == "sidecar" => Self::Sidecar(None),
            None => Self::Annotations,
        })
    }
}

/// Whether the webhooks that come after ours undo what it does in its last call. The API server asks
/// each webhook twice at most, so nothing can be done about that, and docs/decisions.md says so.
pub fn is_beyond_us(others: &[Other], ours: usize) -> bool {
    let any = |of: fn(&Other) -> bool| others[ours..].iter().any(of);
    let caps = any(|other| matches!(other, Other::Cap(_)));
    // A container that we see for the first time in the last call gets its sleep there.
    let adds = any(|other| matches!(other, Other::Sidecar(_)));
    // Without its annotation our sleep is the author's, for which the grace period is raised; and a Pod
    // that did not want a sleep gets one in the last call.
    let drops = others.contains(&Other::Annotations);
    (adds || drops) && (caps || any(|other| *other == Other::OlderTypes))
}
