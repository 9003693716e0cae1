//! Offsets inside the kernel's structures, from the type information that the kernel keeps of itself
//! (Documentation/bpf/btf.rst).

use std::{fs, io};

/// Where the kernel shows it.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// The offsets that the eBPF programs read at, in octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct KernelLayout {
    pub(super) skb_len: u32,
    pub(super) skb_data: u32,
    pub(super) net_inum: u32,
    pub(super) sock_net: u32,
}

/// Why they are not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    #[error("this kernel shows no type information (CONFIG_DEBUG_INFO_BTF)")]
    Absent(#[source] io::Error),
    #[error("this kernel's type information has no {0}.{1}")]
    Missing(&'static str, &'static str),
}

impl KernelLayout {
    pub(super) fn of_this_kernel() -> Result<Self, LayoutError> {
        let btf = fs::read(VMLINUX).map_err(LayoutError::Absent)?;
        let types = Types::parse(&btf).unwrap_or_default();
        let offset =
            |structure, path: &'static str| types.offset(structure, path).ok_or(LayoutError::Missing(structure, path));
        Ok(Self {
            skb_len: offset("sk_buff", "len")?,
            skb_data: offset("sk_buff", "data")?,
            net_inum: offset("net", "ns.inum")?,
            sock_net: offset("sock", "__sk_common.skc_net.net")?,
        })
    }
}

// Kinds of types, and the octets that follow each.
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const MODIFIERS: [u8; 5] = [8, 9, 10, 11, 18];
/// Octets of a member, of a header of a type, and of the header of all.
const MEMBER: usize = 12;
const TYPE: usize = 12;
const HEADER: usize = 24;
/// Deeper than any structure is nested; ends the search in a description that runs in circles.
const DEEPEST: u32 = 32;

/// One type: where its description starts.
#[derive(Clone, Copy)]
struct Type {
    at: usize,
    kind: u8,
    members: usize,
    bit_offsets: bool,
    inner: u32,
}

#[derive(Default)]
struct Types<'a> {
    octets: &'a [u8],
    strings: &'a [u8],
    /// By number; 0 is void.
    all: Vec<Type>,
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_ne_bytes)
}

impl<'a> Types<'a> {
    fn parse(octets: &'a [u8]) -> Option<Self> {
        if octets.get(..2)? != 0xeb9f_u16.to_ne_bytes() || octets.len() < HEADER {
            return None;
        }
        let field = |at| word(octets, at).and_then(|value| usize::try_from(value).ok());
        let header = field(4)?;
        let (first, length) = (header.checked_add(field(8)?)?, field(12)?);
        let strings = header.checked_add(field(16)?)?;
        let strings = octets.get(strings..strings.checked_add(field(20)?)?)?;
        let types = octets.get(first..first.checked_add(length)?)?;
        let mut all = vec![Type { at: 0, kind: 0, members: 0, bit_offsets: false, inner: 0 }];
        let mut at = 0;
        while let Some(info) = word(types, at + 4) {
            let (kind, count) = ((info >> 24 & 0x1f) as u8, (info & 0xffff) as usize);
            let after = match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                STRUCT | UNION | 15 | 19 => MEMBER * count,
                6 | 13 => 8 * count,
                2 | 7..=12 | 16 | 18 => 0,
                _ => return None,
            };
            let members = if matches!(kind, STRUCT | UNION) { count } else { 0 };
            all.push(Type { at, kind, members, bit_offsets: info >> 31 != 0, inner: word(types, at + 8)? });
            at += TYPE + after;
        }
        Some(Self { octets: types, strings, all })
    }

    fn name(&self, offset: u32) -> &[u8] {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.strings.get(offset..)).unwrap_or_default();
        rest.split(|octet| *octet == 0).next().unwrap_or_default()
    }

    fn get(&self, number: u32) -> Option<&Type> {
        self.all.get(usize::try_from(number).ok()?)
    }

    /// A member's offset in bits and its type, also inside members without a name.
    fn member(&self, number: u32, name: &str, depth: u32) -> Option<(u32, u32)> {
        let kind = self.get(number)?;
        if depth == 0 {
            return None;
        }
        if MODIFIERS.contains(&kind.kind) {
            return self.member(kind.inner, name, depth - 1);
        }
        (0..kind.members).find_map(|index| {
            let at = kind.at + TYPE + index * MEMBER;
            let (named, inner, offset) =
                (word(self.octets, at)?, word(self.octets, at + 4)?, word(self.octets, at + 8)?);
            let offset = if kind.bit_offsets { offset & 0x00ff_ffff } else { offset };
            match self.name(named) {
                b"" => {
                    let (further, inner) = self.member(inner, name, depth - 1)?;
                    Some((offset.checked_add(further)?, inner))
                }
                found => (found == name.as_bytes()).then_some((offset, inner)),
            }
        })
    }

    /// The offset in octets of a member, whose path may lead through inner structures.
    fn offset(&self, structure: &str, path: &str) -> Option<u32> {
        let found = |kind: &Type| {
            let name = word(self.octets, kind.at).map(|name| self.name(name));
            kind.kind == STRUCT && kind.members > 0 && name == Some(structure.as_bytes())
        };
        let mut number = u32::try_from(self.all.iter().position(found)?).ok()?;
        let mut bits = 0_u32;
        for name in path.split('.') {
            let (offset, inner) = self.member(number, name, DEEPEST)?;
            bits = bits.checked_add(offset)?;
            number = inner;
        }
        Some(bits / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct outer { int a; struct { const struct inner b; }; }`, `struct inner { int c; int d; }`.
    fn sample() -> Vec<u8> {
        let strings = b"\0outer\0inner\0a\0b\0c\0d\0";
        let words: &[u32] = &[
            // 1: int of 4 octets.
            0,
            1 << 24,
            4,
            32, //
            // 2: struct inner { 1 c; 1 d; }
            7,
            4 << 24 | 2,
            8,
            17,
            1,
            0,
            19,
            1,
            32, //
            // 3: const 2
            0,
            10 << 24,
            2, //
            // 4: struct { 3 b; }
            0,
            4 << 24 | 1,
            8,
            15,
            3,
            0, //
            // 5: struct outer { 1 a; 4; }
            1,
            4 << 24 | 2,
            12,
            13,
            1,
            0,
            0,
            4,
            32,
        ];
        let types: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let header = [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32];
        let mut all = 0xeb9f_u16.to_ne_bytes().to_vec();
        all.extend([1, 0]);
        all.extend(header.iter().flat_map(|word| word.to_ne_bytes()));
        all.extend(types);
        all.extend(strings);
        all
    }

    #[test]
    fn a_member_is_found_through_nameless_and_constant_ones() {
        let sample = sample();
        let types = Types::parse(&sample).unwrap();
        assert_eq!(types.offset("outer", "a"), Some(0));
        assert_eq!(types.offset("outer", "b.c"), Some(4));
        assert_eq!(types.offset("outer", "b.d"), Some(8));
        assert_eq!((types.offset("outer", "x"), types.offset("no", "a")), (None, None));
    }

    #[test]
    fn what_is_cut_off_gives_nothing_and_no_panic() {
        let sample = sample();
        for length in 0..sample.len() {
            if let Some(types) = Types::parse(&sample[..length]) {
                let _ = types.offset("outer", "b.d");
            }
        }
    }

    /// This kernel's own, if it shows them.
    #[test]
    fn the_kernels_own_types_are_read() {
        match KernelLayout::of_this_kernel() {
            Ok(layout) => assert!(layout.skb_data > layout.skb_len && layout.net_inum > 0, "{layout:?}"),
            Err(error) => assert!(matches!(error, LayoutError::Absent(_)), "{error}"),
        }
    }
}
