//! The metrics of connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use strum::{EnumCount, IntoStaticStr, VariantArray};

/// For how long after a loss a listener counts as crowded.
const CROWDED: Duration = Duration::from_secs(60);

/// Why a connection was closed or refused before its client was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Lost {
    /// It gave way to another one.
    Evicted,
    /// All slots are taken by connections at work.
    Refused,
    /// The system cannot accept it, mostly for lack of a descriptor.
    NotAccepted,
    /// The TLS handshake failed.
    HandshakeFailed,
    /// The TLS handshake took too long.
    HandshakeTimeout,
    /// It sent no request in time.
    NoRequest,
}

impl Lost {
    /// Whether there was no room for it.
    const fn is_for_lack_of_room(self) -> bool {
        matches!(self, Self::Evicted | Self::Refused | Self::NotAccepted)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpenLabels {
    listener: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LostLabels {
    listener: &'static str,
    cause: &'static str,
}

/// The open connections of a listener, and how many were lost.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    pub(super) open: Gauge,
    lost: [Counter; Lost::COUNT],
    /// When a connection last found no place, or lost its own.
    crowded: Arc<ArcSwapOption<Instant>>,
}

impl ConnectionMetrics {
    /// Adds the metrics of each of the `listeners` to `registry`.
    pub fn register<const N: usize>(
        registry: &mut Registry,
        listeners: [&'static str; N],
    ) -> [Self; N] {
        let open = Family::<OpenLabels, Gauge>::default();
        let lost = Family::<LostLabels, Counter>::default();
        registry.register("connections", "Open connections", open.clone());
        registry.register(
            "connections_lost",
            "Connections that were closed or refused before the client was done",
            lost.clone(),
        );
        listeners.map(|listener| Self {
            open: open.get_or_create_owned(&OpenLabels { listener }),
            lost: std::array::from_fn(|index| {
                let cause = Lost::VARIANTS[index].into();
                lost.get_or_create_owned(&LostLabels { listener, cause })
            }),
            crowded: Arc::default(),
        })
    }

    /// Whether connections have had to give way within the last minute.
    pub fn is_crowded(&self) -> bool {
        self.crowded.load().as_ref().is_some_and(|last| last.elapsed() < CROWDED)
    }

    pub(super) fn lose(&self, cause: Lost) {
        self.lost[cause as usize].inc();
        if cause.is_for_lack_of_room() {
            self.crowded.store(Some(Arc::new(Instant::now())));
        }
    }

    /// How many connections found no place, or lost theirs.
    pub(super) fn displaced(&self) -> u64 {
        let causes = Lost::VARIANTS.iter().filter(|cause| cause.is_for_lack_of_room());
        causes.map(|cause| self.lost[*cause as usize].get()).sum()
    }
}
