//! What the author of a Pod should know.

use std::fmt;

use strum::{EnumCount, EnumDiscriminants, IntoStaticStr, VariantArray};

use crate::{
    constants::{
        CONTAINER_DELAYS_ANNOTATION, EXISTING_HOOK_ANNOTATION, INJECT_LABEL, MAX_NOTICES,
        MAX_WARNING_LENGTH, TARGET_ALWAYS,
    },
    units::Seconds,
};

/// Most bytes of a user's text in a warning.
const MAX_TEXT_LENGTH: usize = 23;

/// Something about a Pod that its author should know.
///
/// Its `Display` is the warning and the Event: ASCII, one line, at most [`MAX_WARNING_LENGTH`]
/// long. In the alternate form (`{:#}`) names are not shortened.
#[derive(Clone, Debug, PartialEq, Eq, EnumDiscriminants)]
#[strum_discriminants(
    name(NoticeName),
    derive(EnumCount, IntoStaticStr, VariantArray),
    strum(serialize_all = "snake_case"),
    doc = "The name of a notice, as in logs, metrics and Events."
)]
pub enum Notice {
    /// The value of an annotation is malformed; something else applies.
    AnnotationMalformed {
        /// The annotation.
        key: &'static str,
        /// Its value, or the part of it that is wrong.
        value: String,
        /// What is accepted.
        accepted: Accepted,
        /// What applies instead.
        instead: Instead,
    },
    /// An annotation asks for more than the maximum; the maximum applies.
    AnnotationAboveMaximum {
        /// The annotation.
        key: &'static str,
        /// Its value, or the part of it that is too large.
        value: String,
        /// The maximum, in seconds.
        maximum: u32,
    },
    /// An annotation with our prefix is unknown.
    AnnotationUnknown {
        /// The annotation.
        key: String,
        /// The most similar known annotation.
        nearest: &'static str,
    },
    /// `container-delays` names a container that the Pod does not have.
    ContainerUnknown {
        /// The name.
        name: String,
    },
    /// The label on the Pod has an unknown value.
    LabelUnknown {
        /// The value.
        value: String,
    },
    /// The grace period was 0 or less, which cuts the hook off; it is raised.
    GraceZero {
        /// What the Pod asked for, in seconds.
        grace: i64,
        /// What it has now, in seconds.
        raised_to: i64,
    },
    /// The grace period is too short, and the policy never raises it, or somebody has lowered it.
    GraceTooShort {
        /// What the Pod asks for, in seconds.
        grace: i64,
        /// What it needs, in seconds.
        needed: i64,
        /// What the longest sleeps are cut to, in seconds, if they are cut.
        cut: Option<u32>,
    },
    /// An own hook sleeps as long as the grace period, or longer.
    HookCutOff {
        /// The container.
        container: String,
        /// How long it sleeps, in seconds.
        sleep: u64,
        /// The grace period, in seconds.
        grace: i64,
    },
    /// An own hook stops the server immediately, while the gateway still sends requests.
    HookEndsListener {
        /// The container.
        container: String,
    },
    /// Another webhook does not know the native sleep and has removed it.
    HookStripped {
        /// The container.
        container: String,
    },
    /// Somebody has changed the hook since the injection: it counts as the author's own.
    HookEdited {
        /// The container.
        container: String,
    },
    /// A probe has a grace period of its own, which is shorter than the sleep.
    ProbeGraceShort {
        /// The container.
        container: String,
        /// The probe.
        probe: &'static str,
        /// Its grace period, in seconds.
        grace: i64,
        /// The sleep, in seconds.
        sleep: u64,
    },
    /// `existing-hook: prepend`, but there is no exec hook to prepend to.
    HookNotPrependable {
        /// The container.
        container: String,
    },
    /// A Windows Pod, where an exec hook does not work.
    WindowsNeedsSleep,
}

/// The first [`MAX_NOTICES`] notices about a Pod.
#[derive(Debug, Default)]
pub(super) struct Notices(Vec<Notice>);

impl Notices {
    /// Adds a notice, if there is room for it.
    pub(super) fn push(&mut self, notice: Notice) {
        if !self.is_full() {
            self.0.push(notice);
        }
    }

    /// Whether there is no room for another notice.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MAX_NOTICES
    }

    pub(super) fn into_vec(self) -> Vec<Notice> {
        self.0
    }
}

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// A time of up to so many seconds.
    Seconds(u32),
    /// `NAME=SECONDS`.
    ContainerDelay,
    /// One of two words.
    ExistingHook,
    /// One word.
    Always,
}

/// What applies instead of a bad value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// This many seconds.
    Seconds(u32),
    /// The word `keep`.
    Keep,
    /// What applies without it.
    Nothing,
}

impl Notice {
    /// Its name in logs, metrics and Events.
    pub fn name(&self) -> NoticeName {
        self.into()
    }
}

impl NoticeName {
    /// The name as text.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = if f.alternate() { usize::MAX } else { MAX_TEXT_LENGTH };
        let shortened = |text: &str| shortened(text, limit);
        let quoted = |text: &str| format!("\"{}\"", shortened(text));
        match self {
            Self::AnnotationMalformed { key, value, accepted, instead } => {
                write!(f, "{key}: {} is not {accepted}; {instead}", quoted(value))
            }
            Self::AnnotationAboveMaximum { key, value, maximum } => {
                let value = quoted(value);
                write!(f, "{key}: {value} is above the range 0-{maximum}s; using {maximum}s")
            }
            Self::AnnotationUnknown { key, nearest } => {
                write!(f, "{}: unknown annotation; did you mean {nearest}?", quoted(key))
            }
            Self::ContainerUnknown { name } => {
                let name = quoted(name);
                write!(f, "{CONTAINER_DELAYS_ANNOTATION}: no regular container {name}; ignored")
            }
            Self::LabelUnknown { value } => {
                write!(f, "label {INJECT_LABEL}: {} is not disabled; ignored", quoted(value))
            }
            Self::GraceZero { grace, raised_to } => write!(
                f,
                "terminationGracePeriodSeconds {grace} would cut the preStop sleep off; raised to \
                 {raised_to}"
            ),
            Self::GraceTooShort { grace, needed, cut } => {
                write!(
                    f,
                    "terminationGracePeriodSeconds {grace} is too short: sleep and shutdown need \
                     {needed}"
                )?;
                match cut {
                    Some(cut) => write!(f, "; sleep cut to {cut}s"),
                    None => Ok(()),
                }
            }
            Self::HookCutOff { container, sleep, grace } => write!(
                f,
                "container {}: its preStop sleep of {sleep}s is cut off by the grace period of \
                 {grace}s",
                shortened(container)
            ),
            Self::HookEndsListener { container } => write!(
                f,
                "container {}: its preStop hook stops the server immediately; add a sleep before it",
                shortened(container)
            ),
            Self::HookStripped { container } => write!(
                f,
                "container {}: another webhook removes the preStop sleep action; using exec instead",
                shortened(container)
            ),
            Self::HookEdited { container } => write!(
                f,
                "container {}: its preStop hook was changed after the injection; kept",
                shortened(container)
            ),
            Self::ProbeGraceShort { container, probe, grace, sleep } => write!(
                f,
                "container {}: a failed {probe} leaves {grace}s, less than the preStop sleep of \
                 {sleep}s",
                shortened(container)
            ),
            Self::HookNotPrependable { container } => write!(
                f,
                "{EXISTING_HOOK_ANNOTATION}: container {} has no exec hook to prepend to; kept",
                shortened(container)
            ),
            Self::WindowsNeedsSleep => f.write_str(
                "a Windows Pod needs the native sleep hook, which this cluster or policy does not \
                 use; skipped",
            ),
        }
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(maximum) => {
                let maximum = Seconds::<0, { u32::MAX }>::clamped(*maximum);
                write!(f, "a time from 0s to {maximum}, such as 15s")
            }
            Self::ContainerDelay => f.write_str("NAME=SECONDS such as web=15s"),
            Self::ExistingHook => f.write_str("keep or prepend"),
            Self::Always => f.write_str(TARGET_ALWAYS),
        }
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "using {seconds}s"),
            Self::Keep => f.write_str("using keep"),
            Self::Nothing => f.write_str("ignored"),
        }
    }
}

/// As much of a user's text as a notice can show: 20 notices must not hold 20 copies of it.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(MAX_WARNING_LENGTH).collect()
}

/// A user's text, shortened and escaped: a warning stays a short line of ASCII.
fn shortened(text: &str, limit: usize) -> String {
    let mut short = String::new();
    for c in text.chars() {
        let escaped = c.escape_default();
        if short.len() + escaped.len() > limit {
            short.push_str("...");
            break;
        }
        short.extend(escaped);
    }
    short
}

const _: () = assert!(MAX_WARNING_LENGTH >= 120, "the texts above are written for 120");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rstest::rstest;

    use super::*;
    use crate::constants::{ANNOTATIONS, MAX_DELAY};

    #[rstest]
    #[case::ordinary("soon", "soon")]
    #[case::line_break("5\n", "5\\n")]
    #[case::quotes("\"", "\\\"")]
    #[case::not_ascii("5 Sekunden ü", "5 Sekunden \\u{fc}")]
    #[case::long("0123456789012345678901234567890", "01234567890123456789012...")]
    fn a_text_is_short_and_in_ascii(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(shortened(text, MAX_TEXT_LENGTH), expected);
    }

    #[test]
    fn the_alternate_form_shortens_no_name() {
        let name = "a-container-with-quite-a-long-name".to_owned();
        let notice = Notice::ContainerUnknown { name };
        let (short, whole) = (notice.to_string(), format!("{notice:#}"));
        assert!(short.contains("\"a-container-with-quite-...\""), "{short}");
        assert!(whole.contains("\"a-container-with-quite-a-long-name\""), "{whole}");
    }

    /// Each notice with the longest texts that it can have.
    fn longest(text: &str) -> Vec<Notice> {
        let key = *ANNOTATIONS.iter().max_by_key(|key| key.len()).unwrap();
        let (value, container) = (text.to_owned(), text.to_owned());
        let mut notices = vec![
            Notice::AnnotationAboveMaximum { key, value: value.clone(), maximum: MAX_DELAY },
            Notice::AnnotationUnknown { key: value.clone(), nearest: key },
            Notice::ContainerUnknown { name: value.clone() },
            Notice::LabelUnknown { value: value.clone() },
            Notice::GraceZero { grace: i64::MIN, raised_to: i64::MAX },
            Notice::GraceTooShort { grace: i64::MIN, needed: i64::MAX, cut: None },
            Notice::GraceTooShort { grace: 7199, needed: 7200, cut: Some(MAX_DELAY) },
            Notice::HookStripped { container: container.clone() },
            Notice::HookEdited { container: container.clone() },
            Notice::ProbeGraceShort {
                container: container.clone(),
                probe: "livenessProbe",
                grace: 3599,
                sleep: 99_999,
            },
            Notice::HookCutOff { container: container.clone(), sleep: 99_999, grace: 99_999 },
            Notice::HookEndsListener { container: container.clone() },
            Notice::HookNotPrependable { container },
            Notice::WindowsNeedsSleep,
        ];
        for (accepted, instead) in [
            (Accepted::Seconds(MAX_DELAY), Instead::Seconds(MAX_DELAY)),
            (Accepted::ContainerDelay, Instead::Nothing),
            (Accepted::ExistingHook, Instead::Keep),
        ] {
            let value = value.clone();
            notices.push(Notice::AnnotationMalformed { key, value, accepted, instead });
        }
        notices
    }

    #[rstest]
    #[case::long("9".repeat(5000))]
    #[case::all_escapes("\u{10ffff}".repeat(50))]
    #[case::line_breaks("\n".repeat(50))]
    #[case::empty(String::new())]
    fn a_warning_is_a_short_ascii_line(#[case] text: String) {
        for notice in longest(&text) {
            let text = notice.to_string();
            assert!(text.len() <= MAX_WARNING_LENGTH, "{} is too long: {text}", text.len());
            assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "not one line: {text:?}");
        }
    }

    #[test]
    fn every_notice_is_among_the_longest() {
        let names: BTreeSet<_> = longest("x").iter().map(|notice| notice.name() as usize).collect();
        assert!(names.into_iter().eq(0..NoticeName::COUNT), "`longest` lacks a notice");
    }
}
