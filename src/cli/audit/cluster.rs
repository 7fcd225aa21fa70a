//! The audit of a cluster.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::Builder;

use super::super::webhook_flags::WebhookFlags;
use super::{args::AuditArgs, error::AuditError};
use crate::{
    cluster::{ClusterAudit, Installed, connect},
    preflight::{is_opted_in, settings_of},
    propagation::DelayRecord,
    protection::{AuditReport, AuditSettings, ExplainedStep},
    upstreams::{IngressController, StringMap},
};

/// What an audit of a cluster comes to.
pub(super) enum Audited {
    Report(AuditReport),
    Pod(Vec<ExplainedStep>),
}

pub(super) fn audit(args: AuditArgs, settings: AuditSettings) -> Result<Audited, AuditError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(read(args, settings))
}

async fn read(args: AuditArgs, mut settings: AuditSettings) -> Result<Audited, AuditError> {
    let client = connect().await?;
    // The first answer tells whether there is a cluster at all.
    client.apiserver_version().await.map_err(|error| AuditError::NoCluster(error.to_string()))?;
    let AuditArgs { namespace, all_namespaces, explain, controller, .. } = args;
    let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
    let mut controller = IngressController::from(controller);
    let mut unread = Vec::new();
    let installed = Installed::find(&client).await.unwrap_or_else(|error| {
        // Whoever may not list webhooks audits a cluster that most likely has this one.
        settings.is_installed = true;
        unread.push(format!("whether a webhook is installed: {error}"));
        Installed::default()
    });
    let Installed { configurations, policies, webhook } = installed;
    if let Some(policy) = policies.first() {
        settings.is_installed = true;
        settings.policy = settings_of(policy);
    }
    if let Some(webhook) = webhook {
        settings.is_installed = true;
        match webhook.and_then(WebhookFlags::read) {
            Ok(flags) => {
                settings.policy = flags.policy;
                match flags.measured(&client).await {
                    Ok(record) => follow(&mut settings, &flags, &record.unwrap_or_default()),
                    Err(error) => unread.push(error),
                }
                controller = flags.args.targets.controller.into();
            }
            Err(error) => unread.push(format!("the flags of the webhook: {error}")),
        }
    }
    let bar = progress_bar();
    let progress = |what: &str, count: usize| {
        bar.set_message(format!("{what}: {count}"));
        bar.tick();
    };
    let is_opted_in = |labels: &StringMap| is_opted_in(&configurations, &policies, labels);
    let scope = (!all_namespaces).then(|| namespace.clone());
    let mut read =
        ClusterAudit::read(client, scope, controller, settings, &is_opted_in, &progress).await;
    if !all_namespaces && !read.may_have_namespace(&namespace) {
        bar.finish_and_clear();
        return Err(AuditError::NoNamespace(namespace));
    }
    read.add_unread(unread);
    let audited = match explain {
        Some(pod) => Audited::Pod(read.explain(&namespace, &pod).await?),
        None => Audited::Report(read.report().await),
    };
    bar.finish_and_clear();
    Ok(audited)
}

/// Compares Pods with what the webhook has measured. What a person has measured comes first.
fn follow(settings: &mut AuditSettings, flags: &WebhookFlags, record: &DelayRecord) {
    settings.propagation = settings.propagation.or(record.needed());
    if let Some(delay) = flags.measured_delay(record) {
        settings.is_delay_measured = true;
        settings.policy.delay = delay;
    }
}

/// Only people at a terminal see it.
fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner())
}
