//! Asks the providers what can be known without a write.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ddns_core::config::ProviderId;
use ddns_core::ports::{DnsProvider, Finding, Verdict};
use ddns_core::record::RecordKey;
use futures_util::future::join_all;

use crate::wiring::Wired;
use crate::{CONFIGURATION, RUNTIME};

/// For all that one provider is asked.
const DEADLINE: Duration = Duration::from_secs(45);

/// Prints one line for each finding.
pub(crate) fn run(wired: &Wired) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime.inspect_err(|error| eprintln!("ddnsd: the runtime can't start: {error}")) else {
        return ExitCode::from(RUNTIME);
    };
    let providers = wired.ports.providers.iter().enumerate();
    let asked = providers.map(|(id, provider)| {
        let here = wired.config.records.iter().filter(|record| record.provider == ProviderId(id));
        ask(provider, here.map(|record| record.key.clone()).collect())
    });
    let asked = runtime.block_on(join_all(asked));
    // A name that is still being looked up must not keep the program.
    runtime.shutdown_background();
    let mut worst = Verdict::Good;
    for (provider, findings) in wired.ports.providers.iter().zip(asked) {
        for Finding { about, verdict, what } in findings {
            worst = worst.max(verdict);
            println!("{}  {:<10} {about}: {what}", mark(verdict), provider.name());
        }
    }
    match worst {
        Verdict::Good | Verdict::Unproven => ExitCode::SUCCESS,
        Verdict::Unreachable => ExitCode::from(RUNTIME),
        Verdict::Wrong => ExitCode::from(CONFIGURATION),
    }
}

const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Unproven => "note",
        Verdict::Unreachable => "GONE",
        Verdict::Wrong => "BAD ",
    }
}

async fn ask(provider: &Arc<dyn DnsProvider>, keys: Vec<RecordKey>) -> Vec<Finding> {
    let (held, left_out): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| provider.supports(key));
    let mut findings: Vec<_> = left_out
        .into_iter()
        .map(|key| {
            let what = "the provider can't hold it, so that it is left out; take it out of the configuration";
            Finding::new(key.to_string(), Verdict::Wrong, what)
        })
        .collect();
    findings.extend(match tokio::time::timeout(DEADLINE, provider.check(&held)).await {
        Ok(found) => found,
        Err(_) => {
            let what = format!("no answer to all questions within {} seconds; try again", DEADLINE.as_secs());
            vec![Finding::new("service", Verdict::Unreachable, what)]
        }
    });
    findings
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use ddns_core::ports::{Observed, ProviderError, UpdateRequest, UpdateResult};
    use ddns_core::record::RecordType;

    use super::*;

    /// Never answers, and holds no wildcards.
    struct Deaf;

    #[async_trait]
    impl DnsProvider for Deaf {
        fn name(&self) -> &'static str {
            "deaf"
        }

        fn supports(&self, key: &RecordKey) -> bool {
            !key.name.as_str().starts_with('*')
        }

        async fn read(&self, _key: &RecordKey) -> Result<Observed, ProviderError> {
            std::future::pending().await
        }

        async fn update(&self, _request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
            std::future::pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_never_answers_is_gone_at_the_deadline() {
        let key = |name: &str| RecordKey { name: name.parse().unwrap(), rtype: RecordType::A };
        let provider: Arc<dyn DnsProvider> = Arc::new(Deaf);
        let begun = tokio::time::Instant::now();
        let findings = ask(&provider, vec![key("*.vpn.example.com"), key("vpn.example.com")]).await;
        assert_eq!(begun.elapsed(), DEADLINE);
        let verdicts: Vec<_> = findings.iter().map(|finding| (finding.about.as_str(), finding.verdict)).collect();
        assert_eq!(verdicts, [("*.vpn.example.com A", Verdict::Wrong), ("service", Verdict::Unreachable)]);
    }
}
