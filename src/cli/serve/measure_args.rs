//! The flags of `serve` that say whether to measure, and whether the delay follows.

use clap::{ArgAction, Args};

use super::super::gateway::GatewayArgs;
use crate::{
    constants::{
        DEFAULT_AUTO_DELAY_FACTOR, DEFAULT_AUTO_DELAY_MAX, DEFAULT_AUTO_DELAY_MIN,
        DEFAULT_AUTO_DELAY_WINDOW, MAX_AUTO_DELAY_FACTOR,
    },
    propagation::{AutoDelaySettings, DelayRange},
    units::{Delay, DelayWindow},
};

/// Whether to measure, and whether the delay follows.
#[derive(Debug, Args)]
pub struct ServeMeasureArgs {
    /// Whether to measure how long APISIX takes to let go of a Pod. The replica that holds the Lease
    /// asks the gateways while a Pod leaves
    #[arg(long, value_name = "BOOL", env = "APISIX_PRESTOP_MEASURE", default_value_t, action = ArgAction::Set)]
    pub measure: bool,
    /// The gateways.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// The ConfigMap that keeps what is measured, in the namespace of the ServiceAccount. --measure
    /// needs it
    #[arg(long, value_name = "NAME", env = "APISIX_PRESTOP_DELAY_CONFIG_MAP", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub delay_config_map: Option<String>,
    /// Whether the delay follows what is measured. --delay holds until there is something
    #[arg(long, value_name = "BOOL", env = "APISIX_PRESTOP_AUTO_DELAY", default_value_t, action = ArgAction::Set)]
    pub auto_delay: bool,
    /// The shortest delay that follows: 0 to 3600 seconds
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_AUTO_DELAY_MIN", default_value_t = Delay::clamped(DEFAULT_AUTO_DELAY_MIN))]
    pub auto_delay_min: Delay,
    /// The longest delay that follows: 0 to 3600 seconds, and no more than --max-delay. What takes
    /// longer is an outage, and does not count
    #[arg(long, value_name = "SECONDS", env = "APISIX_PRESTOP_AUTO_DELAY_MAX", default_value_t = Delay::clamped(DEFAULT_AUTO_DELAY_MAX))]
    pub auto_delay_max: Delay,
    /// How many times as long as 99 of 100 Pods take the delay is, before a second is added: 1 to 10
    #[arg(long, value_name = "NUMBER", env = "APISIX_PRESTOP_AUTO_DELAY_FACTOR", default_value_t = DEFAULT_AUTO_DELAY_FACTOR, value_parser = factor)]
    pub auto_delay_factor: f64,
    /// For how long a measured Pod counts, and for how long the delay has to be longer than needed
    /// before it falls: 10m to 7d
    #[arg(long, value_name = "TIME", env = "APISIX_PRESTOP_AUTO_DELAY_WINDOW", default_value_t = DelayWindow::clamped(DEFAULT_AUTO_DELAY_WINDOW))]
    pub auto_delay_window: DelayWindow,
}

fn factor(text: &str) -> Result<f64, String> {
    let range = 1.0..=MAX_AUTO_DELAY_FACTOR;
    let number = text.parse::<f64>().ok().filter(|number| range.contains(number));
    number
        .ok_or_else(|| format!("expected a number from 1 to {MAX_AUTO_DELAY_FACTOR}, such as 1.5"))
}

/// The flags about measuring contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum ContradictoryMeasureArgs {
    /// Nobody knows which Services matter, or which replica measures.
    #[error("--measure true needs --upstreams true")]
    UpstreamsNotWatched,
    /// There is no place for what is measured.
    #[error("--measure true needs --delay-config-map")]
    NoConfigMap,
    /// There is nothing to follow.
    #[error("--auto-delay true needs --measure true")]
    NotMeasured,
    /// There is no delay between them.
    #[error("--auto-delay-min {min} is above --auto-delay-max {max}")]
    MinAboveMax {
        /// The shortest delay.
        min: Delay,
        /// The longest delay.
        max: Delay,
    },
    /// No Pod may ask for it.
    #[error("--auto-delay-max {max} is above --max-delay {max_delay}")]
    MaxAboveMaxDelay {
        /// The longest delay.
        max: Delay,
        /// The longest delay that a Pod may ask for.
        max_delay: Delay,
    },
}

impl ServeMeasureArgs {
    /// Checks that what the flags ask for is possible.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn check(
        &self,
        has_upstreams: bool,
        max_delay: Delay,
    ) -> Result<(), ContradictoryMeasureArgs> {
        let (min, max) = (self.auto_delay_min, self.auto_delay_max);
        if self.auto_delay && !self.measure {
            return Err(ContradictoryMeasureArgs::NotMeasured);
        }
        if !self.measure {
            return Ok(());
        }
        match () {
            () if !has_upstreams => Err(ContradictoryMeasureArgs::UpstreamsNotWatched),
            () if self.delay_config_map.is_none() => Err(ContradictoryMeasureArgs::NoConfigMap),
            () if min > max => Err(ContradictoryMeasureArgs::MinAboveMax { min, max }),
            () if self.auto_delay && max > max_delay => {
                Err(ContradictoryMeasureArgs::MaxAboveMaxDelay { max, max_delay })
            }
            () => Ok(()),
        }
    }

    /// Between which bounds the delay stays.
    pub(crate) const fn range(&self) -> DelayRange {
        DelayRange { min: self.auto_delay_min, max: self.auto_delay_max }
    }

    /// How the delay follows. Until there is something to follow, it is `default`.
    pub(crate) fn settings(&self, default: Delay) -> AutoDelaySettings {
        AutoDelaySettings {
            range: self.range(),
            default,
            factor: self.auto_delay_factor,
            window: self.auto_delay_window.duration(),
            ..AutoDelaySettings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};
    use rstest::rstest;

    use super::*;

    fn args(flags: &[&str]) -> ServeMeasureArgs {
        let command = ServeMeasureArgs::augment_args(Command::new("serve").no_binary_name(true));
        ServeMeasureArgs::from_arg_matches(&command.get_matches_from(flags)).unwrap()
    }

    const MEASURE: [&str; 2] = ["--measure=true", "--delay-config-map=delay"];

    #[rstest]
    #[case::nothing(&[], true, None)]
    #[case::measures(&MEASURE, true, None)]
    #[case::follows(&[MEASURE[0], MEASURE[1], "--auto-delay=true"], true, None)]
    #[case::without_upstreams(&MEASURE, false, Some("--measure true needs --upstreams true"))]
    #[case::without_a_config_map(&["--measure=true"], true, Some("--measure true needs --delay-config-map"))]
    #[case::follows_nothing(&["--auto-delay=true"], true, Some("--auto-delay true needs --measure true"))]
    #[case::min_above_max(
        &[MEASURE[0], MEASURE[1], "--auto-delay-min=9s", "--auto-delay-max=8s"], true,
        Some("--auto-delay-min 9s is above --auto-delay-max 8s"),
    )]
    #[case::above_the_longest_delay(
        &[MEASURE[0], MEASURE[1], "--auto-delay=true", "--auto-delay-max=61s"], true,
        Some("--auto-delay-max 1m1s is above --max-delay 1m"),
    )]
    #[case::above_it_without_following(&[MEASURE[0], MEASURE[1], "--auto-delay-max=61s"], true, None)]
    fn contradictions_are_one_sentence(
        #[case] flags: &[&str],
        #[case] has_upstreams: bool,
        #[case] expected: Option<&str>,
    ) {
        let error = args(flags).check(has_upstreams, Delay::clamped(60)).err();
        assert_eq!(error.map(|error| error.to_string()).as_deref(), expected, "{flags:?}");
    }

    #[rstest]
    #[case("1", Some(1.0))]
    #[case("1.5", Some(1.5))]
    #[case("10", Some(10.0))]
    #[case("0.9", None)]
    #[case("10.1", None)]
    #[case("NaN", None)]
    #[case("inf", None)]
    #[case("twice", None)]
    fn a_factor_is_from_1_to_10(#[case] text: &str, #[case] expected: Option<f64>) {
        assert_eq!(factor(text).ok(), expected, "{text}");
    }
}
