//! When the API server uses the MutatingAdmissionPolicies as they are. It looks once a second whether
//! one has changed, and until then goes on with the earlier ones.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use support::eventually;

use crate::command::{run, run_with_input};

const NAME: &str = "apisix-prestop-e2e-refresh";
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until the API server uses the policies and bindings as they are now. It takes over all of them
/// at once, so this adds one, and waits for what that one does.
///
/// # Errors
/// When it does not within 30 s, or with the output of kubectl.
pub async fn await_refresh() -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
    let added = format!(
        "\
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {{name: {NAME}}}
spec:
  failurePolicy: Ignore
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules:
      - {{apiGroups: [''], apiVersions: [v1], resources: [configmaps], operations: [CREATE], resourceNames: [{NAME}]}}
  mutations:
    - patchType: JSONPatch
      jsonPatch: {{expression: \"[JSONPatch{{op: 'add', path: '/data', value: {{'now': '{now}'}}}}]\"}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {{name: {NAME}}}
spec: {{policyName: {NAME}}}
"
    );
    run_with_input("kubectl", &["apply", "-f", "-"], &added).await?;
    let create = ["-n", "default", "create", "configmap", NAME, "--dry-run=server", "-o", "yaml"];
    let refreshed = eventually("the API server to use the policies", LIMIT, async || {
        let created = run("kubectl", &create).await?.stdout;
        ensure!(created.contains(&now.to_string()), "no {now} in:\n{created}");
        Ok(())
    });
    let refreshed = refreshed.await;
    run_with_input("kubectl", &["delete", "-f", "-"], &added).await?;
    Ok(refreshed?)
}
