//! DNS messages to a name server over TCP: RFC 2136 updates that set an RRset, and plain queries.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use hickory_proto::{
    op::{Message, OpCode, Query, ResponseCode},
    rr::{
        DNSClass, Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, TXT},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// All records of one name and type; no contents means that the RRset does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    /// The zone, without a trailing dot.
    pub zone: String,
    /// The owner name, inside the zone.
    pub name: String,
    /// `A`, `AAAA`, `CNAME` or `TXT`.
    pub kind: String,
    /// The records' data as text.
    pub contents: Vec<String>,
    /// Seconds.
    pub ttl: u32,
}

impl Rrset {
    /// Whether name servers of the testbed can hold records of this type.
    pub fn is_supported(kind: &str) -> bool {
        matches!(kind, "A" | "AAAA" | "CNAME" | "TXT")
    }

    /// The update that makes the zone hold exactly this RRset: delete the RRset (RFC 2136 §2.5.2), then add each record.
    pub fn update(&self) -> Result<Message> {
        let (zone, name) = (absolute(&self.zone)?, absolute(&self.name)?);
        ensure!(zone.zone_of(&name), "{name} is not inside the zone {zone}");
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.add_query(Query::query(zone, RecordType::SOA));
        let mut deletion = Record::update0(name.clone(), 0, record_type(&self.kind)?);
        deletion.dns_class = DNSClass::ANY;
        message.add_authority(deletion);
        for content in &self.contents {
            message.add_authority(Record::from_rdata(name.clone(), self.ttl, record_data(&self.kind, content)?));
        }
        Ok(message)
    }
}

/// A query without recursion.
pub fn query(name: &str, kind: &str) -> Result<Message> {
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(absolute(name)?, record_type(kind)?));
    Ok(message)
}

/// Sends `message` to `server` over TCP and returns the answer, whatever its response code.
pub async fn exchange(server: SocketAddr, message: &Message) -> Result<Message> {
    let talk = async {
        let request = message.to_vec().context("encoding a DNS message")?;
        let mut stream = TcpStream::connect(server).await.context("connecting")?;
        stream.write_all(&u16::try_from(request.len()).context("a DNS message over 64 KiB")?.to_be_bytes()).await?;
        stream.write_all(&request).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Message::from_vec(&answer).context("decoding the answer")
    };
    let attempt = || format!("asking the name server at {server}");
    let answer = tokio::time::timeout(TIMEOUT, talk).await.with_context(attempt)?.with_context(attempt)?;
    ensure!(answer.metadata.id == message.metadata.id, "the name server at {server} answered another question");
    Ok(answer)
}

/// Like [`exchange`], with any response code but NOERROR an error.
pub async fn exchange_ok(server: SocketAddr, message: &Message) -> Result<Message> {
    let answer = exchange(server, message).await?;
    let code = answer.metadata.response_code;
    ensure!(code == ResponseCode::NoError, "the name server at {server} refused: {code}");
    Ok(answer)
}

fn absolute(name: &str) -> Result<Name> {
    let mut absolute = Name::from_ascii(name).with_context(|| format!("{name} as a domain name"))?;
    absolute.set_fqdn(true);
    Ok(absolute)
}

fn record_type(kind: &str) -> Result<RecordType> {
    kind.parse().with_context(|| format!("{kind} as a record type"))
}

fn record_data(kind: &str, content: &str) -> Result<RData> {
    let attempt = || format!("{content} as the content of a {kind} record");
    Ok(match kind {
        "A" => RData::A(A(content.parse().with_context(attempt)?)),
        "AAAA" => RData::AAAA(AAAA(content.parse().with_context(attempt)?)),
        "CNAME" => RData::CNAME(CNAME(absolute(content)?)),
        "TXT" => RData::TXT(TXT::new(vec![content.to_owned()])),
        _ => bail!("the testbed puts no {kind} records into DNS"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rrset(name: &str) -> Rrset {
        let contents = vec!["11.22.33.44".to_owned(), "11.22.33.45".to_owned()];
        Rrset { zone: "example.com".into(), name: name.into(), kind: "A".into(), contents, ttl: 1 }
    }

    #[test]
    fn an_update_deletes_the_rrset_and_adds_its_records() {
        let message = rrset("vpn.example.com").update().expect("an update");
        let classes: Vec<_> = message.authorities.iter().map(|record| record.dns_class).collect();
        assert_eq!(classes, [DNSClass::ANY, DNSClass::IN, DNSClass::IN]);
        let decoded = Message::from_vec(&message.to_vec().expect("encodes")).expect("decodes");
        assert_eq!(decoded.metadata.op_code, OpCode::Update);
        assert_eq!(decoded.authorities.len(), 3);
    }

    #[test]
    fn a_name_outside_the_zone_is_refused() {
        assert!(rrset("vpn.example.org").update().is_err());
    }
}
