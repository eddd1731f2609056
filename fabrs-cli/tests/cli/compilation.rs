//! From `tasks.rs` to a running tool, and from there to one that starts at once.

use fabrs_testing::Fab;

use crate::scratch_project::Workshop;

/// Returns such a run without any cargo: nothing can be compiled.
fn without_cargo(run: Fab) -> Fab {
    run.env("PATH", "/usr/bin:/bin").env_remove("CARGO_HOME")
}

const SHOP: &str = r#"//! ```cargo
//! [dependencies]
//! price.path = "price"
//! ```

mod stock;

use fabrs::prelude::*;

/// Says the name of this project, and what its stock is worth.
#[task(local, default)]
async fn worth() -> Result {
    let (name, worth) = (include_str!("name.txt"), crate::stock::COUNT * price::PRICE);
    local(cmd!("echo {name} {worth}")).await?;
    Ok(())
}
"#;

fn write_shop(workshop: &Workshop, folder: &str, name: &str) {
    workshop.write(&format!("{folder}/tasks.rs"), SHOP);
    workshop.write(&format!("{folder}/name.txt"), name);
    workshop.write(&format!("{folder}/stock.rs"), "//! What there is.\n\npub(crate) const COUNT: u32 = 6;\n");
    workshop
        .write(&format!("{folder}/price/Cargo.toml"), "[package]\nname = \"price\"\nedition = \"2024\"\n[workspace]\n");
    workshop.write(
        &format!("{folder}/price/src/lib.rs"),
        "//! What it costs.\n\n/// In cents.\npub const PRICE: u32 = 7;\n",
    );
}

#[test]
fn a_project_of_modules_and_crates_of_its_own_is_compiled_when_something_changed_and_not_else() {
    let workshop = Workshop::open("my shop");
    write_shop(&workshop, "of 2", "shop");
    let run = || workshop.fab("of 2").arg("worth");
    run().stdout("[local] shop 42\n").stderr_contains("compiling tasks.rs").run();
    without_cargo(run()).stdout("[local] shop 42\n").stderr_lacks("compiling").run();
    without_cargo(workshop.fab("of 2/price")).stdout("[local] shop 42\n").run();

    workshop.write("of 2/price/src/lib.rs", "//! What it costs.\n\n/// In cents.\npub const PRICE: u32 = 8;\n");
    run().stdout("[local] shop 48\n").stderr_contains("compiling tasks.rs\n").run();
    workshop.write("of 2/name.txt", "store");
    run().stdout("[local] store 48\n").run();
    without_cargo(run()).stdout("[local] store 48\n").run();
}

#[test]
fn a_change_that_does_not_compile_never_runs_what_was_there_before() {
    let workshop = Workshop::open("changed");
    let task = |body: &str| {
        format!("use fabrs::prelude::*;\n\n#[task(local)]\nasync fn say() -> Result {{\n    {body}\n    Ok(())\n}}\n")
    };
    workshop.write("tasks.rs", &task("local(\"echo one\").await?;"));
    let run = || workshop.fab("").arg("say");
    run().stdout("[local] one\n").run();
    // No task is named, and none is the default.
    workshop.fab("").stdout("Tasks:\n  say\n").run();
    workshop.write("tasks.rs", &task("local(\"echo two\").await"));
    run().code(2).stdout("").stderr_contains(" --> tasks.rs:5:").run();
    workshop.write("tasks.rs", &task("local(\"echo three\").await?;"));
    run().stdout("[local] three\n").run();
}

#[test]
fn two_projects_with_equal_tasks_each_run_their_own() {
    let workshop = Workshop::open("twins");
    write_shop(&workshop, "a/shop", "ann");
    write_shop(&workshop, "b/shop", "bob");
    for _ in 0..2 {
        workshop.fab("a/shop").stdout("[local] ann 42\n").run();
        workshop.fab("b/shop").stdout("[local] bob 42\n").run();
    }
}

#[test]
fn two_at_once_compile_once_and_both_run() {
    let workshop = Workshop::open("at once");
    workshop.write(
        "tasks.rs",
        "use fabrs::prelude::*;\n\n#[task(local, default)]\nasync fn hello() -> Result {\n    \
         local(\"echo hello\").await?;\n    Ok(())\n}\n",
    );
    let runs = [0, 1].map(|_| workshop.fab("").stdout("[local] hello\n").spawn());
    let told: String = runs.map(|run| run.wait().stderr).concat();
    assert_eq!(told.matches("\nhello: ok\n").count(), 2, "{told}");
    assert!(told.matches("compiling tasks.rs").count() <= 1, "{told}");
}

/// Without cargo: whatever is told is known before anything is compiled.
#[test]
fn a_mistake_in_fabrs_toml_is_told_before_cargo_is_started() {
    let workshop = Workshop::open("early");
    workshop.write(
        "shop/tasks.rs",
        "use fabrs::prelude::*;\n\n#[task]\nasync fn deploy() -> Result { does not compile }\n",
    );
    let file = workshop.path("shop").canonicalize().expect("it is there").join("fabrs.toml");
    let case = |toml: &str, arguments: &[&str], block: &str| {
        workshop.write("shop/fabrs.toml", toml);
        let run = without_cargo(workshop.fab("shop")).args(arguments).code(2).stdout("");
        run.stderr(block.replace("FILE", &file.display().to_string())).run();
    };
    let live = "[env.staging]\nhosts = ['web1']\n";
    let unknown_key = "[env.staging]\nhots = ['web1']\n";
    case(
        unknown_key,
        &["staging", "deploy"],
        "error: FILE:2: unknown key `hots` in `[env.staging]`\nhint: did you mean `hosts`?\n",
    );
    case(
        live,
        &["stagin", "deploy"],
        "error: unknown task `stagin`\nhint: did you mean the environment `staging`?\n",
    );
    case(
        "[env.staging",
        &["staging", "deploy"],
        "error: FILE:1: invalid TOML\n  caused by: unclosed table, expected `]`\n",
    );
}

/// A build script or a macro of any dependency could read it.
#[test]
fn the_sudo_password_is_not_in_the_environment_of_the_compiler() {
    let workshop = Workshop::open("password");
    let tasks = r#"use fabrs::prelude::*;

#[task(local)]
async fn say() -> Result {
    let seen = option_env!("FABRS_SUDO_PASSWORD").unwrap_or("unset");
    local(cmd!("echo {seen}")).await?;
    Ok(())
}
"#;
    workshop.write("tasks.rs", tasks);
    let run = workshop.fab("").env("FABRS_SUDO_PASSWORD", "hunter2-hunter2").arg("say");
    run.stdout("[local] unset\n").stderr_lacks("hunter2").run();
}
