//! Prompts of tasks, and responders for the prompts of commands.

use fabrs::Client;
use fabrs::config::{Confirmation, Mode, PromptPolicy, Settings};
use fabrs::prelude::*;
use fabrs_testing::Sshd;

use crate::scripted_prompter::ScriptedPrompter;
use crate::support::{capture, connect, error_text, event_texts, expect_error, within_limit};

/// Runs `ask` with scripted answers. Returns the answer and the prompts.
async fn answer_with_script<T>(
    answers: &[&str],
    ask: impl AsyncFnOnce() -> fabrs::Result<T>,
) -> (fabrs::Result<T>, Vec<String>) {
    let script = ScriptedPrompter::new(answers.iter().copied());
    let client = Client::builder().prompter(script.clone()).build();
    let here = client.local().expect("this machine is always available");
    (here.enter(ask()).await, script.prompts())
}

#[tokio::test]
async fn confirm_repeats_until_a_valid_answer_and_accepts_a_default() -> Result {
    let (answer, questions) = answer_with_script(&["x", "Y"], async || confirm("Go?").default(false).await).await;
    assert!(answer?);
    assert_eq!(questions, ["Go? [y/N] ", "please answer yes or no. Go? [y/N] "]);
    let (answer, questions) = answer_with_script(&[""], async || confirm("Go?").default(true).await).await;
    assert!(answer? && questions == ["Go? [Y/n] "]);
    let (answer, questions) = answer_with_script(&["", "no"], async || confirm("Go?").await).await;
    assert!(!answer? && questions.len() == 2, "without a default an answer is required");
    Ok(())
}

#[tokio::test]
async fn prompt_repeats_until_the_answer_parses() -> Result {
    let (answer, questions) =
        answer_with_script(&["ab", "12x", "12"], async || prompt("Workers?").parse::<u8>().await).await;
    assert_eq!((answer?, questions.len()), (12, 3));
    assert!(questions[1].starts_with("`ab` is not valid: ") && questions[1].ends_with("Workers? "), "{questions:?}");
    let (answer, questions) = answer_with_script(&[""], async || prompt("Tag?").default("build-1").await).await;
    assert_eq!((answer?.as_str(), questions[0].as_str()), ("build-1", "Tag? [build-1] "));
    Ok(())
}

#[tokio::test]
async fn a_secret_answer_is_hidden_and_redacted() -> Result {
    let (script, (events, sink)) = (ScriptedPrompter::new(["", "hunter2-and-more"]), capture());
    let here = Client::builder().prompter(script.clone()).sink(sink).build().local()?;
    let token = here.enter(async { prompt("Token?").secret().await }).await?;
    assert_eq!((token.expose(), script.prompts().len()), ("hunter2-and-more", 2), "an empty answer is rejected");
    here.run("echo it is hunter2-and-more").await?;
    let events = events.events().iter().map(ToString::to_string).collect::<String>();
    assert!(events.contains("it is [redacted]") && !events.contains("hunter2"), "{events}");
    Ok(())
}

#[tokio::test]
async fn assume_yes_skips_confirm_and_a_refused_prompt_is_an_error() -> Result {
    let yes = Settings::default().confirmation(Confirmation::AssumeYes).prompts(PromptPolicy::Refuse);
    let client = Client::builder().settings(yes).build();
    assert!(client.local()?.enter(async { confirm("Go?").await }).await?);

    let client = Client::builder().settings(Settings::default().prompts(PromptPolicy::Refuse)).build();
    let error = expect_error(client.local()?.enter(async { confirm("Go?").await }).await, ErrorKind::Prompt);
    assert!(
        error_text(&error).contains("Go?") && error_text(&error).contains("hint: answer yes with `-y`"),
        "{error:?}"
    );
    let error = expect_error(client.local()?.enter(async { prompt("Tag?").await }).await, ErrorKind::Prompt);
    assert!(error_text(&error).contains("Tag?") && error_text(&error).contains("prompts.rs"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_prompt_names_its_host_unless_it_applies_to_all_hosts() -> Result {
    let script = ScriptedPrompter::new(["y", "1", "secret", "y"]);
    let client = Client::builder().prompter(script.clone()).build();
    let host = client.connect("deploy@web1")?;
    host.enter(async {
        confirm("Go?").await?;
        prompt("Workers?").await?;
        prompt("Token?").secret().await?;
        once("go", confirm("All?")).await
    })
    .await?;
    assert_eq!(script.prompts(), ["web1: Go? [y/n] ", "web1: Workers? ", "web1: Token? ", "All? [y/n] "]);

    let client = Client::builder().settings(Settings::default().prompts(PromptPolicy::Refuse)).build();
    let host = client.connect("deploy@web1")?;
    for error in [
        expect_error(host.enter(async { confirm("Go?").await }).await.map(drop), ErrorKind::Prompt),
        expect_error(host.enter(async { prompt("Tag?").await }).await.map(drop), ErrorKind::Prompt),
        expect_error(host.enter(async { prompt("Token?").secret().await }).await.map(drop), ErrorKind::Prompt),
    ] {
        assert!(error_text(&error).starts_with("error: web1: cannot prompt for an answer"), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_plans_a_prompt_and_continues() -> Result {
    let (seen, sink) = capture();
    let dry = Settings::default().mode(Mode::DryRun).prompts(PromptPolicy::Refuse);
    let client = Client::builder().settings(dry).sink(sink).build();
    assert!(client.local()?.enter(async { confirm("Go?").await }).await?);
    assert_eq!(event_texts(&seen, "planned", "operation"), ["ask Go?"]);
    Ok(())
}

#[tokio::test]
async fn an_invalid_default_is_a_usage_error() -> Result {
    let client = Client::builder().settings(Settings::default().prompts(PromptPolicy::Refuse)).build();
    let prompts = client.local()?.enter(async { prompt("Workers?").default("many").parse::<u8>().await }).await;
    let error = expect_error(prompts.map(drop), ErrorKind::Usage);
    assert!(error.to_string().contains("invalid default of the prompt \"Workers?\": `many`: "), "{error:?}");
    Ok(())
}

/// A shell script with two prompts, for a pipe and a pty, on this machine and on a server.
const TWO_PROMPTS: &str =
    "printf 'are you su'; printf 're? '; read a; printf 'really sure? '; read b; echo; echo $a-$b";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responders_answer_commands_with_and_without_a_pty() -> Result {
    let sshd = Sshd::start();
    let yes = || Responder::new("sure? ", "y\n");
    let here = Client::builder().build().local()?;
    for command in [here.run(TWO_PROMPTS), connect(&sshd).run(TWO_PROMPTS), connect(&sshd).run(TWO_PROMPTS).pty()] {
        assert_eq!(command.watch(yes()).await?.tail(1)?, "y-y");
    }
    let two = connect(&sshd).run("printf 'out? '; read a; printf 'err? ' >&2; read b; echo $a-$b");
    let two = two.watch(Responder::new("out? ", "1\n")).watch(Responder::new("err? ", "2\n"));
    assert_eq!(two.await?.tail(1)?, "out? 1-2", "each responder answers its prompt");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_answer_is_an_error() -> Result {
    let sshd = Sshd::start();
    let line = "while printf 'Password: '; read p; do echo Sorry; done; exit 3";
    let wrong = Responder::new("Password: ", "wrong-one\n").refused_by("Sorry");
    let error = expect_error(connect(&sshd).run(line).watch(wrong).warn().await, ErrorKind::Prompt);
    assert!(error_text(&error).contains("the answer to `Password:` was not accepted"), "{error:?}");
    assert!(!format!("{error:?}").contains("wrong-one"));
    Ok(())
}

/// A prompter without an answer.
#[derive(Debug)]
struct SilentPrompter;

impl fabrs::transport::Prompter for SilentPrompter {
    fn line<'a>(&'a self, _: &'a str) -> futures::future::BoxFuture<'a, fabrs::Result<String>> {
        Box::pin(std::future::pending())
    }

    fn secret<'a>(&'a self, _: &'a str) -> futures::future::BoxFuture<'a, fabrs::Result<Secret>> {
        Box::pin(std::future::pending())
    }

    fn is_available(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_stopped_run_ends_its_prompts() -> Result {
    let client = Client::builder().prompter(SilentPrompter).build();
    let here = client.local()?;
    let (answer, ()) = tokio::join!(within_limit(here.enter(async { confirm("Drop it?").await })), async {
        tokio::task::yield_now().await;
        client.stop().raise(fabrs::transport::StopLevel::Stop);
    });
    let error = expect_error(answer, ErrorKind::Cancelled);
    assert!(error.to_string().contains("the run was stopped before the prompt was answered: Drop it?"), "{error}");
    expect_error(here.enter(async { prompt("Tag?").secret().await }).await.map(drop), ErrorKind::Cancelled);
    Ok(())
}

#[tokio::test]
async fn a_secret_prompt_in_once_appears_once_for_all_hosts() -> Result {
    let (script, (events, sink)) = (ScriptedPrompter::new(["hunter2-and-more"]), capture());
    let client = Client::builder().prompter(script.clone()).sink(sink).build();
    for host in ["web1", "web2"] {
        let host = client.connect(host)?;
        let token = host.enter(Box::pin(async { once("token", prompt("Token?").secret()).await })).await?;
        assert_eq!(token.expose(), "hunter2-and-more");
    }
    assert_eq!(script.prompts(), ["Token? "]);
    assert_eq!(events.of_kind("once")[0]["value"], "[redacted]");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_answers_are_an_error_and_never_dropped() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    let answer = || Responder::new("more?", format!("{}\n", "x".repeat(4095)));
    // The command reads all 3,000 answers, 12 MiB in total, after the last prompt.
    let line = "i=0; while [ $i -lt 3000 ]; do echo 'more?'; i=$((i+1)); done; head -n 3000 | wc -c";
    assert_eq!(
        within_limit(host.run(line).hide(Hide::Both).watch(answer())).await?.stdout()?.lines().last(),
        Some("12288000")
    );
    let unread = "i=0; while [ $i -lt 6000 ]; do echo 'more?'; i=$((i+1)); done; exec sleep 600";
    let error = expect_error(within_limit(host.run(unread).hide(Hide::Both).watch(answer())).await, ErrorKind::Channel);
    assert!(error_text(&error).contains("16 MiB of answers are unread"), "{}", error_text(&error));
    Ok(())
}
