//! The preStop hook that a container has.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use super::Bounded;
use crate::constants::MAX_COMMAND_WORDS;

/// An existing preStop hook. The API server requires exactly one handler, but only later.
#[derive(Debug, Default)]
pub struct ExistingHook<'a> {
    /// A command in the container.
    pub exec: Option<ExecAction<'a>>,
    /// A sleep of the kubelet.
    pub sleep: Option<SleepAction>,
    /// A request to a container of the Pod.
    pub http_get: Option<HttpGetAction<'a>>,
    /// Whether there is a handler of another kind.
    pub is_other: bool,
}

impl ExistingHook<'_> {
    /// Whether there is no handler. A webhook that is built with older types leaves this of a
    /// handler that it does not know.
    pub(in crate::injection) fn is_empty(&self) -> bool {
        matches!(self, Self { exec: None, sleep: None, http_get: None, is_other: false })
    }
}

/// A command in the container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ExecAction<'a> {
    /// The program and its arguments. There is no shell around it.
    #[serde(borrow)]
    pub command: Bounded<Word<'a>, MAX_COMMAND_WORDS>,
}

/// A string in a list or a map, such as a word of a command: borrowed if the JSON has no escapes.
/// serde does not borrow a `Cow` there by itself.
#[derive(Debug, Deserialize)]
pub struct Word<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A sleep of the kubelet.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SleepAction {
    /// How long, in seconds.
    pub seconds: i64,
}

/// A request to a container of the Pod.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HttpGetAction<'a> {
    /// The host, if it is not the Pod.
    #[serde(borrow)]
    pub host: Option<Word<'a>>,
    /// The port.
    #[serde(borrow)]
    pub port: Port<'a>,
}

/// A port, by number or by the name that the same container gives it.
#[derive(Debug, PartialEq, Eq)]
pub enum Port<'a> {
    /// By number.
    Number(i64),
    /// By name.
    Name(Cow<'a, str>),
}

impl Default for Port<'_> {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ExistingHook<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HookVisitor)
    }
}

/// Reads a hook, and whether there is more than the handlers that are known.
struct HookVisitor;

impl<'de> Visitor<'de> for HookVisitor {
    type Value = ExistingHook<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hook")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut hook = ExistingHook::default();
        while let Some(Word(handler)) = map.next_key()? {
            match &*handler {
                "exec" => hook.exec = map.next_value()?,
                "sleep" => hook.sleep = map.next_value()?,
                "httpGet" => hook.http_get = map.next_value()?,
                _ => hook.is_other |= map.next_value::<Option<IgnoredAny>>()?.is_some(),
            }
        }
        Ok(hook)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Port<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortVisitor)
    }
}

/// Reads an `IntOrString`.
struct PortVisitor;

impl<'de> Visitor<'de> for PortVisitor {
    type Value = Port<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Port::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map(Port::Number).map_err(E::custom)
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Port::Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Port::Name(Cow::Owned(name.to_owned())))
    }
}
