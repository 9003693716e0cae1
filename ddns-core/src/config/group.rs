use super::Variable;

const RECORD: &str = "DDNS_RECORD_<N>_";
const PROVIDER: &str = "DDNS_PROVIDER_";

/// Variables that are set once for each of several things: `DDNS_RECORD_1_NAME` for the first record,
/// `DDNS_PROVIDER_BIND_TYPE` for the provider named BIND. Whoever reads a variable names the one without the group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    of: &'static str,
    /// The beginning of the variables that only this group's kind knows: `DDNS_RFC2136_` for the kind rfc2136.
    of_kind: Option<String>,
    pub(super) prefix: String,
}

impl Group {
    /// The variables of a numbered record.
    pub fn record(number: u32) -> Self {
        Self { of: RECORD, of_kind: None, prefix: format!("DDNS_RECORD_{number}") }
    }

    /// The variables of a named provider of a kind.
    pub fn provider(name: &str, kind: &str) -> Self {
        let of_kind = Some(format!("DDNS_{}_", kind.to_ascii_uppercase()));
        Self { of: PROVIDER, of_kind, prefix: format!("{PROVIDER}{name}") }
    }

    /// A variable's name after what the group's prefix stands for; `None` for one that no group has.
    fn rest<'a>(&self, variable: &'a Variable) -> Option<&'a str> {
        let of_kind = self.of_kind.as_deref().and_then(|of_kind| variable.name.strip_prefix(of_kind));
        variable.name.strip_prefix(self.of).or(of_kind)
    }

    pub(super) fn has(&self, variable: &Variable) -> bool {
        self.rest(variable).is_some()
    }

    pub(super) fn name(&self, variable: &Variable) -> String {
        format!("{}_{}", self.prefix, self.rest(variable).unwrap_or(variable.name))
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
        // What a provider's variables are called in a group stands behind DDNS_ and a word.
        let exists = known.iter().any(|variable| variable.name.splitn(3, '_').nth(2) == Some(rest));
        (is_name(provider) && exists).then(|| format!("for a provider named {provider}, set {PROVIDER}{provider}_TYPE"))
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
