//! Label selectors, with the meaning that they have in Kubernetes (apimachinery, `LabelSelectorAsSelector`).

use std::collections::{BTreeMap, BTreeSet};

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// The longest value of a label, and the longest name in its key, in characters.
const LONGEST: usize = 63;
/// The longest prefix of a key (a DNS subdomain), in characters.
const LONGEST_PREFIX: usize = 253;

/// A valid selector: all of its requirements have to hold. One without any selects everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LabelSelector {
    requirements: Vec<(String, Requirement)>,
}

/// What is required of the label of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Requirement {
    /// The label is there with one of these values.
    In(BTreeSet<String>),
    /// The label is not there, or has none of these values.
    NotIn(BTreeSet<String>),
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

/// An entry of `matchExpressions`, as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expression {
    /// The key of the label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// Values, for `In` and `NotIn` only.
    pub values: Vec<String>,
}

/// Why a selector is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SelectorError {
    /// No key of a label.
    #[error(
        "{0:?} is no key of a label; write up to 63 letters, digits, '-', '_' and '.', perhaps after a domain and '/'"
    )]
    Key(String),
    /// No value of a label.
    #[error("{key}: {value:?} is no value of a label; write up to 63 letters, digits, inner '-', '_' and '.'")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// No such operator.
    #[error("{key}: there is no operator {operator:?}; use In, NotIn, Exists or DoesNotExist")]
    Operator {
        /// The key.
        key: String,
        /// What stands there.
        operator: String,
    },
    /// `In` and `NotIn` compare with something.
    #[error("{0}: In and NotIn want at least one value")]
    NoValues(String),
    /// `Exists` and `DoesNotExist` compare with nothing.
    #[error("{0}: Exists and DoesNotExist want no values; leave them out")]
    SurplusValues(String),
}

impl LabelSelector {
    /// A selector of what `matchLabels` and `matchExpressions` say, or all that is wrong with them.
    pub fn new(match_labels: &Labels, match_expressions: &[Expression]) -> Result<Self, Vec<SelectorError>> {
        let mut errors = Vec::new();
        let mut requirements = Vec::new();
        for (key, value) in match_labels {
            check(key, std::slice::from_ref(value), &mut errors);
            requirements.push((key.clone(), Requirement::In([value.clone()].into())));
        }
        for expression in match_expressions {
            check(&expression.key, &expression.values, &mut errors);
            match requirement(expression) {
                Ok(requirement) => requirements.push((expression.key.clone(), requirement)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(Self { requirements }) } else { Err(errors) }
    }

    /// Whether it selects an object with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|(key, requirement)| {
            let value = labels.get(key);
            match requirement {
                Requirement::In(values) => value.is_some_and(|value| values.contains(value)),
                Requirement::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Requirement::Exists => value.is_some(),
                Requirement::DoesNotExist => value.is_none(),
            }
        })
    }
}

/// Whether an object with these labels is selected. An absent selector selects nothing, an empty one everything.
pub fn selects(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    selector.is_some_and(|selector| selector.matches(labels))
}

fn requirement(expression: &Expression) -> Result<Requirement, SelectorError> {
    let Expression { key, operator, values } = expression;
    let some = || {
        let values: BTreeSet<String> = values.iter().cloned().collect();
        if values.is_empty() { Err(SelectorError::NoValues(key.clone())) } else { Ok(values) }
    };
    let none = || if values.is_empty() { Ok(()) } else { Err(SelectorError::SurplusValues(key.clone())) };
    match operator.as_str() {
        "In" => some().map(Requirement::In),
        "NotIn" => some().map(Requirement::NotIn),
        "Exists" => none().map(|()| Requirement::Exists),
        "DoesNotExist" => none().map(|()| Requirement::DoesNotExist),
        _ => Err(SelectorError::Operator { key: key.clone(), operator: operator.clone() }),
    }
}

fn check(key: &str, values: &[String], errors: &mut Vec<SelectorError>) {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if !is_word(name) || !prefix.is_none_or(is_subdomain) {
        errors.push(SelectorError::Key(key.to_owned()));
    }
    for value in values.iter().filter(|value| !value.is_empty() && !is_word(value)) {
        errors.push(SelectorError::Value { key: key.to_owned(), value: value.clone() });
    }
}

fn is_word(text: &str) -> bool {
    let bordered = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    text.len() <= LONGEST && bordered(text) && text.bytes().all(|o| o.is_ascii_alphanumeric() || b"-_.".contains(&o))
}

/// RFC 1123, as Kubernetes has it: lower case.
fn is_subdomain(text: &str) -> bool {
    let inner = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-');
    text.len() <= LONGEST_PREFIX && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn expression(key: &str, operator: &str, values: &[&str]) -> Expression {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Expression { key: key.to_owned(), operator: operator.to_owned(), values }
    }

    fn check(expressions: &[Expression], of: &[(&str, &str)], expected: bool) {
        let selector = LabelSelector::new(&Labels::new(), expressions).unwrap();
        assert_eq!(selector.matches(&labels(of)), expected, "{expressions:?} {of:?}");
    }

    #[test]
    fn an_empty_selector_selects_all_and_an_absent_one_none() {
        let all = LabelSelector::new(&Labels::new(), &[]).unwrap();
        assert!(selects(Some(&all), &Labels::new()) && selects(Some(&all), &labels(&[("a", "b")])));
        assert!(!selects(None, &Labels::new()) && !selects(None, &labels(&[("a", "b")])));
    }

    #[test]
    fn operators_mean_what_they_mean_in_kubernetes() {
        let (prod, dev, none): (&[_], &[_], &[_]) = (&[("env", "prod")], &[("env", "dev")], &[]);
        for (operator, values, expected) in [
            ("In", &["prod", "test"][..], [true, false, false]),
            ("NotIn", &["prod", "test"], [false, true, true]),
            ("Exists", &[], [true, true, false]),
            ("DoesNotExist", &[], [false, false, true]),
        ] {
            for (of, expected) in [prod, dev, none].into_iter().zip(expected) {
                check(&[expression("env", operator, values)], of, expected);
            }
        }
    }

    #[test]
    fn all_requirements_have_to_hold() {
        let both = [expression("env", "In", &["prod"]), expression("role", "Exists", &[])];
        check(&both, &[("env", "prod"), ("role", "x")], true);
        check(&both, &[("env", "prod")], false);
        let selector = LabelSelector::new(&labels(&[("env", "prod")]), &[expression("env", "NotIn", &["prod"])]);
        assert!(!selector.unwrap().matches(&labels(&[("env", "prod")])));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let long = "a".repeat(64);
        let wrong = [
            expression("-a", "Exists", &[]),
            expression("Example.com/a", "Exists", &[]),
            expression("a", "in", &["b"]),
            expression("b", "In", &[]),
            expression("c", "Exists", &["d"]),
            expression("d", "In", &[&long]),
        ];
        let errors = LabelSelector::new(&labels(&[("example.com/role", "a b")]), &wrong).unwrap_err();
        let expected = [
            SelectorError::Value { key: "example.com/role".into(), value: "a b".into() },
            SelectorError::Key("-a".into()),
            SelectorError::Key("Example.com/a".into()),
            SelectorError::Operator { key: "a".into(), operator: "in".into() },
            SelectorError::NoValues("b".into()),
            SelectorError::SurplusValues("c".into()),
            SelectorError::Value { key: "d".into(), value: long },
        ];
        assert_eq!(errors, expected);
    }

    #[test]
    fn exactly_the_right_ones_of_10_000_objects_are_selected() {
        let objects = (0..10_000).map(|n| labels(&[("shard", &(n % 10).to_string()), ("n", &n.to_string())]));
        let expressions = [expression("shard", "In", &["3", "7"]), expression("n", "NotIn", &["3"])];
        let selector = LabelSelector::new(&Labels::new(), &expressions).unwrap();
        assert_eq!(objects.filter(|labels| selector.matches(labels)).count(), 1_999);
    }
}
