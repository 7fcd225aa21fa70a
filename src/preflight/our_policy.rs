//! The MutatingAdmissionPolicy with which the chart replaces the webhook (`engine: policy`), and what it
//! says of the values of the chart.

use super::admission::MutatingPolicy;
use crate::{
    constants::{DEFAULT_NAME, NAME_LABEL},
    injection::{GracePolicy, Policy},
    units::{Delay, ShutdownReserve},
};

/// Whether a release of our chart has made the policy.
pub fn is_our_policy(policy: &MutatingPolicy) -> bool {
    policy.metadata.label(NAME_LABEL) == Some(DEFAULT_NAME)
}

/// What a policy of ours decides by. The chart writes its values into the first variables.
pub fn settings_of(policy: &MutatingPolicy) -> Policy {
    let seconds = |name: &str| policy.variable(name).and_then(|it| it.parse::<u32>().ok());
    let defaults = Policy::default();
    Policy {
        delay: seconds("defaultDelay").map_or(defaults.delay, Delay::clamped),
        max_delay: seconds("maxDelay").map_or(defaults.max_delay, Delay::clamped),
        shutdown_reserve: seconds("defaultReserve")
            .map_or(defaults.shutdown_reserve, ShutdownReserve::clamped),
        grace: match policy.variable("isFixed") {
            Some("true") => GracePolicy::Never,
            _ => defaults.grace,
        },
        jobs: !policy.has_condition("restarts-always"),
        ..defaults
    }
}
