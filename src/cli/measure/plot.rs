//! A report as a picture: a histogram, and lines at the quantiles and the delays. It has no names, so
//! there is nothing to escape.

use super::{
    bins::{Bins, width},
    rounded::{milliseconds, seconds, span},
    table::counted,
};
use crate::{constants::MAX_PLOTTED_BARS, propagation::PropagationReport};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 930.0;
/// Where the labels of the lines begin, below the title.
const TOP: f64 = 60.0;
/// Each line has a row for its label: two at the same time do not cover each other.
const LABEL_ROW: f64 = 18.0;
/// Where the highest bar ends.
const PLOT_TOP: f64 = TOP + 5.0 * LABEL_ROW + 10.0;
const BOTTOM: f64 = 430.0;
const BAR_COLOR: &str = "#4a90d9";
/// Most marks on the axis of time, and on that of samples.
const MAX_MARKS: usize = 10;

/// A time with a line.
struct Line {
    label: String,
    time: i128,
    color: &'static str,
    dashes: &'static str,
}

/// The picture, as SVG.
pub(super) fn svg(report: &PropagationReport) -> String {
    let lines = lines(report);
    let samples = report.histogram.iter().map(|bucket| milliseconds(bucket.up_to));
    let longest = lines.iter().map(|line| line.time).chain(samples).max().unwrap_or(0).max(1000);
    let mark = width(100, longest, MAX_MARKS);
    let end = (longest / mark + 1) * mark;
    let x = |time: i128| LEFT + (RIGHT - LEFT) * (time as f64 / end as f64);
    let bins = Bins::up_to(&report.histogram, end, MAX_PLOTTED_BARS);
    let highest = bins.highest().max(1);
    let y = |count: u64| BOTTOM - (BOTTOM - PLOT_TOP) * (count as f64 / highest as f64);

    let title = format!(
        "How long APISIX takes to let go of a Pod: {} in {}",
        counted(report.samples, "sample"),
        span(report.measured_for)
    );
    let mut svg = Svg::new(&title);
    svg.text((LEFT, 30.0), "start", "#222", 18, &title);
    for time in (0..).map(|step| step * mark).take_while(|time| *time <= end) {
        svg.line((x(time), BOTTOM), (x(time), BOTTOM + 5.0), "#222", "none");
        svg.text((x(time), BOTTOM + 20.0), "middle", "#222", 12, &tick(time));
    }
    for count in marks(highest) {
        svg.line((LEFT, y(count)), (RIGHT, y(count)), "#ddd", "none");
        svg.text((LEFT - 8.0, y(count) + 4.0), "end", "#222", 12, &count.to_string());
    }
    let mut start = bins.start;
    for (step_end, count) in bins.steps() {
        if count > 0 {
            let (left, right) = (x(start), x(step_end.min(end)));
            svg.bar((left, y(count)), (right - left, BOTTOM - y(count)));
        }
        start = step_end;
    }
    svg.line((LEFT, BOTTOM), (RIGHT, BOTTOM), "#222", "none");
    let tops = (0..).map(|row| TOP + f64::from(row) * LABEL_ROW);
    for (line, top) in lines.iter().zip(tops.clone()) {
        svg.line((x(line.time), top), (x(line.time), BOTTOM), line.color, line.dashes);
    }
    for (line, top) in lines.iter().zip(tops) {
        let at = x(line.time);
        let (anchor, gap) = if at > WIDTH / 2.0 { ("end", -6.0) } else { ("start", 6.0) };
        svg.text((at + gap, top + 11.0), anchor, line.color, 12, &line.label);
    }
    svg.end()
}

/// The lines that there are.
fn lines(report: &PropagationReport) -> Vec<Line> {
    let PropagationReport { p50, p99, max, recommended, configured, .. } = report;
    let measured = [("p50", p50, "#555"), ("p99", p99, "#555"), ("max", max, "#b00020")];
    let measured = measured.into_iter().filter_map(|(name, time, color)| {
        let time = milliseconds((*time)?);
        Some(Line { label: format!("{name} {}", seconds(time)), time, color, dashes: "none" })
    });
    let delays = [
        ("configured", configured, "#a65a00", "6 4"),
        ("recommended", recommended, "#1b7837", "none"),
    ];
    let delays = delays.into_iter().filter_map(|(name, delay, color, dashes)| {
        let delay = (*delay)?;
        let time = milliseconds(delay.duration());
        Some(Line { label: format!("{name} delay {delay}"), time, color, dashes })
    });
    measured.chain(delays).collect()
}

/// A time on the axis: `0.5 s`, `10 s`.
fn tick(time: i128) -> String {
    format!("{} s", time as f64 / 1000.0)
}

/// Whole numbers up to the highest.
fn marks(highest: u64) -> impl Iterator<Item = u64> {
    let step = width(1, highest.into(), MAX_MARKS);
    let marks = (1..=MAX_MARKS as i128).filter_map(move |mark| u64::try_from(mark * step).ok());
    marks.take_while(move |count| *count <= highest)
}

/// A picture as it grows.
struct Svg(String);

impl Svg {
    /// A white one, for viewers with a dark background.
    fn new(title: &str) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" role=\"img\">\n\
             <title>{title}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
        ))
    }

    /// A text with a white edge, so that no line crosses it.
    fn text(&mut self, (x, y): (f64, f64), anchor: &str, color: &str, size: u32, text: &str) {
        self.0 += &format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{color}\" \
             font-size=\"{size}\" stroke=\"#fff\" stroke-width=\"4\" paint-order=\"stroke\">{text}</text>\n"
        );
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), color: &str, dashes: &str) {
        self.0 += &format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\" \
             stroke-width=\"1.5\" stroke-dasharray=\"{dashes}\"/>\n"
        );
    }

    fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.0 += &format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{BAR_COLOR}\"/>\n"
        );
    }

    fn end(self) -> String {
        self.0 + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use roxmltree::Document;
    use rstest::rstest;

    use super::{
        super::made_up::{crowd, everything, fine, slow, without_samples},
        *,
    };
    use crate::{propagation::HistogramBucket, units::Delay};

    /// No time and no number can be larger.
    fn longest() -> PropagationReport {
        let bucket = HistogramBucket { up_to: Duration::MAX, count: u64::MAX };
        PropagationReport {
            samples: u64::MAX,
            p50: Some(Duration::MAX),
            p99: Some(Duration::MAX),
            max: Some(Duration::MAX),
            histogram: vec![bucket; 1000],
            recommended: Some(Delay::MAX),
            ..fine()
        }
    }

    fn texts(svg: &str) -> Vec<String> {
        let document = Document::parse(svg).unwrap();
        let texts = document.descendants().filter(|node| node.has_tag_name("text"));
        texts.map(|node| node.text().unwrap().to_owned()).collect()
    }

    #[rstest]
    #[case::fine(fine())]
    #[case::slow(slow())]
    #[case::no_samples(without_samples())]
    #[case::nothing(PropagationReport::default())]
    #[case::everything_that_can_be_wrong(everything())]
    #[case::as_many_as_there_can_be(crowd())]
    #[case::as_long_as_there_can_be(longest())]
    fn a_plot_is_small_and_well_formed_and_all_of_it_is_visible(#[case] report: PropagationReport) {
        let svg = svg(&report);
        assert!(svg.len() < 20_000, "it has {} bytes", svg.len());
        let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
        let root = document.root_element();
        assert_eq!(root.tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
        let background = root.children().find(|node| node.has_tag_name("rect")).unwrap();
        assert_eq!(background.attribute("fill"), Some("#fff"));
        for node in root.descendants() {
            let number = |name: &str| node.attribute(name).map(|text| text.parse::<f64>().unwrap());
            let end = |from: &str, size: &str| Some(number(from)? + number(size)?);
            for x in [number("x"), number("x1"), number("x2"), end("x", "width")] {
                assert!(x.is_none_or(|x| (0.0..=WIDTH).contains(&x)), "{x:?} in {svg}");
            }
            for y in [number("y"), number("y1"), number("y2"), end("y", "height")] {
                assert!(y.is_none_or(|y| (0.0..=HEIGHT).contains(&y)), "{y:?} in {svg}");
            }
        }
    }

    #[test]
    fn quantiles_and_delays_have_lines_with_labels() {
        let title = "How long APISIX takes to let go of a Pod: 4 samples in 10m";
        let times = (0..12).map(|half| format!("{} s", f64::from(half) / 2.0)).collect::<Vec<_>>();
        let times: Vec<_> = times.iter().map(String::as_str).collect();
        let measured = ["p50 0.153 s", "p99 0.212 s", "max 0.212 s"];
        let delays = ["configured delay 5s", "recommended delay 2s"];
        let expected = [&[title][..], &times, &["1", "2", "3"], &measured, &delays].concat();
        assert_eq!(texts(&svg(&fine())), expected);
    }

    #[test]
    fn no_sample_is_beyond_the_axis() {
        let last = crowd().histogram.last().unwrap().up_to;
        assert_eq!(last.as_millis(), 34_993);
        assert!(texts(&svg(&crowd())).contains(&"35 s".to_owned()));
    }

    #[test]
    fn without_samples_there_are_no_bars() {
        assert!(svg(&fine()).contains(BAR_COLOR));
        let svg = svg(&without_samples());
        assert!(!svg.contains(BAR_COLOR), "{svg}");
        assert_eq!(texts(&svg).last().unwrap(), "configured delay 5s");
    }

    #[test]
    fn no_name_is_in_a_plot() {
        assert_eq!(svg(&everything()), svg(&slow()));
    }
}
