/// A slot's layout, big-endian: magic (8), layout version (4), generation (8), length of the content (4), CRC-32 of all
/// before it and of the content (4), content.
pub(crate) struct Slot<'a> {
    pub(crate) generation: u64,
    pub(crate) content: &'a [u8],
}

/// Why octets are no slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SlotError {
    Short,
    Magic,
    Layout,
    Length,
    Checksum,
    Content,
}

impl std::fmt::Display for SlotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Short => "too short",
            Self::Magic => "not a state file",
            Self::Layout => "an unknown layout",
            Self::Length => "a wrong length",
            Self::Checksum => "a wrong checksum",
            Self::Content => "a right checksum over a wrong content",
        })
    }
}

const MAGIC: &[u8; 8] = b"ddnsslot";
const LAYOUT: u32 = 1;
const HEAD: usize = 8 + 4 + 8 + 4;

impl<'a> Slot<'a> {
    pub(crate) fn parse(octets: &'a [u8]) -> Result<Self, SlotError> {
        let (head, rest) = octets.split_at_checked(HEAD).ok_or(SlotError::Short)?;
        let (sum, content) = rest.split_first_chunk::<4>().ok_or(SlotError::Short)?;
        let (magic, numbers) = head.split_at(8);
        if magic != MAGIC {
            return Err(SlotError::Magic);
        }
        let number = |at: usize, len: usize| numbers[at..at + len].iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        if number(0, 4) != u64::from(LAYOUT) {
            return Err(SlotError::Layout);
        }
        if number(12, 4) != content.len() as u64 {
            return Err(SlotError::Length);
        }
        if u32::from_be_bytes(*sum) != checksum(head, content) {
            return Err(SlotError::Checksum);
        }
        Ok(Self { generation: number(4, 8), content })
    }

    pub(crate) fn encode(generation: u64, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut octets = Vec::with_capacity(HEAD + 4 + content.len());
        octets.extend_from_slice(MAGIC);
        octets.extend_from_slice(&LAYOUT.to_be_bytes());
        octets.extend_from_slice(&generation.to_be_bytes());
        octets.extend_from_slice(&length.to_be_bytes());
        let sum = checksum(&octets, content);
        octets.extend_from_slice(&sum.to_be_bytes());
        octets.extend_from_slice(content);
        octets
    }
}

fn checksum(head: &[u8], content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(content);
    hasher.finalize()
}
