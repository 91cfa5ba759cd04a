//! Codes and link tokens: made at random, kept as hashes, compared in constant time.
//!
//! Invariant: a secret is bound to its challenge and to the value that it verifies, so it is of no use for another.

use sha2::{Digest as _, Sha256};

use crate::directory::Failure;
use crate::store::StoreError;

/// The digits of a code, if the API has no alphabet of its own.
pub(super) const DIGITS: &str = "0123456789";
/// The letters of a link's token.
const TOKEN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// How many letters a link's token has: 258 bits.
const TOKEN_LENGTH: usize = 43;

/// As many letters of the alphabet, each as likely as any other.
pub(super) fn random(alphabet: &str, length: usize) -> Result<String, Failure> {
    let letters: Vec<char> = alphabet.chars().collect();
    let count = letters.len();
    let fair = 256 - 256 % count.clamp(1, 256);
    let mut out = String::with_capacity(length);
    let mut octets = [0_u8; 64];
    while out.len() < length {
        getrandom::fill(&mut octets)
            .map_err(|error| StoreError::unavailable(format!("the system gives no random bytes: {error}")))?;
        let good = octets.iter().map(|&octet| usize::from(octet)).filter(|&octet| octet < fair);
        let letters = good.filter_map(|octet| letters.get(octet % count));
        out.extend(letters.take(length - out.len()));
    }
    Ok(out)
}

/// The token of a link.
pub(super) fn token() -> Result<String, Failure> {
    random(TOKEN, TOKEN_LENGTH)
}

/// What is kept of a secret.
pub(super) fn hash(challenge: &str, canonical: &str, secret: &str) -> Vec<u8> {
    Sha256::digest(format!("{challenge}\0{canonical}\0{secret}")).to_vec()
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_code_is_made_of_its_alphabet_and_seldom_twice_the_same() {
        let codes: HashSet<String> = (0..200).map(|_| random("ABC123", 20).unwrap()).collect();
        assert_eq!(codes.len(), 200);
        assert!(codes.iter().all(|code| code.len() == 20 && code.chars().all(|c| "ABC123".contains(c))));
        assert_eq!(random(DIGITS, 6).unwrap().len(), 6);
        assert_eq!(token().unwrap().len(), TOKEN_LENGTH);
    }

    #[test]
    fn a_secret_counts_for_its_challenge_and_its_value_only() {
        let kept = hash("c1", "a@x.example", "123456");
        assert!(same(&kept, &hash("c1", "a@x.example", "123456")));
        for other in [hash("c2", "a@x.example", "123456"), hash("c1", "b@x.example", "123456")] {
            assert!(!same(&kept, &other));
        }
        assert!(!same(&kept, &hash("c1", "a@x.example", "123457")) && !same(&kept, &[]));
    }
}
