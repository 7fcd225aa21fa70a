//! Generated Pods on the real API server: none may be rejected that is accepted without the
//! webhook.

use anyhow::Result;
use apisix_prestop_e2e::{
    dry_run::dry_run,
    installation,
    namespace::{self, OPTED_IN, with_namespace},
};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use support::generator;

/// How many Pods are tried with each policy.
const PODS: usize = 150;

/// Whether the webhook changed the Pod.
fn is_injected(pod: &Pod) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.is_some_and(|a| a.contains_key("apisix-prestop/injected"))
}

async fn assert_none_is_rejected(
    client: &Client,
    without: &str,
    with: &str,
    values: &[&str],
) -> Result<()> {
    installation::install(client, values).await?;
    let mut runner = TestRunner::default();
    let strategy = generator::pod();
    let pods: Vec<_> =
        (0..PODS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let answers = futures::stream::iter(pods).map(async |pod| {
        let expected = dry_run(client, without, &pod).await;
        let answer = dry_run(client, with, &pod).await;
        (pod, expected, answer)
    });
    let (mut accepted, mut injected) = (0, 0);
    for (pod, expected, answer) in answers.buffer_unordered(8).collect::<Vec<_>>().await {
        assert!(
            answer.is_ok() || expected.is_err(),
            "with {values:?} this Pod is accepted without the webhook and rejected with it: \
             {answer:?}\n{pod:#}"
        );
        accepted += usize::from(expected.is_ok());
        injected += usize::from(answer.is_ok_and(|pod| is_injected(&pod)));
    }
    println!("{values:?}: {PODS} Pods, {accepted} valid without the webhook, {injected} injected");
    assert!(accepted > PODS / 2, "too few of the generated Pods are valid: {accepted}");
    assert!(injected > PODS / 4, "too few of the generated Pods were injected: {injected}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a cluster: make e2e"]
async fn no_pod_is_rejected_that_is_accepted_without_the_webhook() -> Result<()> {
    with_namespace("generated", OPTED_IN, async |client, with| {
        let without = format!("{with}-without");
        namespace::create(&without, "").await?;
        let mut result = Ok(());
        for values in [
            &[][..],
            &["injection.grace=never", "injection.delay=40s", "injection.hook=sleep"],
            &["injection.grace=extend", "injection.hook=exec", "injection.jobs=true"],
        ] {
            result = result.and(assert_none_is_rejected(&client, &without, with, values).await);
        }
        installation::install(&client, &[]).await?;
        apisix_prestop_e2e::command::run(
            "kubectl",
            &["delete", "namespace", &without, "--wait=false"],
        )
        .await?;
        result
    })
    .await
}
