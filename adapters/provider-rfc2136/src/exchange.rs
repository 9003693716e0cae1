use std::sync::Arc;

use ddns_core::ports::{Clock, DnsTransport, ProviderError};
use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::{TSIG, TsigError};

use crate::key::FUDGE;

/// What a message is for, which decides what its failure means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing changes.
    Reads,
    /// A change may happen even if no answer comes.
    Writes,
}

/// Signs messages to one server, and believes only what is signed.
pub(crate) struct Exchange {
    transport: Arc<dyn DnsTransport>,
    clock: Arc<dyn Clock>,
    key: TSigner,
}

impl Exchange {
    pub(crate) fn new(transport: Arc<dyn DnsTransport>, clock: Arc<dyn Clock>, key: TSigner) -> Self {
        Self { transport, clock, key }
    }

    /// The answer to a message, proven to be the server's. Its response code may be any that is no failure of TSIG.
    pub(crate) async fn ask(&self, mut message: Message, effect: Effect) -> Result<Message, ProviderError> {
        let now = self.seconds();
        if now <= u64::from(FUDGE) {
            return Err(unavailable(
                "this host's clock is not set, so that nothing can be signed; wait for NTP or set it",
            ));
        }
        let refused = |what: String| ProviderError::Refused { what };
        message.finalize(&self.key, now).map_err(|error| refused(format!("the request can't be signed: {error}")))?;
        let request = message.to_vec().map_err(|error| refused(format!("the request has no wire form: {error}")))?;
        let octets = self.transport.exchange(&request).await.map_err(|error| {
            let what = "the name server gave no answer".to_owned();
            match (error.sent(), effect) {
                (false, _) => ProviderError::Unreachable { what, cause: Some(error.into()) },
                (true, Effect::Writes) => ProviderError::Unknown { what, cause: Some(error.into()) },
                (true, Effect::Reads) => {
                    ProviderError::Unavailable { what, retry_after: None, cause: Some(error.into()) }
                }
            }
        })?;
        // The whole of it is read first: what checks the signature takes the counts in the header for granted.
        let Ok(answer) = Message::from_vec(&octets) else { return Err(nonsense(effect, "it is no DNS message")) };
        if let Some(why) = not_ours(&message, &answer) {
            return Err(nonsense(effect, why));
        }
        let mac = message.signature().map(|signature| signature.data.mac.clone()).unwrap_or_default();
        self.check_signature(&answer, &octets, &mac, effect)?;
        if answer.metadata.truncation {
            return Err(nonsense(effect, "it is cut short"));
        }
        Ok(answer)
    }

    /// The key's name, for messages.
    pub(crate) fn key_name(&self) -> String {
        self.key.signer_name().to_ascii()
    }

    fn seconds(&self) -> u64 {
        self.clock.wall().as_millis() / 1000
    }

    /// RFC 8945 §5.4.
    fn check_signature(
        &self,
        answer: &Message,
        octets: &[u8],
        request_mac: &[u8],
        effect: Effect,
    ) -> Result<(), ProviderError> {
        let (name, algorithm) = (self.key_name(), self.key.algorithm().to_name().to_ascii());
        let Some(signature) = answer.signature() else {
            // A server that fails may do so before it has looked at the key.
            return match answer.metadata.response_code {
                ResponseCode::NoError | ResponseCode::NXDomain => Err(nonsense(effect, "it is not signed")),
                _ => Ok(()),
            };
        };
        let tsig = &signature.data;
        match tsig.error {
            Some(TsigError::BadKey) => {
                let what = format!(
                    "the name server does not know the TSIG key {name} with algorithm {algorithm} (BADKEY); give both \
                     sides the same output of `tsig-keygen`"
                );
                return Err(ProviderError::Unauthorized { what });
            }
            Some(TsigError::BadSig) => {
                let what = format!(
                    "the name server knows the TSIG key {name}, with another secret (BADSIG); give both sides the same \
                     output of `tsig-keygen`"
                );
                return Err(ProviderError::Unauthorized { what });
            }
            Some(_) | None => {}
        }
        if self.key.verify_message_byte(octets, Some(request_mac), true).is_err() {
            return Err(nonsense(effect, "its signature is wrong"));
        }
        match tsig.error {
            None => {}
            Some(TsigError::BadTime) => return Err(unavailable(&self.clocks_differ(tsig))),
            Some(_) => return Err(nonsense(effect, "its signature has an error that TSIG does not know")),
        }
        if tsig.time.abs_diff(self.seconds()) > u64::from(FUDGE) {
            return Err(nonsense(effect, "it was signed at another time; compare this host's clock with the server's"));
        }
        Ok(())
    }

    /// With BADTIME the server tells its own time (RFC 8945 §5.2.3). The clock will be right one day, perhaps within
    /// seconds after a start, so that this is no hold.
    fn clocks_differ(&self, tsig: &TSIG) -> String {
        let theirs = (tsig.other.len() == 6).then(|| tsig.other.iter().fold(0, |time, o| time << 8 | u64::from(*o)));
        let apart = theirs.map_or_else(String::new, |theirs| {
            let ours = self.seconds();
            let side = if ours < theirs { "behind" } else { "ahead of" };
            format!(": this host's is {} seconds {side} the server's", ours.abs_diff(theirs))
        });
        format!("the name server's clock and this host's differ too much for TSIG (BADTIME){apart}; set both by NTP")
    }
}

/// Why an answer is none to this message.
fn not_ours(message: &Message, answer: &Message) -> Option<&'static str> {
    let (asked, said) = (&message.metadata, &answer.metadata);
    if said.message_type != MessageType::Response || said.op_code != asked.op_code {
        return Some("it is no answer");
    }
    if said.id != asked.id {
        return Some("it has another id");
    }
    // A failure, and an answer to an update (RFC 2136 §3.8), may leave the question out.
    let optional = said.response_code != ResponseCode::NoError || asked.op_code == OpCode::Update;
    if answer.queries != message.queries && !(answer.queries.is_empty() && optional) {
        return Some("it is about another question");
    }
    None
}

pub(crate) fn unavailable(what: &str) -> ProviderError {
    ProviderError::Unavailable { what: what.to_owned(), retry_after: None, cause: None }
}

pub(crate) fn nonsense(effect: Effect, why: &str) -> ProviderError {
    let what =
        format!("the name server's answer does not count: {why}; is something between this host and the server?");
    match effect {
        Effect::Reads => unavailable(&what),
        Effect::Writes => ProviderError::Unknown { what, cause: None },
    }
}
