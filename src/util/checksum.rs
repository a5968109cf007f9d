//! Bytes preceded by their hash, so that readers can detect corruption.

/// The length of the BLAKE3 hash, in bytes.
const HASH: usize = 32;

/// Prepends the hash of `body` to it.
pub fn hashed(body: &[u8]) -> Vec<u8> {
    [blake3::hash(body).as_bytes().as_slice(), body].concat()
}

/// The bytes after their hash; `None` if the hash does not match.
pub fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (hash, body) = bytes.split_first_chunk::<HASH>()?;
    (blake3::hash(body) == *hash).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_bit_flips_is_noticed() {
        let whole = hashed(b"body");
        assert_eq!(body(&whole), Some(&b"body"[..]));
        for at in 0..whole.len() {
            let mut spoiled = whole.clone();
            spoiled[at] ^= 1;
            assert_eq!(body(&spoiled), None);
            assert_eq!(body(&whole[..at]), None);
        }
        assert_eq!(body(&hashed(b"")), Some(&b""[..]));
    }
}
