//! Waiting for a condition.

use std::{cell::RefCell, error::Error, fmt, time::Duration};

use tokio::time::{sleep, timeout};

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Polls until `attempt` succeeds. `what` is a phrase such as "the webhook to answer".
///
/// # Errors
/// When no attempt succeeds within `limit`. The text has the error of the last attempt.
pub async fn eventually<T, E: fmt::Display>(
    what: &str,
    limit: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, InVain> {
    let last = RefCell::new("the first attempt does not end".to_owned());
    let polling = async {
        let mut pause = SHORTEST_PAUSE;
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => *last.borrow_mut() = format!("{error:#}"),
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    };
    let result = timeout(limit, polling).await;
    result.map_err(|_| InVain { what: what.to_owned(), limit, last: last.into_inner() })
}

/// A condition that never held.
#[derive(Debug)]
pub struct InVain {
    what: String,
    limit: Duration,
    last: String,
}

impl fmt::Display for InVain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waited {:?} in vain for {}: {}", self.limit, self.what, self.last)
    }
}

impl Error for InVain {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_value_of_the_first_success_is_returned() {
        let mut attempts = 0;
        let third = eventually("three attempts", Duration::from_secs(5), async || {
            attempts += 1;
            if attempts < 3 { Err("too few") } else { Ok(attempts) }
        });
        assert_eq!(third.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_state() {
        let never = async || Err::<(), _>("1 of 2 is ready");
        let error = eventually("all to be ready", Duration::from_millis(30), never).await;
        let expected = "waited 30ms in vain for all to be ready: 1 of 2 is ready";
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
}
