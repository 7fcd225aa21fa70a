//! Other webhooks, before and after ours: none of them makes us harm a Pod.
//!
//! The order of calls is that of the API server: each webhook once, and then once more each that
//! others have changed the Pod after (`reinvocationPolicy: IfNeeded`).

use apisix_prestop::injection::Policy;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use support::{
    generator,
    plan::{patch, patched},
};

use super::properties::{faults, grace};

/// A webhook of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
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
    fn call(self, pod: &mut Value) {
        match self {
            Self::OlderTypes => {
                for container in pod["spec"]["containers"].as_array_mut().unwrap() {
                    if let Some(hook) = container.pointer_mut("/lifecycle/preStop") {
                        hook.as_object_mut().unwrap().remove("sleep");
                    }
                }
            }
            Self::Cap(most) => {
                let grace = grace(pod).min(most);
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

fn other() -> impl Strategy<Value = Other> {
    prop_oneof![
        Just(Other::OlderTypes),
        (1..100i64).prop_map(Other::Cap),
        select(vec![None, Some(3), Some(40)]).prop_map(Other::Sidecar),
        Just(Other::Annotations),
    ]
}

/// The Pod after all webhooks; `None` in `webhooks` is ours.
fn admitted(pod: &Value, webhooks: &[Option<Other>], policy: &Policy) -> Value {
    let mut pod = pod.clone();
    let mut left_by = vec![Value::Null; webhooks.len()];
    for _ in 0..2 {
        for (webhook, left) in webhooks.iter().zip(&mut left_by) {
            if *left == pod {
                continue;
            }
            match webhook {
                Some(other) => other.call(&mut pod),
                None => pod = patched(&pod, policy),
            }
            *left = pod.clone();
        }
    }
    pod
}

/// Whether the webhooks that come after ours undo what it does in its last call. The API server asks
/// each webhook twice at most, so nothing can be done about that, and docs/decisions.md says so.
fn is_beyond_us(others: &[Other], ours: usize) -> bool {
    let any = |of: fn(&Other) -> bool| others[ours..].iter().any(of);
    let caps = any(|other| matches!(other, Other::Cap(_)));
    // A container that we see for the first time in the last call gets its sleep there.
    let adds = any(|other| matches!(other, Other::Sidecar(_)));
    // Without its annotation our sleep is the author's, for which the grace period is raised.
    let drops = others.contains(&Other::Annotations);
    (adds && (caps || any(|other| *other == Other::OlderTypes))) || (drops && caps)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_pod_that_is_admitted_without_us_is_admitted_with_us(
        pod in generator::pod(),
        others in prop::collection::vec(other(), 1..4),
        at in any::<prop::sample::Index>(),
        policy in generator::policy(),
    ) {
        let without: Vec<_> = others.iter().copied().map(Some).collect();
        let mut with = without.clone();
        with.insert(at.index(others.len() + 1), None);
        let expected = admitted(&pod, &without, &policy);
        prop_assume!(faults(&expected).is_empty());
        prop_assume!(!is_beyond_us(&others, at.index(others.len() + 1)));
        let after = admitted(&pod, &with, &policy);
        prop_assert_eq!(faults(&after), Vec::<String>::new(), "{:?}: {:#}", with, after);
    }

    #[test]
    fn the_third_look_finds_nothing_to_do(
        pod in generator::pod(),
        others in prop::collection::vec(other(), 1..4),
        policy in generator::policy(),
    ) {
        let mut pod = patched(&pod, &policy);
        for other in others {
            other.call(&mut pod);
        }
        let second = patched(&pod, &policy);
        let third = patch(&second, &policy);
        prop_assert!(third.0.is_empty(), "{} for {:#}", third, second);
    }
}
