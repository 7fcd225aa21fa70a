//! Measures how long APISIX takes to let go of a Pod.

mod announce_delay;
mod apisix_controller;
mod context;
mod delay_config_map;
mod gateway_client;
mod gateway_index;
mod gateway_place;
mod measure;
mod measured;
mod metrics;
mod pod_end;
mod pod_facts;
mod propagation_watch;
mod record_writer;
mod restart;
mod served_propagation;
mod slice_index;

pub(crate) use context::PropagationContext;
pub(crate) use delay_config_map::{follow_delay, read_delay};
pub(crate) use gateway_place::GatewayPlace;
pub(super) use measure::measure;
pub(crate) use measured::MeasuredPropagation;
pub(crate) use metrics::PropagationMetrics;
pub(crate) use pod_facts::PodFacts;
pub(crate) use propagation_watch::{PropagationObserver, PropagationWatch};
pub(crate) use restart::Restart;
