//! DnsProvider for Cloudflare.
