//! How long the API server waits for the response. It says so in the URL: `?timeout=2s`.

use std::time::Duration;

/// The client's own timeout, if its query names one. It is a duration in Go's syntax.
pub(super) fn request_timeout(query: Option<&str>) -> Option<Duration> {
    let pairs = query?.split('&');
    let timeout = pairs.filter_map(|pair| pair.strip_prefix("timeout=")).next()?;
    go_duration(timeout).filter(|timeout| !timeout.is_zero())
}

/// `2s`, `1m30s`, `500ms`, `1.5h`: <https://pkg.go.dev/time#ParseDuration>, without a sign.
fn go_duration(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (Duration::ZERO, text);
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !is_numeric(c))?);
        let (unit, tail) = tail.split_at(tail.find(is_numeric).unwrap_or(tail.len()));
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    Some(total)
}

fn is_numeric(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("timeout=2s", Some(2_000))]
    #[case::minutes("timeout=1m30s", Some(90_000))]
    #[case::milliseconds("timeout=500ms", Some(500))]
    #[case::fraction("timeout=1.5s", Some(1_500))]
    #[case::hours("timeout=1h", Some(3_600_000))]
    #[case::among_others("a=b&timeout=3s&timeout=4s", Some(3_000))]
    #[case::other("notimeout=3s", None)]
    #[case::no_unit("timeout=3", None)]
    #[case::no_number("timeout=s", None)]
    #[case::two_points("timeout=1.2.3s", None)]
    #[case::other_unit("timeout=3d", None)]
    #[case::negative("timeout=-3s", None)]
    #[case::without_end("timeout=99999999999999999999h", None)]
    #[case::zero("timeout=0s", None)]
    #[case::empty("timeout=", None)]
    fn a_timeout_is_read_as_go_writes_it(#[case] query: &str, #[case] millis: Option<u64>) {
        assert_eq!(request_timeout(Some(query)), millis.map(Duration::from_millis), "{query}");
    }
}
