//! preStop hooks: how to write ours, and what existing ones do.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer, de::IgnoredAny};
use serde_json::Value;
use strum::{IntoStaticStr, VariantArray};

use super::null::null_as_default;
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
const PREPEND: [&str; 3] = ["/bin/sh", "-c", r#"sleep "$0"; exec "$@""#];

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

/// An existing preStop hook. It has one of these fields, or is of an unknown kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExistingHook<'a> {
    /// A command in the container.
    #[serde(borrow)]
    pub exec: Option<ExecAction<'a>>,
    /// A sleep of the kubelet.
    pub sleep: Option<SleepAction>,
    /// A request to the container.
    pub http_get: Option<IgnoredAny>,
}

/// A command in the container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ExecAction<'a> {
    /// The program and its arguments. There is no shell around it.
    #[serde(borrow, deserialize_with = "null_as_default")]
    pub command: Vec<Word<'a>>,
}

/// A string in a list or a map, such as a word of a command: borrowed if the JSON has no escapes.
/// serde does not borrow a `Cow` there by itself.
#[derive(Debug, Deserialize)]
pub struct Word<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A sleep of the kubelet.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SleepAction {
    /// How long, in seconds.
    pub seconds: i64,
}

impl ExistingHook<'_> {
    /// How long the hook sleeps, in seconds, if it only sleeps, or if it begins with a sleep that
    /// we prepended.
    ///
    /// Recognizes the native sleep, `sleep N` with its usual paths, and the same as the only command
    /// of a shell. Guesses nothing about anything else (loops, `kill …; sleep N`).
    pub(super) fn known_sleep(&self) -> Option<u64> {
        if let Some(sleep) = &self.sleep {
            return u64::try_from(sleep.seconds).ok();
        }
        let words: Vec<_> = self.exec.as_ref()?.command.iter().map(|word| &*word.0).collect();
        match words[..] {
            [sleep, time] if is_program(sleep, &["sleep"]) => sleep_time(time),
            [shell, "-c", script] if is_program(shell, SHELLS) => {
                let mut words = script.split_whitespace();
                match (words.next(), words.next(), words.next()) {
                    (Some(sleep), Some(time), None) if is_program(sleep, &["sleep"]) => {
                        sleep_time(time)
                    }
                    _ => None,
                }
            }
            [a, b, c, time, ..] if [a, b, c] == PREPEND => sleep_time(time),
            _ => None,
        }
    }

    /// Whether the hook begins by stopping the application, which then refuses connections while
    /// the gateway still sends requests.
    pub(super) fn ends_listener_at_once(&self) -> bool {
        let Some(exec) = &self.exec else { return false };
        let words: Vec<_> = exec.command.iter().map(|word| &*word.0).collect();
        match words[..] {
            [shell, "-c", script] if is_program(shell, SHELLS) => {
                let first = script.split(['\n', ';', '&', '|']).next().unwrap_or_default();
                stops(&first.split_whitespace().collect::<Vec<_>>())
            }
            _ => stops(&words),
        }
    }
}

const SHELLS: &[&str] = &["sh", "bash", "ash", "dash"];

/// Whether a command asks a server to stop.
fn stops(words: &[&str]) -> bool {
    match words {
        [kill, ..] if is_program(kill, &["kill", "pkill", "killall"]) => true,
        [nginx, "-s", "quit" | "stop", ..] if is_program(nginx, &["nginx", "openresty"]) => true,
        [apache, "-k", "graceful-stop" | "stop", ..] => {
            is_program(apache, &["httpd", "apache2", "apachectl", "apache2ctl"])
        }
        [apisix, "quit" | "stop"] => is_program(apisix, &["apisix"]),
        _ => false,
    }
}

/// Whether `word` is one of the programs, with a path or without.
fn is_program(word: &str, names: &[&str]) -> bool {
    word.rsplit('/').next().is_some_and(|name| names.contains(&name))
}

/// The argument of `sleep`: whole seconds, or with a unit.
fn sleep_time(text: &str) -> Option<u64> {
    let (number, factor) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('m') => (number, 60),
        Some(number) if text.ends_with('h') => (number, 3600),
        Some(number) => (number, 1),
        None => (text, 1),
    };
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| number.parse::<u64>().ok()?.checked_mul(factor))?
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn with_hook<T>(hook: &Value, look: impl FnOnce(&ExistingHook<'_>) -> T) -> T {
        let json = hook.to_string();
        look(&serde_json::from_str(&json).unwrap())
    }

    #[rstest]
    #[case::native(json!({"sleep": {"seconds": 15}}), Some(15))]
    #[case::native_zero(json!({"sleep": {"seconds": 0}}), Some(0))]
    #[case::program(json!({"exec": {"command": ["sleep", "15"]}}), Some(15))]
    #[case::program_with_path(json!({"exec": {"command": ["/bin/sleep", "15"]}}), Some(15))]
    #[case::other_path(json!({"exec": {"command": ["/usr/bin/sleep", "2m"]}}), Some(120))]
    #[case::shell(json!({"exec": {"command": ["sh", "-c", "sleep 15s"]}}), Some(15))]
    #[case::shell_with_path(json!({"exec": {"command": ["/bin/bash", "-c", " sleep  15 "]}}), Some(15))]
    #[case::path_in_shell(json!({"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 15"]}}), Some(15))]
    #[case::prepended(json!({"exec": {"command": ["/bin/sh", "-c", "sleep \"$0\"; exec \"$@\"", "5", "/quit"]}}), Some(5))]
    #[case::then_something(json!({"exec": {"command": ["sh", "-c", "sleep 15 && nginx -s quit"]}}), None)]
    #[case::something_first(json!({"exec": {"command": ["sh", "-c", "kill -s QUIT 1; sleep 15"]}}), None)]
    #[case::loop_(json!({"exec": {"command": ["sh", "-c", "while pgrep x; do sleep 1; done"]}}), None)]
    #[case::login_shell(json!({"exec": {"command": ["sh", "-lc", "sleep 15"]}}), None)]
    #[case::fraction(json!({"exec": {"command": ["sleep", "1.5"]}}), None)]
    #[case::variable(json!({"exec": {"command": ["sh", "-c", "sleep $N"]}}), None)]
    #[case::infinity(json!({"exec": {"command": ["sleep", "infinity"]}}), None)]
    #[case::two_times(json!({"exec": {"command": ["sleep", "1", "2"]}}), None)]
    #[case::unit_alone(json!({"exec": {"command": ["sleep", "s"]}}), None)]
    #[case::too_large(json!({"exec": {"command": ["sleep", "99999999999999999999"]}}), None)]
    #[case::other_program(json!({"exec": {"command": ["/app/oversleep", "5"]}}), None)]
    #[case::empty(json!({"exec": {"command": []}}), None)]
    #[case::no_command(json!({"exec": {}}), None)]
    #[case::http(json!({"httpGet": {"port": 80}}), None)]
    #[case::unknown(json!({"teleport": {}}), None)]
    fn a_sleep_is_known_in_its_usual_spellings(#[case] hook: Value, #[case] known: Option<u64>) {
        assert_eq!(with_hook(&hook, |hook| hook.known_sleep()), known, "{hook}");
    }

    #[rstest]
    #[case::nginx(json!({"exec": {"command": ["/usr/sbin/nginx", "-s", "quit"]}}), true)]
    #[case::kill(json!({"exec": {"command": ["kill", "-QUIT", "1"]}}), true)]
    #[case::shell(json!({"exec": {"command": ["sh", "-c", "kill -s QUIT 1; sleep 15"]}}), true)]
    #[case::chained(json!({"exec": {"command": ["sh", "-c", "nginx -s quit && sleep 5"]}}), true)]
    #[case::sleep_first(json!({"exec": {"command": ["sh", "-c", "sleep 15 && nginx -s quit"]}}), false)]
    #[case::reload(json!({"exec": {"command": ["nginx", "-s", "reload"]}}), false)]
    #[case::other(json!({"exec": {"command": ["/app/drain"]}}), false)]
    #[case::http(json!({"httpGet": {"port": 80}}), false)]
    fn a_hook_that_ends_the_listener_is_recognized(#[case] hook: Value, #[case] ends: bool) {
        assert_eq!(with_hook(&hook, |hook| hook.ends_listener_at_once()), ends, "{hook}");
    }

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
