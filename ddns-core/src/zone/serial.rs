//! Serial numbers of zones (RFC 1982).

use std::fmt;

/// Half of the circle on which serials lie.
const HALF: u32 = 1 << 31;

/// The serial of an SOA record (RFC 1035 §3.3.13), which lies on a circle: it has no order of its own, see
/// [`Serial::is_after`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Serial(pub u32);

/// Why there is no next serial.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SerialError {
    /// RFC 1982 §3.2: more than half of the circle lies between them.
    #[error(
        "no serial is after all known ones ({first} and {second} are too far apart); transfer the zone anew to the \
         secondaries that hold the one of them that is wrong"
    )]
    TooFarApart {
        /// A known serial.
        first: Serial,
        /// Another one, which is not comparable with what would follow the first.
        second: Serial,
    },
}

impl Serial {
    /// Whether a secondary that holds `other` would take this one (RFC 1982 §3.2). Two that lie exactly half of the
    /// circle apart are not comparable: neither is after the other.
    pub const fn is_after(self, other: Self) -> bool {
        let distance = self.0.wrapping_sub(other.0);
        distance != 0 && distance < HALF
    }

    /// The serial after this one. It is never 0, with which software has its troubles.
    pub const fn next(self) -> Self {
        match self.0.wrapping_add(1) {
            0 => Self(1),
            next => Self(next),
        }
    }

    /// The first serial that is after all of `known`, such as those in a status, at the primary and at its secondaries;
    /// 1 if none is known. Under inline signing (RFC 9364, `rndc zonestatus`) the caller gives the unsigned serials.
    pub fn after_all(known: &[Self]) -> Result<Self, SerialError> {
        let Some(&first) = known.first() else { return Ok(Self(1)) };
        let follows_all = |next: &Self| known.iter().all(|&other| next.is_after(other));
        if let Some(next) = known.iter().map(|serial| serial.next()).find(follows_all) {
            return Ok(next);
        }
        let second = known.iter().copied().find(|&other| !first.next().is_after(other)).unwrap_or(first);
        Err(SerialError::TooFarApart { first, second })
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_rfc_1982() {
        assert!(Serial(1).is_after(Serial(0)) && Serial(0).is_after(Serial(u32::MAX)));
        assert!(!Serial(7).is_after(Serial(7)) && !Serial(0).is_after(Serial(1)));
        assert!(!Serial(0).is_after(Serial(HALF)) && !Serial(HALF).is_after(Serial(0)));
        assert!(Serial(HALF - 1).is_after(Serial(0)) && Serial(0).is_after(Serial(HALF + 1)));
    }

    #[test]
    fn the_next_serial_is_after_all_known_ones_and_never_0() {
        assert_eq!(Serial::after_all(&[]), Ok(Serial(1)));
        assert_eq!(Serial::after_all(&[Serial(5), Serial(9), Serial(9)]), Ok(Serial(10)));
        assert_eq!(Serial::after_all(&[Serial(u32::MAX), Serial(3)]), Ok(Serial(4)));
        assert_eq!(Serial::after_all(&[Serial(u32::MAX)]), Ok(Serial(1)));
    }

    #[test]
    fn serials_that_no_serial_follows_are_told() {
        let third = u32::MAX / 3;
        let error = Serial::after_all(&[Serial(0), Serial(third), Serial(2 * third)]).unwrap_err();
        assert_eq!(error, SerialError::TooFarApart { first: Serial(0), second: Serial(third) });
        assert!(Serial::after_all(&[Serial(0), Serial(HALF)]).is_err());
        assert_eq!(Serial::after_all(&[Serial(0), Serial(HALF - 2)]), Ok(Serial(HALF - 1)));
    }
}
