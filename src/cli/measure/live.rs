//! What a person sees while `measure` measures.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    rounded::{seconds_or_dash, span},
    table::{counted, gateways, histogram},
};
use crate::{
    constants::{LIVE_RATE, MAX_LIVE_ROWS},
    propagation::PropagationReport,
    units::MeasureTime,
};

/// Only people at a terminal see it.
pub(super) struct LiveView {
    bar: ProgressBar,
    total: MeasureTime,
}

impl LiveView {
    pub(super) fn new(total: MeasureTime) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(LIVE_RATE)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self::on(target, total)
    }

    fn on(target: ProgressDrawTarget, total: MeasureTime) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        Self { bar: bar.with_style(ProgressStyle::default_spinner()), total }
    }

    /// Draws the report, unless it has just drawn one.
    pub(super) fn show(&self, report: &PropagationReport) {
        if !self.bar.is_hidden() {
            self.bar.set_message(text(report, self.total));
            self.bar.tick();
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }
}

fn text(report: &PropagationReport, total: MeasureTime) -> String {
    let PropagationReport { measured_for, samples, p50, p99, max, .. } = report;
    let so_far = span(*measured_for);
    let [p50, p99, max] = [p50, p99, max].map(|time| seconds_or_dash(*time));
    let mut text = format!(
        "{so_far} of {total} (Ctrl-C ends it): {}, p50 {p50}, p99 {p99}, max {max}\n\n",
        counted(*samples, "sample")
    );
    text += &gateways(&report.gateways, MAX_LIVE_ROWS);
    text += &histogram(&report.histogram, MAX_LIVE_ROWS);
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use indicatif::TermLike;

    use super::{
        super::made_up::{crowd, everything, fine},
        *,
    };

    /// A terminal that counts how often it is drawn.
    #[derive(Clone, Debug, Default)]
    struct CountedTerminal(Arc<AtomicUsize>);

    impl TermLike for CountedTerminal {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, _: &str) -> io::Result<()> {
            Ok(())
        }

        fn write_str(&self, _: &str) -> io::Result<()> {
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }

    #[test]
    fn a_terminal_shows_time_gateways_and_histogram() {
        let expected = "\
10m of 1h (Ctrl-C ends it): 4 samples, p50 0.153 s, p99 0.212 s, max 0.212 s

GATEWAY          SAMPLES  P50      P99      MAX      STATE
apisix/apisix-1  4        0.153 s  0.212 s  0.212 s  ok
apisix/apisix-2  4        0.153 s  0.212 s  0.212 s  ok

UP TO    SAMPLES
0.150 s  1        ####################
0.160 s  2        ########################################
0.170 s  0
0.180 s  0
0.190 s  0
0.200 s  0
0.210 s  0
0.220 s  1        ####################";
        assert_eq!(text(&fine(), MeasureTime::clamped(3600)), expected);
    }

    #[test]
    fn a_terminal_has_room_for_it_and_no_name_controls_it() {
        for report in [crowd(), everything()] {
            let text = text(&report, MeasureTime::MAX);
            assert!(text.lines().count() <= 24, "{text}");
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        }
    }

    #[test]
    fn a_terminal_is_not_drawn_for_each_report() {
        let terminal = CountedTerminal::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), LIVE_RATE);
        let view = LiveView::on(target, MeasureTime::MAX);
        for _ in 0..2000 {
            view.show(&fine());
        }
        let drawn = terminal.0.load(Ordering::Relaxed);
        assert!((1..200).contains(&drawn), "it was drawn {drawn} times for 2000 reports");
    }

    #[test]
    fn nothing_is_drawn_without_a_terminal() {
        let view = LiveView::on(ProgressDrawTarget::hidden(), MeasureTime::MAX);
        view.show(&fine());
        assert_eq!(view.bar.message(), "", "no text is made that nobody sees");
    }
}
