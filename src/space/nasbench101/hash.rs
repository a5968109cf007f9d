//! The benchmark's isomorphism hash.
//!
//! Every vertex starts with a digest of its degrees and label. As many times as there are vertices, it is
//! replaced by the digest of its sources' sorted digests, its targets' sorted digests and its own. The hash
//! is the digest of all of them, sorted (Ying et al. 2019, section S1; the benchmark's `graph_util`). Digests
//! are MD5 in hexadecimal.

use std::fmt;
use std::io::Write;

use md5::{Digest, Md5};

use super::cell::{Cell101, MAX_VERTICES};

/// The isomorphism hash of a cell, displayed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellHash(pub [u8; 16]);

impl fmt::Display for CellHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CellHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CellHash({self})")
    }
}

impl CellHash {
    /// Parses 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Some(Self(bytes))
    }
}

type Hex = [u8; 32];

fn hex(digest: [u8; 16]) -> Hex {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

impl Cell101 {
    /// The benchmark's hash, equal exactly for isomorphic cells.
    pub fn hash(self) -> CellHash {
        let vertices = self.vertices();
        let mut digests = [[0; 32]; MAX_VERTICES];
        for (vertex, digest) in digests.iter_mut().enumerate().take(vertices) {
            *digest = hex(self.initial(vertex, vertices));
        }
        for _ in 0..vertices {
            let mut next = digests;
            for (vertex, next) in next.iter_mut().enumerate().take(vertices) {
                let mut hasher = Md5::new();
                let sources = (0..vertex).filter(|&from| self.has_edge(from, vertex));
                update_sorted(&mut hasher, sources, &digests);
                hasher.update(b"|");
                let targets = (vertex + 1..vertices).filter(|&to| self.has_edge(vertex, to));
                update_sorted(&mut hasher, targets, &digests);
                hasher.update(b"|");
                hasher.update(digests[vertex]);
                *next = hex(hasher.finalize().into());
            }
            digests = next;
        }
        let all = &mut digests[..vertices];
        all.sort_unstable();
        let mut hasher = Md5::new();
        // A Python list of strings.
        for (index, digest) in all.iter().enumerate() {
            hasher.update(if index == 0 { "['" } else { "', '" });
            hasher.update(digest);
        }
        hasher.update("']");
        CellHash(hasher.finalize().into())
    }

    /// The digest of a Python tuple of out-degree, in-degree and label.
    fn initial(self, vertex: usize, vertices: usize) -> [u8; 16] {
        let targets = (vertex + 1..vertices).filter(|&to| self.has_edge(vertex, to)).count();
        let sources = (0..vertex).filter(|&from| self.has_edge(from, vertex)).count();
        let label = match vertex {
            0 => -1,
            _ if vertex + 1 == vertices => -2,
            _ => self.label(vertex) as i32,
        };
        let mut text = [0u8; 16];
        let mut rest = &mut text[..];
        // "(6, 6, -2)" is the longest there can be.
        let written = write!(rest, "({targets}, {sources}, {label})").map(|()| rest.len());
        let length = text.len() - written.unwrap_or(0);
        Md5::digest(&text[..length]).into()
    }
}

fn update_sorted(
    hasher: &mut Md5,
    vertices: impl Iterator<Item = usize>,
    digests: &[Hex; MAX_VERTICES],
) {
    let mut sorted = [[0; 32]; MAX_VERTICES];
    let mut count = 0;
    for vertex in vertices {
        sorted[count] = digests[vertex];
        count += 1;
    }
    sorted[..count].sort_unstable();
    sorted[..count].iter().for_each(|digest| hasher.update(digest));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_and_read() {
        let text = "02e5a0247bbdcf2860b7e96f74961594";
        assert_eq!(CellHash::parse(text).unwrap().to_string(), text);
        assert_eq!(CellHash::parse("02e5"), None);
        assert_eq!(CellHash::parse(&text.replace('e', "g")), None);
    }
}
