//! The encoding of numbers, headers and messages in the log of sled 0.34.

use crc32fast::Hasher;

/// The size of a segment, in bytes.
pub const SEGMENT: usize = 512 << 10;
/// The size of a segment's header, in bytes.
pub const SEGMENT_HEADER: usize = 20;
/// The most bytes of a message's header. A segment with fewer bytes left has no more messages.
pub const MESSAGE_ROOM: usize = 32;

/// Decodes a number of variable length and advances `bytes`; `None` if they end too early.
///
/// A number takes one byte up to 240, two bytes up to 2,287 and three bytes up to 67,823. Above, the first
/// byte minus 247 is the count of bytes that follow, in little-endian order.
pub fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    let (number, taken) = match first {
        0..=240 => (u64::from(first), 0),
        241..=248 => (240 + 256 * (u64::from(first) - 241) + u64::from(*rest.first()?), 1),
        249 => (2288 + 256 * u64::from(*rest.first()?) + u64::from(*rest.get(1)?), 2),
        _ => {
            let length = usize::from(first) - 247;
            let mut number = [0; 8];
            number[..length].copy_from_slice(rest.get(..length)?);
            (u64::from_le_bytes(number), length)
        }
    };
    *bytes = &rest[taken..];
    Some(number)
}

/// Decodes an integer of eight bytes, little-endian, and advances `bytes`.
pub fn fixed(bytes: &mut &[u8]) -> Option<i64> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(i64::from_le_bytes(*number))
}

/// Decodes a byte string that follows its length, and advances `bytes`.
pub fn slice<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (slice, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(slice)
}

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The position of the segment's first byte in the log.
    pub lsn: i64,
    /// A position in the log; everything before it was written when the segment was begun.
    pub stable: i64,
}

impl SegmentHeader {
    /// Decodes a header; `None` if its checksum does not match.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (header, _) = bytes.split_first_chunk::<SEGMENT_HEADER>()?;
        let (mut sum, mut rest) = (&header[..4], &header[4..]);
        let mut hasher = Hasher::new();
        hasher.update(rest);
        if take_u32(&mut sum)? != !hasher.finalize() {
            return None;
        }
        // Both are written with all bits but the sign turned, so that a zeroed header never holds.
        let (lsn, stable) = (fixed(&mut rest)? ^ i64::MAX, fixed(&mut rest)? ^ i64::MAX);
        (lsn >= 0 && lsn % SEGMENT as i64 == 0).then_some(Self { lsn, stable })
    }
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A message to be skipped.
    Canceled,
    /// The end of the messages in this segment.
    Cap,
    /// The start of a batch, which counts only if the log reaches the position in the message.
    Batch,
    /// The release of a page.
    Free,
    /// The page of the counter.
    Counter,
    /// The page with the names of the trees.
    Meta,
    /// [`Self::Meta`] in a file of its own.
    MetaBlob,
    /// A node of a tree.
    Node,
    /// [`Self::Node`] in a file of its own.
    NodeBlob,
    /// A change of a node.
    Link,
    /// [`Self::Link`] in a file of its own.
    LinkBlob,
}

impl MessageKind {
    /// Returns the kind with a number.
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Canceled,
            2 => Self::Cap,
            3 => Self::Batch,
            4 => Self::Free,
            5 => Self::Counter,
            6 => Self::Meta,
            7 => Self::MetaBlob,
            8 => Self::Node,
            9 => Self::NodeBlob,
            10 => Self::Link,
            11 => Self::LinkBlob,
            _ => return None,
        })
    }

    /// Returns true if the message contains the number of a file instead of the page.
    pub const fn is_blob(self) -> bool {
        matches!(self, Self::MetaBlob | Self::NodeBlob | Self::LinkBlob)
    }
}

/// The header of a message.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    sum: u32,
    /// The kind of the message.
    pub kind: MessageKind,
    /// The length of the body, in bytes.
    pub length: usize,
    /// The number of the segment to which the message was written, counted along the log.
    pub segment: u64,
    /// The number of the page.
    pub page: u64,
    /// The length of the header, in bytes.
    pub size: usize,
}

impl Header {
    /// Decodes the header of the message at the beginning of `bytes`, which end with the segment.
    ///
    /// `None` if there is no header or its body would not fit. The checksum is not checked: see
    /// [`is_whole`](Self::is_whole).
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let sum = take_u32(&mut rest)?;
        let (&kind, mut rest) = rest.split_first()?;
        let kind = MessageKind::of(kind)?;
        let length = usize::try_from(number(&mut rest)?).ok()?;
        let (segment, page) = (number(&mut rest)?, number(&mut rest)?);
        let size = bytes.len() - rest.len();
        (length <= rest.len()).then_some(Self { sum, kind, length, segment, page, size })
    }

    /// Returns the body of the message at the beginning of `bytes`.
    pub fn body<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.size..self.size + self.length]
    }

    /// Returns true if the checksum of the message at the beginning of `bytes` matches.
    pub fn is_whole(&self, bytes: &[u8]) -> bool {
        let mut hasher = Hasher::new();
        hasher.update(self.body(bytes));
        hasher.update(&bytes[4..self.size]);
        !hasher.finalize() == self.sum
    }

    /// Decodes the header of the message at the beginning of `bytes`, if the message is intact.
    pub fn whole(bytes: &[u8]) -> Option<Self> {
        Self::read(bytes).filter(|header| header.is_whole(bytes))
    }

    /// Returns the length of the message, header and body, in bytes.
    pub const fn total(&self) -> usize {
        self.size + self.length
    }
}

/// Decodes a page in a file of its own: a checksum, the kind and the page; `None` if the checksum does not
/// match.
pub fn blob(bytes: &[u8]) -> Option<(MessageKind, &[u8])> {
    let (sum, rest) = bytes.split_first_chunk::<4>()?;
    let mut hasher = Hasher::new();
    hasher.update(rest);
    let (&kind, page) = rest.split_first()?;
    (hasher.finalize() == u32::from_le_bytes(*sum)).then_some((MessageKind::of(kind)?, page))
}

/// Returns true if `bytes` are a valid settings file of sled, `conf`: text and its checksum.
pub fn is_conf(bytes: &[u8]) -> bool {
    let Some((text, sum)) = bytes.split_last_chunk::<4>() else { return false };
    let mut hasher = Hasher::new();
    hasher.update(text);
    hasher.finalize() == u32::from_le_bytes(*sum)
        && text.starts_with(b"segment_size: ")
        && text.ends_with(b"version: 0.34\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_sled_writes_them() {
        let written: [(u64, &[u8]); 9] = [
            (0, &[0]),
            (240, &[240]),
            (241, &[241, 1]),
            (2_287, &[248, 255]),
            (2_288, &[249, 0, 0]),
            (67_823, &[249, 255, 255]),
            (67_824, &[250, 0xf0, 0x08, 0x01]),
            (1 << 24, &[251, 0, 0, 0, 1]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (expected, mut bytes) in written {
            let all = bytes;
            assert_eq!(number(&mut bytes), Some(expected));
            assert!(bytes.is_empty());
            for cut in 0..all.len() {
                assert_eq!(number(&mut &all[..cut]), None);
            }
        }
    }
}
