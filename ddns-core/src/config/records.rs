use crate::record::{RecordKey, RecordName, RecordType};

/// A record to keep right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordSpec {
    /// Name and type.
    pub key: RecordKey,
    /// Written out as `name:A` or `name:AAAA`: without an address of that family the record is wrong. Of a bare name
    /// one of the two records is enough.
    pub required: bool,
}

/// Reads `name[:A|AAAA]` entries. Order is kept; a bare name gives A, then AAAA.
pub(super) fn parse_records(entries: &[String]) -> (Vec<RecordSpec>, Vec<String>) {
    let (mut specs, mut problems): (Vec<RecordSpec>, Vec<String>) = (Vec::new(), Vec::new());
    for entry in entries {
        let (name, rtypes): (&str, &[RecordType]) = match entry.rsplit_once(':') {
            Some((name, "A")) => (name, &[RecordType::A]),
            Some((name, "AAAA")) => (name, &[RecordType::Aaaa]),
            Some((_, rtype)) if entry.matches(':').count() == 1 => {
                problems.push(format!("{entry:?}: the type {rtype:?} is neither A nor AAAA"));
                continue;
            }
            Some(_) | None => (entry, &[RecordType::A, RecordType::Aaaa]),
        };
        let name: RecordName = match name.parse() {
            Ok(name) => name,
            Err(error) => {
                problems.push(format!("{entry:?}: {error}"));
                continue;
            }
        };
        for &rtype in rtypes {
            let key = RecordKey { name: name.clone(), rtype };
            if specs.iter().any(|spec| spec.key == key) {
                problems.push(format!("{entry:?}: {key} is in the list twice"));
            } else {
                specs.push(RecordSpec { key, required: rtypes.len() == 1 });
            }
        }
    }
    (specs, problems)
}
