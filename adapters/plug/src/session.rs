use std::sync::Arc;

use ddns_core::ports::{Credentials, HttpError, HttpRequest, HttpResponse, HttpTransport, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::digest::{self, Challenge};

/// Who asks.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

/// How a kind of device wants to be told who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// RFC 7617.
    Basic,
    /// RFC 7616.
    Digest,
    /// `user` and `password` in the query.
    Query,
}

/// Why an exchange brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no answer")]
    Transport(#[from] HttpError),
    #[error("{}", unauthorized(*known))]
    Unauthorized { known: bool },
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("its answer is not {0}")]
    Answer(&'static str),
    #[error("{0}")]
    Unfit(String),
}

fn unauthorized(known: bool) -> &'static str {
    if known {
        "it does not accept the user or the password; correct DDNS_PLUG_USER and DDNS_PLUG_PASSWORD"
    } else {
        "it asks for a password; set DDNS_PLUG_PASSWORD_FILE"
    }
}

impl Failure {
    /// Whether the device may have done what it was asked for.
    pub(crate) const fn may_have_worked(&self) -> bool {
        match self {
            Self::Transport(error) => error.sent(),
            Self::Unauthorized { .. } | Self::Unfit(_) => false,
            Self::Status(status) => *status >= 500 || *status < 300,
            Self::Answer(_) => true,
        }
    }
}

/// The exchanges of one order.
pub(crate) struct Session {
    transport: Arc<dyn HttpTransport>,
    login: Option<Login>,
    scheme: Scheme,
    challenge: Option<Challenge>,
    /// Requests with the nonce of the challenge.
    count: u32,
    /// A stale nonce was replaced; another one is no longer a matter of time.
    renewed: bool,
}

impl Session {
    pub(crate) const fn new(transport: Arc<dyn HttpTransport>, login: Option<Login>, scheme: Scheme) -> Self {
        Self { transport, login, scheme, challenge: None, count: 0, renewed: false }
    }

    /// What lies at `path`, for anybody.
    pub(crate) async fn open(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let response = self.send(path, None).await?;
        self.body(response)
    }

    /// What lies at `path`, for who may see it.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        loop {
            let credentials = self.credentials(path)?;
            let response = self.send(path, credentials).await?;
            if response.status != 401 || !self.challenged(&response) {
                return self.body(response);
            }
        }
    }

    /// The same, as JSON.
    pub(crate) async fn json(&mut self, path: &str) -> Result<Value, Failure> {
        json(&self.get(path).await?)
    }

    async fn send(&self, path: &str, credentials: Option<Credentials>) -> Result<HttpResponse, Failure> {
        let accept = "application/json, */*";
        let request = HttpRequest { method: Method::Get, path: path.to_owned(), credentials, accept, body: None };
        Ok(self.transport.exchange(request).await?)
    }

    fn body(&self, response: HttpResponse) -> Result<Vec<u8>, Failure> {
        match response.status {
            200..=299 => Ok(response.body),
            401 => Err(self.unauthorized()),
            status => Err(Failure::Status(status)),
        }
    }

    pub(crate) const fn unauthorized(&self) -> Failure {
        Failure::Unauthorized { known: self.login.is_some() }
    }

    /// A refusal by Digest is a question. It is answered once for each nonce, and one stale nonce is replaced: whoever
    /// is still refused has the wrong password.
    fn challenged(&mut self, response: &HttpResponse) -> bool {
        if self.login.is_none() || self.scheme != Scheme::Digest {
            return false;
        }
        let Some(challenge) = response.authenticate.as_deref().and_then(Challenge::read) else { return false };
        if self.challenge.is_some() {
            if !challenge.stale || self.renewed {
                return false;
            }
            self.renewed = true;
        }
        (self.challenge, self.count) = (Some(challenge), 0);
        true
    }

    fn credentials(&mut self, path: &str) -> Result<Option<Credentials>, Failure> {
        let Some(login) = &self.login else { return Ok(None) };
        Ok(match self.scheme {
            Scheme::Basic => Some(Credentials::Basic { user: login.user.clone(), password: login.password.clone() }),
            Scheme::Query => {
                let (user, password) = (encoded(&login.user), encoded(login.password.expose_secret()));
                Some(Credentials::Query(SecretString::from(format!("user={user}&password={password}"))))
            }
            Scheme::Digest => match &self.challenge {
                None => None,
                Some(challenge) => {
                    let none = || Failure::Unfit("the system has no random numbers; allow getrandom(2)".to_owned());
                    let cnonce = digest::cnonce().ok_or_else(none)?;
                    self.count += 1;
                    Some(Credentials::Digest(challenge.answer(login, "GET", path, self.count, &cnonce)))
                }
            },
        })
    }
}

/// All but the unreserved characters (RFC 3986 §2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as it stands in a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

/// JSON, whatever is in it.
pub(crate) fn json(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::Answer("JSON"))
}
