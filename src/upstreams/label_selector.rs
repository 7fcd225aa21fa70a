//! Label selectors.

use serde::Deserialize;

use super::string_map::StringMap;

/// Selects objects by their labels. An empty one selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that they have.
    pub match_labels: Option<StringMap>,
    /// What holds for their labels.
    pub match_expressions: Option<Box<[SelectorRequirement]>>,
}

/// What holds for a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SelectorRequirement {
    /// The label.
    pub key: String,
    /// In, NotIn, Exists or DoesNotExist.
    pub operator: String,
    /// The values for In and NotIn.
    pub values: Option<Box<[String]>>,
}

impl LabelSelector {
    /// Whether it selects an object with these labels. An unknown operator selects nothing.
    pub fn selects(&self, labels: &StringMap) -> bool {
        let mut pairs = self.match_labels.iter().flat_map(StringMap::iter);
        pairs.all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().flatten().all(|it| it.holds(labels))
    }
}

impl LabelSelector {
    /// The fewest labels that it asks for.
    pub fn example(&self) -> StringMap {
        let pairs = self.match_labels.iter().flat_map(StringMap::iter);
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let required = self.match_expressions.iter().flatten().filter_map(|requirement| {
            let value = match requirement.operator.as_str() {
                "In" => requirement.values.iter().flatten().next().cloned(),
                "Exists" => Some(String::new()),
                _ => None,
            };
            Some((requirement.key.clone(), value?))
        });
        pairs.chain(required).collect()
    }
}

impl SelectorRequirement {
    fn holds(&self, labels: &StringMap) -> bool {
        let value = labels.get(&self.key);
        let is_in =
            || value.is_some_and(|value| self.values.iter().flatten().any(|it| it == value));
        match self.operator.as_str() {
            "In" => is_in(),
            "NotIn" => !is_in(),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::empty(json!({}), &[])]
    #[case::label(json!({"matchLabels": {"a": "1"}}), &[("a", "1")])]
    #[case::one_of_several(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}), &[("a", "1")])]
    #[case::any_value(json!({"matchExpressions": [{"key": "a", "operator": "Exists"}]}), &[("a", "")])]
    #[case::nothing_is_needed(json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}, {"key": "b", "operator": "DoesNotExist"}]}), &[])]
    fn a_selector_selects_its_example(#[case] selector: Value, #[case] labels: &[(&str, &str)]) {
        let selector: LabelSelector = serde_json::from_value(selector).unwrap();
        let example = selector.example();
        assert_eq!(example.iter().collect::<Vec<_>>(), labels, "{selector:?}");
        assert!(selector.selects(&example), "{selector:?}");
    }

    #[rstest]
    #[case::empty(json!({}), true)]
    #[case::label(json!({"matchLabels": {"a": "1"}}), true)]
    #[case::another_value(json!({"matchLabels": {"a": "2"}}), false)]
    #[case::is_in(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}), true)]
    #[case::is_not_in(json!({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}), false)]
    #[case::absent_is_not_in(json!({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}), true)]
    #[case::exists(json!({"matchExpressions": [{"key": "b", "operator": "Exists"}]}), false)]
    #[case::does_not_exist(json!({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}), true)]
    #[case::both_have_to_match(json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}), false)]
    fn a_selector_selects_as_the_api_server_does(#[case] selector: Value, #[case] selects: bool) {
        let labels = [("a".to_owned(), "1".to_owned())].into_iter().collect();
        let selector: LabelSelector = serde_json::from_value(selector).unwrap();
        assert_eq!(selector.selects(&labels), selects, "{selector:?}");
    }
}
