//! DnsProvider by dyndns2.
