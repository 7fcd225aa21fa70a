//! The record of an injection: the annotation `apisix-prestop/injected`.
//!
//! People can read `web=5s,api=5s; grace 30s→45s; target: no Service`. It is also exact: a second review of a Pod
//! recognizes our hooks by it, and `uninject` removes what it names.

use std::{fmt, str::FromStr};

use json_patch::{
    AddOperation, Patch, PatchOperation, RemoveOperation,
    jsonptr::{PointerBuf, Token},
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use strum::VariantArray;

use super::{
    grace::GraceRaise,
    hook::{Hook, behind_prepended},
};
use crate::{
    constants::{INJECTED_ANNOTATION, MAX_RECORD_BYTES},
    units::Delay,
};

/// The changes to a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InjectionRecord {
    /// The containers that got a sleep, in the order in which they got it.
    pub containers: Vec<RecordedHook>,
    /// What happened to the grace period.
    pub grace: Option<RecordedGrace>,
    /// Whether the Pod had empty `annotations` before.
    pub annotations_were_empty: bool,
    /// What sends requests to the Pod, as far as it was known at the injection.
    pub target: Option<String>,
}

/// Comes before the target of the Pod.
const TARGET: &str = "target: ";

/// What happened to the grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedGrace {
    /// We raised it: written `grace 30s→70s`.
    Raised(GraceRaise),
    /// Somebody lowered it after an injection, to so many seconds, and our sleeps have to fit:
    /// written `grace lowered to 50s`.
    Lowered(i64),
}

/// The change to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedHook {
    /// Its name.
    pub container: String,
    /// How long it sleeps.
    pub delay: Delay,
    /// How it got the sleep.
    pub change: RecordedChange,
}

/// How a container got its sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedChange {
    /// As a hook in a new `lifecycle`.
    Added,
    /// As a hook in an empty `lifecycle`: written `web=5s{}`.
    AddedToEmptyLifecycle,
    /// Before its own exec hook: written `web=5s+hook`.
    Prepended,
}

impl RecordedChange {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Added => "",
            Self::AddedToEmptyLifecycle => "{}",
            Self::Prepended => "+hook",
        }
    }
}

impl fmt::Display for InjectionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for RecordedHook { container, delay, change } in &self.containers {
            write!(f, "{between}{container}={}s{}", delay.get(), change.suffix())?;
            between = ",";
        }
        if !between.is_empty() {
            between = "; ";
        }
        if let Some(grace) = self.grace {
            write!(f, "{between}grace {grace}")?;
            between = "; ";
        }
        if self.annotations_were_empty {
            write!(f, "{between}annotations {{}}")?;
            between = "; ";
        }
        if let Some(target) = &self.target {
            write!(f, "{between}{TARGET}{target}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RecordedGrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised(GraceRaise { from: Some(from), to }) => write!(f, "{from}s→{to}s"),
            Self::Raised(GraceRaise { from: None, to }) => write!(f, "unset→{to}s"),
            Self::Lowered(to) => write!(f, "lowered to {to}s"),
        }
    }
}

impl Serialize for InjectionRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The annotation is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected what apisix-prestop writes there, such as web=5s,api=5s; grace 30s→45s")]
pub struct ParseRecordError;

impl FromStr for InjectionRecord {
    type Err = ParseRecordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Some(text)
            .filter(|text| text.len() <= MAX_RECORD_BYTES)
            .and_then(parse)
            .ok_or(ParseRecordError)
    }
}

fn parse(text: &str) -> Option<InjectionRecord> {
    let mut record = InjectionRecord::default();
    for (place, part) in text.split("; ").enumerate() {
        if let Some(grace) = part.strip_prefix("grace ") {
            record.grace = Some(parse_grace(grace)?);
        } else if part == "annotations {}" {
            record.annotations_were_empty = true;
        } else if let Some(target) = part.strip_prefix(TARGET) {
            record.target = Some(target.to_owned());
        } else if place == 0 {
            record.containers = part.split(',').map(parse_hook).collect::<Option<_>>()?;
        } else {
            return None;
        }
    }
    Some(record)
}

fn parse_grace(text: &str) -> Option<RecordedGrace> {
    let seconds = |text: &str| text.strip_suffix('s')?.parse::<i64>().ok();
    if let Some(to) = text.strip_prefix("lowered to ") {
        return seconds(to).map(RecordedGrace::Lowered);
    }
    let (from, to) = text.split_once('→')?;
    let from = if from == "unset" { None } else { Some(seconds(from)?) };
    Some(RecordedGrace::Raised(GraceRaise { from, to: seconds(to)? }))
}

fn parse_hook(text: &str) -> Option<RecordedHook> {
    use RecordedChange::{Added, AddedToEmptyLifecycle, Prepended};
    let (container, delay) = text.split_once('=')?;
    let (delay, change) = [AddedToEmptyLifecycle, Prepended]
        .into_iter()
        .find_map(|change| Some((delay.strip_suffix(change.suffix())?, change)))
        .unwrap_or((delay, Added));
    let delay = delay.parse().ok()?;
    (!container.is_empty()).then(|| RecordedHook { container: container.to_owned(), delay, change })
}

impl InjectionRecord {
    /// Whether it names no change.
    pub(super) fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.grace.is_none()
    }

    /// How much of the space for annotations it takes, in bytes.
    pub(super) fn annotation_bytes(&self) -> usize {
        INJECTED_ANNOTATION.len() + self.to_string().len()
    }

    /// The change to `container`.
    pub fn of(&self, container: &str) -> Option<&RecordedHook> {
        self.containers.iter().find(|hook| hook.container == container)
    }

    /// Removes, from the Pod or its template, what the record names and the annotation itself. What
    /// has changed since stays, and with a hook the grace period that it needs.
    pub fn removal<'r>(&'r self, pod: &Value) -> Removal<'r> {
        let (mut operations, mut kept) = (Vec::new(), Vec::new());
        let containers = pod["spec"]["containers"].as_array().map_or(&[][..], Vec::as_slice);
        for (index, container) in containers.iter().enumerate() {
            let name = container["name"].as_str().unwrap_or_default();
            let Some(hook) = self.of(name) else { continue };
            let lifecycle = &container["lifecycle"];
            match hook.removal(index, lifecycle) {
                Some(operation) => operations.push(operation),
                None if lifecycle["preStop"].is_object() => kept.push(&*hook.container),
                None => {}
            }
        }
        let grace = ["spec", "terminationGracePeriodSeconds"];
        let now = pod["spec"][grace[1]].as_i64();
        let mut keeps_grace = None;
        if let Some(RecordedGrace::Raised(raise)) = self.grace {
            if now != Some(raise.to) || !kept.is_empty() {
                keeps_grace = now;
            } else {
                operations.push(match raise.from {
                    Some(from) => add(grace, json!(from)),
                    None => remove(grace),
                });
            }
        }
        operations.extend(self.annotation_removal(&pod["metadata"]));
        Removal { patch: Patch(operations), kept, keeps_grace }
    }

    fn annotation_removal(&self, metadata: &Value) -> Option<PatchOperation> {
        let annotations = metadata["annotations"].as_object()?;
        annotations.get(INJECTED_ANNOTATION)?;
        let alone = annotations.len() == 1 && !self.annotations_were_empty;
        Some(if alone && metadata.as_object().is_some_and(|metadata| metadata.len() == 1) {
            remove(["metadata"])
        } else if alone {
            remove(["metadata", "annotations"])
        } else {
            remove(["metadata", "annotations", INJECTED_ANNOTATION])
        })
    }
}

/// What leads back from an injected Pod.
#[derive(Debug)]
pub struct Removal<'r> {
    /// The patch, relative to the Pod or its template.
    pub patch: Patch,
    /// The containers whose hooks have changed since, and stay.
    pub kept: Vec<&'r str>,
    /// The grace period that stays although it was raised, in seconds.
    pub keeps_grace: Option<i64>,
}

impl RecordedHook {
    fn removal(&self, index: usize, lifecycle: &Value) -> Option<PatchOperation> {
        let index = index.to_string();
        let path = ["spec", "containers", &index, "lifecycle", "preStop", "exec", "command"];
        let hook = lifecycle.get("preStop")?;
        if self.change == RecordedChange::Prepended {
            let words = hook["exec"]["command"].as_array()?;
            return Some(add(path, behind_prepended(words)?.into()));
        }
        let ours = Hook::VARIANTS.iter().any(|kind| {
            serde_json::to_value(kind.handler(self.delay)).is_ok_and(|handler| handler == *hook)
        });
        let alone = lifecycle.as_object().is_some_and(|lifecycle| lifecycle.len() == 1);
        let whole = alone && self.change == RecordedChange::Added;
        ours.then(|| remove(path[..if whole { 4 } else { 5 }].iter().copied()))
    }
}

fn add<'a>(path: impl IntoIterator<Item = &'a str>, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation { path: pointer(path), value })
}

fn remove<'a>(path: impl IntoIterator<Item = &'a str>) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path: pointer(path) })
}

fn pointer<'a>(path: impl IntoIterator<Item = &'a str>) -> PointerBuf {
    PointerBuf::from_tokens(path.into_iter().map(Token::new))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn hook(container: &str, seconds: u32, change: RecordedChange) -> RecordedHook {
        RecordedHook { container: container.into(), delay: Delay::clamped(seconds), change }
    }

    #[rstest]
    #[case::one("web=5s", InjectionRecord {
        containers: vec![hook("web", 5, RecordedChange::Added)], ..Default::default() })]
    #[case::all("web=5s,api=90s{},old=7s+hook; grace 30s→45s; annotations {}; target: no Service", InjectionRecord {
        containers: vec![
            hook("web", 5, RecordedChange::Added),
            hook("api", 90, RecordedChange::AddedToEmptyLifecycle),
            hook("old", 7, RecordedChange::Prepended),
        ],
        grace: Some(RecordedGrace::Raised(GraceRaise { from: Some(30), to: 45 })),
        annotations_were_empty: true,
        target: Some("no Service".to_owned()) })]
    #[case::unset("web=5s; grace unset→45s", InjectionRecord {
        containers: vec![hook("web", 5, RecordedChange::Added)],
        grace: Some(RecordedGrace::Raised(GraceRaise { from: None, to: 45 })), ..Default::default() })]
    #[case::negative("web=5s; grace -1s→15s", InjectionRecord {
        containers: vec![hook("web", 5, RecordedChange::Added)],
        grace: Some(RecordedGrace::Raised(GraceRaise { from: Some(-1), to: 15 })), ..Default::default() })]
    #[case::lowered("web=5s; grace lowered to 5s", InjectionRecord {
        containers: vec![hook("web", 5, RecordedChange::Added)],
        grace: Some(RecordedGrace::Lowered(5)), ..Default::default() })]
    #[case::grace_alone("grace 30s→50s; annotations {}", InjectionRecord {
        grace: Some(RecordedGrace::Raised(GraceRaise { from: Some(30), to: 50 })),
        annotations_were_empty: true, ..Default::default() })]
    fn is_written_and_read(#[case] text: &str, #[case] record: InjectionRecord) {
        assert_eq!(record.to_string(), text);
        assert_eq!(text.parse(), Ok(record));
    }

    #[rstest]
    #[case::empty("")]
    #[case::word("true")]
    #[case::no_name("=5s")]
    #[case::no_delay("web=")]
    #[case::other_part("web=5s; colour red")]
    #[case::half_a_grace("web=5s; grace 30s")]
    #[case::other_arrow("web=5s; grace 30s->45s")]
    fn what_somebody_else_wrote_is_not_read(#[case] text: &str) {
        assert_eq!(text.parse::<InjectionRecord>(), Err(ParseRecordError), "{text:?}");
    }
}
