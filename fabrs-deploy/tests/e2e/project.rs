//! The project, as its repository grew: `examples/django-shop` and what it was before.

use std::fs;
use std::path::{Path, PathBuf};

/// The builds of the shop, in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// As it began.
    First,
    /// `comment` is there beside `notes`.
    Expanded,
    /// Its health page fails where the host has no `WAREHOUSE`.
    Demanding,
    /// As the example is: nobody uses `notes` any more.
    Contracted,
}

impl Build {
    /// Returns the tag under which it is good.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::First => "deployable-1",
            Self::Expanded => "deployable-2",
            Self::Demanding => "deployable-3",
            Self::Contracted => "deployable-4",
        }
    }

    /// Makes a work tree what it was.
    pub(crate) fn write(self, tree: &Path) {
        copy(&example(), tree);
        let models = fs::read_to_string(example().join("orders/models.py")).expect("a file of the example");
        let notes = "    notes = models.TextField(db_default=\"\")\n";
        let comment = "    comment = models.TextField(db_default=\"\")\n";
        assert!(models.contains(comment), "the example has another model");
        let models = match self {
            Self::First => models.replace(comment, notes),
            Self::Expanded | Self::Demanding => models.replace(comment, &format!("{notes}{comment}")),
            Self::Contracted => models,
        };
        fs::write(tree.join("orders/models.py"), models).expect("the folder is ours");
        let later: &[&str] = match self {
            Self::First => &["0002_comment.py", "0003_no_notes.py"],
            Self::Expanded | Self::Demanding => &["0003_no_notes.py"],
            Self::Contracted => &[],
        };
        for migration in later {
            fs::remove_file(tree.join("orders/migrations").join(migration)).expect("a file of the example");
        }
        if self == Self::Demanding {
            let views = fs::read_to_string(tree.join("orders/views.py")).expect("it was copied");
            let demanding = "def health(request):\n    settings.env(\"WAREHOUSE\")\n";
            fs::write(tree.join("orders/views.py"), views.replace("def health(request):\n", demanding))
                .expect("the folder is ours");
            let settings = fs::read_to_string(tree.join("shop/settings.py")).expect("it was copied");
            fs::write(tree.join("shop/settings.py"), settings.replace("env = ", "ENV = env = "))
                .expect("the folder is ours");
            let views = fs::read_to_string(tree.join("orders/views.py")).expect("it was written");
            fs::write(tree.join("orders/views.py"), views.replace("settings.env", "settings.ENV"))
                .expect("the folder is ours");
        }
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/django-shop")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder is ours");
    for entry in fs::read_dir(from).expect("a folder of the repository").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        // What belongs to the hosts of the test stays.
        if from.is_dir() {
            copy(&from, &to);
        } else if !from.ends_with("fabrs.toml") {
            fs::copy(from, to).expect("the folder is ours");
        }
    }
}
