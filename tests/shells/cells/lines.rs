//! Cells of lines: a plain line, a line with a directory and a variable, and lines under sudo.

use fabrs::prelude::*;

use super::{Cell, HOSTILE, HOSTILE_LINES, HOSTILE_NAME};
use crate::verdict::{Finding, Findings, Work, judge, judge_line};

impl Cell<'_> {
    /// Runs plain lines, in syntax common to all shells.
    pub(super) async fn line(&self, findings: &mut Findings) {
        let file = self.remote_path("status");
        let result = self.host.run(cmd!("echo done > {file}; echo out; exit 3")).warn().await;
        let finding = judge_line(result, 3, "out\n", Work::compare(&file, "done\n"));
        findings.add_step("exit 3", finding, self.may_fail());

        let file = self.remote_path("true");
        let result = self.host.run(cmd!("touch {file}; true")).await;
        let work = if file.exists() { Work::Done } else { Work::Absent };
        findings.add_step("true", judge(result, work), self.may_fail());

        let value = HOSTILE;
        let file = self.remote_path(value);
        let result = self.host.run(cmd!("printf %s {value} > {file}; printf %s {value}; exit 3")).warn().await;
        let finding = judge_line(result, 3, value, Work::compare(&file, value));
        findings.add_step("a hostile value", finding, self.may_fail());

        let value = HOSTILE_LINES;
        let file = self.remote_path(HOSTILE_NAME);
        let result = self.host.run(cmd!("printf %s {value} > {file}; printf %s {value}; exit 3")).warn().await;
        let finding = judge_line(result, 3, value, Work::compare(&file, value));
        findings.add_step("a hostile value with line ends", finding, self.may_fail() || self.shell.refuses_line_ends());
    }

    /// Runs a line in a directory, with a variable.
    pub(super) async fn cd_env(&self, findings: &mut Findings) {
        let (finding, by_path) = self.lines_around(&self.host).await;
        for (step, finding) in [("cd + env", finding), ("cd + env, hostile", by_path)] {
            match finding {
                // A shell with other syntax may fail, with the hint `shell = "sh -c"`.
                Finding::Error(text) if self.shell.is_foreign() && !text.contains("sh -c") => {
                    findings
                        .add(step, Finding::Wrong(format!("an error without the hint `shell = \"sh -c\"`: {text}")));
                }
                finding => findings.add_step(step, finding, self.may_fail() || self.shell.is_foreign()),
            }
        }
    }

    /// Like `cd_env`, with `shell = "sh -c"`. Every login shell must run this line.
    pub(super) async fn cd_env_sh(&self, findings: &mut Findings) {
        let (finding, by_path) = self.lines_around(&self.host.with_shell("sh -c")).await;
        findings.add_step("cd + env", finding, self.may_fail());
        findings.add_step("cd + env, hostile", by_path, self.may_fail());
    }

    /// Runs a line with a directory and a variable: first with plain values, then with hostile
    /// values.
    async fn lines_around(&self, host: &Connection) -> (Finding, Finding) {
        let mut found = Vec::new();
        for (folder, value) in [("plain", "value"), (HOSTILE_NAME, HOSTILE_LINES)] {
            let folder = self.open_folder(folder);
            let host = host.cd(folder.display().to_string()).env("FABRS_X", value);
            let result = host.run("printenv FABRS_X > file; printenv FABRS_X; pwd; exit 3").warn().await;
            let stdout = format!("{value}\n{}\n", folder.display());
            found.push(judge_line(result, 3, &stdout, Work::compare(&folder.join("file"), format!("{value}\n"))));
        }
        let second = found.pop().expect("two steps");
        (found.pop().expect("two steps"), second)
    }

    /// Runs lines under sudo: whole lines, plain words, and a line with a directory and a variable.
    pub(super) async fn sudo(&self, findings: &mut Findings) {
        let (value, file) = (HOSTILE_LINES, self.remote_path(HOSTILE_NAME));
        let line = cmd!("id -un > {file} && printf %s {value} >> {file}; printf %s {value}; exit 3");
        let result = self.host.sudo(line).warn().await;
        let finding = judge_line(result, 3, value, Work::compare(&file, format!("root\n{value}")));
        findings.add_step("a whole line", finding, self.may_fail());

        let finding = match self.host.sudo("id -un").line().await {
            Ok(user) if user == "root" => Finding::Right,
            Ok(user) => Finding::Wrong(format!("ran as {user:?}")),
            Err(error) => judge::<()>(Err(error), Work::Absent),
        };
        findings.add_step("plain words", finding, self.may_fail());

        let folder = self.open_folder("folder's \\");
        let host = self.host.cd(folder.display().to_string()).env("FABRS_X", value);
        let result = host.sudo("printenv FABRS_X > file; pwd; exit 3").warn().await;
        let work = Work::compare(&folder.join("file"), format!("{value}\n"));
        let finding = judge_line(result, 3, &format!("{}\n", folder.display()), work);
        findings.add_step("cd + env", finding, self.may_fail());
    }
}
