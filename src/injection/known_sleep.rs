//! What the hook of an author does: how long it sleeps, and whether it stops the server.

use super::{hook::PREPEND, pod::ExistingHook};

impl ExistingHook<'_> {
    /// How long the hook certainly sleeps, in seconds.
    ///
    /// Recognizes the native sleep, `sleep N` with its usual paths, and the same among the commands
    /// of a shell, as long as these are plain words between `;`, `&&` and line breaks: `touch f &&
    /// sleep 15`. Of a sleep that we prepended, the time before the command. Guesses nothing about
    /// anything else (loops, variables, pipes).
    pub(super) fn known_sleep(&self) -> Option<u64> {
        if let Some(sleep) = &self.sleep {
            return u64::try_from(sleep.seconds).ok();
        }
        command_sleep(self.exec.as_ref()?.command.iter().map(|word| &*word.0))
    }

    /// Whether the hook begins by stopping the application, which then refuses connections while
    /// the gateway still sends requests.
    pub(super) fn ends_listener_at_once(&self) -> bool {
        let Some(exec) = &self.exec else { return false };
        match &exec.command[..] {
            [shell, flag, script] if is_program(&shell.0, SHELLS) && flag.0 == "-c" => {
                let first = script.0.split(['\n', ';', '&', '|']).next().unwrap_or_default();
                stops(first.split_whitespace())
            }
            words => stops(words.iter().map(|word| &*word.0)),
        }
    }

    /// Whether the hook gives the gateway time before it does anything else.
    pub(super) fn waits(&self) -> bool {
        self.known_sleep().is_some() && !self.ends_listener_at_once()
    }
}

const SHELLS: &[&str] = &["sh", "bash", "ash", "dash"];

/// Commands of a shell after which the next one may not run, or may run more than once.
const CONTROL: &[&str] = &[
    ".", "break", "case", "command", "continue", "eval", "exit", "false", "for", "grep", "if",
    "pgrep", "pidof", "return", "select", "set", "source", "test", "trap", "type", "until",
    "which", "while",
];

/// How long a command certainly sleeps, in seconds.
pub(super) fn command_sleep<'w>(words: impl Iterator<Item = &'w str>) -> Option<u64> {
    let (mut first, mut count) = ([""; 5], 0);
    for (place, word) in first.iter_mut().zip(words) {
        *place = word;
        count += 1;
    }
    match &first[..count] {
        [sleep, time] if is_program(sleep, &["sleep"]) => sleep_time(time),
        [shell, "-c", script] if is_program(shell, SHELLS) => script_sleep(script),
        [a, b, c, time, _] if [*a, *b, *c] == PREPEND => sleep_time(time),
        _ => None,
    }
}

/// How long the commands of a script certainly sleep together, in seconds.
fn script_sleep(script: &str) -> Option<u64> {
    // The usual script, without a look at each character.
    if let Some(time) = script.strip_prefix("sleep ").and_then(sleep_time) {
        return Some(time);
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " \t\n;&-_./:=,+@%".contains(c);
    if !script.chars().all(is_plain) {
        return None;
    }
    let mut total = None;
    for command in script.split("&&").flat_map(|part| part.split([';', '\n'])) {
        // A lone & puts the command into the background.
        if command.contains('&') {
            return None;
        }
        let mut words = command.split_whitespace();
        let mut first = words.next().unwrap_or_default();
        if CONTROL.contains(&first) {
            break;
        }
        let replaces_shell = first == "exec";
        if replaces_shell {
            first = words.next().unwrap_or_default();
        }
        if let (Some(time), None) = (words.next(), words.next())
            && is_program(first, &["sleep"])
            && let Some(time) = sleep_time(time)
        {
            total = Some(total.unwrap_or(0_u64).saturating_add(time));
        }
        if replaces_shell {
            break;
        }
    }
    total
}

/// Whether a command asks a server to stop.
fn stops<'w>(mut words: impl Iterator<Item = &'w str>) -> bool {
    let program = words.next().unwrap_or_default();
    let (first, second) = (words.next(), words.next());
    if is_program(program, &["kill", "pkill", "killall"]) {
        return true;
    }
    match (first, second) {
        (Some("-s"), Some("quit" | "stop")) => is_program(program, &["nginx", "openresty"]),
        (Some("-k"), Some("graceful-stop" | "stop")) => {
            is_program(program, &["httpd", "apache2", "apachectl", "apache2ctl"])
        }
        (Some("quit" | "stop"), None) => is_program(program, &["apisix"]),
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
    #[case::time_on_the_next_line(json!({"exec": {"command": ["sh", "-c", "sleep \n15"]}}), None)]
    #[case::shell_with_path(json!({"exec": {"command": ["/bin/bash", "-c", " sleep  15 "]}}), Some(15))]
    #[case::path_in_shell(json!({"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 15"]}}), Some(15))]
    #[case::prepended(json!({"exec": {"command": ["/bin/sh", "-c", "sleep \"$0\"; exec \"$@\"", "5", "/quit"]}}), Some(5))]
    #[case::then_something(json!({"exec": {"command": ["sh", "-c", "sleep 15 && nginx -s quit"]}}), Some(15))]
    #[case::something_first(json!({"exec": {"command": ["sh", "-c", "kill -s QUIT 1; sleep 15"]}}), Some(15))]
    #[case::marker_first(json!({"exec": {"command": ["sh", "-c", "touch f && sleep 65"]}}), Some(65))]
    #[case::two_sleeps(json!({"exec": {"command": ["sh", "-c", "sleep 5; /quit\nsleep 1m"]}}), Some(65))]
    #[case::exec_in_shell(json!({"exec": {"command": ["sh", "-c", "touch f; exec sleep 15; sleep 9"]}}), Some(15))]
    #[case::behind_an_exit(json!({"exec": {"command": ["sh", "-c", "sleep 5; exit 0; sleep 60"]}}), Some(5))]
    #[case::behind_a_condition(json!({"exec": {"command": ["sh", "-c", "if pgrep x; then sleep 60; fi"]}}), None)]
    #[case::in_the_background(json!({"exec": {"command": ["sh", "-c", "sleep 60 & /quit"]}}), None)]
    #[case::behind_a_test(json!({"exec": {"command": ["sh", "-c", "test -e f && sleep 60"]}}), None)]
    #[case::behind_a_failure(json!({"exec": {"command": ["sh", "-c", "test -e f || sleep 60"]}}), None)]
    #[case::quoted(json!({"exec": {"command": ["sh", "-c", "echo \"; sleep 60\""]}}), None)]
    #[case::commented_out(json!({"exec": {"command": ["sh", "-c", "# sleep 60"]}}), None)]
    #[case::without_end(json!({"exec": {"command": ["sh", "-c", "sleep 18446744073709551615; sleep 18446744073709551615"]}}), Some(u64::MAX))]
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
}
