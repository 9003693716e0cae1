//! Verifier: DNS over HTTPS (RFC 8484).
