//! What a Pod's annotations ask for instead of the policy.

use super::{notice::Notice, pod::Pod, policy::Policy};
use crate::{
    constants::DELAY_ANNOTATION,
    seconds::{Delay, ParseSecondsError},
};

/// The delay that holds for this Pod. A bad annotation is no reason to reject a Pod: it makes
/// a notice, and the nearest sensible value applies.
pub(super) fn delay(pod: &Pod<'_>, policy: &Policy, notices: &mut Vec<Notice>) -> Delay {
    let Some(value) = pod.metadata.annotations.get(DELAY_ANNOTATION) else {
        return policy.delay;
    };
    match value.parse() {
        Ok(delay) => delay,
        Err(ParseSecondsError::Malformed) => {
            notices.push(Notice::DelayMalformed {
                value: value.into(),
                used: policy.delay,
            });
            policy.delay
        }
        Err(ParseSecondsError::AboveMaximum) => {
            notices.push(Notice::DelayAboveMaximum {
                value: value.into(),
            });
            Delay::MAX
        }
    }
}
