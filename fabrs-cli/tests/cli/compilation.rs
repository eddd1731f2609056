//! Compilation of `tasks.rs`, and starts of the compiled tool.

use fabrs_testing::Fab;

use crate::scratch_project::ScratchProject;

/// Returns the run without cargo in the `PATH`: a compilation would fail.
fn without_cargo(run: Fab) -> Fab {
    run.env("PATH", "/usr/bin:/bin").env_remove("CARGO_HOME")
}

const SHOP: &str = r#"//! ```cargo
//! [dependencies]
//! price.path = "price"
//! ```

mod stock;

use fabrs::prelude::*;

/// Prints the name of this project and the value of the stock.
#[task(local, default)]
async fn worth() -> Result {
    let (name, worth) = (include_str!("name.txt"), crate::stock::COUNT * price::PRICE);
    local(cmd!("echo {name} {worth}")).await?;
    Ok(())
}
"#;

fn write_shop(scratch_project: &ScratchProject, folder: &str, name: &str) {
    scratch_project.write(&format!("{folder}/tasks.rs"), SHOP);
    scratch_project.write(&format!("{folder}/name.txt"), name);
    scratch_project.write(&format!("{folder}/stock.rs"), "//! The stock.\n\npub(crate) const COUNT: u32 = 6;\n");
    scratch_project
        .write(&format!("{folder}/price/Cargo.toml"), "[package]\nname = \"price\"\nedition = \"2024\"\n[workspace]\n");
    scratch_project
        .write(&format!("{folder}/price/src/lib.rs"), "//! The price.\n\n/// In cents.\npub const PRICE: u32 = 7;\n");
}

#[test]
fn a_project_with_modules_and_crates_is_compiled_only_after_a_change() {
    let scratch_project = ScratchProject::open("my shop");
    write_shop(&scratch_project, "of 2", "shop");
    let run = || scratch_project.fab("of 2").arg("worth");
    run().stdout("[local] shop 42\n").stderr_contains("compiling tasks.rs").run();
    without_cargo(run()).stdout("[local] shop 42\n").stderr_lacks("compiling").run();
    without_cargo(scratch_project.fab("of 2/price")).stdout("[local] shop 42\n").run();

    scratch_project.write("of 2/price/src/lib.rs", "//! The price.\n\n/// In cents.\npub const PRICE: u32 = 8;\n");
    run().stdout("[local] shop 48\n").stderr_contains("compiling tasks.rs\n").run();
    scratch_project.write("of 2/name.txt", "store");
    run().stdout("[local] store 48\n").run();
    without_cargo(run()).stdout("[local] store 48\n").run();
}

#[test]
fn a_compile_error_never_runs_the_previous_tool() {
    let scratch_project = ScratchProject::open("changed");
    let task = |body: &str| {
        format!("use fabrs::prelude::*;\n\n#[task(local)]\nasync fn say() -> Result {{\n    {body}\n    Ok(())\n}}\n")
    };
    scratch_project.write("tasks.rs", &task("local(\"echo one\").await?;"));
    let run = || scratch_project.fab("").arg("say");
    run().stdout("[local] one\n").run();
    // Without a task name and a default task, the tool prints the list.
    scratch_project.fab("").stdout("Tasks:\n  say\n").run();
    scratch_project.write("tasks.rs", &task("local(\"echo two\").await"));
    run().code(2).stdout("").stderr_contains(" --> tasks.rs:5:").run();
    scratch_project.write("tasks.rs", &task("local(\"echo three\").await?;"));
    run().stdout("[local] three\n").run();
}

#[test]
fn two_projects_with_equal_tasks_run_their_own_tools() {
    let scratch_project = ScratchProject::open("twins");
    write_shop(&scratch_project, "a/shop", "ann");
    write_shop(&scratch_project, "b/shop", "bob");
    for _ in 0..2 {
        scratch_project.fab("a/shop").stdout("[local] ann 42\n").run();
        scratch_project.fab("b/shop").stdout("[local] bob 42\n").run();
    }
}

#[test]
fn two_concurrent_starts_compile_once_and_both_run() {
    let scratch_project = ScratchProject::open("at once");
    scratch_project.write(
        "tasks.rs",
        "use fabrs::prelude::*;\n\n#[task(local, default)]\nasync fn hello() -> Result {\n    \
         local(\"echo hello\").await?;\n    Ok(())\n}\n",
    );
    let runs = [0, 1].map(|_| scratch_project.fab("").stdout("[local] hello\n").spawn());
    let stderr: String = runs.map(|run| run.wait().stderr).concat();
    assert_eq!(stderr.matches("\nhello: ok\n").count(), 2, "{stderr}");
    assert!(stderr.matches("compiling tasks.rs").count() <= 1, "{stderr}");
}

/// Without cargo, `fab` must find every error before compiling.
#[test]
fn an_error_in_fabrs_toml_is_reported_before_compiling() {
    let scratch_project = ScratchProject::open("early");
    scratch_project.write(
        "shop/tasks.rs",
        "use fabrs::prelude::*;\n\n#[task]\nasync fn deploy() -> Result { does not compile }\n",
    );
    let file = scratch_project.path("shop").canonicalize().expect("the file exists").join("fabrs.toml");
    let case = |toml: &str, arguments: &[&str], block: &str| {
        scratch_project.write("shop/fabrs.toml", toml);
        let run = without_cargo(scratch_project.fab("shop")).args(arguments).code(2).stdout("");
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

/// A build script or macro of any dependency could read the environment of the compiler.
#[test]
fn the_sudo_password_is_not_in_the_environment_of_the_compiler() {
    let scratch_project = ScratchProject::open("password");
    let tasks = r#"use fabrs::prelude::*;

#[task(local)]
async fn say() -> Result {
    let seen = option_env!("FABRS_SUDO_PASSWORD").unwrap_or("unset");
    local(cmd!("echo {seen}")).await?;
    Ok(())
}
"#;
    scratch_project.write("tasks.rs", tasks);
    let run = scratch_project.fab("").env("FABRS_SUDO_PASSWORD", "hunter2-hunter2").arg("say");
    run.stdout("[local] unset\n").stderr_lacks("hunter2").run();
}
