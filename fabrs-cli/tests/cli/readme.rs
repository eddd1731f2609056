//! Dry runs of the tasks in README.md and in the Django example: each is planned completely.

use std::fs;
use std::path::Path;
use std::process::Command;

use fabrs_testing::{Account, Capability, FabOutput, GitServer};

use crate::dry_runs::RecordingHosts;
use crate::quickstart::copy_dir;
use crate::scratch_project::ScratchProject;

/// Returns the only block of Rust code in README.md with this text.
fn rust_block(text: &str) -> String {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("the file exists");
    let blocks = readme.split("\n```rust\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let mut found = blocks.filter(|block| block.contains(text));
    let block = found.next().unwrap_or_else(|| panic!("README.md has no block with {text:?}"));
    assert_eq!(found.next(), None, "README.md has several blocks with {text:?}");
    format!("{block}\n")
}

/// A project with the tasks of README.md, and the hosts and repository named by them.
struct Readme {
    scratch_project: ScratchProject,
    hosts: RecordingHosts,
    origin: GitServer,
}

impl Readme {
    fn start() -> Self {
        let scratch_project = ScratchProject::open("readme");
        let hosts = RecordingHosts::start([Account::SudoNopasswd]);
        let scratch = hosts.sshd.scratch();
        let served = scratch.join("git");
        fs::create_dir(&served).expect("the test owns the directory");
        let origin = GitServer::start(&served);
        origin.build("deployable-314", &[("manage.py", "\n"), ("requirements.txt", "\n")]);

        let on_hosts = |block: String| {
            let paths = ["\"/srv/", "\"/etc/", "\"/var/"];
            let placed = paths
                .iter()
                .fold(block, |block, path| block.replace(path, &format!("\"{}{}", scratch.display(), &path[1..])));
            placed.replace("https://git.example.com/shop.git", &origin.url()).replace("deploy@web1", "web1")
        };
        let kit = on_hosts(rust_block("fn shop() -> Site"));
        let kit = kit.replace("async fn deploy(revision", "async fn put_live(revision").replace("srv/shop", "srv/kit");
        let embedded = "\n#[fabrs::task(local)]\nasync fn embedded() -> fabrs::Result<()> {\n    restart().await\n}\n";
        scratch_project.write("first.rs", &on_hosts(rust_block("git ls-remote")));
        scratch_project.write("files.rs", &on_hosts(rust_block("async fn site()")));
        scratch_project.write("kit.rs", &kit);
        scratch_project.write("embedding.rs", &(on_hosts(rust_block("async fn restart()")) + embedded));
        scratch_project.write(
            "tasks.rs",
            "//! ```cargo\n//! [dependencies]\n//! fabrs-deploy = { features = [\"notify-mail\"] }\n//! ```\n\nmod embedding;\nmod files;\nmod first;\nmod kit;\n",
        );
        scratch_project.write("fabrs.toml", "[env.production]\nprotected = true\nroles.web = ['web1', 'web2']\n");
        scratch_project.write("conf/gunicorn.py", "workers = 4\n");
        scratch_project.write("conf/shop.conf.j2", "listen {{ port }};\n");
        scratch_project.write("dist/index.html", "<h1>Shop</h1>\n");
        let this = Self { scratch_project, hosts, origin };
        this.fill();
        this
    }

    /// Writes the files expected on the hosts.
    fn fill(&self) {
        let scratch = self.hosts.sshd.scratch();
        for (path, text) in [
            ("etc/shop/gunicorn.py", "workers = 2\n"),
            ("etc/nginx/conf.d/other.conf", "\n"),
            ("etc/shop.env", "WORKERS=2\n"),
            ("etc/hosts", "127.0.0.1 localhost\n"),
            ("srv/site/uploads/x", "x\n"),
            ("srv/kit/shared/.env", "SECRET_KEY=x\nDATABASE_URL=sqlite:///shop.sqlite3\n"),
            ("var/log/shop/access.log", "GET /\n"),
        ] {
            let path = scratch.join(path);
            fs::create_dir_all(path.parent().expect("the path has a parent")).expect("the test owns the directory");
            fs::write(path, text).expect("the test owns the directory");
        }
        GitServer::git(&scratch, &["clone", "--quiet", &self.origin.url(), "srv/shop"]);
        let owned = Command::new("chown").arg("-R").arg(self.hosts.sshd.user()).arg(scratch.join("srv")).status();
        assert!(owned.is_ok_and(|status| status.success()), "root can change owners");
    }

    /// Runs a dry run of a task, and checks that nothing changes.
    #[track_caller]
    fn plan(&self, words: &[&str]) -> FabOutput {
        let fab = self.scratch_project.fab("").arg("-S").arg(self.hosts.sshd.ssh_config()).arg("-n");
        // The project is inside a clone of fabrs. Git must not find the commits of the clone.
        let fab = fab
            .env("GIT_CEILING_DIRECTORIES", self.scratch_project.path("..").canonicalize().expect("the file exists"));
        let ran = self.hosts.plan_in(&self.scratch_project.path(""), fab.args(words).own_session(), 0);
        assert!(ran.stderr.contains("dry run: nothing was changed\n"), "{}", ran.stderr);
        ran
    }
}

#[test]
fn every_task_of_the_readme_is_planned() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let readme = Readme::start();
    let first = readme.plan(&["production", "deploy"]);
    assert!(first.stderr.contains("once: tag = deployable-314\n"), "{}", first.stderr);
    for host in ["web1", "web2"] {
        for planned in ["would run: cd ", "would put conf/gunicorn.py -> ", "would run: sudo systemctl reload shop"] {
            assert!(first.stderr.contains(&format!("[{host}] {planned}")), "{host} {planned}: {}", first.stderr);
        }
    }

    let files = readme.plan(&["production", "site"]);
    for planned in [
        "would put conf/gunicorn.py -> ",
        "would put conf/shop.conf.j2 -> ",
        "would sync dist -> ",
        "would get logs/web2/ <- ",
        "would ensure the line `WORKERS=4` in ",
        "would append `10.0.0.5 db` to ",
        "would link ",
        "would run: sudo systemctl reload shop",
    ] {
        assert!(files.stderr.contains(&format!("[web2] {planned}")), "{planned}: {}", files.stderr);
    }

    // A deploy rejects two host names with the same server.
    let deploy = readme.plan(&["production", "put-live", "-x", "web2"]);
    for planned in ["pip install", "collectstatic", "systemctl", "mail to dev@example.com"] {
        assert!(deploy.stderr.contains(planned), "{planned}: {}", deploy.stderr);
    }

    let embedded = readme.plan(&["embedded"]);
    assert!(embedded.stdout.contains("web1 runs ") && embedded.stdout.contains("web2: ok\n"), "{}", embedded.stdout);
    assert_eq!(embedded.stderr.matches("would run: sudo systemctl reload shop\n").count(), 2, "{}", embedded.stderr);
}

#[test]
fn the_django_shop_is_planned_on_new_hosts() {
    let scratch_project = ScratchProject::open("django-shop");
    fs::create_dir_all(scratch_project.path("")).expect("the test owns the directory");
    let hosts = RecordingHosts::start([Account::Plain]);
    let origin = GitServer::start(&scratch_project.path(""));
    copy_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/django-shop"), &origin.tree());
    let root = hosts.sshd.scratch().join("shop");
    let toml = format!(
        "[vars]\nroot = '{}'\nrepository = '{}'\nsmtp_server = 'localhost'\nsmtp_port = 25\n[env.staging]\nvars.stage = 'none'\nroles.web = ['web1']\n",
        root.display(),
        origin.url()
    );
    fs::write(origin.tree().join("fabrs.toml"), toml).expect("the test owns the directory");
    origin.build("deployable-1", &[]);
    let plan = |task: &str| {
        let fab = scratch_project.fab("tree").arg("-S").arg(hosts.sshd.ssh_config()).args(["-n", "staging", task]);
        let ran = hosts.plan_in(&origin.tree(), fab.own_session(), 0);
        ran.stderr
    };
    let setup = plan("setup");
    for planned in ["would create the directory ", "would put conf/supervisord.conf.j2 -> ", "would run: "] {
        assert!(setup.contains(&format!("[web1] {planned}")), "{planned}: {setup}");
    }

    fs::create_dir_all(root.join("shared")).expect("the test owns the directory");
    fs::write(root.join("shared/.env"), "SECRET_KEY=x\nDATABASE_URL=sqlite:///shop.sqlite3\n")
        .expect("the test owns the directory");
    let owned = Command::new("chown").arg("-R").arg(hosts.sshd.user()).arg(&root).status();
    assert!(owned.is_ok_and(|status| status.success()), "root can change owners");
    let deploy = plan("deploy");
    for planned in ["pip install", "collectstatic", "take a snapshot of shop", "migrate", "signal HUP", "mail to shop@"]
    {
        assert!(deploy.contains(planned), "{planned}: {deploy}");
    }
}
