//! `apisix-prestop measure`: how long APISIX takes to let go of a Pod that stops, and which delay
//! follows from it.

mod args;
mod bins;
mod error;
mod json;
mod live;
#[cfg(test)]
mod made_up;
mod plot;
mod plot_file;
mod rolled_workload;
mod rounded;
mod run;
mod sleep_verdict;
mod table;

use tokio::{runtime::Builder, time::sleep};

pub use self::{
    args::MeasureArgs,
    error::MeasureError,
    rolled_workload::{RollableKind, RolledWorkload},
};

use self::{live::LiveView, plot_file::PlotFile, run::run_measurement};
use super::{signals::Signals, stdout::write_stdout, upstreams::ReportFormat};
use crate::propagation::PropagationReport;

pub(super) fn measure(mut args: MeasureArgs) -> Result<(), MeasureError> {
    let plot = args.plot.take().map(PlotFile::new).transpose()?;
    let output = args.output;
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(MeasureError::Start)?;
    let report = runtime.block_on(measured(args));
    // A request that still waits delays nobody.
    runtime.shutdown_background();
    let report = report?;
    // Each is worth having without the other.
    let plotted = plot.map_or(Ok(()), |file| file.write(&plot::svg(&report)));
    let text = match output {
        ReportFormat::Table => table::table(&report),
        ReportFormat::Json => json::json(&report).map_err(MeasureError::Write)?,
    };
    write_stdout(text).map_err(MeasureError::Write)?;
    plotted
}

/// Measures until the time is over or a person ends it, whatever the cluster does.
async fn measured(args: MeasureArgs) -> Result<PropagationReport, MeasureError> {
    let mut signals = Signals::new().map_err(MeasureError::Start)?;
    let time = args.time;
    let live = LiveView::new(time);
    let mut latest = PropagationReport::default();
    live.show(&latest);
    let measurement = run_measurement(args, |report| {
        live.show(&report);
        latest = report;
    });
    let end = async {
        tokio::select! {
            () = sleep(time.duration()) => {}
            () = signals.next() => {}
        }
    };
    let measured = unless_ended(measurement, end).await;
    live.end();
    measured.unwrap_or(Ok(()))?;
    Ok(latest)
}

/// What the measurement comes to. `None` if the end comes before.
async fn unless_ended<T>(
    measurement: impl Future<Output = T>,
    end: impl Future<Output = ()>,
) -> Option<T> {
    tokio::select! {
        biased;
        report = measurement => Some(report),
        () = end => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_measurement_that_hangs_ends_in_time() {
        assert_eq!(unless_ended(pending::<u8>(), ready(())).await, None);
    }

    #[tokio::test]
    async fn a_measurement_that_has_ended_counts() {
        assert_eq!(unless_ended(ready(1), pending()).await, Some(1));
        assert_eq!(unless_ended(ready(1), ready(())).await, Some(1), "at the same moment");
    }
}
