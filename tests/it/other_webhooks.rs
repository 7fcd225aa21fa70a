//! Other webhooks, before and after ours: none of them makes us harm a Pod.
//!
//! The order of calls is that of the API server: each webhook once, and then once more each that
//! others have changed the Pod after (`reinvocationPolicy: IfNeeded`).

use apisix_prestop::injection::Policy;
use proptest::prelude::*;
use serde_json::Value;
use support::{
    generator,
    other_webhook::{Other, is_beyond_us, other},
    plan::{patch, patched},
};

use super::properties::faults;

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
