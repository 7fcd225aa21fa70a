//! The annotations by which a Pod overrides the policy.
//!
//! A bad value never rejects a Pod: it adds a notice, and the next lower precedence applies. A value
//! above the maximum is cut to the maximum.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    notice::{Accepted, Instead, Notice, Notices, excerpt},
    pod::Pod,
    policy::Policy,
};
use crate::{
    constants::{
        ANNOTATIONS, CONTAINER_DELAYS_ANNOTATION, DELAY_ANNOTATION, EXISTING_HOOK_ANNOTATION,
        INJECT_DISABLED, INJECT_ENABLED_VALUES, MAX_NOTICES, SHUTDOWN_RESERVE_ANNOTATION,
        TARGET_ALWAYS, TARGET_ANNOTATION,
    },
    units::{Delay, OutOfRange, ShutdownReserve},
};

/// The longest annotation key that the API accepts: a prefix of 253, a slash, a name of 63.
const MAX_KEY_LENGTH: usize = 317;

/// What applies to a Pod.
#[derive(Debug)]
pub(super) struct Settings<'p> {
    delay: Delay,
    container_delays: BTreeMap<&'p str, Delay>,
    /// What the Pod keeps for its own shutdown.
    pub(super) reserve: ShutdownReserve,
    /// Whether a sleep goes before an existing exec hook.
    pub(super) prepend: bool,
    /// Whether the Pod gets the sleep whoever sends requests to it.
    pub(super) is_always_target: bool,
}

impl Settings<'_> {
    /// The delay of a container. One that nobody names sleeps at least as long as any `own` hook of
    /// the Pod: a sidecar that stops earlier breaks a container that still gets requests.
    pub(super) fn delay_of(&self, container: &str, own: Option<Delay>) -> Delay {
        match self.container_delays.get(container) {
            Some(delay) => *delay,
            None if self.delay.get() == 0 => self.delay,
            None => own.map_or(self.delay, |own| own.max(self.delay)),
        }
    }
}

/// Reads the Pod's annotations.
pub(super) fn settings<'p>(
    pod: &'p Pod<'_>,
    policy: &Policy,
    notices: &mut Notices,
) -> Settings<'p> {
    if let Some(value) = pod.inject_label()
        && !INJECT_ENABLED_VALUES.contains(&value)
        && !INJECT_DISABLED.contains(&value)
    {
        notices.push(Notice::LabelUnknown { value: excerpt(value) });
    }
    let unknown = pod.annotations_of_ours().filter(|(key, _)| !ANNOTATIONS.contains(key));
    for (key, _) in unknown.take(MAX_NOTICES) {
        // strsim allocates for each character, and the API server checks lengths only later.
        let start: String = key.chars().take(MAX_KEY_LENGTH).collect();
        let distance = |known: &&str| strsim::damerau_levenshtein(known, &start);
        if let Some(nearest) = ANNOTATIONS.into_iter().min_by_key(distance) {
            notices.push(Notice::AnnotationUnknown { key: excerpt(key), nearest });
        }
    }
    Settings {
        delay: delay(pod, policy, notices),
        container_delays: container_delays(pod, policy, notices),
        reserve: reserve(pod, policy, notices),
        prepend: prepend(pod, notices),
        is_always_target: is_always_target(pod, notices),
    }
}

fn delay(pod: &Pod<'_>, policy: &Policy, notices: &mut Notices) -> Delay {
    let Some(value) = pod.annotation(DELAY_ANNOTATION) else { return policy.delay };
    read_delay(DELAY_ANNOTATION, value, value, policy, notices).unwrap_or_else(|| {
        let accepted = Accepted::Seconds(policy.max_delay.get());
        let instead = Instead::Seconds(policy.delay.get());
        notices.push(malformed(DELAY_ANNOTATION, value, accepted, instead));
        policy.delay
    })
}

/// A delay no longer than the policy allows; `None` if the text is not a time. A notice quotes
/// `shown`.
fn read_delay(
    key: &'static str,
    text: &str,
    shown: &str,
    policy: &Policy,
    notices: &mut Notices,
) -> Option<Delay> {
    match text.parse::<Delay>() {
        Ok(delay) if delay <= policy.max_delay => Some(delay),
        Err(error) if error.out_of_range != Some(OutOfRange::Above) => None,
        _ => {
            notices.push(above_maximum(key, shown, policy.max_delay.get()));
            Some(policy.max_delay)
        }
    }
}

fn container_delays<'p>(
    pod: &'p Pod<'_>,
    policy: &Policy,
    notices: &mut Notices,
) -> BTreeMap<&'p str, Delay> {
    const KEY: &str = CONTAINER_DELAYS_ANNOTATION;
    let mut delays = BTreeMap::new();
    let Some(value) = pod.annotation(KEY) else { return delays };
    let names: BTreeSet<&str> = pod.spec.containers.iter().map(|c| &*c.name).collect();
    for entry in value.split(',').map(str::trim) {
        // Whatever the text is, it is not a list of containers.
        if notices.is_full() {
            break;
        }
        let (name, text) = entry.split_once('=').map_or((entry, ""), |(n, t)| (n.trim(), t));
        let twice = delays.contains_key(name);
        let delay = read_delay(KEY, text, entry, policy, notices);
        match delay.filter(|_| !name.is_empty() && !twice) {
            None => notices.push(malformed(KEY, entry, Accepted::ContainerDelay, Instead::Nothing)),
            Some(_) if !names.contains(name) => {
                notices.push(Notice::ContainerUnknown { name: excerpt(name) });
            }
            Some(delay) => _ = delays.insert(name, delay),
        }
    }
    delays
}

fn reserve(pod: &Pod<'_>, policy: &Policy, notices: &mut Notices) -> ShutdownReserve {
    const KEY: &str = SHUTDOWN_RESERVE_ANNOTATION;
    let Some(value) = pod.annotation(KEY) else { return policy.shutdown_reserve };
    let maximum = ShutdownReserve::MAX;
    match value.parse() {
        Ok(reserve) => reserve,
        Err(error) if error.out_of_range == Some(OutOfRange::Above) => {
            notices.push(above_maximum(KEY, value, maximum.get()));
            maximum
        }
        Err(_) => {
            let accepted = Accepted::Seconds(maximum.get());
            let instead = Instead::Seconds(policy.shutdown_reserve.get());
            notices.push(malformed(KEY, value, accepted, instead));
            policy.shutdown_reserve
        }
    }
}

fn is_always_target(pod: &Pod<'_>, notices: &mut Notices) -> bool {
    let Some(value) = pod.annotation(TARGET_ANNOTATION) else { return false };
    let is_always = value == TARGET_ALWAYS;
    if !is_always {
        notices.push(malformed(TARGET_ANNOTATION, value, Accepted::Always, Instead::Nothing));
    }
    is_always
}

fn prepend(pod: &Pod<'_>, notices: &mut Notices) -> bool {
    match pod.annotation(EXISTING_HOOK_ANNOTATION) {
        None | Some("keep") => false,
        Some("prepend") => true,
        Some(value) => {
            let key = EXISTING_HOOK_ANNOTATION;
            notices.push(malformed(key, value, Accepted::ExistingHook, Instead::Keep));
            false
        }
    }
}

fn malformed(key: &'static str, value: &str, accepted: Accepted, instead: Instead) -> Notice {
    Notice::AnnotationMalformed { key, value: excerpt(value), accepted, instead }
}

fn above_maximum(key: &'static str, value: &str, maximum: u32) -> Notice {
    Notice::AnnotationAboveMaximum { key, value: excerpt(value), maximum }
}
