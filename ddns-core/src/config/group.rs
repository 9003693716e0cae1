use super::Variable;

const RECORD: &str = "DDNS_RECORD_<N>_";
const PROVIDER: &str = "DDNS_PROVIDER_";

/// Variables that are set once for each of several things: `DDNS_RECORD_1_NAME` for the first record,
/// `DDNS_PROVIDER_BIND_TYPE` for the provider named BIND. Whoever reads a variable names the one without the group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    of: &'static str,
    pub(super) prefix: String,
}

impl Group {
    /// The variables of a numbered record.
    pub fn record(number: u32) -> Self {
        Self { of: RECORD, prefix: format!("DDNS_RECORD_{number}") }
    }

    /// The variables of a named provider.
    pub fn provider(name: &str) -> Self {
        Self { of: PROVIDER, prefix: format!("{PROVIDER}{name}") }
    }

    pub(super) fn has(&self, variable: &Variable) -> bool {
        variable.name.starts_with(self.of)
    }

    pub(super) fn name(&self, variable: &Variable) -> String {
        format!("{}_{}", self.prefix, variable.name.strip_prefix(self.of).unwrap_or(variable.name))
    }

    /// The number of the record that a name belongs to; 1, not 01.
    pub(super) fn record_of(name: &str) -> Option<u32> {
        let (digits, _) = name.strip_prefix("DDNS_RECORD_")?.split_once('_')?;
        let number: u32 = digits.parse().ok()?;
        (number.to_string() == digits).then_some(number)
    }

    /// The name of the provider that a name defines.
    pub(super) fn provider_of(name: &str) -> Option<&str> {
        let name = name.strip_prefix(PROVIDER)?.strip_suffix("_TYPE")?;
        is_name(name).then_some(name)
    }

    /// The remedy for a variable of a provider whose type is not set.
    pub(super) fn without_type(name: &str, known: &[Variable]) -> Option<String> {
        let (provider, rest) = name.strip_prefix(PROVIDER)?.split_once('_')?;
        let rest = rest.strip_suffix("_FILE").unwrap_or(rest);
        let exists = known.iter().any(|variable| variable.name.strip_prefix(PROVIDER) == Some(rest));
        (is_name(provider) && exists).then(|| format!("for a provider named {provider}, set {PROVIDER}{provider}_TYPE"))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
