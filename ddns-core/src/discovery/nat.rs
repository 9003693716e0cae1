use std::fmt;
use std::net::IpAddr;

use crate::selection::{Scope, special_scope};

/// What stands between this host and the Internet, for IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NatClass {
    /// Nothing is known yet.
    Unknown,
    /// The host has a public address of its own.
    Direct,
    /// One router with a public address, as far as is known.
    Nat,
    /// The router's own address is private: another router stands before it.
    DoubleNat,
    /// The provider does NAT (RFC 6598): nothing from outside reaches this host.
    CarrierGrade,
    /// The router's address is public, yet the world sees another one.
    Mismatch,
}

impl NatClass {
    /// A word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Direct => "direct",
            Self::Nat => "nat",
            Self::DoubleNat => "double-nat",
            Self::CarrierGrade => "carrier-grade-nat",
            Self::Mismatch => "mismatch",
        }
    }

    /// What to do about it; `None` if nothing needs to be done.
    pub const fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Unknown | Self::Direct | Self::Nat => None,
            Self::DoubleNat => {
                Some("forward the port on both routers, or make the outer one a bridge, or publish IPv6")
            }
            Self::CarrierGrade => Some(
                "publish IPv6 (AAAA), or use a relay with a public address, or ask the provider for a public IPv4 \
                 address",
            ),
            Self::Mismatch => Some(
                "see whether the default route leads through a tunnel or a second line, or whether the provider does \
                 NAT with public addresses",
            ),
        }
    }
}

impl fmt::Display for NatClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The class and what shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Nat {
    /// The class.
    pub class: NatClass,
    /// What it rests on, in a sentence.
    pub evidence: String,
}

/// What the class is judged by, for IPv4.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// A public address on the host itself.
    pub own_public: Option<IpAddr>,
    /// The host's address towards its gateway.
    pub towards_gateway: Option<IpAddr>,
    /// What the router says of its own address outside.
    pub router: Option<IpAddr>,
    /// What the world sees, confirmed by a quorum.
    pub seen: Option<IpAddr>,
}

impl Nat {
    /// Judges the evidence. The router's own word is the strongest there is, since it is about the address that the
    /// provider gave out.
    pub fn judge(evidence: &Evidence) -> Self {
        let Evidence { own_public, towards_gateway, router, seen } = evidence;
        let carrier =
            |address: &Option<IpAddr>| address.filter(|address| special_scope(address) == Some(Scope::CarrierGradeNat));
        let nat = |class, evidence| Self { class, evidence };
        if let Some(own) = own_public {
            return nat(NatClass::Direct, format!("this host itself has {own}"));
        }
        if let Some(router) = carrier(router) {
            let evidence = format!("the router's own address outside is {router}, in 100.64.0.0/10 (RFC 6598)");
            return nat(NatClass::CarrierGrade, evidence);
        }
        if let Some(own) = carrier(towards_gateway).filter(|_| router.is_none()) {
            let evidence = format!("this host's address towards its gateway is {own}, in 100.64.0.0/10 (RFC 6598)");
            return nat(NatClass::CarrierGrade, evidence);
        }
        match (router, seen) {
            (Some(router), _) if special_scope(router).is_some() => {
                nat(NatClass::DoubleNat, format!("the router's own address outside is {router}, which is not public"))
            }
            (Some(router), Some(seen)) if router != seen => {
                nat(NatClass::Mismatch, format!("the router says {router}, the world sees {seen}"))
            }
            (Some(router), Some(_)) => {
                nat(NatClass::Nat, format!("the router says {router}, which is what the world sees"))
            }
            (None, Some(seen)) => nat(NatClass::Nat, format!("the world sees {seen}; the router does not speak")),
            (Some(router), None) => nat(NatClass::Nat, format!("the router says {router}; nobody else confirms it")),
            (None, None) => nat(NatClass::Unknown, "neither the router nor the world has answered".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &str, gateway: &str, router: &str, seen: &str, expected: NatClass) {
        let read = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let evidence =
            Evidence { own_public: read(own), towards_gateway: read(gateway), router: read(router), seen: read(seen) };
        let nat = Nat::judge(&evidence);
        assert_eq!(nat.class, expected, "{evidence:?}");
        let named = [router, own, gateway, seen].into_iter().find(|text| !text.is_empty());
        assert!(nat.evidence.contains(named.unwrap_or("answered")), "{}", nat.evidence);
    }

    /// FAULTS 7: carrier-grade and double NAT are named, with what shows them.
    #[test]
    fn each_class_is_told_by_its_evidence() {
        check("", "", "", "", NatClass::Unknown);
        check("11.22.33.44", "", "", "", NatClass::Direct);
        check("", "192.168.1.5", "11.22.33.44", "11.22.33.44", NatClass::Nat);
        check("", "", "", "11.22.33.44", NatClass::Nat);
        check("", "", "100.64.1.2", "11.22.33.44", NatClass::CarrierGrade);
        check("", "100.127.1.2", "", "", NatClass::CarrierGrade);
        check("", "", "192.168.178.20", "11.22.33.44", NatClass::DoubleNat);
        check("", "", "11.22.33.45", "11.22.33.44", NatClass::Mismatch);
    }

    /// A router that gives out addresses of 100.64/10 on its LAN is no provider.
    #[test]
    fn a_router_with_a_public_address_outweighs_the_hosts_own() {
        check("", "100.64.0.9", "11.22.33.44", "11.22.33.44", NatClass::Nat);
    }

    #[test]
    fn what_can_be_mended_has_a_remedy() {
        let all = [NatClass::DoubleNat, NatClass::CarrierGrade, NatClass::Mismatch];
        assert!(all.iter().all(|class| class.remedy().is_some()));
        assert!([NatClass::Unknown, NatClass::Direct, NatClass::Nat].iter().all(|class| class.remedy().is_none()));
    }
}
