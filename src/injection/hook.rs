//! Our preStop hooks: how to write them, and how to recognize them.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;
use strum::{IntoStaticStr, VariantArray};

use crate::units::Delay;

/// The two ways to write a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Hook {
    /// `sleep: {seconds: N}`: the kubelet sleeps (KEP-3960: on by default since Kubernetes 1.30).
    /// Works in any image.
    Sleep,
    /// `exec: {command: ["/bin/sh", "-c", "sleep N"]}`, as in the documentation of Apache APISIX.
    /// Works in any version of Kubernetes, but only in an image with a shell: without one the hook
    /// fails, and SIGTERM follows immediately.
    Exec,
}

impl Hook {
    /// Its name in flags, logs and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The `lifecycle.preStop` that sleeps for `delay`.
    pub(super) const fn handler(self, delay: Delay) -> Handler {
        match self {
            Self::Sleep => Handler::Sleep { seconds: delay.get() },
            Self::Exec => Handler::Exec { command: ("/bin/sh", "-c", SleepCommand(delay)) },
        }
    }
}

/// A `lifecycle.preStop` of ours.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Handler {
    /// The native sleep.
    Sleep { seconds: u32 },
    /// A shell that sleeps.
    Exec { command: (&'static str, &'static str, SleepCommand) },
}

/// `sleep N`.
pub(super) struct SleepCommand(Delay);

impl Serialize for SleepCommand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("sleep {}", self.0.get()))
    }
}

/// Sleeps for `$0` seconds, then becomes the command in its other arguments, which need no
/// quotes.
pub(super) const PREPEND: [&str; 3] = ["/bin/sh", "-c", r#"sleep "$0"; exec "$@""#];

/// The command of an exec hook that sleeps for `delay` before it does what `command` does.
pub(super) struct Prepended<'a> {
    pub(super) delay: Delay,
    pub(super) command: &'a [Cow<'a, str>],
}

impl Serialize for Prepended<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let delay = self.delay.get().to_string();
        let words = PREPEND.into_iter().chain([delay.as_str()]);
        serializer.collect_seq(words.chain(self.command.iter().map(AsRef::as_ref)))
    }
}

/// The command after the sleep of [`Prepended`].
pub(super) fn behind_prepended(command: &[Value]) -> Option<&[Value]> {
    let words = command.get(..PREPEND.len())?;
    (words.iter().eq(PREPEND) && command.len() > PREPEND.len() + 1)
        .then(|| &command[PREPEND.len() + 1..])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_prepended_can_be_taken_off_again() {
        let command = [Cow::from("/quit"), Cow::from("a \"b\" $c")];
        let prepended = Prepended { delay: Delay::clamped(5), command: &command };
        let value = serde_json::to_value(prepended).unwrap();
        let words = value.as_array().unwrap();
        assert_eq!(words[3], "5");
        assert_eq!(behind_prepended(words), Some(&[json!("/quit"), json!("a \"b\" $c")][..]));
        assert_eq!(behind_prepended(&words[..4]), None, "there has to be a command");
    }
}
