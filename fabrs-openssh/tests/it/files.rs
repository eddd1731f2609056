//! Tests of the configuration files: their order and their includes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fabrs_openssh::Error;
use fabrs_openssh::config::{ConfigFiles, HostConfig, Query, SshConfig};

use crate::openssh::{LocalUser, ssh_g};

/// A temporary directory with a home directory and a system directory.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("files are in directories")).expect("the test makes directories");
            fs::write(&path, text).expect("the test writes its files");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the test sets modes");
        }
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn load(&self) -> Result<SshConfig, Error> {
        SshConfig::load(&ConfigFiles::standard(self.path("home")).system(self.path("etc/ssh_config")))
    }

    #[track_caller]
    fn resolve(&self, host: &str) -> HostConfig {
        let config = self.load().expect("the files are valid");
        config.resolve(&Query::new(host, "alice", self.path("home"))).expect("the values can be expanded")
    }
}

#[test]
fn printed_configurations_can_include_files() {
    let files = Files::new(&[("home/.ssh/more", "User ann\nHost other\n"), ("home/.ssh/config", "Port 1\n")]);
    let text = "Host default\n  Include more\n  Port 2222\n";
    let config = SshConfig::parse_with_includes(text, "vagrant ssh-config", files.path("home"))
        .expect("the configuration is valid");
    assert_eq!(config.host_names(), ["default"]);
    let query = |host| Query::new(host, "alice", files.path("home"));
    let default = config.resolve(&query("default")).expect("no value needs expansion");
    assert_eq!((default.user.as_deref(), default.port, default.warnings.len()), (Some("ann"), Some(2222), 0));
    let other = config.resolve(&query("other")).expect("no value needs expansion");
    assert_eq!((other.user, other.port), (None, None), "the user's own file is not read");
    let error = SshConfig::parse_with_includes("Port none\n", "vagrant ssh-config", files.path("home"))
        .expect_err("the configuration is invalid");
    assert!(error.to_string().starts_with("vagrant ssh-config:1: "), "{error}");
}

#[test]
fn the_user_file_takes_precedence_over_the_system_file() {
    let files = Files::new(&[("home/.ssh/config", "Host web\n Port 1\n"), ("etc/ssh_config", "Port 2\nUser sys\n")]);
    let web = files.resolve("web");
    assert_eq!((web.port, web.user.as_deref()), (Some(1), Some("sys")));
    assert_eq!(files.resolve("db").port, Some(2));
}

#[test]
fn missing_standard_files_are_skipped_and_a_missing_named_file_is_an_error() {
    let files = Files::new(&[]);
    assert_eq!(files.resolve("web").hostname, "web");
    let error = SshConfig::load(&ConfigFiles::only(files.path("nowhere"), files.path("home")));
    assert!(matches!(error, Err(Error::Read { .. })), "{error:?}");
}

#[test]
fn relative_includes_start_in_the_base_directory_of_the_file() {
    let files = Files::new(&[
        ("home/.ssh/config", "Include conf.d/*.conf ~/more none-such\nPort 9\n"),
        ("home/.ssh/conf.d/20.conf", "Port 2\n"),
        ("home/.ssh/conf.d/10.conf", "Port 1\n"),
        ("home/.ssh/conf.d/.hidden.conf", "User hidden\n"),
        ("home/.ssh/conf.d/dir.conf/x", "User directory\n"),
        ("home/more", "HostKeyAlias more\n"),
        ("etc/ssh_config", "Include extra\n"),
        ("etc/extra", "User extra\n"),
    ]);
    let web = files.resolve("web");
    assert_eq!(web.port, Some(1));
    assert_eq!((web.user.as_deref(), web.host_key_alias.as_deref()), (Some("extra"), Some("more")));
}

#[test]
fn an_include_applies_with_its_block_and_ends_with_its_file() {
    let files = Files::new(&[("home/.ssh/config", ""), ("home/in", "Port 1\nHost db\n User x\n")]);
    let include = files.path("home/in");
    let config = files.path("home/.ssh/config");
    fs::write(&config, format!("Host web\n Include {}\n HostKeyAlias a\n", include.display())).expect("written");
    let me = LocalUser::get();
    for host in ["web", "db"] {
        let ours = files.resolve(host);
        let theirs = ssh_g(&config, &[], host).expect("the files are valid");
        assert_eq!(ours.port.unwrap_or(22).to_string(), theirs["port"][0], "{host}");
        assert_eq!(ours.user.unwrap_or_else(|| me.user.clone()), theirs["user"][0], "{host}");
        assert_eq!(ours.host_key_alias.as_ref(), theirs.get("hostkeyalias").map(|alias| &alias[0]), "{host}");
    }
}

#[test]
fn warnings_name_the_included_file() {
    let files = Files::new(&[("home/.ssh/config", "Include in\n"), ("home/.ssh/in", "\nMatch version home\n")]);
    let warnings = files.resolve("web").warnings;
    assert_eq!((&*warnings[0].at.file, warnings[0].at.line), (files.path("home/.ssh/in").as_path(), 2));
}

#[test]
fn a_file_including_itself_is_an_error() {
    let files = Files::new(&[("home/.ssh/config", "Include config\n")]);
    let error = files.load().expect_err("the file has no end");
    assert!(matches!(error, Error::IncludeDepth { limit: 16, .. }), "{error}");
}

#[test]
fn fifteen_nested_includes_are_allowed() {
    let named: Vec<(String, String)> = (0..16)
        .map(|depth| {
            (format!("home/.ssh/{depth}"), if depth == 15 { "Port 1".into() } else { format!("Include {}", depth + 1) })
        })
        .collect();
    let mut files: Vec<(&str, &str)> = named.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("home/.ssh/config", "Include 0"));
    assert_eq!(Files::new(&files).resolve("web").port, Some(1));
}

#[test]
fn files_writable_by_others_are_rejected() {
    let files = Files::new(&[("home/.ssh/config", "Include in\n"), ("home/.ssh/in", "Port 1\n")]);
    for name in ["home/.ssh/in", "home/.ssh/config"] {
        fs::set_permissions(files.path(name), fs::Permissions::from_mode(0o620)).expect("the test sets modes");
        let error = files.load().expect_err("someone else may write to the file");
        assert!(matches!(&error, Error::Permissions { path } if *path == files.path(name)), "{error}");
    }
}

#[test]
fn home_directories_may_have_any_name() {
    let files = Files::new(&[("ho[m]e*/.ssh/config", "Include in\n"), ("ho[m]e*/.ssh/in", "Port 1\n")]);
    let home = files.path("ho[m]e*");
    let config =
        SshConfig::load(&ConfigFiles::standard(&home).system(files.path("none"))).expect("the files are valid");
    assert_eq!(config.resolve(&Query::new("web", "alice", &home)).expect("no value needs expansion").port, Some(1));
}

#[test]
fn the_system_file_has_no_home() {
    let files = Files::new(&[("etc/ssh_config", "Include ~/x\n")]);
    let error = files.load().expect_err("`~` is not allowed");
    assert!(
        matches!(&error, Error::Syntax { at, .. } if *at.file == *Path::new(&files.path("etc/ssh_config"))),
        "{error}"
    );
}
