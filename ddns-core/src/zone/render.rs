//! Zone files (RFC 1035 §5) of what a zone shall hold.

use std::fmt::Write;

use super::contents::Contents;
use super::serial::Serial;

/// The zone file: the same text for the same contents and serial. Names are in full and every record has its time to
/// live, so no line depends on another.
pub fn render(contents: &Contents, serial: Serial) -> String {
    let (zone, soa) = (&contents.zone, &contents.soa);
    let mut file = format!(
        "{zone} {} IN SOA {} {} ( {serial} {} {} {} {} )\n",
        contents.soa_ttl, soa.primary, soa.mailbox, soa.refresh, soa.retry, soa.expire, soa.negative_ttl
    );
    for set in contents.sets.iter() {
        for data in set.data() {
            // Writing to a String cannot fail.
            let _ = writeln!(file, "{} {} IN {} {data}", set.owner(), set.ttl(), set.kind());
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::desired::{Desired, tests::spec};

    #[test]
    fn every_line_stands_for_itself() {
        let contents = Desired::assemble(&spec(), &[]).unwrap().contents;
        let expected = r"example.com. 3600 IN SOA ns1.example.com. host\.master.example.com. ( 7 3600 600 604800 300 )
example.com. 3600 IN NS ns1.example.com.
ns1.example.com. 3600 IN A 192.0.2.53
";
        assert_eq!(render(&contents, Serial(7)), expected);
    }
}
