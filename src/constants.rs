//! Every key, default and limit that is visible from outside, in one place.
//!
//! The documentation and the chart are checked against these values
//! (`tests/it/docs.rs`).

use std::time::Duration;

// ---- Keys: what people write on namespaces and Pods -----------------------------------------

/// The prefix of all keys.
pub const KEY_PREFIX: &str = "apisix-prestop/";
/// Label. On a namespace `enabled` opts in; on a Pod `disabled` opts out.
pub const INJECT_LABEL: &str = "apisix-prestop/inject";
/// Value of [`INJECT_LABEL`] with which a namespace opts in.
pub const INJECT_ENABLED: &str = "enabled";
/// All values of [`INJECT_LABEL`] with which a namespace opts in: people write either.
pub const INJECT_ENABLED_VALUES: [&str; 2] = [INJECT_ENABLED, "true"];
/// Values of [`INJECT_LABEL`] with which a Pod opts out.
pub const INJECT_DISABLED: [&str; 2] = ["disabled", "false"];
/// Annotation on a Pod: its delay (`15`, `15s`, `1m30s`).
pub const DELAY_ANNOTATION: &str = "apisix-prestop/delay";
/// Annotation on a Pod: the delays of single containers (`web=20s,log-shipper=0`).
pub const CONTAINER_DELAYS_ANNOTATION: &str = "apisix-prestop/container-delays";
/// Annotation on a Pod: how much of its grace period it keeps for its own shutdown.
pub const SHUTDOWN_RESERVE_ANNOTATION: &str = "apisix-prestop/shutdown-reserve";
/// Annotation on a Pod: whether its exec hooks stay as they are, or run after the sleep.
pub const EXISTING_HOOK_ANNOTATION: &str = "apisix-prestop/existing-hook";
/// Annotation on a Pod: whether it gets the sleep whoever sends requests to it.
pub const TARGET_ANNOTATION: &str = "apisix-prestop/target";
/// Value of [`TARGET_ANNOTATION`].
pub const TARGET_ALWAYS: &str = "always";
/// Annotation that the webhook writes on a Pod: the record of the injection.
pub const INJECTED_ANNOTATION: &str = "apisix-prestop/injected";
/// All annotations.
pub const ANNOTATIONS: [&str; 6] = [
    DELAY_ANNOTATION,
    CONTAINER_DELAYS_ANNOTATION,
    SHUTDOWN_RESERVE_ANNOTATION,
    EXISTING_HOOK_ANNOTATION,
    TARGET_ANNOTATION,
    INJECTED_ANNOTATION,
];
/// Annotation by which the kubelet marks the API object of a static Pod.
pub const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

// ---- The injection: defaults and limits ------------------------------------------------------

/// Delay of a Pod without an annotation, in seconds: what Apache APISIX has advised since 1.8.
pub const DEFAULT_DELAY: u32 = 5;
/// Longest delay that a Pod may ask for by default, in seconds. A cluster autoscaler gives up on a
/// node after 10 minutes by default: a Pod should be gone well before.
pub const DEFAULT_MAX_DELAY: u32 = 300;
/// Longest delay that any policy may allow, in seconds.
pub const MAX_DELAY: u32 = 3600;
/// How much of its grace period a Pod keeps for its own shutdown after the sleep, in seconds.
pub const DEFAULT_SHUTDOWN_RESERVE: u32 = 10;
/// Longest shutdown reserve, in seconds.
pub const MAX_SHUTDOWN_RESERVE: u32 = 3600;
/// Most notices about one Pod. The API server cuts warnings at 4096 characters in total, and the
/// annotations of a Pod can hold thousands of faults.
pub const MAX_NOTICES: usize = 20;
/// Most bytes that the annotations of a Pod may have, keys and values together. The API server
/// rejects a Pod with more.
pub const MAX_ANNOTATIONS_BYTES: usize = 256 * 1024;
/// Most containers, and most init containers, of a Pod that is looked at. A Pod with more is left
/// alone (`too_large`), as one beyond any of the limits below: webhooks run before the API server
/// checks a length, and every Pod of the cluster shares the memory of a replica.
pub const MAX_CONTAINERS: usize = 256;
/// Most ports of a container.
pub const MAX_PORTS: usize = 64;
/// Most words of a command.
pub const MAX_COMMAND_WORDS: usize = 256;
/// Most terms of a node affinity, expressions of a term, and values of an expression.
pub const MAX_AFFINITY_ENTRIES: usize = 16;
/// Most owners of a Pod.
pub const MAX_OWNERS: usize = 64;
/// Most labels of a Pod.
pub const MAX_LABELS: usize = 256;
/// Longest name of an object, in bytes.
pub const MAX_NAME_BYTES: usize = 253;
/// Longest name of a container, and longest value of a label, in bytes.
pub const MAX_LABEL_BYTES: usize = 63;
/// Longest record of an injection that is read, in bytes: longer than any that is written.
pub const MAX_RECORD_BYTES: usize = 32 * 1024;
/// Grace period that the API server sets on a Pod without one, in seconds.
pub const KUBERNETES_DEFAULT_GRACE_PERIOD: i64 = 30;

// ---- The admission contract ------------------------------------------------------------------

/// Path of the webhook.
pub const INJECT_PATH: &str = "/inject";
/// The supported version of AdmissionReview.
pub const ADMISSION_API_VERSION: &str = "admission.k8s.io/v1";
/// Largest request body, in bytes. The API server sends objects of up to 3 MiB, and on some
/// requests two of them.
pub const MAX_BODY_BYTES: usize = 7 * 1024 * 1024;
/// How much of a larger body is read and discarded before the response, in bytes.
pub const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;
/// Longest text whose errors are reported in detail, in bytes.
pub const MAX_REPORTED_BYTES: usize = 256 * 1024;
/// Longest message about a request that gets no review, in bytes.
pub const MAX_REFUSAL_BYTES: usize = 512;
/// Longest warning, in bytes. The API reference asks for no more than 120 characters, and the
/// warnings are ASCII.
pub const MAX_WARNING_LENGTH: usize = 120;

// ---- The server ------------------------------------------------------------------------------

/// Address of the webhook (TLS).
pub const DEFAULT_LISTEN: &str = "[::]:10250";
/// Address of `/live`, `/ready` and `/metrics` (plain HTTP).
pub const DEFAULT_ADMIN_LISTEN: &str = "[::]:8080";
/// How long the server accepts connections after SIGTERM, in seconds, while the API servers learn
/// that it stops.
pub const DEFAULT_DRAIN_DELAY: u32 = 5;
/// How long open connections may then take to finish, in seconds.
pub const DEFAULT_DRAIN_TIMEOUT: u32 = 10;
/// Longest drain delay or drain timeout, in seconds.
pub const MAX_DRAIN: u32 = 300;
/// Most open connections of a listener. The API server needs one for each concurrent review, which
/// takes it milliseconds. Each connection may take some 100 KiB.
pub const DEFAULT_MAX_CONNECTIONS: u32 = 256;
/// How long a client may take for its TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may then take for its first request. The API server connects when it has one.
pub const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be idle. The API server closes an idle connection after 90 s: this is
/// longer, so that it never sends a request into a connection that the webhook closes.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a client may take to send a body, unless its own timeout is shorter: the longest
/// timeout of an API server.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest header of a request, in bytes. That of an API server has some 200.
pub const MAX_HEADER_BYTES: u32 = 16 * 1024;
/// Size of the read buffer of a connection, in bytes.
pub const MAX_BUFFER_BYTES: u32 = 32 * 1024;
/// How much of a response a connection encrypts ahead of its client, in bytes.
pub const MAX_TLS_BUFFER_BYTES: usize = 16 * 1024;
/// How much the kernel keeps of what a client sends ahead, in bytes. It takes up to twice as much, and
/// the memory limit of the container includes it. With less, an ordinary review fills half of it, and
/// the kernel tells the client at once that there is room again.
pub const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// How much the kernel keeps of what a client has not read, in bytes. It takes up to twice as much.
pub const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// How long a client may take no byte of a response.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Descriptors that are not for connections.
pub const RESERVED_DESCRIPTORS: u64 = 64;
/// How much of each body is not counted against [`MAX_LARGE_BYTES`], in bytes: an ordinary review
/// fits.
pub const BODY_ALLOWANCE_BYTES: usize = 32 * 1024;
/// Memory for all larger bodies that arrive in more than one piece, in bytes.
pub const MAX_LARGE_BYTES: usize = 2 * MAX_BODY_BYTES;
/// Longest answer that is not counted against [`MAX_LONG_ANSWERS_BYTES`], in bytes: one for a Pod
/// with dozens of containers.
pub const ANSWER_ALLOWANCE_BYTES: usize = 8 * 1024;
/// Memory for all longer answers that clients have not read yet, in bytes.
pub const MAX_LONG_ANSWERS_BYTES: usize = 4 * 1024 * 1024;
/// With more containers, the answers for Pods are written one at a time.
pub const USUAL_CONTAINERS: usize = 32;
/// Most of them that wait for their turn.
pub const MAX_WAITING_ANSWERS: usize = 128;
/// How often the files of the certificate are read.
pub const CERTIFICATE_POLL_INTERVAL: Duration = Duration::from_secs(1);

// ---- The API server --------------------------------------------------------------------------

/// How often `--hook auto` asks the API server for its version: a cluster may be upgraded while the
/// webhook runs.
pub const VERSION_POLL_INTERVAL: Duration = Duration::from_secs(300);
/// How often it asks before the first answer.
pub const VERSION_RETRY_INTERVAL: Duration = Duration::from_secs(15);
/// How long a watch lasts before it starts again, in seconds.
pub const WATCH_TIMEOUT: u32 = 50;
/// How long the API server may send nothing: longer than a watch without events.
pub const API_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Shortest delay before a retry.
pub const MIN_RETRY_DELAY: Duration = Duration::from_millis(500);
/// Longest delay before a retry.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);
/// How long one request to the API server may take.
pub const API_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Most Events that wait to be published. Further Events are dropped.
pub const EVENT_QUEUE: usize = 256;
/// Most Events of one namespace that wait: one tenant's faults must not displace another's.
pub const EVENTS_OF_A_NAMESPACE: usize = 32;
/// Pause after each Event: a bad annotation on a large Deployment must not load the API server.
pub const EVENT_INTERVAL: Duration = Duration::from_millis(200);

// ---- Which Pods APISIX sends requests to -------------------------------------------------------

/// Most different places of one route that name a Service. A route with more names none, and every Pod
/// of its namespace may be a target.
pub const MAX_NAMED_SERVICES: usize = 1024;
/// Most places of all routes of a namespace that name a Service. With more, every Pod of the namespace
/// may be a target: nobody who may write routes in one namespace takes the memory of all.
pub const MAX_NAMED_SERVICES_OF_A_NAMESPACE: usize = 20_000;
/// Most bytes of all Services, routes and the like of a namespace, as the API server sends what is read
/// of them. With more, the same holds.
pub const MAX_NAMESPACE_BYTES: usize = 8 * 1024 * 1024;
/// Most routes of a Service that each send requests to a subset of its Pods. With more, all of its
/// Pods count.
pub const MAX_ROUTES_OF_A_SERVICE: usize = 64;
/// How long the process waits for the first list of all kinds before it is ready.
pub const FIRST_SYNC_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a watch may fail before what it has listed is no longer enough to say that no route sends
/// requests to a Pod.
pub const WATCH_FAILURE_BOUND: Duration = Duration::from_secs(60);
/// How often the API server is asked which kinds it serves: a CRD may be installed at any time. Half of
/// it is jitter.
pub const KIND_DISCOVERY_INTERVAL: Duration = Duration::from_secs(10);
/// Shortest time between two snapshots of the targets: a storm of changes costs no more.
pub const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(100);
/// Longest time between two snapshots: that a watch fails for long is no change.
pub const TARGETS_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest chain of ExternalName Services that is followed.
pub const MAX_SERVICE_ALIASES: usize = 8;

/// How long Pods have to lack a sleep before a person learns of it: a rollout may end it.
pub const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// How often it is looked for, at most.
pub const FINDINGS_INTERVAL: Duration = Duration::from_secs(1);
/// Most workloads, Services and routes of a namespace that have such an Event. The metrics count all.
pub const MAX_FINDINGS_OF_A_NAMESPACE: usize = 100;
/// Shortest time between two Events about it: many at once are not worth a storm.
pub const ANNOUNCEMENT_INTERVAL: Duration = Duration::from_secs(3);
/// Most namespaces whose Pods are watched one by one. Where more have opted in, one watch on all Pods
/// of the cluster costs the API server less.
pub const MAX_WATCHED_NAMESPACES: usize = 50;
/// How many Pods the API server lists at a time. One has up to 1 MiB, and most a hundredth of it.
pub const PODS_OF_A_PAGE: u32 = 100;
/// How long the replica that watches Pods keeps its Lease without renewing it, in seconds.
pub const LEASE_DURATION: u64 = 12;
/// How long before its end the Lease is renewed, in seconds.
pub const LEASE_RENEWAL: u64 = 8;

// ---- How long APISIX takes to let go of a Pod ------------------------------------------------

/// Longest answer of a gateway's Control API that is read, in bytes: that of 10,000 upstreams with 100
/// nodes each.
pub const MAX_CONTROL_API_BYTES: u64 = 128 * 1024 * 1024;
/// Longest text, and longest number, of such an answer, in bytes. The longest that APISIX writes is all
/// endpoints of a Service that it has discovered: 17,000 of one port.
pub const MAX_CONTROL_API_TOKEN_BYTES: usize = 1024 * 1024;
/// How deep such an answer may be nested. serde_json has a limit too, but not for what it skips.
pub const MAX_CONTROL_API_DEPTH: usize = 100;
/// Largest header of such an answer, in bytes. APISIX sends some 200.
pub const MAX_CONTROL_API_HEADER_BYTES: usize = 16 * 1024;
/// How long it may take to connect to a gateway's Control API.
pub const CONTROL_API_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long such an answer may then take, until its last byte.
pub const CONTROL_API_ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How much is told of an error of a port-forward, in characters: it is what a kubelet says.
pub const MAX_FORWARD_ERROR_CHARS: usize = 256;
/// How often it is looked for what takes too long.
pub const PROPAGATION_TICK: Duration = Duration::from_secs(1);
/// How often a gateway is asked for all that may have addresses of Pods, and not only for what has had
/// some.
pub const ALL_PATHS_INTERVAL: Duration = Duration::from_secs(60);
/// How many Pods that leave are read at once.
pub const CONCURRENT_POD_READS: usize = 4;
/// Most Pods that wait for it. Of further ones the workload stays unknown.
pub const MAX_WAITING_POD_READS: usize = 1000;
/// Most Pods that have left and whose workload is kept until their gateways have dropped them.
pub const MAX_KNOWN_DEPARTURES: usize = 5000;
/// How often what is measured is recorded, unless the delay changes.
pub const RECORD_INTERVAL: Duration = Duration::from_secs(60);
/// Shortest time between two writes of it.
pub const RECORD_WRITE_INTERVAL: Duration = Duration::from_secs(2);
/// Most workloads whose headroom is shown: those with the least.
pub const MAX_WORKLOADS_WITH_HEADROOM: usize = 1000;
/// The labels of the ingress controller's Pods, as the chart of APISIX sets them.
pub const APISIX_CONTROLLER_SELECTOR: &str =
    "app.kubernetes.io/name in (apisix-ingress-controller, ingress-controller)";
/// Most of these Pods that a line of the log names.
pub const MAX_NAMED_CONTROLLERS: usize = 3;
/// Shortest time between two comparisons of all running Pods with a new delay.
pub const COMPARISON_INTERVAL: Duration = Duration::from_secs(60);
/// Most endpoints of an EndpointSlice: as many as the API allows.
pub const MAX_ENDPOINTS_OF_A_SLICE: usize = 1000;
/// Most addresses of an endpoint that count. Kubernetes itself writes one.
pub const MAX_ENDPOINT_ADDRESSES: usize = 4;
/// Most ports of an EndpointSlice that count.
pub const MAX_ENDPOINT_PORTS: usize = 16;
/// Most EndpointSlices that are known. Further ones are left out: their Pods are not measured.
pub const MAX_ENDPOINT_SLICES: usize = 20_000;
/// Most endpoints of all of them. An EndpointSlice for which there is no room counts as empty.
pub const MAX_ENDPOINTS: usize = 50_000;

/// Most Pods of a workload that `measure --roll` waits for.
pub const MAX_RESTARTED_PODS: u32 = 5000;
/// How long `measure --roll` waits, before it restarts the workload, until the gateways have answered.
pub const FIRST_ANSWERS: Duration = Duration::from_secs(3);
/// How long `measure` measures, in seconds.
pub const DEFAULT_MEASURE_TIME: u32 = 10 * 60;
/// Longest time of a measurement, in seconds.
pub const MAX_MEASURE_TIME: u32 = 24 * 3600;
/// The labels of a gateway's Pods, as the chart of APISIX sets them.
pub const DEFAULT_GATEWAY_SELECTOR: &str = "app.kubernetes.io/name=apisix";
/// The port of APISIX's Control API.
pub const DEFAULT_CONTROL_PORT: u16 = 9090;
/// How much longer than its slowest Pod a workload should sleep: the next may be slower.
pub const MIN_HEADROOM: Duration = Duration::from_secs(1);
/// Most rows of a table of `measure`, and most lines of a kind. Those with something wrong come first,
/// and one more line says how many are left out. JSON has all.
pub const MAX_MEASURED_ROWS: usize = 20;
/// The same of the table that `measure` draws while it measures: it has to fit a terminal.
pub const MAX_LIVE_ROWS: usize = 8;
/// Most bars of a histogram in a terminal. The plot has up to [`MAX_PLOTTED_BARS`].
pub const MAX_HISTOGRAM_ROWS: usize = 20;
/// Most bars of a histogram in a plot.
pub const MAX_PLOTTED_BARS: usize = 100;
/// How often a second `measure` draws at most.
pub const LIVE_RATE: u8 = 4;
/// How many answers in a row have to lack a Pod before a gateway has dropped it. The workers of a
/// gateway answer in turn, and each applies a change in its own time.
pub const CONFIRMED_ABSENCES: u8 = 3;
/// How long after a Pod has left an address that a gateway still has is stale.
pub const STALE_AFTER: Duration = Duration::from_secs(120);
/// How long a gateway may leave open when it has dropped a Pod: from the last answer with the Pod to
/// the one that confirms that it is gone. A departure that is less well known is no sample: it would be
/// too long.
pub const MAX_UNCERTAINTY: Duration = Duration::from_secs(5);
/// To that comes one of so many parts of how long the gateway is known to have had the Pod: it is
/// polled less often by then.
pub const UNCERTAIN_PART: u32 = 4;
/// How often a gateway is asked that only has stale addresses.
pub const STALE_INTERVAL: Duration = Duration::from_secs(30);
/// Shortest time between two polls of a gateway: at most 10 a second.
pub const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Longest time between two polls of a gateway that has not dropped a Pod.
pub const MAX_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Between the two, a gateway is polled this often in the time since the last Pod left: what takes
/// long need not be known as exactly.
pub const POLLS_OF_AN_AGE: u32 = 20;
/// Most polls of all gateways in each [`MIN_POLL_INTERVAL`]: at most 100 a second.
pub const MAX_POLLS_AT_ONCE: usize = 10;
/// A gateway answers polls for at most one of so many parts of the time.
pub const POLL_SHARE: u32 = 5;
/// Most gateways that are polled.
pub const MAX_GATEWAYS: usize = 256;
/// Most Pods whose departure can be measured.
pub const MAX_TRACKED_PODS: usize = 20_000;
/// Most addresses of such a Pod.
pub const MAX_ADDRESSES_OF_A_POD: usize = 64;
/// Most Pods that leave at the same time.
pub const MAX_LEAVING_PODS: usize = 2000;
/// Most stale addresses that are looked at until they end.
pub const MAX_STALE_ADDRESSES: usize = 1000;
/// Most outcomes of departures that wait to be taken.
pub const MAX_WAITING_OUTCOMES: usize = 4000;
/// Longest problem of a gateway that is kept, in characters.
pub const MAX_PROBLEM_CHARS: usize = 256;
/// Longest sample that is told apart from longer ones, in seconds.
pub const MAX_SAMPLE: u32 = 3600;
/// How much of the samples the automatic delay goes by.
pub const DEFAULT_AUTO_DELAY_QUANTILE: f64 = 0.99;
/// What the automatic delay multiplies this quantile with.
pub const DEFAULT_AUTO_DELAY_FACTOR: f64 = 1.5;
/// The largest number that it may be.
pub const MAX_AUTO_DELAY_FACTOR: f64 = 10.0;
/// What it adds to the product.
pub const AUTO_DELAY_MARGIN: Duration = Duration::from_secs(1);
/// Shortest automatic delay by default, in seconds.
pub const DEFAULT_AUTO_DELAY_MIN: u32 = DEFAULT_DELAY;
/// Longest automatic delay by default, in seconds. With the shutdown reserve it fits into the grace
/// period that a Pod has by default.
pub const DEFAULT_AUTO_DELAY_MAX: u32 = 20;
/// For how long a sample counts, and how long a delay has to be longer than needed before it falls.
pub const AUTO_DELAY_WINDOW: Duration = Duration::from_secs(DEFAULT_AUTO_DELAY_WINDOW as u64);
/// The same in seconds.
pub const DEFAULT_AUTO_DELAY_WINDOW: u32 = 24 * 3600;
/// The shortest that it may be, in seconds.
pub const MIN_AUTO_DELAY_WINDOW: u32 = 10 * 60;
/// The longest that it may be, in seconds.
pub const MAX_AUTO_DELAY_WINDOW: u32 = 7 * 24 * 3600;
/// In so many parts the samples of a window are forgotten.
pub const WINDOW_PARTS: u32 = 24;
/// Of an automatic delay, the part by which it falls at most: one of so many, or 1 s if that is more.
pub const AUTO_DELAY_FALL_SHARE: u32 = 4;
/// Longest value in the ConfigMap of the delay that is read, in bytes.
pub const MAX_RECORD_VALUE_BYTES: usize = 64;
/// Most workloads of a measurement.
pub const MAX_MEASURED_WORKLOADS: usize = 1000;
/// Most departures of a measurement that took too long to be a sample.
pub const MAX_OUTLIERS: usize = 100;
/// A gateway lags that takes so many times as long as half of the others, and also
/// [`LAG_MARGIN`] longer.
pub const LAG_FACTOR: u32 = 2;
/// See [`LAG_FACTOR`].
pub const LAG_MARGIN: Duration = Duration::from_secs(1);

// ---- Self-managed certificates ---------------------------------------------------------------

/// The Secret that holds CA and certificate, for all replicas.
pub const DEFAULT_TLS_SECRET: &str = "apisix-prestop-tls";
/// The Service and the webhook configuration, as the chart names them by default.
pub const DEFAULT_NAME: &str = "apisix-prestop";
/// The DNS domain of the cluster.
pub const DEFAULT_CLUSTER_DOMAIN: &str = "cluster.local";
/// How long a CA is valid, in seconds. The next one replaces it after two thirds.
pub const DEFAULT_CA_LIFETIME: u32 = 3650 * 24 * 3600;
/// How long a serving certificate is valid, in seconds. It is renewed after two thirds.
pub const DEFAULT_CERTIFICATE_LIFETIME: u32 = 90 * 24 * 3600;
/// How long a new CA is published before it signs certificates, in seconds. API servers learn of it
/// by a watch, in well under a second unless they are cut off.
pub const DEFAULT_CA_PROPAGATION: u32 = 60;
/// Longest lifetime, in seconds: no date has a year of five digits.
pub const MAX_LIFETIME: u32 = 36500 * 24 * 3600;
/// How far in the past the validity of a new CA begins, for nodes whose clocks are behind.
pub const BACKDATED: Duration = Duration::from_secs(3600);
/// Annotation on the Secret: renew `certificate` or `ca` now. The renewal removes it.
pub const ROTATE_ANNOTATION: &str = "apisix-prestop/rotate";
/// The field manager that owns `caBundle`, and nothing else.
pub const CA_BUNDLE_FIELD_MANAGER: &str = "apisix-prestop-certificates";
/// How long a replica that has just started, and finds no usable Secret although a bundle is
/// published, waits for a replica that remembers what was in it.
pub const CREATION_GRACE: Duration = Duration::from_secs(3);
/// How often a replica checks the state when nothing happens: a clock that jumps is no event.
pub const CERTIFICATE_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Shortest time between two writes of the Secret by one replica, and between two of the CA bundle,
/// whatever others write.
pub const WRITE_INTERVAL: Duration = Duration::from_secs(1);

// ---- The commands ----------------------------------------------------------------------------

/// What the name of each webhook of the chart ends with: `inject.apisix-prestop.svc`, and
/// `inject.NAME.apisix-prestop.svc` where the objects of the release have another name.
pub const WEBHOOK_NAME_END: &str = ".apisix-prestop.svc";
/// The port of the webhook's Pods, in the chart.
pub const WEBHOOK_PORT: u16 = 10250;
/// Label of each namespace: its name.
pub const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// Label by which the chart marks its objects: the name of the application.
pub const NAME_LABEL: &str = "app.kubernetes.io/name";
/// Label by which the chart marks its objects: the name of the release.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// Label by which the chart marks its objects: the version of the webhook.
pub const VERSION_LABEL: &str = "app.kubernetes.io/version";
/// The oldest Kubernetes that the webhook supports: 1.25.
pub const MIN_KUBERNETES_MINOR: u32 = 25;
/// The first Kubernetes whose API has the native sleep by default: 1.30.
pub const SLEEP_KUBERNETES_MINOR: u32 = 30;
/// The first Kubernetes of which every kubelet knows it: a kubelet may be three minor versions older
/// than its API server.
pub const SLEEP_EVERYWHERE_MINOR: u32 = 33;
/// How many objects `check` and `audit` list at a time.
pub const OBJECTS_OF_A_PAGE: u32 = 500;
/// How long such a page may take.
pub const LIST_PAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Most pages of a list of which `check` keeps the objects.
pub const MAX_PAGES: usize = 40;
/// Most pages of a list of which `audit` keeps next to nothing: a million objects.
pub const MAX_AUDITED_PAGES: usize = 2000;
/// Most templates of Pods of which `audit` keeps that the kubelet could not run their hook.
pub const MAX_FAILED_HOOKS: usize = 100_000;
/// Most namespaces in which `check` creates a Pod as a dry run.
pub const MAX_DRY_RUNS: usize = 50;
/// How many requests `check` sends at once.
pub const CONCURRENT_REQUESTS: usize = 8;
/// How long a dry run may take: longer than any webhook may.
pub const DRY_RUN_TIMEOUT: Duration = Duration::from_secs(35);
/// Most replicas of a release whose certificates `check` looks at.
pub const MAX_DIALLED_REPLICAS: usize = 10;
/// Most releases that `check` looks at.
pub const MAX_RELEASES: usize = 4;
/// How long before its end a certificate should have been renewed, unless that is more than a quarter
/// of its lifetime.
pub const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 24 * 3600);
/// Longest message of a check, in characters: it may quote what the cluster says.
pub const MAX_CHECK_MESSAGE_CHARS: usize = 1024;
/// Most lines of one check. One more says how many are left out.
pub const MAX_RESULTS_OF_A_CHECK: usize = 20;
/// Longest time of `check --wait`, in seconds.
pub const MAX_WAIT: u32 = 3600;
/// How long `check --wait` pauses before it looks again.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(2);
