//! Encrypted PEM files in OpenSSL's traditional format (`Proc-Type: 4,ENCRYPTED`), as written by
//! `ssh-keygen -m PEM` and `openssl genrsa -aes256`.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use secrecy::zeroize::Zeroizing;

/// An encrypted file.
#[derive(Debug)]
pub(super) struct EncryptedPem {
    /// The word between `BEGIN` and `PRIVATE KEY`.
    kind: String,
    cipher: Cipher,
    iv: Vec<u8>,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cipher {
    Aes128,
    Aes192,
    Aes256,
}

/// The error of an encrypted file that no passphrase can unlock.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum PemError {
    #[error("the cipher {0} is not supported: convert the key with `ssh-keygen -p -f FILE`")]
    Cipher(String),
    #[error("it is damaged")]
    Damaged,
}

impl EncryptedPem {
    /// Parses a file. Returns `None` for a file of another format.
    ///
    /// # Errors
    ///
    /// [`PemError`] if the file has this format but cannot be used.
    pub(super) fn parse(text: &str) -> Option<Result<Self, PemError>> {
        let mut lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN "));
        let kind = lines.next()?.strip_prefix("-----BEGIN ")?.strip_suffix(" PRIVATE KEY-----")?;
        if lines.next()? != "Proc-Type: 4,ENCRYPTED" {
            return None;
        }
        Some(Self::parse_rest(kind, lines).unwrap_or(Err(PemError::Damaged)))
    }

    fn parse_rest<'a>(kind: &str, mut lines: impl Iterator<Item = &'a str>) -> Option<Result<Self, PemError>> {
        let (name, iv) = lines.next()?.strip_prefix("DEK-Info: ")?.split_once(',')?;
        let cipher = match name {
            "AES-128-CBC" => Cipher::Aes128,
            "AES-192-CBC" => Cipher::Aes192,
            "AES-256-CBC" => Cipher::Aes256,
            other => return Some(Err(PemError::Cipher(other.to_owned()))),
        };
        let body: String = lines.take_while(|line| !line.starts_with("-----END ")).collect();
        let (iv, data) = (HEXLOWER_PERMISSIVE.decode(iv.as_bytes()).ok()?, BASE64.decode(body.as_bytes()).ok()?);
        (iv.len() == 16).then(|| Ok(Self { kind: kind.to_owned(), cipher, iv, data }))
    }

    /// Returns the decrypted file, or `None` if the passphrase is wrong.
    pub(super) fn decrypt(&self, passphrase: &str) -> Option<Zeroizing<String>> {
        let length = match self.cipher {
            Cipher::Aes128 => 16,
            Cipher::Aes192 => 24,
            Cipher::Aes256 => 32,
        };
        let key = derived(passphrase, &self.iv, length);
        let mut data = Zeroizing::new(self.data.clone());
        let plain = match self.cipher {
            Cipher::Aes128 => decrypted::<cbc::Decryptor<aes::Aes128>>(&key, &self.iv, &mut data),
            Cipher::Aes192 => decrypted::<cbc::Decryptor<aes::Aes192>>(&key, &self.iv, &mut data),
            Cipher::Aes256 => decrypted::<cbc::Decryptor<aes::Aes256>>(&key, &self.iv, &mut data),
        }?;
        let kind = &self.kind;
        let body = Zeroizing::new(BASE64.encode(plain));
        Some(Zeroizing::new(format!(
            "-----BEGIN {kind} PRIVATE KEY-----\n{}\n-----END {kind} PRIVATE KEY-----\n",
            *body
        )))
    }
}

/// Derives the key like OpenSSL's `EVP_BytesToKey` with MD5 and one round. The salt is the
/// beginning of the initialisation vector.
fn derived(passphrase: &str, iv: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(length + 16));
    while key.len() < length {
        let mut context = md5::Context::new();
        context.consume(key.get(key.len().saturating_sub(16)..).unwrap_or_default());
        context.consume(passphrase.as_bytes());
        context.consume(iv.get(..8).unwrap_or_default());
        key.extend_from_slice(&context.finalize().0);
    }
    key.truncate(length);
    key
}

fn decrypted<'a, C: BlockModeDecrypt + KeyIvInit>(key: &[u8], iv: &[u8], data: &'a mut [u8]) -> Option<&'a [u8]> {
    C::new_from_slices(key, iv).ok()?.decrypt_padded::<Pkcs7>(data).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EncryptedPem, PemError};

    #[test]
    fn an_unusable_pem_file_is_an_error() {
        let text =
            |header: &str| format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n{header}\n\nAAAA\n");
        let problem =
            |header: &str| EncryptedPem::parse(&text(header)).expect("it is encrypted").expect_err("it is bad");
        assert_eq!(problem("DEK-Info: DES-EDE3-CBC,00"), PemError::Cipher("DES-EDE3-CBC".to_owned()));
        assert_eq!(problem("DEK-Info: AES-128-CBC,0011"), PemError::Damaged);
        assert_eq!(problem("Comment: none"), PemError::Damaged);
        assert!(EncryptedPem::parse("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected(iv in "[0-9A-F]{30,34}", body in "[A-Za-z0-9+/]{0,80}={0,2}", passphrase: String) {
            let text = format!(
                "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,{iv}\n\n{body}\n"
            );
            if let Some(Ok(file)) = EncryptedPem::parse(&text) {
                let _ = file.decrypt(&passphrase);
            }
        }
    }
}
