//! The certificate that the replicas serve, and the CA that the API server trusts.

use std::time::{Duration, SystemTime};

use super::{
    check_id::CheckId,
    release::{ReleaseFacts, ServedFacts, ServedValidity},
    result::CheckResult,
};
use crate::constants::EXPIRY_WARNING;

pub(super) fn check(release: &ReleaseFacts, now: SystemTime) -> Vec<CheckResult> {
    let ReleaseFacts { namespace, configuration, served, .. } = release;
    let id = CheckId::CaBundle;
    let bundle = match &release.bundle {
        Ok(1) => id.pass(format!("{configuration} names a CA")),
        Ok(count) => id.pass(format!("{configuration} names {count} CAs")),
        Err(why) => {
            id.fail(format!("the caBundle of {configuration} is not usable: {why}")).hint(format!(
                "kubectl -n {namespace} logs -l app.kubernetes.io/name=apisix-prestop --tail=20"
            ))
        }
    };
    let mut results = vec![bundle];
    if served.is_empty() {
        let why = if release.bundle.is_ok() { "no replica is ready" } else { "there is no CA" };
        results.push(CheckId::ServedCertificate.skip(format!("not checked: {why}")));
        return results;
    }
    let faults: Vec<_> = served.iter().filter_map(|it| fault(it, namespace)).collect();
    if faults.is_empty() {
        let replicas: Vec<_> = served.iter().map(|it| it.replica.as_str()).collect();
        let message = format!("the CA verifies the certificate of {}", replicas.join(", "));
        results.push(CheckId::ServedCertificate.pass(message));
    }
    results.extend(faults);
    let known = served.iter().filter_map(|it| it.certificate.as_ref().ok());
    if let Some(first) = known.min_by_key(|it| it.not_after) {
        results.push(expiry(first, now, namespace));
    }
    results
}

fn fault(
    ServedFacts { replica, certificate }: &ServedFacts,
    namespace: &str,
) -> Option<CheckResult> {
    let id = CheckId::ServedCertificate;
    match certificate {
        Ok(ServedValidity { distrust: None, .. }) => None,
        Ok(ServedValidity { distrust: Some(why), .. }) => {
            let message = format!("the CA does not verify what {replica} serves: {why}");
            let logs = "logs -l app.kubernetes.io/name=apisix-prestop --tail=20";
            Some(id.fail(message).hint(format!("kubectl -n {namespace} {logs}")))
        }
        Err(why) => {
            let message = format!("cannot see what {replica} serves: {why}");
            Some(id.warn(message).hint(format!("kubectl -n {namespace} get pods,endpointslices")))
        }
    }
}

fn expiry(served: &ServedValidity, now: SystemTime, namespace: &str) -> CheckResult {
    const DAY: u64 = 24 * 3600;
    let id = CheckId::CertificateExpiry;
    let lifetime = served.not_after.duration_since(served.not_before).unwrap_or_default();
    let left = served.not_after.duration_since(now).unwrap_or_default();
    let text = match left.as_secs() {
        seconds @ DAY.. => format!("in {} days", seconds / DAY),
        seconds => format!("in {} h {} min", seconds / 3600, seconds % 3600 / 60),
    };
    let result = if left == Duration::ZERO {
        id.fail("the certificate has expired")
    } else if left < EXPIRY_WARNING.min(lifetime / 4) {
        id.warn(format!("the certificate expires {text}, and has not been renewed"))
    } else {
        return id.pass(format!("the certificate expires {text}"));
    };
    result.hint(format!("kubectl -n {namespace} get secrets"))
}
