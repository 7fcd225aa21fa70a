//! Which hook a cluster can run, by the versions of its API server and kubelets.
//!
//! `lifecycle.preStop.sleep` (KEP-3960) is alpha and off in 1.29, on by default since 1.30 and
//! GA in 1.34. An API server that does not know it either drops it or, up to 1.28, *rejects*
//! the Pod; a kubelet that does not know it runs no hook. A kubelet may be three minor versions
//! older than its API server, so from 1.33 on every kubelet knows it.

use k8s_openapi::apimachinery::pkg::version::Info;

use crate::constants::{SLEEP_EVERYWHERE_MINOR, SLEEP_KUBERNETES_MINOR};

/// What the version of an API server says about the native sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SleepSupport {
    /// Every kubelet of the cluster supports it.
    Everywhere,
    /// The API server supports it; the kubelets may not.
    DependsOnKubelets,
    /// The API server does not support it, or its version is not readable.
    Unknown,
}

impl SleepSupport {
    pub(super) fn of(version: &Info) -> Self {
        match effective_minor(version) {
            Some(SLEEP_EVERYWHERE_MINOR..) => Self::Everywhere,
            Some(SLEEP_KUBERNETES_MINOR..) => Self::DependsOnKubelets,
            _ => Self::Unknown,
        }
    }
}

/// The minor version as which an API server behaves.
pub(super) fn effective_minor(version: &Info) -> Option<u32> {
    match (minor(&version.major, &version.minor), emulated_minor(version)) {
        (Some(binary), Some(emulated)) => Some(binary.min(emulated)),
        (binary, _) => binary,
    }
}

/// Whether a kubelet of this version (`status.nodeInfo.kubeletVersion`) runs the native sleep.
pub(super) fn kubelet_knows_sleep(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').splitn(3, '.');
    let (major, minor_part) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    minor(major, minor_part).is_some_and(|minor| minor >= SLEEP_KUBERNETES_MINOR)
}

/// An API server can behave as an older one (KEP-4330).
fn emulated_minor(version: &Info) -> Option<u32> {
    minor(version.emulation_major.as_deref()?, version.emulation_minor.as_deref()?)
}

/// The minor version of a 1.x. Vendors append to it (`33+`), and it may be empty.
fn minor(major: &str, minor: &str) -> Option<u32> {
    let digits = minor.find(|c: char| !c.is_ascii_digit()).map_or(minor, |end| &minor[..end]);
    (major == "1").then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{SleepSupport::*, *};

    fn info(major: &str, minor: &str, emulated: Option<&str>) -> Info {
        Info {
            major: major.into(),
            minor: minor.into(),
            emulation_major: emulated.map(|_| major.into()),
            emulation_minor: emulated.map(Into::into),
            ..Info::default()
        }
    }

    #[rstest]
    #[case::newest(info("1", "37", None), Everywhere)]
    #[case::first_with_every_kubelet(info("1", "33", None), Everywhere)]
    #[case::vendor_suffix(info("1", "33+", None), Everywhere)]
    #[case::last_that_depends(info("1", "32", None), DependsOnKubelets)]
    #[case::first_that_depends(info("1", "30+", None), DependsOnKubelets)]
    #[case::alpha(info("1", "29", None), Unknown)]
    #[case::would_reject(info("1", "28", None), Unknown)]
    #[case::emulates_an_older_one(info("1", "37", Some("32")), DependsOnKubelets)]
    #[case::emulates_itself(info("1", "37", Some("37")), Everywhere)]
    #[case::emulation_empty(info("1", "37", Some("")), Everywhere)]
    #[case::empty(info("", "", None), Unknown)]
    #[case::minor_empty(info("1", "", None), Unknown)]
    #[case::not_a_number(info("1", "x", None), Unknown)]
    #[case::another_major(info("0", "37", None), Unknown)]
    fn the_api_server_says_what_is_possible(#[case] version: Info, #[case] support: SleepSupport) {
        assert_eq!(SleepSupport::of(&version), support, "{version:?}");
    }

    #[rstest]
    #[case::first("v1.30.0", true)]
    #[case::of_a_vendor("v1.32.1-eks-7f9249a", true)]
    #[case::of_k3s("v1.31.4+k3s1", true)]
    #[case::older("v1.29.9", false)]
    #[case::virtual_kubelet("v1.19-vk", false)]
    #[case::not_reported_yet("", false)]
    fn a_kubelet_says_by_its_version_what_it_knows(#[case] version: &str, #[case] knows: bool) {
        assert_eq!(kubelet_knows_sleep(version), knows, "{version:?}");
    }
}
