//! The workload that `measure` restarts.

use std::{fmt, str::FromStr};

use strum::IntoStaticStr;

use crate::object_name::is_object_name;

/// The workload that `measure` restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledWorkload {
    /// The kind.
    pub kind: RollableKind,
    /// The name.
    pub name: String,
}

/// A kind of workload whose Pods can be replaced one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
pub enum RollableKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl RollableKind {
    /// The kind by a name that kubectl takes, with or without its group.
    fn named(text: &str) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        match name.strip_suffix(".apps").unwrap_or(&name) {
            "deployment" | "deployments" | "deploy" => Some(Self::Deployment),
            "statefulset" | "statefulsets" | "sts" => Some(Self::StatefulSet),
            "daemonset" | "daemonsets" | "ds" => Some(Self::DaemonSet),
            _ => None,
        }
    }
}

impl FromStr for RolledWorkload {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let workload = text.split_once('/').and_then(|(kind, name)| {
            Some(Self { kind: RollableKind::named(kind)?, name: name.to_owned() })
        });
        workload
            .filter(|workload| is_object_name(&workload.name))
            .ok_or("expected deployment/NAME, statefulset/NAME or daemonset/NAME")
    }
}

/// `Deployment/web`.
impl fmt::Display for RolledWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", <&str>::from(self.kind), self.name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::deployment("deployment/web", "Deployment/web")]
    #[case::deployments("deployments/web", "Deployment/web")]
    #[case::deploy("deploy/web", "Deployment/web")]
    #[case::with_its_group("deployment.apps/web", "Deployment/web")]
    #[case::as_a_report_names_it("Deployment/web", "Deployment/web")]
    #[case::stateful_set("statefulset/db", "StatefulSet/db")]
    #[case::sts("sts/db", "StatefulSet/db")]
    #[case::daemon_set("daemonset/edge", "DaemonSet/edge")]
    #[case::ds("ds/edge", "DaemonSet/edge")]
    fn a_workload_is_read(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<RolledWorkload>().map(|it| it.to_string()), Ok(shown.to_owned()));
    }

    #[rstest]
    #[case::name_alone("web")]
    #[case::no_name("deployment/")]
    #[case::no_kind("/web")]
    #[case::a_pod("pod/web")]
    #[case::a_job("job/web")]
    #[case::another_group("deployment.example.com/web")]
    #[case::a_path("deployment/web/scale")]
    #[case::capitals("deployment/Web")]
    #[case::empty("")]
    fn is_no_workload(#[case] text: &str) {
        let error = text.parse::<RolledWorkload>().unwrap_err();
        assert_eq!(error, "expected deployment/NAME, statefulset/NAME or daemonset/NAME");
    }
}
