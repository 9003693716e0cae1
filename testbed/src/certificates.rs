//! Certificates made at run time: an authority, and servers that are what they claim to be or are not.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// At any time at which a test can run.
    Current,
    /// Until February 2020.
    Expired,
    /// From 2090 on.
    NotYet,
}

/// A certificate authority whose key lives in memory only.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A fresh authority.
    pub fn new() -> Result<Self> {
        let mut params = params(vec![], "ddns testbed authority", Validity::Current)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("making the key of the authority")?;
        let issuer = CertifiedIssuer::self_signed(params, key).context("making the certificate of the authority")?;
        Ok(Self { issuer })
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's certificate, DER: the trust anchor for a client in the same process.
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Writes the authority's certificate for `DDNS_CA_FILE`.
    pub fn write_pem(&self, path: &Path) -> Result<()> {
        fs::write(path, self.pem()).with_context(|| format!("writing {}", path.display()))
    }

    /// A server certificate for `names`, host names and IP addresses alike.
    pub fn issue(&self, names: &[&str]) -> Result<Identity> {
        self.issue_with(names, Validity::Current)
    }

    /// A server certificate that is good except for its name.
    pub fn issue_for_wrong_name(&self) -> Result<Identity> {
        self.issue(&["somebody-else.invalid"])
    }

    /// A server certificate for `names` that is valid as `validity` says.
    pub fn issue_with(&self, names: &[&str], validity: Validity) -> Result<Identity> {
        let attempt = || format!("making a certificate for {}", names.join(", "));
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = params(names, "ddns testbed server", validity).with_context(attempt)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().with_context(attempt)?;
        let certificate = params.signed_by(&key, &self.issuer).with_context(attempt)?;
        Ok(Identity {
            certificate_pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key_pem: key.serialize_pem(),
            key: key.serialize_der(),
        })
    }
}

/// A server's certificate and key.
pub struct Identity {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: Vec<u8>,
    key_pem: String,
}

impl Identity {
    /// A TLS server that offers HTTP/2 and HTTP/1.1.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![self.certificate.clone()], key))
            .context("configuring a TLS server")?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Writes `server.pem` and `server.key` into `directory`, and returns their paths in that order.
    pub fn write_pem(&self, directory: &Path) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) = (directory.join("server.pem"), directory.join("server.key"));
        fs::write(&certificate, &self.certificate_pem).with_context(|| format!("writing {}", certificate.display()))?;
        fs::write(&key, &self.key_pem).with_context(|| format!("writing {}", key.display()))?;
        Ok((certificate, key))
    }
}

fn params(names: Vec<String>, common_name: &str, validity: Validity) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names).context("names of a certificate")?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = match validity {
        Validity::Current => (date_time_ymd(2020, 1, 1), date_time_ymd(2099, 1, 1)),
        Validity::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1)),
        Validity::NotYet => (date_time_ymd(2090, 1, 1), date_time_ymd(2099, 1, 1)),
    };
    Ok(params)
}
