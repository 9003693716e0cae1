use super::ProviderError;
use crate::error_chain;

/// What a look at a service found, which wrote nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was looked at: a token, a zone, a record.
    pub about: String,
    /// What it means.
    pub verdict: Verdict,
    /// What was found, and the remedy if it is not good.
    pub what: String,
}

/// What a [`Finding`] means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// It was asked for, and it is as it should be.
    Good,
    /// Only a write can show it.
    Unproven,
    /// The service did not answer, or not now.
    Unreachable,
    /// The service answered, and it can't work like this: the configuration has to change, or the service.
    Wrong,
}

impl Finding {
    /// A finding.
    pub fn new(about: impl Into<String>, verdict: Verdict, what: impl Into<String>) -> Self {
        Self { about: about.into(), verdict, what: what.into() }
    }

    /// What a failed look means.
    pub fn failed(about: impl Into<String>, error: &ProviderError) -> Self {
        let verdict = match error {
            ProviderError::Unreachable { .. } | ProviderError::Unavailable { .. } | ProviderError::Unknown { .. } => {
                Verdict::Unreachable
            }
            ProviderError::Unauthorized { .. } | ProviderError::Refused { .. } | ProviderError::Stale { .. } => {
                Verdict::Wrong
            }
            ProviderError::Unreadable => Verdict::Unproven,
        };
        let what = match error {
            ProviderError::Unreadable => {
                "the service can't be asked without writing: user, password and host show with the first update"
                    .to_owned()
            }
            error => error_chain(error),
        };
        Self::new(about, verdict, what)
    }
}
