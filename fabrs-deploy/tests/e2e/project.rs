//! The history of the test project: `examples/django-shop` and its earlier versions.

use std::fs;
use std::path::{Path, PathBuf};

/// The builds of the shop, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// The first version.
    First,
    /// Adds `comment`, and keeps `notes`.
    Expanded,
    /// The health page fails on a host without the setting `WAREHOUSE`.
    Demanding,
    /// `notes` is no longer used.
    Contracted,
    /// The example itself: gift wrapping is off for customers.
    Dark,
}

impl Build {
    /// Returns the tag of the good build.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::First => "deployable-1",
            Self::Expanded => "deployable-2",
            Self::Demanding => "deployable-3",
            Self::Contracted => "deployable-4",
            Self::Dark => "deployable-5",
        }
    }

    /// Writes the version into a work tree.
    pub(crate) fn write(self, tree: &Path) {
        copy(&example(), tree);
        if self == Self::Dark {
            return;
        }
        let models = fs::read_to_string(example().join("orders/models.py")).expect("the example has this file");
        let gift = "    gift_wrapped = models.BooleanField(db_default=False)\n";
        assert!(models.contains(gift), "the example has another model");
        let models = models.replace(gift, "");
        let forms = fs::read_to_string(example().join("orders/forms.py")).expect("the example has this file");
        fs::write(tree.join("orders/forms.py"), forms.replace(", \"gift_wrapped\"", ""))
            .expect("the directory is writable");
        let notes = "    notes = models.TextField(db_default=\"\")\n";
        let comment = "    comment = models.TextField(db_default=\"\")\n";
        assert!(models.contains(comment), "the example has another model");
        let models = match self {
            Self::First => models.replace(comment, notes),
            Self::Expanded | Self::Demanding => models.replace(comment, &format!("{notes}{comment}")),
            Self::Contracted | Self::Dark => models,
        };
        fs::write(tree.join("orders/models.py"), models).expect("the directory is writable");
        let later: &[&str] = match self {
            Self::First => &["0002_comment.py", "0003_no_notes.py", "0004_gift_wrapped.py"],
            Self::Expanded | Self::Demanding => &["0003_no_notes.py", "0004_gift_wrapped.py"],
            Self::Contracted => &["0004_gift_wrapped.py"],
            Self::Dark => &[],
        };
        for migration in later {
            fs::remove_file(tree.join("orders/migrations").join(migration)).expect("the example has this file");
        }
        if self == Self::Demanding {
            let views = fs::read_to_string(tree.join("orders/views.py")).expect("the file exists");
            let demanding = "def health(request):\n    settings.env(\"WAREHOUSE\")\n";
            fs::write(tree.join("orders/views.py"), views.replace("def health(request):\n", demanding))
                .expect("the directory is writable");
            let settings = fs::read_to_string(tree.join("shop/settings.py")).expect("the file exists");
            fs::write(tree.join("shop/settings.py"), settings.replace("env = ", "ENV = env = "))
                .expect("the directory is writable");
            let views = fs::read_to_string(tree.join("orders/views.py")).expect("the file exists");
            fs::write(tree.join("orders/views.py"), views.replace("settings.env", "settings.ENV"))
                .expect("the directory is writable");
        }
    }
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/django-shop")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the directory is writable");
    for entry in fs::read_dir(from).expect("the directory exists").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        // The `fabrs.toml` of the test environment is kept.
        if from.is_dir() {
            copy(&from, &to);
        } else if !from.ends_with("fabrs.toml") {
            fs::copy(from, to).expect("the directory is writable");
        }
    }
}
