//! Extracts the plain key of a public key or certificate, in a canonical encoding for comparisons.

use crate::error::Error;
use crate::host_key::HostKey;

use super::wire_reader::WireReader;

const CERTIFICATE_SUFFIX: &str = "-cert-v01@openssh.com";
const OPENSSH_SUFFIX: &str = "@openssh.com";

/// A field of a public key.
#[derive(Clone, Copy)]
enum KeyField {
    Integer,
    /// The name of a curve.
    Curve(&'static str),
    /// An uncompressed point of a curve, with its length in bytes.
    Point(usize),
    /// A fixed number of bytes.
    Bytes(usize),
    /// The application of a security key.
    Application,
}

use KeyField::{Application, Bytes, Curve, Integer, Point};

/// The key types of `OpenSSH` and their fields.
const KEY_TYPES: [(&str, &[KeyField]); 9] = [
    ("ssh-ed25519", &[Bytes(32)]),
    ("ssh-rsa", &[Integer, Integer]),
    ("ecdsa-sha2-nistp256", &[Curve("nistp256"), Point(65)]),
    ("ecdsa-sha2-nistp384", &[Curve("nistp384"), Point(97)]),
    ("ecdsa-sha2-nistp521", &[Curve("nistp521"), Point(133)]),
    ("sk-ssh-ed25519@openssh.com", &[Bytes(32), Application]),
    ("sk-ecdsa-sha2-nistp256@openssh.com", &[Curve("nistp256"), Point(65), Application]),
    ("ssh-mldsa44-ed25519@openssh.com", &[Bytes(1344)]),
    // `ssh` supported DSA keys until 10.0, and revocation lists may still contain them.
    ("ssh-dss", &[Integer, Integer, Integer, Integer]),
];

/// Returns true for the name of a key type or certificate type.
pub(super) fn is_key_type(name: &str) -> bool {
    key_type(name).is_some()
}

/// Returns true for the name of a certificate type.
pub(super) fn is_certificate_type(name: &str) -> bool {
    name.ends_with(CERTIFICATE_SUFFIX)
}

/// Returns the plain key of a key or certificate, in the encoding of `ssh`.
///
/// The function does not verify the signature of a certificate. It accepts points outside of the
/// curve.
pub(super) fn plain_key(key: &HostKey) -> Result<HostKey, Error> {
    let blob = encode(key).map_err(|problem| Error::PublicKey { problem })?;
    HostKey::from_blob(blob)
}

fn key_type(name: &str) -> Option<(&'static str, &'static [KeyField])> {
    let mut types = KEY_TYPES.into_iter();
    let Some(stem) = name.strip_suffix(CERTIFICATE_SUFFIX) else {
        return types.find(|(plain, _)| *plain == name);
    };
    types.find(|(plain, _)| plain.strip_suffix(OPENSSH_SUFFIX).unwrap_or(plain) == stem)
}

fn encode(key: &HostKey) -> Result<Vec<u8>, &'static str> {
    let (name, fields) = key_type(key.algorithm()).ok_or("unsupported key type")?;
    let is_certificate = is_certificate_type(key.algorithm());
    let mut reader = WireReader::new(key.blob());
    reader.string()?;
    if is_certificate {
        let _nonce = reader.string()?;
    }
    let mut blob = Vec::with_capacity(key.blob().len());
    push_string(&mut blob, name.as_bytes());
    for field in fields {
        match *field {
            Integer => push_integer(&mut blob, reader.integer()?),
            Curve(curve) => push_string(&mut blob, check_field(reader.text()?, |text| text == curve.as_bytes())?),
            Point(length) => push_string(&mut blob, check_field(reader.string()?, |p| p.len() == length && p[0] == 4)?),
            Bytes(length) => push_string(&mut blob, check_field(reader.string()?, |bytes| bytes.len() == length)?),
            Application => push_string(&mut blob, reader.text()?),
        }
    }
    if is_certificate {
        skip_certificate(&mut reader)?;
    }
    reader.finish()?;
    Ok(blob)
}

fn check_field(field: &[u8], is_good: impl Fn(&[u8]) -> bool) -> Result<&[u8], &'static str> {
    if is_good(field) { Ok(field) } else { Err("the key data does not match the key type") }
}

/// Skips the fields of a certificate after the key.
fn skip_certificate(reader: &mut WireReader<'_>) -> Result<(), &'static str> {
    let _serial = reader.u64()?;
    let _kind = reader.u32()?;
    let _key_id = reader.text()?;
    let _principals = reader.string()?;
    let _validity = (reader.u64()?, reader.u64()?);
    for _ in ["critical options", "extensions", "reserved", "authority", "signature"] {
        reader.string()?;
    }
    Ok(())
}

fn push_string(blob: &mut Vec<u8>, string: &[u8]) {
    push_length(blob, string.len());
    blob.extend_from_slice(string);
}

fn push_integer(blob: &mut Vec<u8>, integer: &[u8]) {
    let needs_zero = integer.first().is_some_and(|first| first & 0x80 != 0);
    push_length(blob, integer.len() + usize::from(needs_zero));
    blob.extend(needs_zero.then_some(0));
    blob.extend_from_slice(integer);
}

fn push_length(blob: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("the reader's strings have lengths of 32 bits");
    blob.extend_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::{HostKey, is_key_type, plain_key};

    /// Encodes a key with the given strings.
    fn key(strings: &[&[u8]]) -> HostKey {
        let string = |s: &&[u8]| [&u32::try_from(s.len()).expect("a short string").to_be_bytes(), *s].concat();
        HostKey::from_blob(strings.iter().flat_map(string).collect::<Vec<u8>>()).expect("the key has a type")
    }

    #[track_caller]
    fn assert_error(strings: &[&[u8]], expected: &str) {
        let error = plain_key(&key(strings)).expect_err("the key is not well formed");
        assert_eq!(error.to_string(), format!("not a public key: {expected}"));
    }

    #[test]
    fn integers_have_one_encoding() {
        let plain = key(&[b"ssh-rsa", b"\x01\0\x01", b"\0\x80"]);
        assert_eq!(plain_key(&plain).expect("the key is well formed"), plain);
        let padded = key(&[b"ssh-rsa", b"\0\0\x01\0\x01", b"\0\0\0\x80"]);
        assert_eq!(plain_key(&padded).expect("the key is well formed"), plain);
    }

    #[test]
    fn a_certificate_contains_its_plain_key() {
        let rest: [&[u8]; 2] = [&[0; 8], b"\0\0\0\x02"];
        let mut blob = key(&[b"ssh-ed25519-cert-v01@openssh.com", b"nonce", &[7; 32]]).blob().to_vec();
        blob.extend(rest.concat());
        blob.extend(b"\0\0\0\x02id\0\0\0\0");
        blob.extend([0; 16]);
        blob.extend([0; 20]);
        let certificate = HostKey::from_blob(blob.clone()).expect("the certificate has a type");
        assert_eq!(plain_key(&certificate).expect("the key is well formed"), key(&[b"ssh-ed25519", &[7; 32]]));
        blob.pop();
        let short = HostKey::from_blob(blob).expect("the certificate has a type");
        assert!(plain_key(&short).is_err());
    }

    #[test]
    fn certificate_types_are_key_types() {
        for name in ["ssh-rsa-cert-v01@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", "ssh-dss"] {
            assert!(is_key_type(name), "{name}");
        }
        for name in ["", "rsa", "ssh-ed25519@openssh.com", "sk-ssh-ed25519", "-cert-v01@openssh.com"] {
            assert!(!is_key_type(name), "{name}");
        }
    }

    #[test]
    fn keys_of_another_form_are_rejected() {
        assert_error(&[b"ssh-unknown", b"x"], "unsupported key type");
        assert_error(&[b"ssh-ed25519", &[7; 31]], "the key data does not match the key type");
        assert_error(&[b"ssh-ed25519", &[7; 32], b""], "unexpected trailing bytes");
        assert_error(&[b"ssh-rsa", b"\x03"], "unexpected end of data");
        assert_error(&[b"ssh-rsa", b"\x03", b"\x80"], "negative integer");
        assert_error(&[b"ecdsa-sha2-nistp256", b"nistp384", &[4; 65]], "the key data does not match the key type");
        assert_error(&[b"ecdsa-sha2-nistp256", b"nistp256", &[2; 65]], "the key data does not match the key type");
        assert_error(&[b"ecdsa-sha2-nistp256", b"nistp256", b""], "the key data does not match the key type");
    }
}
