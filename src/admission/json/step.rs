//! Where a string, an object or an array ends.

use wide::{u8x32, u8x64};

/// How many bytes one step compares: each is a bit of a `u64`.
const BLOCK: usize = 64;

/// The same for strings: most are shorter, and how long one is cannot be foreseen, so a second step is
/// often a mispredicted branch.
const SHORT_BLOCK: usize = 32;

/// Where a string ends, and whether it has escapes.
pub(super) struct StringEnd {
    /// The position behind its closing quotation mark.
    pub(super) at: usize,
    /// Whether it contains a backslash.
    pub(super) has_escapes: bool,
}

/// The end of the string whose opening quotation mark is at `start`.
#[inline]
pub(super) fn string(text: &[u8], start: usize) -> Option<StringEnd> {
    let (mut at, mut has_escapes) = (start + 1, false);
    loop {
        let block = short_block(text.get(at..)?)?;
        let marks = block.simd_eq(u8x32::splat(b'"')) | block.simd_eq(u8x32::splat(b'\\'));
        let places = marks.to_bitmask();
        if places == 0 {
            at += SHORT_BLOCK;
            continue;
        }
        at += places.trailing_zeros() as usize;
        if text[at] == b'"' {
            return Some(StringEnd { at: at + 1, has_escapes });
        }
        has_escapes = true;
        // A block for each would take long in a text of nothing but escapes.
        while text.get(at) == Some(&b'\\') {
            at += 2;
        }
    }
}

/// The position behind the object or array that opens at `start`. Does not check that a closing
/// bracket matches the kind of the opening one.
#[inline]
pub(super) fn container(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut escapes, mut depth) = (start + 1, Escapes::default(), 1);
    // All ones where a string continues into the next block.
    let mut carried = 0;
    while at < text.len() {
        let block = block(text, at);
        let quotes = places(block, b'"') & !escapes.escaped(places(block, b'\\'));
        let strings = from_odd_to_even(quotes) ^ carried;
        carried = if strings >> (BLOCK - 1) == 1 { u64::MAX } else { 0 };
        // [ differs from {, and ] from }, in this bit only.
        let folded = block | u8x64::splat(b'[' ^ b'{');
        let opening = places(folded, b'{') & !strings;
        let closing = places(folded, b'}') & !strings;
        // Most brackets are those of `{}` in `managedFields`, which change nothing.
        let empty = opening & (closing >> 1);
        let (opening, closing) = (opening ^ empty, closing ^ (empty << 1));
        if closing.count_ones() >= depth
            && let Some(last) = last_closing(depth, opening, closing)
        {
            return Some(at + offset(last) + 1);
        }
        depth = depth + opening.count_ones() - closing.count_ones();
        at += BLOCK;
    }
    None
}

/// Whether the text may have a member of this name. `true` if it has escapes: a name may have them.
#[inline]
pub(super) fn may_have_member(text: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    let first = name.first().copied().unwrap_or(b'"');
    // Whether the block before ends with a quotation mark.
    let (mut at, mut quoted) = (0, 0);
    while at < text.len() {
        let block = block(text, at);
        if places(block, b'\\') != 0 {
            return true;
        }
        let quotes = places(block, b'"');
        let mut starts = places(block, first) & (quotes << 1 | quoted);
        while starts != 0 {
            let start = at + offset(starts);
            if text[start..].starts_with(name) {
                return true;
            }
            starts &= starts - 1;
        }
        quoted = quotes >> (BLOCK - 1);
        at += BLOCK;
    }
    false
}

/// The bit of the bracket that closes the outermost of `depth` open ones.
fn last_closing(depth: u32, opening: u64, mut closing: u64) -> Option<u64> {
    let mut closed = 0;
    while closing != 0 {
        let bit = closing & closing.wrapping_neg();
        closed += 1;
        if depth + (opening & (bit - 1)).count_ones() == closed {
            return Some(bit);
        }
        closing ^= bit;
    }
    None
}

/// Finds the escaped bytes, block by block.
#[derive(Default)]
struct Escapes {
    /// Whether the first byte of the next block is escaped.
    next: bool,
}

impl Escapes {
    /// The bytes behind a backslash that is not escaped itself.
    ///
    /// Of backslashes in a row, every second one is escaped. The subtraction finds them all at once, as
    /// in simdjson: it borrows through a row, and where the row ends tells whether its length is odd.
    #[inline]
    const fn escaped(&mut self, backslashes: u64) -> u64 {
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let first = self.next as u64;
        let escaping = backslashes & !first;
        let alternating = ((escaping << 1) | ODD).wrapping_sub(escaping) ^ ODD;
        self.next = (alternating & backslashes) >> (BLOCK - 1) == 1;
        alternating ^ (backslashes | first)
    }
}

/// The block at `at`, filled with zeros behind the end of the text.
#[inline]
fn block(text: &[u8], at: usize) -> u8x64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(block) => u8x64::new(*block),
        None => last_block(rest),
    }
}

/// The block at the front of `rest`, filled with zeros. `None` if nothing is left.
#[inline]
fn short_block(rest: &[u8]) -> Option<u8x32> {
    if let Some(block) = rest.first_chunk() {
        return Some(u8x32::new(*block));
    }
    let mut block = [0; SHORT_BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    (!rest.is_empty()).then(|| u8x32::new(block))
}

#[cold]
fn last_block(rest: &[u8]) -> u8x64 {
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    u8x64::new(block)
}

/// A bit for each position of the byte.
#[inline]
fn places(block: u8x64, byte: u8) -> u64 {
    block.simd_eq(u8x64::splat(byte)).to_bitmask()
}

/// How many bytes come before the first bit that is set.
#[inline]
const fn offset(bits: u64) -> usize {
    bits.trailing_zeros() as usize
}

/// Fills with ones from each odd bit that is set (the first, the third, …) up to the next.
#[inline]
const fn from_odd_to_even(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}
