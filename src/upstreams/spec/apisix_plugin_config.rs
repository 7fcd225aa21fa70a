//! ApisixPluginConfig (apisix.apache.org/v2), and the plugins of an ApisixRoute.

use serde::Deserialize;
use serde_json::Value;

/// What the rules read of an ApisixPluginConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ApisixPluginConfigSpec {
    /// Its plugins.
    pub plugins: Option<Box<[Plugin]>>,
}

/// A plugin, of which only `traffic-split` sends requests anywhere: the hosts of its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "WholePlugin")]
pub struct Plugin {
    /// The hosts that it sends requests to.
    pub hosts: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WholePlugin {
    name: String,
    enable: Option<bool>,
    config: Value,
}

impl From<WholePlugin> for Plugin {
    fn from(plugin: WholePlugin) -> Self {
        let WholePlugin { name, enable, config } = plugin;
        if name != "traffic-split" || enable == Some(false) {
            return Self::default();
        }
        let mut hosts = Vec::new();
        for rule in items(&config["rules"]) {
            for weighted in items(&rule["weighted_upstreams"]) {
                match &weighted["upstream"]["nodes"] {
                    // {"host:port": weight}
                    Value::Object(nodes) => {
                        let host = |node: &str| {
                            node.rsplit_once(':').map_or(node, |(host, _)| host).to_owned()
                        };
                        hosts.extend(nodes.keys().map(|node| host(node)));
                    }
                    // [{"host": …, "port": …, "weight": …}]
                    nodes => hosts.extend(
                        items(nodes)
                            .iter()
                            .filter_map(|node| node["host"].as_str())
                            .map(Into::into),
                    ),
                }
            }
        }
        Self { hosts }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
