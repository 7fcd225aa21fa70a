//! What the caller may do.

use super::{
    check_id::CheckId,
    facts::{PreflightFacts, RightFacts},
    result::CheckResult,
};

pub(super) fn check(facts: &PreflightFacts) -> Vec<CheckResult> {
    let refused = facts.rights.iter().filter(|right| right.is_allowed == Ok(false));
    let unknown = facts.rights.iter().filter_map(|it| it.is_allowed.as_ref().err());
    let (id, purpose) = if facts.is_pre {
        (CheckId::InstallPermissions, "install the chart")
    } else {
        (CheckId::ReadPermissions, "read everything that is checked")
    };
    let mut results: Vec<_> = refused
        .map(|right| {
            let message = format!("you may not {}", right.text());
            let result = if facts.is_pre { id.fail(message) } else { id.warn(message) };
            result.hint(right.command())
        })
        .collect();
    results.extend(unknown.take(1).map(|why| {
        id.warn(format!("your rights are unknown: {why}")).hint("kubectl auth can-i --list")
    }));
    if results.is_empty() {
        results.push(id.pass(format!("you may {purpose}")));
    }
    results
}

impl RightFacts {
    fn text(&self) -> String {
        let Self { verb, resource, namespace, .. } = self;
        let place = if namespace.is_empty() { String::new() } else { format!(" in {namespace}") };
        format!("{verb} {resource}{place}")
    }

    fn command(&self) -> String {
        let Self { verb, resource, namespace, .. } = self;
        let place = if namespace.is_empty() { "-A".to_owned() } else { format!("-n {namespace}") };
        // To kubectl, a name would follow the slash.
        let resource = resource.replace('/', " --subresource=");
        format!("kubectl auth can-i {verb} {resource} {place}")
    }
}
