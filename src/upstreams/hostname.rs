//! Whether the host of a listener and that of a route have a name in common, as each version of the
//! controller sees it.

/// Whether one of two hostnames matches the other (version 2).
pub(super) fn intersects(a: &str, b: &str) -> bool {
    matches(a, b) || matches(b, a)
}

/// Whether `host` matches `mask`, in which `*` stands for one label or more.
fn matches(mask: &str, host: &str) -> bool {
    let mask: Vec<_> = mask.split('.').collect();
    let host: Vec<_> = host.split('.').collect();
    let (mut a, mut b) = (0, 0);
    let mut is_wild = false;
    while a < mask.len() && b < host.len() {
        if is_wild {
            match host[b..].iter().position(|label| *label == mask[a]) {
                Some(skipped) => b += skipped,
                None => return false,
            }
        }
        if mask[a] == "*" {
            is_wild = true;
        } else {
            is_wild = false;
            if mask[a] != host[b] {
                return false;
            }
        }
        (a, b) = (a + 1, b + 1);
    }
    host.len() - b == mask.len() - a
}

/// Whether the host of a route matches that of a listener (version 1.8): from the right, and a `*`
/// at the left of either ends the comparison.
pub(super) fn matches_1_8(listener: &str, route: &str) -> bool {
    if listener.is_empty() || route.is_empty() {
        return true;
    }
    let listener: Vec<_> = listener.rsplit('.').collect();
    let route: Vec<_> = route.rsplit('.').collect();
    for (place, (a, b)) in listener.iter().zip(&route).enumerate() {
        let is_last_of = |labels: &[&str]| place + 1 == labels.len();
        if is_last_of(&listener) && *a == "*" || is_last_of(&route) && *b == "*" {
            return true;
        }
        if is_last_of(&listener) != is_last_of(&route) || a != b {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::equal("a.example.com", "a.example.com", true, true)]
    #[case::other("a.example.com", "b.example.com", false, false)]
    #[case::parent("example.com", "a.example.com", false, false)]
    #[case::child("a.example.com", "example.com", false, false)]
    #[case::wildcard_of_the_listener("*.example.com", "a.example.com", true, true)]
    #[case::wildcard_of_the_route("a.example.com", "*.example.com", true, true)]
    #[case::wildcard_for_two_labels("*.example.com", "a.b.example.com", true, true)]
    #[case::wildcard_and_its_parent("*.example.com", "example.com", false, false)]
    #[case::both_wildcards("*.example.com", "*.example.com", true, true)]
    #[case::wildcard_of_another_domain("*.example.org", "a.example.com", false, false)]
    fn hosts_have_a_name_in_common(
        #[case] listener: &str,
        #[case] route: &str,
        #[case] in_2: bool,
        #[case] in_1_8: bool,
    ) {
        assert_eq!(intersects(listener, route), in_2, "version 2: {listener} and {route}");
        assert_eq!(matches_1_8(listener, route), in_1_8, "version 1.8: {listener} and {route}");
    }
}
