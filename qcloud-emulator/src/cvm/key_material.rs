//! What made-up keys look like: the public ones have the form of RSA keys, the private ones only their looks. Nobody
//! can log in to an emulated instance.

use crate::ids::Ids;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_u32 {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or_default();
            let letter = ALPHABET.get(digit).copied().unwrap_or(b'A');
            let filler = usize::try_from(place).is_ok_and(|place| place > chunk.len());
            text.push(char::from(if filler { b'=' } else { letter }));
        }
    }
    text
}

/// Whether a text consists of the letters of base64.
pub(super) fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && text.len() - body.len() <= 2 && body.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// A public key as OpenSSH writes it, without a comment.
pub(super) fn public_key(ids: &mut Ids) -> String {
    let mut modulus = ids.random_bytes(256);
    if let Some(first) = modulus.first_mut() {
        *first |= 0x80;
    }
    if let Some(last) = modulus.last_mut() {
        *last |= 1;
    }
    modulus.insert(0, 0);
    let mut blob = Vec::new();
    for part in [b"ssh-rsa".as_slice(), &[1, 0, 1], &modulus] {
        blob.extend(u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
        blob.extend(part);
    }
    format!("ssh-rsa {}", base64(&blob))
}

/// Something that looks like a private key.
pub(super) fn private_key(ids: &mut Ids) -> String {
    let body = base64(&ids.random_bytes(1190));
    let mut text = "-----BEGIN RSA PRIVATE KEY-----\n".to_owned();
    let letters: Vec<char> = body.chars().collect();
    for line in letters.chunks(64) {
        text.extend(line);
        text.push('\n');
    }
    text.push_str("-----END RSA PRIVATE KEY-----");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_everybody_writes_it() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert!(is_base64("Zm9vYg==") && !is_base64("") && !is_base64("===") && !is_base64("a b"));
    }

    #[test]
    fn keys_have_their_form() {
        let mut ids = Ids::new(1);
        assert!(public_key(&mut ids).starts_with("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ"));
        assert_ne!(private_key(&mut ids), private_key(&mut ids));
    }
}
