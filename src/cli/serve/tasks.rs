//! The tasks of the server. Each runs as long as the process: one that ends, ends the process.

use strum::Display;
use tokio::{
    runtime::Handle,
    task::{JoinError, JoinSet},
};

/// A listener. It ends when the server has drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub(super) enum ListenerTask {
    #[strum(to_string = "webhook listener")]
    Webhook,
    #[strum(to_string = "admin listener")]
    Admin,
}

/// Follows something outside of the process. It never ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub(super) enum FollowerTask {
    #[strum(to_string = "watch on the certificate")]
    Certificate,
    #[strum(to_string = "watch on the cluster's version")]
    ClusterVersion,
    #[strum(to_string = "watch on namespaces")]
    Namespaces,
    #[strum(to_string = "watch on Services and routes")]
    Upstreams,
    #[strum(to_string = "watch on Pods")]
    Protection,
    #[strum(to_string = "watch on the delay")]
    Delay,
    #[strum(to_string = "event queue")]
    Events,
}

/// A task of the server ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum TaskEnded {
    /// It returned.
    #[error("the {0} ended unexpectedly")]
    Returned(String),
    /// It panicked.
    #[error("a task of the server died: {0}")]
    Died(#[source] JoinError),
}

/// All tasks of the server.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    listeners: JoinSet<ListenerTask>,
    followers: JoinSet<FollowerTask>,
}

impl Tasks {
    /// Starts a listener on the current runtime.
    pub(super) fn listen(
        &mut self,
        listener: ListenerTask,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.listeners.spawn(async move {
            task.await;
            listener
        });
    }

    /// Starts a follower on `runtime`.
    pub(super) fn follow(
        &mut self,
        follower: FollowerTask,
        task: impl Future<Output = ()> + Send + 'static,
        runtime: &Handle,
    ) {
        let task = async move {
            task.await;
            follower
        };
        self.followers.spawn_on(task, runtime);
    }

    /// Waits until a task ends.
    pub(super) async fn first_end(&mut self) -> TaskEnded {
        let ended = tokio::select! {
            Some(ended) = self.listeners.join_next() => ended.map(|listener| listener.to_string()),
            Some(ended) = self.followers.join_next() => ended.map(|follower| follower.to_string()),
            else => std::future::pending().await,
        };
        ended.map_or_else(TaskEnded::Died, TaskEnded::Returned)
    }

    /// Waits until all listeners have ended.
    pub(super) async fn listeners_end(&mut self) {
        while self.listeners.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    //! Nothing outside can make a task of the server end, so these tasks belong to the test.
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::returns(async {}, "the event queue ended unexpectedly")]
    #[case::panics(async { panic!("of a fault") }, "a task of the server died: ")]
    #[tokio::test]
    async fn a_task_that_ends_ends_the_server(
        #[case] task: impl Future<Output = ()> + Send + 'static,
        #[case] message: &str,
    ) {
        let mut tasks = Tasks::default();
        tasks.listen(ListenerTask::Webhook, std::future::pending());
        tasks.follow(FollowerTask::Events, task, &Handle::current());
        let error = tasks.first_end().await.to_string();
        assert!(error.starts_with(message), "expected {message:?}, got {error:?}");
    }
}
