//! How long APISIX takes to let go of a Pod that stops, and which delay follows from it.
//!
//! Everything here is pure: time is passed in, as the time since some start.

mod auto_delay;
mod control_api;
mod delay_range;
mod delay_record;
mod endpoint_index;
mod endpoint_slice;
mod left_out;
mod measurement;
mod outcome;
mod pod_id;
mod poll_schedule;
mod report;
mod samples;
#[cfg(test)]
mod simulation;
mod sketch;
mod tracker;

pub use auto_delay::{AutoDelay, AutoDelaySettings, DelayChange, DelayChangeCause};
pub use control_api::{ControlApiError, ControlApiPath, read_addresses};
pub use delay_range::DelayRange;
pub use delay_record::{DelayRecord, DelayRecordProblem};
pub use endpoint_index::{EndpointChange, EndpointIndex};
pub use endpoint_slice::EndpointSlice;
pub use left_out::{BoundedItem, LeftOut};
pub use measurement::{MeasuredPod, Measurement};
pub use outcome::{Departure, DepartureOutcome, VoidCause};
pub use pod_id::PodId;
pub use report::{
    GatewayReport, HistogramBucket, OutlierReport, PropagationReport, StaleReport,
    WorkloadPropagation,
};
pub use samples::Samples;
pub use tracker::{GatewayState, OverduePod, StaleAddress, Tracker};
