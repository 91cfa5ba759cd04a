//! Hashes of passwords: which forms are known, what they may cost, and whether a password is the one behind a hash.
//!
//! Invariant: what passed [`check`] can be computed in bounded memory and time, so that nobody can store a hash that
//! stops the server when its password is checked. No error shows any part of a hash.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier as _};
use pbkdf2::Pbkdf2;
use pbkdf2::mcf::PasswordHashRef;
use scrypt::Scrypt;
use sha_crypt::ShaCrypt;

use crate::scim::error::ScimError;

/// The most memory that a hash may take, in KiB.
const MEMORY: u64 = 256 * 1024;
/// The longest that a hash may take on an ordinary core, in milliseconds.
const TIME: u64 = 3000;
/// The longest password of sha-crypt, in bytes, as libxcrypt has it: its time grows with the square of the length.
const SHA_CRYPT_PASSWORD: usize = 511;

/// What it takes to compute a hash, roughly.
struct Cost {
    /// In KiB.
    memory: u64,
    /// In milliseconds.
    time: u64,
}

/// A form in which other systems keep passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Argon2,
    Bcrypt,
    Scrypt,
    Pbkdf2,
    ShaCrypt,
}

impl Form {
    fn of(hash: &str) -> Option<Self> {
        let name = hash.strip_prefix('$')?.split('$').next()?;
        Some(match name {
            "argon2id" | "argon2i" | "argon2d" => Self::Argon2,
            "2a" | "2b" | "2y" => Self::Bcrypt,
            "scrypt" => Self::Scrypt,
            "pbkdf2-sha256" | "pbkdf2-sha512" => Self::Pbkdf2,
            "5" | "6" => Self::ShaCrypt,
            _ => return None,
        })
    }
}

/// Refuses what is no hash of a known form, and what is too dear to compute.
///
/// # Errors
/// `invalidValue`.
pub fn check(hash: &str) -> Result<(), ScimError> {
    let refused = |what: &str| Err(ScimError::value(what));
    let Some(form) = Form::of(hash) else {
        return refused("it is no hash of argon2, bcrypt, scrypt, pbkdf2 or sha-crypt, as in $2b$12$…");
    };
    match cost(form, hash) {
        Some(cost) if cost.memory <= MEMORY && cost.time <= TIME => Ok(()),
        Some(_) => refused("it costs more to compute than Muster allows"),
        None => refused("it is not complete, or has parts that its form does not have"),
    }
}

/// The memory that it takes to compute a hash, in KiB.
pub(super) fn memory(hash: &str) -> u64 {
    Form::of(hash).and_then(|form| cost(form, hash)).map_or(0, |cost| cost.memory)
}

/// What the hash costs; none if it is not well-formed.
fn cost(form: Form, hash: &str) -> Option<Cost> {
    match form {
        Form::Argon2 => argon2_cost(&complete(hash)?),
        Form::Scrypt => scrypt_cost(&complete(hash)?),
        Form::Pbkdf2 => pbkdf2_cost(hash),
        Form::Bcrypt => {
            let cost = hash.parse::<bcrypt::HashParts>().ok()?.get_cost();
            Some(Cost { memory: 0, time: 1u64.checked_shl(cost)? / 16 })
        }
        Form::ShaCrypt => sha_crypt_cost(hash),
    }
}

fn argon2_cost(hash: &PasswordHash) -> Option<Cost> {
    let params = argon2::Params::try_from(hash).ok()?;
    let memory = u64::from(params.m_cost());
    Some(Cost { memory, time: memory * u64::from(params.t_cost()) / 1024 })
}

fn scrypt_cost(hash: &PasswordHash) -> Option<Cost> {
    // The crate multiplies these two without looking.
    if ["r", "p"].iter().any(|name| hash.params.get_decimal(*name).is_some_and(|number| number > 1024)) {
        return Some(Cost { memory: u64::MAX, time: u64::MAX });
    }
    let params = scrypt::Params::try_from(hash).ok()?;
    let memory = params.n().saturating_mul(params.r().into()) / 8;
    Some(Cost { memory, time: memory.saturating_mul(params.p().into()) / 256 })
}

fn pbkdf2_cost(hash: &str) -> Option<Cost> {
    let (params, length) = match bare(hash) {
        Some((rounds, sum)) => (rounds.parse::<pbkdf2::Params>().ok()?, sum.len() * 3 / 4),
        None => {
            let hash = complete(hash)?;
            (pbkdf2::Params::try_from(&hash).ok()?, hash.hash.as_ref()?.as_bytes().len())
        }
    };
    let blocks = if hash.starts_with("$pbkdf2-sha256$") { length.div_ceil(32) } else { 1 };
    Some(Cost { memory: 0, time: u64::from(params.rounds()) * u64::try_from(blocks).ok()? / 1000 })
}

fn sha_crypt_cost(hash: &str) -> Option<Cost> {
    let parts: Vec<&str> = hash.split('$').skip(2).collect();
    let (rounds, salt, sum) = match *parts.as_slice() {
        [salt, sum] => (sha_crypt::Params::RECOMMENDED_ROUNDS, salt, sum),
        [rounds, salt, sum] => (rounds.strip_prefix("rounds=")?.parse().ok()?, salt, sum),
        _ => return None,
    };
    let length = if hash.starts_with("$5$") { 43 } else { 86 };
    let is_good = salt.len() <= 16 && sum.len() == length && is_base64(sum);
    (is_good && rounds >= sha_crypt::Params::ROUNDS_MIN)
        .then(|| Cost { memory: 0, time: u64::from(rounds) / 1000 })
}

/// A PHC string that has a salt and a hash.
fn complete(hash: &str) -> Option<PasswordHash> {
    PasswordHash::new(hash).ok().filter(|hash| hash.salt.is_some() && hash.hash.is_some())
}

/// The rounds and the sum of PBKDF2 where the rounds stand alone, as in `$pbkdf2-sha256$29000$salt$sum`, which is no PHC
/// string.
fn bare(hash: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = hash.split('$').collect();
    match *parts.as_slice() {
        [_, _, rounds, salt, sum] => {
            let is_good = rounds.bytes().all(|byte| byte.is_ascii_digit())
                && (1..=86).contains(&salt.len())
                && (14..=86).contains(&sum.len());
            (is_good && is_base64(salt) && is_base64(sum)).then_some((rounds, sum))
        }
        _ => None,
    }
}

/// Whether it has only characters of the alphabets for base64 that these forms have.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'+'))
}

/// Whether it is the password behind the hash. Takes as long as the hash is dear.
pub(super) fn matches(hash: &str, password: &[u8]) -> bool {
    match Form::of(hash) {
        None => false,
        Some(Form::Argon2) => {
            complete(hash).is_some_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
        }
        Some(Form::Scrypt) => {
            complete(hash).is_some_and(|hash| Scrypt::new().verify_password(password, &hash).is_ok())
        }
        Some(Form::Pbkdf2) if bare(hash).is_some() => PasswordHashRef::new(hash)
            .is_ok_and(|hash| Pbkdf2::default().verify_password(password, hash).is_ok()),
        Some(Form::Pbkdf2) => {
            complete(hash).is_some_and(|hash| Pbkdf2::default().verify_password(password, &hash).is_ok())
        }
        Some(Form::Bcrypt) => bcrypt::verify(password, hash).unwrap_or_default(),
        Some(Form::ShaCrypt) if password.len() > SHA_CRYPT_PASSWORD => false,
        Some(Form::ShaCrypt) => sha_crypt::PasswordHash::new(hash)
            .is_ok_and(|hash| ShaCrypt::default().verify_password(password, &hash).is_ok()),
    }
}

/// Whether it is as good as the hashes that Muster makes.
pub(super) fn is_current(hash: &str) -> bool {
    let wanted = argon2::Params::DEFAULT;
    let is_good = |hash: PasswordHash| {
        argon2::Params::try_from(&hash)
            .is_ok_and(|params| params.m_cost() >= wanted.m_cost() && params.t_cost() >= wanted.t_cost())
    };
    hash.starts_with("$argon2id$") && complete(hash).is_some_and(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash of a password by programs that share no code with these crates: the argon2 command, crypt(3), Python's
    /// hashlib and passlib.
    const KNOWN: &[(&str, &str)] = &[
        (
            "$argon2id$v=19$m=1024,t=1,p=1$NoZQSsk5x1gLwdh7zzmnNA$9YvdxMY6eEqxKVRMQfHxltQF4uIYnyHDSnw/SUvkTNM",
            "correct horse",
        ),
        (
            "$argon2i$v=19$m=512,t=2,p=2$fM95r1VKaU0pBeB8j1Hq/Q$+A1bB6l0BdkG0VUbeLF0tYkVeJEafL82tzvwj2AadOU",
            "pässwörd 🐎",
        ),
        (
            "$argon2d$v=19$m=512,t=1,p=1$5rw3RqgVYgyBkHJOaa1Vqg$5froOwIGDWkFZl+PY707lQi2T6Ig/nuOUSEmQoGZ9iY",
            "correct horse",
        ),
        ("$2a$04$WK8s2q/YReaANVdAhNoWoOUEXfsOj3Xh4ibKR46dN7L.bO8jmsdum", "correct horse"),
        ("$2b$04$xYkmz81NisSrOrWuddhCiOXKjlbJmB1815mW7313iYrUGgoor39Ki", "correct horse"),
        ("$2y$04$KU7KAXElGB2t.xyD2Q1eauAxu3yHvq8TjKOskWQ3B67Dwj9sjwErO", "pässwörd 🐎"),
        (
            "$scrypt$ln=10,r=8,p=1$VIpRak3pfU+JUYpRKoWw9g$wG9EMx7LSPAdjrtNGOgzerJ9V516pPxAo4luQidD/Ss",
            "correct horse",
        ),
        (
            "$pbkdf2-sha256$1200$EkLoXat1bq3VmrO2Vuq91w$KVBCvcl8jt8kZcIrn08RLFX4UxQ/LWESclrewS5dh7g",
            "correct horse",
        ),
        (
            "$pbkdf2-sha512$1200$YmytVSpFKIXwXoux9h5jjA$mrzsIcA1qQWbdhGARb4H.wqiRVJ1aKgCom9GmYi1fILhSjLmL549wJZo3ASdYsbYEDdbFvPREDIii0qzEVwPOA",
            "pässwörd 🐎",
        ),
        (
            "$pbkdf2-sha256$i=1500,l=32$c2FsdHNhbHRzYWx0MTIzNA$QILGgfbAFgagYarcio0eTIM4bVYw03vJ0+YsPV2khQQ",
            "correct horse",
        ),
        (
            "$pbkdf2-sha512$i=1500,l=64$c2FsdHNhbHRzYWx0MTIzNA$wN8svmFxluFgL7Ng6lZIGmwK9/pmmXdw/RssbbpbmuGEeV4Og0FjHutwPZowjWVKf6uMIyD1sfr4h7+3iq54Mw",
            "correct horse",
        ),
        ("$5$rounds=1000$rwl.SM0qmVWSkSAC$lIl15TAOZt0dCSL/4AabTdqCqUakd8NNd7ScC9iBvK6", "correct horse"),
        (
            "$6$ZvVgQrMMX.H/SMSI$MPu/h8Alhv/VO8eYcdYDTqd/bVhNqlVMDKEagu/cY8ivXj7.Y00XmXimdvVb1hUa7scspuMgAnfdVAKw/J4io0",
            "pässwörd 🐎",
        ),
        (
            "$6$rounds=1234$wdb2YZn/bCDI2ai9$NIo7YRfEzJeN6QsUrEc.rRRuubUVzNEsrnLNn69c4A1vgrcUmef3IiwTyqZpcl.Z5vsuoIEYu6iwVOhkFWusA1",
            "correct horse",
        ),
    ];

    #[test]
    fn hashes_that_others_made_are_taken_and_match_their_password_alone() {
        for (hash, password) in KNOWN {
            assert_eq!(check(hash), Ok(()), "{hash}");
            assert!(matches(hash, password.as_bytes()), "{hash}");
            assert!(!matches(hash, format!("{password}x").as_bytes()), "{hash}");
            assert!(!matches(hash, b""), "{hash}");
        }
    }

    #[test]
    fn a_hash_that_is_cut_is_refused() {
        for (hash, _) in KNOWN {
            let (head, _) = hash.rsplit_once('$').unwrap();
            for cut in [head.to_owned(), format!("{head}$"), format!("{hash}$x"), hash.replace('$', "")] {
                let error = check(&cut).unwrap_err();
                assert_eq!(error.kind.scim_type(), Some("invalidValue"), "{cut}");
                assert!(!matches(&cut, b"correct horse"), "{cut}");
            }
        }
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused_without_being_shown() {
        let cases = [
            ("", "argon2, bcrypt"),
            ("correct horse", "argon2, bcrypt"),
            ("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", "argon2, bcrypt"),
            ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "argon2, bcrypt"),
            ("$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "costs more"),
            ("$argon2id$v=19$m=262144,t=20,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "costs more"),
            ("$argon2id$v=19$m=19456,t=4000000,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "costs more"),
            ("$scrypt$ln=20,r=8,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "costs more"),
            ("$scrypt$ln=62,r=1000,p=1000$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "not complete"),
            ("$scrypt$ln=17,r=8,p=64$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "costs more"),
            ("$scrypt$ln=1,r=4294967295,p=4294967295$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng", "costs more"),
            (
                "$6$rounds=999999999$wdb2YZn/bCDI2ai9$NIo7YRfEzJeN6QsUrEc.rRRuubUVzNEsrnLNn69c4A1vgrcUmef3IiwTyqZpcl.Z5vsuoIEYu6iwVOhkFWusA1",
                "costs more",
            ),
            (
                "$pbkdf2-sha256$i=100000000,l=32$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI",
                "costs more",
            ),
            (
                "$pbkdf2-sha256$100000000$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI",
                "costs more",
            ),
            ("$pbkdf2-sha256$1200$EkLoXat1bq3VmrO2Vuq91w$short", "not complete"),
            ("$2b$16$xYkmz81NisSrOrWuddhCiOXKjlbJmB1815mW7313iYrUGgoor39Ki", "costs more"),
            ("$2b$99$xYkmz81NisSrOrWuddhCiOXKjlbJmB1815mW7313iYrUGgoor39Ki", ""),
        ];
        for (hash, part) in cases {
            let detail = check(hash).unwrap_err().detail;
            assert!(detail.contains(part), "{hash}: {detail}");
            assert!(hash.is_empty() || !detail.contains(hash), "{detail}");
        }
    }

    #[test]
    fn what_others_use_is_not_too_dear() {
        for hash in [
            "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$argon2id$v=19$m=262144,t=3,p=4$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$scrypt$ln=17,r=8,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$scrypt$ln=14,r=8,p=5$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$2b$15$xYkmz81NisSrOrWuddhCiOXKjlbJmB1815mW7313iYrUGgoor39Ki",
            "$pbkdf2-sha256$1200000$EkLoXat1bq3VmrO2Vuq91w$KVBCvcl8jt8kZcIrn08RLFX4UxQ/LWESclrewS5dh7g",
            "$5$rounds=656000$rwl.SM0qmVWSkSAC$lIl15TAOZt0dCSL/4AabTdqCqUakd8NNd7ScC9iBvK6",
        ] {
            assert_eq!(check(hash), Ok(()), "{hash}");
        }
    }

    #[test]
    fn a_password_that_sha_crypt_would_take_minutes_for_is_not_the_one() {
        let (hash, _) = KNOWN.iter().find(|(hash, _)| hash.starts_with("$6$")).unwrap();
        assert!(!matches(hash, &vec![b'x'; 1 << 20]));
    }

    #[test]
    fn only_what_muster_makes_is_current() {
        use argon2::PasswordHasher as _;
        let own = Argon2::default().hash_password(b"x").unwrap().to_string();
        assert!(is_current(&own));
        assert!(KNOWN.iter().all(|(hash, _)| !is_current(hash)));
    }
}
