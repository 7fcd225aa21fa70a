//! Whether a Pod runs on Windows.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

use super::{Bounded, PodSpec, Word};
use crate::constants::MAX_AFFINITY_ENTRIES;

const OS_LABEL: &str = "kubernetes.io/os";
/// The label before Kubernetes 1.14.
const BETA_OS_LABEL: &str = "beta.kubernetes.io/os";
const WINDOWS: &str = "windows";

/// The operating system of a Pod.
#[derive(Debug, Deserialize)]
pub struct PodOs<'a> {
    /// `linux` or `windows`.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

/// The labels of a node for its operating system.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeSelector<'a> {
    /// `linux` or `windows`.
    #[serde(borrow, rename = "kubernetes.io/os")]
    pub os: Option<Word<'a>>,
    /// The label before Kubernetes 1.14.
    #[serde(borrow, rename = "beta.kubernetes.io/os")]
    pub beta_os: Option<Word<'a>>,
}

/// The scheduling rules of a Pod that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Affinity<'a> {
    /// The rules about nodes.
    #[serde(borrow)]
    pub node_affinity: Option<NodeAffinity<'a>>,
}

/// The rules about nodes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAffinity<'a> {
    /// The rules that the node must match.
    #[serde(borrow)]
    pub required_during_scheduling_ignored_during_execution: Option<RequiredNodes<'a>>,
}

/// Alternative rules, of which the node must match one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RequiredNodes<'a> {
    /// The alternatives.
    #[serde(borrow)]
    pub node_selector_terms: Bounded<NodeSelectorTerm<'a>, MAX_AFFINITY_ENTRIES>,
}

/// Requirements, all of which the node must match.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSelectorTerm<'a> {
    /// The requirements about labels.
    #[serde(borrow)]
    pub match_expressions: Bounded<NodeSelectorRequirement<'a>, MAX_AFFINITY_ENTRIES>,
}

/// A requirement about a label of the node.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NodeSelectorRequirement<'a> {
    /// The label.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// `In`, `NotIn`, …
    #[serde(borrow)]
    pub operator: Cow<'a, str>,
    /// The values.
    #[serde(borrow)]
    pub values: Bounded<Word<'a>, MAX_AFFINITY_ENTRIES>,
}

impl NodeSelectorRequirement<'_> {
    fn is_windows(&self) -> bool {
        [OS_LABEL, BETA_OS_LABEL].contains(&&*self.key)
            && self.operator == "In"
            && !self.values.is_empty()
            && self.values.iter().all(|value| value.0 == WINDOWS)
    }
}

/// The security options that the decision reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext {
    /// Options that exist only on Windows.
    pub windows_options: Option<IgnoredAny>,
}

impl<'a> Affinity<'a> {
    fn node_selector_terms(&self) -> Option<&Bounded<NodeSelectorTerm<'a>, MAX_AFFINITY_ENTRIES>> {
        let required = &self.node_affinity.as_ref()?;
        let required = required.required_during_scheduling_ignored_during_execution.as_ref()?;
        Some(&required.node_selector_terms)
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.node_selector_terms().is_some_and(|terms| {
            terms.is_cut()
                || terms.iter().any(|term| {
                    let expressions = &term.match_expressions;
                    expressions.is_cut() || expressions.iter().any(|e| e.values.is_cut())
                })
        })
    }
}

impl PodSpec<'_> {
    /// Whether the Pod says that it runs on Windows: by its `os`, else by its node selector, else by
    /// a node affinity that requires Windows in each of its terms, or by options that exist only on
    /// Windows. An affinity that keeps a Pod away from Windows mentions it too.
    pub(in crate::injection) fn is_windows(&self) -> bool {
        let selector = self.node_selector.as_ref();
        let selected =
            || selector.and_then(|labels| labels.os.as_ref().or(labels.beta_os.as_ref()));
        let os = self.os.as_ref().map(|os| &os.name).or_else(|| selected().map(|os| &os.0));
        os.map_or_else(|| self.requires_windows() || self.has_windows_options(), |os| os == WINDOWS)
    }

    fn requires_windows(&self) -> bool {
        let terms = self.affinity.as_ref().and_then(Affinity::node_selector_terms);
        let terms = terms.map_or(&[][..], |terms| terms);
        !terms.is_empty()
            && terms
                .iter()
                .all(|term| term.match_expressions.iter().any(NodeSelectorRequirement::is_windows))
    }

    fn has_windows_options(&self) -> bool {
        let has_options = |context: &Option<SecurityContext>| {
            context.as_ref().is_some_and(|context| context.windows_options.is_some())
        };
        has_options(&self.security_context)
            || self.containers.iter().any(|container| has_options(&container.security_context))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::Pod;

    #[rstest]
    #[case::by_os(r#"{"spec":{"os":{"name":"windows"}}}"#, true)]
    #[case::by_selector(r#"{"spec":{"nodeSelector":{"kubernetes.io/os":"windows"}}}"#, true)]
    #[case::by_old_selector(
        r#"{"spec":{"nodeSelector":{"beta.kubernetes.io/os":"windows"}}}"#,
        true
    )]
    #[case::os_wins(
        r#"{"spec":{"os":{"name":"linux"},"nodeSelector":{"kubernetes.io/os":"windows"}}}"#,
        false
    )]
    #[case::linux(r#"{"spec":{"nodeSelector":{"kubernetes.io/os":"linux","zone":"a"}}}"#, false)]
    #[case::unsaid("{}", false)]
    #[case::by_affinity(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"In","values":["windows"]}]}]}}}}}"#, true)]
    #[case::affinity_with_another_term(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"In","values":["windows"]}]},
        {"matchExpressions":[{"key":"zone","operator":"Exists"}]}]}}}}}"#, false)]
    #[case::affinity_to_both(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"In","values":["linux","windows"]}]}]}}}}}"#, false)]
    #[case::by_options(
        r#"{"spec":{"securityContext":{"windowsOptions":{"runAsUserName":"x"}}}}"#,
        true
    )]
    #[case::by_options_of_a_container(
        r#"{"spec":{"containers":[{"name":"a","securityContext":{"windowsOptions":{}}}]}}"#,
        true
    )]
    #[case::selector_wins_over_options(
        r#"{"spec":{"nodeSelector":{"kubernetes.io/os":"linux"},"securityContext":{"windowsOptions":{}}}}"#, false)]
    #[case::affinity_away_from_windows(
        r#"{"spec":{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":
        [{"matchExpressions":[{"key":"kubernetes.io/os","operator":"NotIn","values":["windows"]}]}]}}}}}"#, false)]
    fn tells_windows_by_what_the_pod_says(#[case] json: &str, #[case] windows: bool) {
        assert_eq!(
            serde_json::from_str::<Pod<'_>>(json).unwrap().spec.is_windows(),
            windows,
            "{json}"
        );
    }
}
