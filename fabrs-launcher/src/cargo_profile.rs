//! The cargo profile of a tool: short compile times, with optimised encryption.

use toml::{Table, Value};

/// Crates that encrypt, hash or copy.
///
/// At level 0, a handshake takes several times as long, and transfers are slow. Some crates are
/// listed only for their compiled copy of `Vec<u8>::resize`. russh calls this function for each
/// packet. At levels 0 and 1, rustc reuses the copy of any dependency, optimised or not.
///
/// The manifest of the workspace has the same list. A test compares both lists.
const OPTIMIZED_CRATES: [&str; 63] = [
    "aead",
    "aes",
    "aes-gcm",
    "aho-corasick",
    "base64ct",
    "bcrypt-pbkdf",
    "block-buffer",
    "blowfish",
    "bytes",
    "cbc",
    "chacha20",
    "cipher",
    "cmov",
    "crypto-bigint",
    "ctr",
    "ctutils",
    "curve25519-dalek",
    "data-encoding",
    "digest",
    "ecdsa",
    "ed25519-dalek",
    "elliptic-curve",
    "fiat-crypto",
    "flate2",
    "ghash",
    "hmac",
    "hybrid-array",
    "inout",
    "keccak",
    "memchr",
    "miniz_oxide",
    "ml-kem",
    "module-lattice",
    "num-integer",
    "num-traits",
    "p256",
    "p384",
    "p521",
    "pbkdf2",
    "pkcs1",
    "pkcs8",
    "poly1305",
    "polyval",
    "primefield",
    "primeorder",
    "rfc6979",
    "ring",
    "rsa",
    "russh",
    "russh-cryptovec",
    "rustix",
    "sec1",
    "sha1",
    "sha2",
    "sha3",
    "ssh-cipher",
    "ssh-encoding",
    "ssh-key",
    "subtle",
    "tokio",
    "universal-hash",
    "wnaf",
    "zeroize",
];

/// The crate with the big integers for Diffie-Hellman. Level 3 halves its time.
const FULLY_OPTIMIZED_CRATES: [&str; 1] = ["num-bigint"];

/// Returns the `dev` profile of a generated package, changed by the profile of the manifest block.
pub(crate) fn dev_profile(changes: Table) -> Table {
    let mut packages = Table::new();
    // Users debug their tasks, not the dependencies. Without line tables and assertions, a
    // dependency compiles and links faster, and the tool needs less memory.
    packages.insert("*".to_owned(), Table::from_iter(["debug", "debug-assertions"].map(off)).into());
    packages.extend(OPTIMIZED_CRATES.map(|name| (name.to_owned(), one("opt-level", 1))));
    packages.extend(FULLY_OPTIMIZED_CRATES.map(|name| (name.to_owned(), one("opt-level", 3))));

    let mut dev = Table::new();
    dev.insert("debug".to_owned(), "line-tables-only".into());
    dev.insert("incremental".to_owned(), true.into());
    dev.insert("package".to_owned(), packages.into());
    merge(&mut dev, changes);
    dev
}

fn off(key: &str) -> (String, Value) {
    (key.to_owned(), false.into())
}

fn one(key: &str, value: impl Into<Value>) -> Value {
    Value::Table(Table::from_iter([(key.to_owned(), value.into())]))
}

/// Merges the table `over` into `base`: tables are merged, other values are replaced.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_optimises_the_same_crates() {
        let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
        let manifest: Table = toml::from_str(&manifest).unwrap();
        let listed = |level| -> Vec<&str> {
            let packages = manifest["profile"]["dev"]["package"].as_table().unwrap().iter();
            let of_level = packages.filter(|(_, settings)| settings.get("opt-level") == Some(&Value::Integer(level)));
            of_level.map(|(name, _)| name.as_str()).collect()
        };
        assert_eq!(listed(1), OPTIMIZED_CRATES);
        assert_eq!(listed(3), FULLY_OPTIMIZED_CRATES);
    }

    #[test]
    fn a_manifest_block_changes_single_settings() {
        let changes = "opt-level = 1\npackage.russh.debug = true\npackage.mine.opt-level = 3";
        let dev = dev_profile(toml::from_str(changes).unwrap());
        assert_eq!(dev["opt-level"].as_integer(), Some(1));
        assert_eq!(dev["incremental"].as_bool(), Some(true));
        assert_eq!(dev["package"]["russh"], toml::from_str("opt-level = 1\ndebug = true").unwrap());
        assert_eq!(dev["package"]["mine"]["opt-level"].as_integer(), Some(3));
    }
}
