use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::ports::{PathProbe, PathReport, TargetReport};
use ddns_linux::LanProbe;
use tokio::time::timeout;

/// A round over the targets that takes longer is not waited for before the routers are asked.
const HEAD_START: Duration = Duration::from_secs(1);

/// The way to the Internet and what lies before it, in one round.
///
/// While all targets of an address family answer, the local network is looked at without sending anything.
pub(crate) struct WayOut<Wan> {
    pub(crate) wan: Wan,
    pub(crate) lan: LanProbe,
}

#[async_trait]
impl<Wan: PathProbe> PathProbe for WayOut<Wan> {
    async fn probe(&self) -> PathReport {
        // While the line is up, the ways out are there to be remembered.
        let glance = self.lan.glance();
        let mut wan = self.wan.probe();
        match timeout(HEAD_START, &mut wan).await {
            Ok(report) if is_well(&report.targets) => PathReport { lan: Some(glance), ..report },
            Ok(report) => PathReport { lan: Some(self.lan.look().await), ..report },
            Err(_) => {
                let (report, lan) = tokio::join!(wan, self.lan.look());
                PathReport { lan: Some(lan), ..report }
            }
        }
    }
}

/// A host without IPv6 never reaches the targets of that family, and nothing is wrong with it.
fn is_well(targets: &[TargetReport]) -> bool {
    let mut families = BTreeMap::new();
    for target in targets {
        *families.entry(target.family).or_insert(true) &= target.reached();
    }
    families.into_values().any(|all_reached| all_reached)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ddns_core::address::Family;

    use super::*;

    /// Targets by family, and whether they are reached; after this time.
    struct Wan(Vec<(Family, bool)>, Duration);

    #[async_trait]
    impl PathProbe for Wan {
        async fn probe(&self) -> PathReport {
            tokio::time::sleep(self.1).await;
            let target = |(family, reached): &(Family, bool)| {
                TargetReport::new("target", Some(*family), (!reached).then(|| "no answer".to_owned()))
            };
            PathReport { targets: self.0.iter().map(target).collect(), lan: None }
        }
    }

    /// How many routers were asked, and how many targets are in the report.
    async fn round(targets: &[(Family, bool)], after: Duration) -> (usize, usize) {
        let router = IpAddr::from(Ipv4Addr::LOCALHOST);
        let path = WayOut { wan: Wan(targets.to_vec(), after), lan: LanProbe::new(Some(router)) };
        let report = path.probe().await;
        let lan = report.lan.expect("the local network is looked at");
        assert!(lan.routers.iter().all(|answer| *answer == (router, None)), "{lan:?}");
        (lan.routers.len(), report.targets.len())
    }

    #[tokio::test]
    async fn the_router_is_asked_when_a_target_is_not_reached_and_not_before() {
        use Family::{V4, V6};
        let at_once = Duration::ZERO;
        assert_eq!(round(&[(V4, true), (V4, true)], at_once).await, (0, 2));
        assert_eq!(round(&[(V4, true), (V6, false)], at_once).await, (0, 2), "a host without IPv6");
        assert_eq!(round(&[(V4, true), (V4, false)], at_once).await, (1, 2));
        assert_eq!(round(&[(V4, false), (V6, false)], at_once).await, (1, 2));
    }

    /// A line that swallows everything takes the targets seconds to tell.
    #[tokio::test]
    async fn the_router_is_not_kept_waiting_by_targets_that_are_silent() {
        let late = HEAD_START + Duration::from_millis(100);
        assert_eq!(round(&[(Family::V4, true)], late).await, (1, 1));
    }
}
