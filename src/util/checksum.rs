//! Bytes behind their own hash, so that whoever reads them knows whether they are whole.

/// The length of the hash, BLAKE3.
const HASH: usize = 32;

/// The bytes with their hash before them.
pub fn hashed(body: &[u8]) -> Vec<u8> {
    [blake3::hash(body).as_bytes().as_slice(), body].concat()
}

/// What follows its own hash; `None` if that does not hold.
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
