use std::sync::Arc;

use ddns_core::ports::Unreached;
use rustls::crypto::ring;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Why further trust anchors can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not PEM.
    #[error("the file is not PEM: {0}")]
    NotPem(rustls_pki_types::pem::Error),
    /// PEM without a certificate.
    #[error("the file holds no certificate")]
    Empty,
    /// A certificate that can't be a trust anchor.
    #[error("certificate {number} in the file is no trust anchor: {source}")]
    Unusable {
        /// Which one, from 1.
        number: usize,
        /// Why.
        source: rustls::Error,
    },
}

/// The TLS configuration of all connections: Mozilla's roots and those of `further` PEM text; TLS 1.2 and 1.3.
pub fn trust(further: Option<&[u8]>) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = further {
        let certificates: Vec<CertificateDer<'_>> =
            CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TrustError::NotPem)?;
        if certificates.is_empty() {
            return Err(TrustError::Empty);
        }
        for (index, certificate) in certificates.into_iter().enumerate() {
            roots.add(certificate).map_err(|source| TrustError::Unusable { number: index + 1, source })?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What a failed handshake of a probe tells: an answer that rustls does not accept comes from somebody.
pub(crate) fn unreached(error: &std::io::Error) -> Unreached {
    let answered = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    let what = format!("{}: {error}", remedy(error));
    if answered { Unreached::Untrusted(what) } else { Unreached::Silent(what) }
}

/// What to do about a failed handshake.
pub(crate) fn remedy(error: &std::io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired; if it has not, this host's clock is wrong"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; this host's clock is probably wrong"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name; something stands in between, or the URL is wrong"
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is signed by nobody we trust; something stands in between, or DDNS_CA_FILE is missing"
            }
            _ => "its certificate is not accepted",
        },
        Some(_) => "it does not speak TLS as we do",
        None => "the connection broke during the handshake",
    }
}
