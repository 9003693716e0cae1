//! Zone files that are read (RFC 1035 §5.1, RFC 2308 §4): ours, and simple ones written by hand.

use super::contents::{Contents, RrSets};
use super::data::{Data, DataError};
use super::kind::{Kind, KindError};
use super::lexer::{Entry, Token, Unbalanced, entries};
use super::name::{Name, NameError, Zone};
use super::rrset::{RrSet, RrSetError, Ttl, TtlError};
use super::serial::Serial;
use super::soa::Soa;

/// What a zone file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// What the zone holds. Whether a name server takes it, [`Contents::faults`] tells.
    pub contents: Contents,
    /// The serial of its SOA record.
    pub serial: Serial,
}

/// What is not understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ImportError {
    /// The line in which the entry begins, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: ImportFault,
}

/// What is not understood in a zone file, with the remedy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImportFault {
    /// A quote that its line does not close.
    #[error("a quote is not closed in its line; close it, or escape it as \\\"")]
    Quote,
    /// A parenthesis that is not closed, or opened twice.
    #[error("a parenthesis is not closed before the next one or the end; close it with ')'")]
    Open,
    /// A parenthesis that was never opened.
    #[error("')' closes nothing; take it out")]
    Close,
    /// `$INCLUDE`, `$GENERATE` and others.
    #[error("the directive {0} is not understood; write out what it stands for")]
    Directive(String),
    /// Words that are too many or too few behind a directive.
    #[error("{0} wants exactly one value")]
    Argument(String),
    /// No name.
    #[error("{text:?}: {error}")]
    Name {
        /// What stands there.
        text: String,
        /// Why it is none.
        error: NameError,
    },
    /// The first record continues none.
    #[error("there is no owner name, nor one before; write '@' for the zone itself")]
    NoOwner,
    /// Only the class IN has zones here.
    #[error("the class {0} is not kept here; only IN is")]
    Class(String),
    /// No type after owner, class and time.
    #[error("there is no type; write owner, time to live, class, type and data")]
    NoType,
    /// A type that is not kept here.
    #[error("{0}")]
    Kind(KindError),
    /// No data.
    #[error("{0}")]
    Data(DataError),
    /// A number or a time that is none.
    #[error("{0:?} is no time; write seconds, or numbers with s, m, h, d and w such as 1h30m")]
    Time(String),
    /// A time that is too long.
    #[error("{0}")]
    TooLong(TtlError),
    /// RFC 1035 §5.2: nothing says for how long the record lives.
    #[error("there is no time to live; put $TTL before it")]
    NoTtl,
    /// It lies elsewhere.
    #[error("{0} is not in the zone {1}; take it out")]
    OutOfZone(Name, Zone),
    /// RFC 2181 §5.2: an RRset has one time to live.
    #[error("{0} {1} has records with different times to live; give them one")]
    TtlsDiffer(Name, Kind),
    /// Records that make no RRset.
    #[error("{0}")]
    Set(RrSetError),
    /// RFC 1035 §5.2.
    #[error("there is no SOA record for the zone; put one first")]
    NoSoa,
    /// RFC 1035 §5.2.
    #[error("this is a second SOA record, or one beneath the zone itself; leave the zone's one")]
    SurplusSoa,
    /// RFC 1035 §3.3.13.
    #[error("the SOA record wants two names, the serial (0 to 4294967295) and four times")]
    Soa,
}

/// Reads a file of `zone`, or tells everything in it that is not understood; nothing is left out silently.
pub fn import(text: &str, zone: &Zone) -> Result<Imported, Vec<ImportError>> {
    let (entries, unbalanced) = entries(text);
    let mut reader = Reader {
        zone,
        origin: zone.name().clone(),
        owner: None,
        default_ttl: None,
        last_ttl: None,
        soa: None,
        sets: RrSets::default(),
    };
    let mut errors: Vec<ImportError> = Vec::new();
    for (line, unbalanced) in unbalanced {
        let fault = match unbalanced {
            Unbalanced::Quote => ImportFault::Quote,
            Unbalanced::Open => ImportFault::Open,
            Unbalanced::Close => ImportFault::Close,
        };
        errors.push(ImportError { line, fault });
    }
    for entry in &entries {
        if let Err(fault) = reader.entry(entry) {
            errors.push(ImportError { line: entry.line, fault });
        }
    }
    errors.sort_by_key(|error| error.line);
    match reader.soa {
        Some((soa, soa_ttl, serial)) if errors.is_empty() => {
            let contents = Contents { zone: zone.clone(), soa, soa_ttl, sets: reader.sets };
            Ok(Imported { contents, serial })
        }
        Some(_) => Err(errors),
        None => {
            errors.push(ImportError { line: text.lines().count().max(1), fault: ImportFault::NoSoa });
            Err(errors)
        }
    }
}

/// What the lines before have said.
struct Reader<'a> {
    zone: &'a Zone,
    origin: Name,
    owner: Option<Name>,
    default_ttl: Option<Ttl>,
    last_ttl: Option<Ttl>,
    soa: Option<(Soa, Ttl, Serial)>,
    sets: RrSets,
}

impl Reader<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), ImportFault> {
        let mut tokens = &entry.tokens[..];
        if !entry.continued {
            let Some((first, rest)) = tokens.split_first() else { return Ok(()) };
            if first.text.starts_with('$') && !first.quoted {
                return self.directive(first.text, rest);
            }
            tokens = rest;
            // A name that is none takes no records of the lines that continue it elsewhere.
            self.owner = None;
            self.owner = Some(self.name(first.text)?);
        }
        let owner = self.owner.clone().ok_or(ImportFault::NoOwner)?;
        let mut ttl = None;
        let kind = loop {
            let Some((token, rest)) = tokens.split_first() else { return Err(ImportFault::NoType) };
            tokens = rest;
            let word = token.text.to_ascii_uppercase();
            match word.as_str() {
                "IN" => {}
                "CH" | "HS" | "CS" | "ANY" => return Err(ImportFault::Class(word)),
                _ if word.starts_with(|c: char| c.is_ascii_digit()) && ttl.is_none() => ttl = Some(time(token.text)?),
                _ => break token.text.parse::<Kind>().map_err(ImportFault::Kind)?,
            }
        };
        self.last_ttl = ttl.or(self.last_ttl);
        if kind == Kind::Soa {
            return self.start(&owner, ttl, tokens);
        }
        let ttl = ttl.or(self.default_ttl).or(self.last_ttl).ok_or(ImportFault::NoTtl)?;
        let origin = &self.origin;
        let data = Data::read(kind, tokens, &|text| Name::relative(text, origin)).map_err(ImportFault::Data)?;
        self.record(owner, ttl, data)
    }

    fn name(&self, text: &str) -> Result<Name, ImportFault> {
        Name::relative(text, &self.origin).map_err(|error| ImportFault::Name { text: text.to_owned(), error })
    }

    fn directive(&mut self, word: &str, values: &[Token<'_>]) -> Result<(), ImportFault> {
        let one = || match values {
            [value] => Ok(value.text),
            _ => Err(ImportFault::Argument(word.to_owned())),
        };
        match word.to_ascii_uppercase().as_str() {
            "$ORIGIN" => self.origin = self.name(one()?)?,
            "$TTL" => self.default_ttl = Some(time(one()?)?),
            _ => return Err(ImportFault::Directive(word.to_owned())),
        }
        Ok(())
    }

    fn start(&mut self, owner: &Name, ttl: Option<Ttl>, tokens: &[Token<'_>]) -> Result<(), ImportFault> {
        if self.soa.is_some() || owner != self.zone.name() {
            return Err(ImportFault::SurplusSoa);
        }
        let [primary, mailbox, serial, refresh, retry, expire, negative] = tokens else { return Err(ImportFault::Soa) };
        let serial = Serial(serial.text.parse().map_err(|_| ImportFault::Soa)?);
        let soa = Soa {
            primary: self.name(primary.text)?,
            mailbox: self.name(mailbox.text)?,
            refresh: time(refresh.text)?,
            retry: time(retry.text)?,
            expire: time(expire.text)?,
            negative_ttl: time(negative.text)?,
        };
        // As BIND does for files from before $TTL.
        let ttl = ttl.or(self.default_ttl).unwrap_or(soa.negative_ttl);
        self.last_ttl = Some(ttl);
        self.soa = Some((soa, ttl, serial));
        Ok(())
    }

    fn record(&mut self, owner: Name, ttl: Ttl, data: Data) -> Result<(), ImportFault> {
        if !self.zone.holds(&owner) {
            return Err(ImportFault::OutOfZone(owner, self.zone.clone()));
        }
        let kind = data.kind();
        let before = self.sets.get(&owner, kind);
        if before.is_some_and(|before| before.ttl() != ttl) {
            return Err(ImportFault::TtlsDiffer(owner, kind));
        }
        let all = before.map(|before| before.data().clone()).unwrap_or_default().into_iter().chain([data]);
        let set = RrSet::new(owner, ttl, all).map_err(ImportFault::Set)?;
        self.sets.insert(set);
        Ok(())
    }
}

/// Seconds, or numbers with units, as BIND reads them.
fn time(text: &str) -> Result<Ttl, ImportFault> {
    let wrong = || ImportFault::Time(text.to_owned());
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let mut after = rest[digits..].chars();
        let seconds = match after.next().map(|unit| unit.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            Some(_) => return Err(wrong()),
        };
        total = number.checked_mul(seconds).and_then(|more| total.checked_add(more)).ok_or_else(wrong)?;
        rest = after.as_str();
    }
    if text.is_empty() { Err(wrong()) } else { Ttl::seconds(total).map_err(ImportFault::TooLong) }
}

#[cfg(test)]
mod tests;
