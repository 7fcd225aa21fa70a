//! Which addresses a gateway sends requests to, as its Control API says.
//!
//! The answer is untrusted and can have 100 MB. It is read as a stream, and only the addresses that
//! are wanted are kept.

mod bounded_json;
mod error;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fmt,
    io::{self, BufReader, Read},
    marker::PhantomData,
    mem,
    net::{IpAddr, SocketAddr},
    slice,
};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
        value::MapAccessDeserializer,
    },
};
use serde_json::error::Category;
use strum::IntoStaticStr;

use self::bounded_json::BoundedJson;
pub use self::error::ControlApiError;

/// What APISIX takes for the port of a node without one: that of HTTP, and that of HTTPS. Which of them
/// depends on the request, so that both count.
const DEFAULT_PORTS: [u16; 2] = [80, 443];
/// How requests are spread where a node of weight 0 gets none. The other ways, `least_conn` and `ewma`,
/// send it requests that another node has failed, or take no notice of weights.
const BY_WEIGHT: [&str; 2] = ["roundrobin", "chash"];

/// A path of the Control API that says where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
pub enum ControlApiPath {
    /// The upstreams.
    #[strum(serialize = "/v1/upstreams")]
    Upstreams,
    /// The services, each of which can have an upstream of its own.
    #[strum(serialize = "/v1/services")]
    Services,
    /// The routes, each of which can have an upstream of its own.
    #[strum(serialize = "/v1/routes")]
    Routes,
    /// The endpoints that APISIX has discovered in Kubernetes itself.
    #[strum(serialize = "/v1/discovery/kubernetes/dump")]
    KubernetesDiscovery,
}

impl ControlApiPath {
    /// All of them. Together they are what a gateway has.
    pub const ALL: [Self; 4] =
        [Self::Upstreams, Self::Services, Self::Routes, Self::KubernetesDiscovery];

    /// As it is in a request.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for ControlApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The addresses that get requests according to `answer`, as far as they are in `wanted`.
///
/// # Errors
/// When the answer is too large, incomplete, or of another shape.
pub fn read_addresses(
    answer: impl Read,
    path: ControlApiPath,
    wanted: &HashSet<SocketAddr>,
) -> Result<HashSet<SocketAddr>, ControlApiError> {
    let mut found = Found { wanted, present: HashSet::new(), pool: Pool::default() };
    match path {
        ControlApiPath::Upstreams | ControlApiPath::Services | ControlApiPath::Routes => {
            read::<ListOf<ObjectWith<Entry>>>(answer, &mut found)
        }
        ControlApiPath::KubernetesDiscovery => {
            read::<ObjectWith<DiscoveryDump>>(answer, &mut found)
        }
    }?;
    Ok(found.present)
}

fn read<S: Shape>(json: impl Read, found: &mut Found<'_>) -> Result<(), ControlApiError> {
    let bounded = BufReader::new(BoundedJson::new(json));
    let mut deserializer = serde_json::Deserializer::from_reader(bounded);
    let read = ReadAs::<S>::new(found).deserialize(&mut deserializer);
    read.and_then(|()| deserializer.end()).map_err(|error| match error.classify() {
        Category::Eof => ControlApiError::Truncated,
        Category::Syntax => ControlApiError::NotJson,
        Category::Data => ControlApiError::OtherShape,
        Category::Io => match io::Error::from(error).downcast() {
            Ok(bound) => bound,
            Err(error) => ControlApiError::Read(error.kind()),
        },
    })
}

/// What has been read so far.
struct Found<'w> {
    wanted: &'w HashSet<SocketAddr>,
    present: HashSet<SocketAddr>,
    /// The nodes of the upstream that is being read.
    pool: Pool,
}

/// The nodes that APISIX chooses from for a request.
#[derive(Default)]
struct Pool {
    /// Those of weight 0 that are wanted.
    idle: HashSet<SocketAddr>,
    has_weight: bool,
    priority: Option<i64>,
    /// Whether a node of weight 0 can get requests although another node has a weight.
    uses_idle: bool,
}

impl Found<'_> {
    fn take(&mut self, node: &UpstreamNode) {
        let is_idle = node.weight.is_none_or(|weight| weight <= 0.0);
        self.pool.has_weight |= !is_idle;
        let priority = node.priority.unwrap_or_default();
        // The nodes of each priority are chosen from on their own.
        self.pool.uses_idle |= *self.pool.priority.get_or_insert(priority) != priority;

        let Some(ip) = node.ip() else { return };
        let ports = node.port.as_ref().map_or(&DEFAULT_PORTS[..], slice::from_ref);
        let addresses = ports.iter().map(|port| SocketAddr::new(ip, *port));
        let to = if is_idle { &mut self.pool.idle } else { &mut self.present };
        to.extend(addresses.filter(|address| self.wanted.contains(address)));
    }

    /// Reads the nodes of one upstream.
    fn pool<E>(&mut self, read: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        let outer = mem::take(&mut self.pool);
        read(self)?;
        let pool = mem::replace(&mut self.pool, outer);
        // Where no node has a weight, APISIX takes any.
        if pool.uses_idle || !pool.has_weight {
            self.present.extend(pool.idle);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct UpstreamNode {
    host: String,
    port: Option<u16>,
    weight: Option<f64>,
    priority: Option<i64>,
}

impl UpstreamNode {
    /// A node that is written as `HOST:PORT` or as `HOST`.
    fn of_key(key: String, weight: Option<f64>) -> Self {
        let address = key.parse::<SocketAddr>().ok();
        let host = address.map_or(key, |address| address.ip().to_string());
        Self { host, port: address.map(|address| address.port()), weight, priority: None }
    }

    /// Its address. `None` for a host name.
    fn ip(&self) -> Option<IpAddr> {
        // APISIX puts an IPv6 address in brackets when it sends a request there.
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(&self.host).parse().ok()
    }
}

/// What a JSON value has to look like. Whatever has another shape is an error.
trait Shape {
    /// What it is, for serde.
    const EXPECTED: &'static str;
    /// Whether it can be `null`.
    const IS_OPTIONAL: bool = false;

    fn map<'de, A: MapAccess<'de>>(_: &mut Found<'_>, _: A) -> Result<(), A::Error> {
        Err(A::Error::invalid_type(Unexpected::Map, &Self::EXPECTED))
    }

    fn list<'de, A: SeqAccess<'de>>(_: &mut Found<'_>, _: A) -> Result<(), A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &Self::EXPECTED))
    }

    fn text<E: de::Error>(_: &mut Found<'_>, _: &str) -> Result<(), E> {
        Err(E::invalid_type(Unexpected::Other("a text"), &Self::EXPECTED))
    }
}

/// Reads a value of a shape. Nothing of it stays but what was found.
struct ReadAs<'a, 'w, S> {
    found: &'a mut Found<'w>,
    shape: PhantomData<S>,
}

impl<'a, 'w, S> ReadAs<'a, 'w, S> {
    fn new(found: &'a mut Found<'w>) -> Self {
        Self { found, shape: PhantomData }
    }
}

impl<'de, S: Shape> DeserializeSeed<'de> for ReadAs<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Shape> Visitor<'de> for ReadAs<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        S::map(self.found, map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        S::list(self.found, list)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        S::text(self.found, text)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        let error = || E::invalid_type(Unexpected::Unit, &S::EXPECTED);
        S::IS_OPTIONAL.then_some(()).ok_or_else(error)
    }
}

/// A list. Lua does not know whether an empty table is one: then it is written as `{}`.
struct ListOf<S>(PhantomData<S>);

impl<S: Shape> Shape for ListOf<S> {
    const EXPECTED: &'static str = "a list";

    fn list<'de, A: SeqAccess<'de>>(found: &mut Found<'_>, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(ReadAs::<S>::new(found))?.is_some() {}
        Ok(())
    }

    fn map<'de, A: MapAccess<'de>>(_: &mut Found<'_>, mut map: A) -> Result<(), A::Error> {
        match map.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::invalid_type(Unexpected::Map, &Self::EXPECTED)),
        }
    }
}

/// An object of which one member counts.
struct ObjectWith<M>(PhantomData<M>);

trait Member {
    const NAME: &'static str;
    /// Whether an object without it is of another API.
    const IS_REQUIRED: bool = true;
    type Value: Shape;
}

impl<M: Member> Shape for ObjectWith<M> {
    const EXPECTED: &'static str = "an object";

    fn map<'de, A: MapAccess<'de>>(found: &mut Found<'_>, mut map: A) -> Result<(), A::Error> {
        let mut is_there = false;
        while let Some(is_member) = map.next_key_seed(IsName(M::NAME))? {
            is_there |= is_member;
            if is_member {
                map.next_value_seed(ReadAs::<M::Value>::new(found))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let is_complete = is_there || !M::IS_REQUIRED;
        is_complete.then_some(()).ok_or_else(|| A::Error::missing_field(M::NAME))
    }
}

/// Reads a key: whether it is this name.
struct IsName(&'static str);

impl<'de> DeserializeSeed<'de> for IsName {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for IsName {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// `{"key": "/apisix/upstreams/1", "value": {…}, …}`.
struct Entry;

impl Member for Entry {
    const NAME: &'static str = "value";
    type Value = Upstream;
}

/// An upstream, or a service or a route that can have one: `{"nodes": …}` or
/// `{"upstream": {"nodes": …}}`.
struct Upstream;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum UpstreamKey {
    Nodes,
    Upstream,
    Type,
    Checks,
    #[serde(other)]
    Other,
}

impl Shape for Upstream {
    const EXPECTED: &'static str = "an object";

    fn map<'de, A: MapAccess<'de>>(found: &mut Found<'_>, mut map: A) -> Result<(), A::Error> {
        found.pool(|found| {
            while let Some(key) = map.next_key()? {
                match key {
                    UpstreamKey::Nodes => map.next_value_seed(ReadAs::<Nodes>::new(found))?,
                    UpstreamKey::Upstream => map.next_value_seed(ReadAs::<Inline>::new(found))?,
                    UpstreamKey::Type => map.next_value_seed(ReadAs::<Balancer>::new(found))?,
                    // Those that pass a health check are chosen from on their own.
                    UpstreamKey::Checks => {
                        found.pool.uses_idle |= map.next_value::<Option<IgnoredAny>>()?.is_some();
                    }
                    UpstreamKey::Other => _ = map.next_value::<IgnoredAny>()?,
                }
            }
            Ok(())
        })
    }
}

/// The upstream of a service or of a route.
struct Inline;

impl Shape for Inline {
    const EXPECTED: &'static str = Upstream::EXPECTED;
    const IS_OPTIONAL: bool = true;

    fn map<'de, A: MapAccess<'de>>(found: &mut Found<'_>, map: A) -> Result<(), A::Error> {
        Upstream::map(found, map)
    }
}

/// The `type` of an upstream: how it chooses.
struct Balancer;

impl Shape for Balancer {
    const EXPECTED: &'static str = "a text";
    const IS_OPTIONAL: bool = true;

    fn text<E: de::Error>(found: &mut Found<'_>, text: &str) -> Result<(), E> {
        found.pool.uses_idle |= !BY_WEIGHT.contains(&text);
        Ok(())
    }
}

/// `[{"host": "10.0.0.1", "port": 80, "weight": 1}]` or `{"10.0.0.1:80": 1}`.
struct Nodes;

impl Shape for Nodes {
    const EXPECTED: &'static str = "nodes";
    const IS_OPTIONAL: bool = true;

    fn list<'de, A: SeqAccess<'de>>(found: &mut Found<'_>, list: A) -> Result<(), A::Error> {
        ListOf::<NodeObject>::list(found, list)
    }

    fn map<'de, A: MapAccess<'de>>(found: &mut Found<'_>, mut map: A) -> Result<(), A::Error> {
        while let Some((key, weight)) = map.next_entry()? {
            found.take(&UpstreamNode::of_key(key, weight));
        }
        Ok(())
    }
}

struct NodeObject;

impl Shape for NodeObject {
    const EXPECTED: &'static str = "a node";

    fn map<'de, A: MapAccess<'de>>(found: &mut Found<'_>, map: A) -> Result<(), A::Error> {
        found.take(&UpstreamNode::deserialize(MapAccessDeserializer::new(map))?);
        Ok(())
    }
}

/// `{"endpoints": [{"id": "first", "endpoints": [{"name": "shop/web", "value": "…"}]}], …}`.
struct DiscoveryDump;

impl Member for DiscoveryDump {
    const NAME: &'static str = "endpoints";
    type Value = ListOf<ObjectWith<DiscoveredCluster>>;
}

/// A Kubernetes cluster in which APISIX discovers endpoints.
struct DiscoveredCluster;

impl Member for DiscoveredCluster {
    const NAME: &'static str = "endpoints";
    type Value = ListOf<ObjectWith<DiscoveredService>>;
}

/// A Service of such a cluster.
struct DiscoveredService;

impl Member for DiscoveredService {
    const NAME: &'static str = "value";
    // Without it, the Service was deleted meanwhile.
    const IS_REQUIRED: bool = false;
    type Value = PortNodesText;
}

/// JSON in a text: `{"http": [{"host": "10.0.0.1", "port": 80, "weight": 50}]}`.
struct PortNodesText;

impl Shape for PortNodesText {
    const EXPECTED: &'static str = "JSON in a text";
    const IS_OPTIONAL: bool = true;

    fn text<E: de::Error>(found: &mut Found<'_>, text: &str) -> Result<(), E> {
        read::<PortNodes>(text.as_bytes(), found).map_err(E::custom)
    }
}

struct PortNodes;

impl Shape for PortNodes {
    const EXPECTED: &'static str = "the nodes of each port";

    fn map<'de, A: MapAccess<'de>>(found: &mut Found<'_>, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            found.pool(|found| map.next_value_seed(ReadAs::<Nodes>::new(found)))?;
        }
        Ok(())
    }

    fn list<'de, A: SeqAccess<'de>>(_: &mut Found<'_>, mut list: A) -> Result<(), A::Error> {
        match list.next_element::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::invalid_type(Unexpected::Seq, &Self::EXPECTED)),
        }
    }
}
