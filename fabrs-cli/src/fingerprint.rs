//! Inputs of the fingerprint in `--yes=FINGERPRINT`: everything that determines the effect of a
//! run and is known before the run starts.
//!
//! Each input has a canonical text, equal in every version of fabrs.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use fabrs_core::config::{Inventory, Layered, OnFailure, OnUnreachable, Order, Selection, Settings, SshConfigSource};
use fabrs_core::{Client, Error, ErrorKind, Host, Result};
use ignore::{DirEntry, WalkBuilder};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::arguments::CommandLine;

/// Maximum number of bytes of project files to hash. Files beyond this limit are represented by
/// their size and modification time.
const MAX_HASHED_BYTES: u64 = 256 << 20;

/// Adds all known facts about a run to the approval of `client`: the program, options,
/// environment, calls, hosts and project files.
///
/// # Errors
///
/// - [`ErrorKind::Local`] if the program or a file of the project can't be read.
/// - The errors of [`Inventory::hosts_for`] for the hosts of each task.
pub(crate) fn add_inputs(client: &Client, command_line: &CommandLine, settings: &Settings, root: &Path) -> Result<()> {
    let inventory = client.inventory();
    client.add_fingerprint_part(format!("program {}", program_digest(std::env::current_exe().and_then(File::open))?));
    client.add_fingerprint_part(format!("options {}", options_text(settings)));
    client.add_fingerprint_part(format!("environment {}", environment_text(inventory)));
    let mut hosts = hosts_of_environment(inventory);
    for call in &command_line.calls {
        let own = match call.task().selection {
            Selection::Local => Vec::new(),
            selection => inventory.hosts_for(selection)?,
        };
        let names: Vec<String> = own.iter().map(Host::to_string).collect();
        let call = json!({ "task": call.task().name, "arguments": call.arguments(), "hosts": names });
        client.add_fingerprint_part(format!("call {call}"));
        hosts.extend(own);
    }
    if let Some(line) = &command_line.shell_line {
        client.add_fingerprint_part(format!("line {line}"));
        hosts.extend(inventory.hosts_for(Selection::Inherit)?);
    }
    hosts.sort_by_key(ToString::to_string);
    hosts.dedup();
    for host in &hosts {
        // An unresolvable host is an error later, at the first use.
        let route = client.route(host).unwrap_or_else(|error| error.to_string());
        client.add_fingerprint_part(format!("host {host}: {route}, {}", host_text(inventory, Some(host))));
    }
    if !command_line.calls.is_empty() {
        client.add_fingerprint_part(format!("files {}", files_digest(root)?));
    }
    Ok(())
}

/// Returns the hosts of all roles of the environment, and the hosts for tasks without a role.
fn hosts_of_environment(inventory: &Inventory) -> Vec<Host> {
    let roles = inventory.environment().into_iter().flat_map(|environment| environment.roles().map(Selection::Role));
    roles.chain([Selection::Inherit]).flat_map(|hosts| inventory.hosts_for(hosts).unwrap_or_default()).collect()
}

/// Returns the SHA-256 digest of a program.
fn program_digest(file: io::Result<File>) -> Result<String> {
    let read = file.and_then(|mut file| {
        let mut digest = Sha256::new();
        hash_file(&mut digest, &mut file)?;
        Ok(digest)
    });
    let digest = read.map_err(|source| {
        let error = Error::new(ErrorKind::Local, "could not read this program for the fingerprint");
        error.caused_by(source).hint("approve the run at a terminal, or with `-y`")
    })?;
    Ok(hex(&digest.finalize()))
}

fn options_text(settings: &Settings) -> String {
    let argument = |choice: &Layered<_>| choice.argument.clone();
    let ssh_config = match &settings.ssh_config {
        SshConfigSource::Default => "default".to_owned(),
        SshConfigSource::File(path) => format!("file {}", path.display()),
        SshConfigSource::None => "none".to_owned(),
        source => format!("{source:?}"),
    };
    let identities: Vec<String> = settings.identities.iter().map(|path| path_text(path)).collect();
    json!({
        "user": argument(&settings.user),
        "port": settings.port.argument,
        "gateway": settings.gateway.argument.as_ref().map(ToString::to_string),
        "forward_agent": settings.forward_agent.argument,
        "identities": identities,
        "ssh_config": ssh_config,
        "command_timeout": settings.command_timeout.map(|limit| limit.as_millis().to_string()),
        "limit": settings.limit,
        "serial": settings.order == Order::Serial,
        "keep_going": settings.on_failure == OnFailure::Continue,
        "skip_bad_hosts": settings.on_unreachable == OnUnreachable::Skip,
        "warn_only": settings.warn_only,
        "override_freeze": settings.override_freeze,
        "override_stages": settings.override_stages,
    })
    .to_string()
}

fn environment_text(inventory: &Inventory) -> String {
    let Some(environment) = inventory.environment() else { return format!("none, {}", host_text(inventory, None)) };
    let role = |role: &str| {
        let hosts = inventory.hosts_for(Selection::Role(role));
        let hosts = hosts.map(|hosts| hosts.iter().map(Host::to_string).collect::<Vec<_>>());
        json!({ "role": role, "hosts": hosts.unwrap_or_else(|error| vec![error.to_string()]) })
    };
    let roles: Vec<_> = environment.roles().map(role).collect();
    let facts = json!({ "name": environment.name(), "protected": environment.is_protected(), "roles": roles });
    format!("{facts}, {}", host_text(inventory, None))
}

/// Returns the variables of a host and its settings for commands. Without a host, returns the
/// variables of the environment.
fn host_text(inventory: &Inventory, host: Option<&Host>) -> String {
    let vars = inventory.vars_for(host).read::<toml::Table>();
    let vars = vars.map_or_else(|error| error.to_string(), |vars| json!(vars).to_string());
    let Some(host) = host else { return vars };
    let environment = inventory.environment();
    let shell = json!({
        "ssh_config": environment.and_then(|environment| environment.ssh_config_for(host)).map(path_text),
        "identities": environment.map(|environment| {
            environment.identities_for(host).iter().map(|path| path_text(path)).collect::<Vec<_>>()
        }),
        "forward_agent": environment.and_then(|environment| environment.forward_agent_for(host)),
        "shell": inventory.shell_for(host),
        "sudo": inventory.sudo_program_for(host).map(|program| format!("{program:?}")),
        "virtualenv": inventory.virtualenv_for(host),
        "sudo_password_command": inventory.sudo_password_command_for(host),
    });
    format!("{vars} {shell}")
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

/// Names of directories with generated files. Tasks do not upload these directories.
const GENERATED_DIRS: [&str; 5] = [".git", "target", "node_modules", "__pycache__", ".venv"];

/// Returns the SHA-256 digest of all files in the project, because tasks may upload them.
fn files_digest(root: &Path) -> Result<String> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let failed = |source: io::Error| {
        Error::new(ErrorKind::Local, "could not read the files of the project for the fingerprint").caused_by(source)
    };
    let (mut digest, mut hashed) = (Sha256::new(), 0);
    let is_source = |entry: &DirEntry| !GENERATED_DIRS.iter().any(|name| entry.file_name() == *name);
    let walk =
        WalkBuilder::new(root).standard_filters(false).filter_entry(is_source).sort_by_file_path(Ord::cmp).build();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            // An unreadable directory can't be uploaded either.
            Err(error) => {
                digest.update(error.to_string());
                continue;
            }
        };
        let metadata = entry.path().symlink_metadata().map_err(failed)?;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        digest.update(format!("{}\0{}\0", path.display(), if metadata.is_file() { metadata.len() } else { 0 }));
        if metadata.is_symlink() {
            digest.update(fs::read_link(entry.path()).map_err(failed)?.display().to_string());
        } else if metadata.is_file() {
            let content =
                (hashed + metadata.len() <= MAX_HASHED_BYTES).then(|| File::open(entry.path()).ok()).flatten();
            match content {
                Some(mut file) => {
                    hashed += metadata.len();
                    hash_file(&mut digest, &mut file).map_err(failed)?;
                }
                // The modification time represents an unreadable file, and a file beyond the limit.
                None => digest.update(modified_nanos(&metadata).to_le_bytes()),
            }
        }
    }
    Ok(hex(&digest.finalize()))
}

/// Returns the modification time of a file in nanoseconds since 1970.
fn modified_nanos(metadata: &Metadata) -> u128 {
    let time = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    time.unwrap_or_default().as_nanos()
}

/// Adds the content of a file to a digest.
fn hash_file(digest: &mut Sha256, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => digest.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_program_is_an_error() {
        let error = program_digest(File::open("/there/is/no/program")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        let read = program_digest(std::env::current_exe().and_then(File::open)).unwrap();
        assert!(read.len() == 64 && read.bytes().all(|byte| byte.is_ascii_hexdigit()), "{read}");
    }
}
