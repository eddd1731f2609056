//! From `tasks.rs` to a running tool, and from there to one that starts at once.

use fabrs_testing::Fab;

use crate::scratch_project::ScratchProject;

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

fn write_shop(workshop: &ScratchProject, folder: &str, name: &str) {
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
fn a_project_with_modules_and_crates_is_compiled_only_after_a_change() {
    let workshop = ScratchProject::open("my shop");
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
fn a_compile_error_never_runs_the_previous_tool() {
    let workshop = ScratchProject::open("changed");
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
fn two_projects_with_equal_tasks_run_their_own_tools() {
    let workshop = ScratchProject::open("twins");
    write_shop(&workshop, "a/shop", "ann");
    write_shop(&workshop, "b/shop", "bob");
    for _ in 0..2 {
        workshop.fab("a/shop").stdout("[local] ann 42\n").run();
        workshop.fab("b/shop").stdout("[local] bob 42\n").run();
    }
}

#[test]
fn two_concurrent_starts_compile_once_and_both_run() {
    let workshop = ScratchProject::open("at once");
    workshop.write(
        "tasks.rs",
        "use fabrs::prelude::*;\n\n#[task(local, default)]\nasync fn hello() -> Result {\n    \
         local(\"echo hello\").await?;\n    Ok(())\n}\n",
    );
    let runs = [0, 1].map(|_| workshop.fab("").stdout("[local] hello\n").spawn());
    let without_times: String = runs.map(|run| run.wait().stderr).concat();
    assert_eq!(without_times.matches("\nhello: ok\n").count(), 2, "{without_times}");
    assert!(without_times.matches("compiling tasks.rs").count() <= 1, "{without_times}");
}

/// Without cargo: whatever is without_times is known before anything is compiled.
#[test]
fn an_error_in_fabrs_toml_is_reported_before_compiling() {
    let workshop = ScratchProject::open("early");
    workshop.write(
        "shop/tasks.rs",
        "use fabrs::prelude::*;\n\n#[task]\nasync fn deploy() -> Result { does not compile }\n",
    );
    let file = workshop.path("shop").canonicalize().expect("the file exists").join("fabrs.toml");
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
    case(live, &["stagin", "deploy"], "error: unknown task `stagin`\nhint: did you mean the environment `staging`?\n");
    case(
        "[env.staging",
        &["staging", "deploy"],
        "error: FILE:1: invalid TOML\n  caused by: unclosed table, expected `]`\n",
    );
}

/// A build script or a macro of any dependency could read it.
#[test]
fn the_sudo_password_is_not_in_the_environment_of_the_compiler() {
    let workshop = ScratchProject::open("password");
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
