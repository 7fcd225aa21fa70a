//! Services in DNS names.

/// The Service and its namespace that a DNS name of the cluster stands for: `web.shop.svc`,
/// `web.shop.svc.cluster.local`, or that of a Pod, `web-0.web.shop.svc`.
pub(super) fn service_of(name: &str) -> Option<(&str, &str)> {
    let labels: Vec<_> = name.trim_end_matches('.').split('.').collect();
    let svc = labels.iter().position(|label| *label == "svc")?;
    let (service, namespace) = match svc {
        2 => (labels[0], labels[1]),
        3 => (labels[1], labels[2]),
        _ => return None,
    };
    let is_known = !service.is_empty() && !namespace.is_empty();
    is_known.then_some((service, namespace))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::short("web.shop.svc", Some(("web", "shop")))]
    #[case::whole("web.shop.svc.cluster.local", Some(("web", "shop")))]
    #[case::rooted("web.shop.svc.cluster.local.", Some(("web", "shop")))]
    #[case::other_domain("web.shop.svc.k8s.example.com", Some(("web", "shop")))]
    #[case::pod("web-0.web.shop.svc.cluster.local", Some(("web", "shop")))]
    #[case::without_svc("web.shop", None)]
    #[case::elsewhere("www.example.com", None)]
    #[case::address("192.0.2.1", None)]
    #[case::too_deep("a.b.web.shop.svc", None)]
    #[case::empty("", None)]
    #[case::empty_labels("..svc", None)]
    fn a_name_of_the_cluster_stands_for_a_service(
        #[case] name: &str,
        #[case] service: Option<(&str, &str)>,
    ) {
        assert_eq!(service_of(name), service);
    }
}
