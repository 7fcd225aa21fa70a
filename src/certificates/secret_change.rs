//! Applies a change to the content of the Secret.

use std::time::SystemTime;

use super::{
    issue::{IssueError, end_at, new_ca, sign},
    state::State,
    step::{Lifetimes, SecretChange},
};
use crate::{
    constants::BACKDATED,
    tls::{Certificate, Pair, Validity},
};

impl SecretChange {
    /// The new content, from the content of the Secret and what this replica remembers.
    ///
    /// # Errors
    /// When a certificate cannot be issued: the machine has no randomness.
    pub(super) fn apply(
        self,
        current: Option<&State>,
        remembered: Option<&State>,
        names: &[String],
        now: SystemTime,
        lifetimes: &Lifetimes,
    ) -> Result<State, IssueError> {
        let sign = |ca: &Pair| {
            let Validity { not_before, not_after } = ca.certificate.validity;
            let not_after = not_after.min(now + lifetimes.certificate);
            sign(ca, names, Validity { not_before, not_after })
        };
        // For nodes whose clocks are behind.
        let backdated = now.checked_sub(BACKDATED).unwrap_or(now);
        let mut state = match (self, current, remembered) {
            (Self::Restore | Self::Merge, _, Some(remembered)) => remembered.clone(),
            (Self::Create, ..) | (_, None, _) => {
                let ca = new_ca(Validity { not_before: backdated, not_after: now + lifetimes.ca })?;
                State { serving: sign(&ca)?, ca, next: None, retired: Vec::new() }
            }
            (_, Some(current), _) => current.clone(),
        };
        match (self, current) {
            (Self::Merge, Some(current)) => {
                state.retired.extend(current.retired.iter().cloned());
                state.retired.push(retire(current)?);
            }
            (Self::Renew, _) => state.serving = sign(&state.ca)?,
            (Self::Announce, _) => {
                // At least as long as the CA that it follows or replaces, whatever the clock says.
                let before = state.next.as_ref().unwrap_or(&state.ca).certificate.validity;
                let end =
                    state.next.as_ref().map_or(now, |next| next.certificate.validity.not_after);
                state.next = Some(new_ca(Validity {
                    not_before: before.not_before.min(backdated),
                    not_after: end.max(now + lifetimes.ca),
                })?);
            }
            (Self::Activate, _) => {
                if let Some(next) = state.next.take() {
                    state.retired.push(retire(&state)?);
                    state.serving = sign(&next)?;
                    state.ca = next;
                }
            }
            // Only here: a CA is still trusted when other replicas learn that it is retired.
            (Self::Forget, _) => {
                state.retired.retain(|retired| !retired.validity.remaining(now).is_zero());
            }
            _ => {}
        }
        Ok(state)
    }
}

/// The CA of a state, trusted only until its last certificate expires.
fn retire(state: &State) -> Result<Certificate, IssueError> {
    end_at(&state.ca, state.serving.certificate.validity.not_after)
}
