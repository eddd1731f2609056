//! Prompts of tasks, and responders for the prompts of commands.

use fabrs::Client;
use fabrs::config::{Confirmation, Mode, PromptPolicy, Settings};
use fabrs::prelude::*;
use fabrs_testing::Sshd;

use crate::answers::Answers;
use crate::support::{block, capture, connect, refused, soon, told};

/// Runs `ask` with scripted answers. Returns the answer and the prompts.
async fn asked<T>(answers: &[&str], ask: impl AsyncFnOnce() -> fabrs::Result<T>) -> (fabrs::Result<T>, Vec<String>) {
    let script = Answers::new(answers.iter().copied());
    let client = Client::builder().prompter(script.clone()).build();
    let here = client.local().expect("this machine is always there");
    (here.enter(ask()).await, script.asked())
}

#[tokio::test]
async fn a_yes_or_no_is_asked_for_until_it_is_one_and_an_empty_answer_is_the_default() -> Result {
    let (answer, questions) = asked(&["x", "Y"], async || confirm("Go?").default(false).await).await;
    assert!(answer?);
    assert_eq!(questions, ["Go? [y/N] ", "please answer yes or no. Go? [y/N] "]);
    let (answer, questions) = asked(&[""], async || confirm("Go?").default(true).await).await;
    assert!(answer? && questions == ["Go? [Y/n] "]);
    let (answer, questions) = asked(&["", "no"], async || confirm("Go?").await).await;
    assert!(!answer? && questions.len() == 2, "without a default it has to be said");
    Ok(())
}

#[tokio::test]
async fn a_text_is_asked_for_until_all_of_it_fits() -> Result {
    let (answer, questions) = asked(&["ab", "12x", "12"], async || prompt("Workers?").parse::<u8>().await).await;
    assert_eq!((answer?, questions.len()), (12, 3));
    assert!(questions[1].starts_with("`ab` is not valid: ") && questions[1].ends_with("Workers? "), "{questions:?}");
    let (answer, questions) = asked(&[""], async || prompt("Tag?").default("build-1").await).await;
    assert_eq!((answer?.as_str(), questions[0].as_str()), ("build-1", "Tag? [build-1] "));
    Ok(())
}

#[tokio::test]
async fn a_secret_answer_is_asked_for_unseen_and_shown_by_nobody_afterwards() -> Result {
    let (script, (told, sink)) = (Answers::new(["", "hunter2-and-more"]), capture());
    let here = Client::builder().prompter(script.clone()).sink(sink).build().local()?;
    let token = here.enter(async { prompt("Token?").secret().await }).await?;
    assert_eq!((token.expose(), script.asked().len()), ("hunter2-and-more", 2), "an empty one is none");
    here.run("echo it is hunter2-and-more").await?;
    let events = told.events().iter().map(ToString::to_string).collect::<String>();
    assert!(events.contains("it is [redacted]") && !events.contains("hunter2"), "{events}");
    Ok(())
}

#[tokio::test]
async fn who_said_yes_to_everything_is_not_asked_and_nobody_is_asked_without_input() -> Result {
    let yes = Settings::default().confirmation(Confirmation::AssumeYes).prompts(PromptPolicy::Refuse);
    let client = Client::builder().settings(yes).build();
    assert!(client.local()?.enter(async { confirm("Go?").await }).await?);

    let client = Client::builder().settings(Settings::default().prompts(PromptPolicy::Refuse)).build();
    let error = refused(client.local()?.enter(async { confirm("Go?").await }).await, ErrorKind::Prompt);
    assert!(block(&error).contains("Go?") && block(&error).contains("hint: `-y`"), "{error:?}");
    let error = refused(client.local()?.enter(async { prompt("Tag?").await }).await, ErrorKind::Prompt);
    assert!(block(&error).contains("Tag?") && block(&error).contains("prompts.rs"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_question_names_the_host_that_it_is_asked_for_and_none_where_it_is_for_all() -> Result {
    let script = Answers::new(["y", "1", "secret", "y"]);
    let client = Client::builder().prompter(script.clone()).build();
    let host = client.connect("deploy@web1")?;
    host.enter(async {
        confirm("Go?").await?;
        prompt("Workers?").await?;
        prompt("Token?").secret().await?;
        once("go", confirm("All?")).await
    })
    .await?;
    assert_eq!(script.asked(), ["web1: Go? [y/n] ", "web1: Workers? ", "web1: Token? ", "All? [y/n] "]);

    let client = Client::builder().settings(Settings::default().prompts(PromptPolicy::Refuse)).build();
    let host = client.connect("deploy@web1")?;
    for error in [
        refused(host.enter(async { confirm("Go?").await }).await.map(drop), ErrorKind::Prompt),
        refused(host.enter(async { prompt("Tag?").await }).await.map(drop), ErrorKind::Prompt),
        refused(host.enter(async { prompt("Token?").secret().await }).await.map(drop), ErrorKind::Prompt),
    ] {
        assert!(block(&error).starts_with("error: web1: an answer was needed"), "{error:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shows_the_question_and_goes_on() -> Result {
    let (seen, sink) = capture();
    let dry = Settings::default().mode(Mode::DryRun).prompts(PromptPolicy::Refuse);
    let client = Client::builder().settings(dry).sink(sink).build();
    assert!(client.local()?.enter(async { confirm("Go?").await }).await?);
    assert_eq!(told(&seen, "planned", "operation"), ["ask Go?"]);
    Ok(())
}

#[tokio::test]
async fn an_invalid_default_is_a_usage_error_and_not_asked_again() -> Result {
    let client = Client::builder().settings(Settings::default().prompts(PromptPolicy::Refuse)).build();
    let asked = client.local()?.enter(async { prompt("Workers?").default("many").parse::<u8>().await }).await;
    let error = refused(asked.map(drop), ErrorKind::Usage);
    assert!(error.to_string().contains("invalid default of the prompt \"Workers?\": `many`: "), "{error:?}");
    Ok(())
}

/// A shell script with two prompts, for a pipe and a pty, on this machine and on a server.
const ASKS: &str = "printf 'are you su'; printf 're? '; read a; printf 'really sure? '; read b; echo; echo $a-$b";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_asks_is_answered_here_and_on_a_server_with_and_without_a_pty() -> Result {
    let sshd = Sshd::start();
    let yes = || Responder::new("sure? ", "y\n");
    let here = Client::builder().build().local()?;
    for command in [here.run(ASKS), connect(&sshd).run(ASKS), connect(&sshd).run(ASKS).pty()] {
        assert_eq!(command.watch(yes()).await?.tail(1)?, "y-y");
    }
    let two = connect(&sshd).run("printf 'out? '; read a; printf 'err? ' >&2; read b; echo $a-$b");
    let two = two.watch(Responder::new("out? ", "1\n")).watch(Responder::new("err? ", "2\n"));
    assert_eq!(two.await?.tail(1)?, "out? 1-2", "each answers its own");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_refused_is_an_error_and_not_given_for_ever() -> Result {
    let sshd = Sshd::start();
    let line = "while printf 'Password: '; read p; do echo Sorry; done; exit 3";
    let wrong = Responder::new("Password: ", "wrong-one\n").refused_by("Sorry");
    let error = refused(connect(&sshd).run(line).watch(wrong).warn().await, ErrorKind::Prompt);
    assert!(block(&error).contains("the answer to `Password:` was not accepted"), "{error:?}");
    assert!(!format!("{error:?}").contains("wrong-one"));
    Ok(())
}

/// A prompter that never answers.
#[derive(Debug)]
struct Thinks;

impl fabrs::transport::Prompter for Thinks {
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
async fn a_question_ends_with_the_run_and_an_answer_that_comes_later_is_none() -> Result {
    let client = Client::builder().prompter(Thinks).build();
    let here = client.local()?;
    let (answer, ()) = tokio::join!(soon(here.enter(async { confirm("Drop it?").await })), async {
        tokio::task::yield_now().await;
        client.stop().raise(fabrs::transport::StopLevel::Stop);
    });
    let error = refused(answer, ErrorKind::Cancelled);
    assert!(error.to_string().contains("not answered: Drop it?"), "{error}");
    refused(here.enter(async { prompt("Tag?").secret().await }).await.map(drop), ErrorKind::Cancelled);
    Ok(())
}

#[tokio::test]
async fn a_secret_may_be_asked_for_once_for_all_hosts() -> Result {
    let (script, (told, sink)) = (Answers::new(["hunter2-and-more"]), capture());
    let client = Client::builder().prompter(script.clone()).sink(sink).build();
    for host in ["web1", "web2"] {
        let host = client.connect(host)?;
        let token = host.enter(Box::pin(async { once("token", prompt("Token?").secret()).await })).await?;
        assert_eq!(token.expose(), "hunter2-and-more");
    }
    assert_eq!(script.asked(), ["Token? "]);
    assert_eq!(told.of_kind("once")[0]["value"], "[redacted]");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_a_command_does_not_read_are_an_error_and_never_dropped() -> Result {
    let sshd = Sshd::start();
    let host = connect(&sshd);
    let answer = || Responder::new("more?", format!("{}\n", "x".repeat(4095)));
    // The command reads all 3,000 answers, 12 MiB in total, after the last prompt.
    let line = "i=0; while [ $i -lt 3000 ]; do echo 'more?'; i=$((i+1)); done; head -n 3000 | wc -c";
    assert_eq!(soon(host.run(line).hide(Hide::Both).watch(answer())).await?.stdout()?.lines().last(), Some("12288000"));
    let unread = "i=0; while [ $i -lt 6000 ]; do echo 'more?'; i=$((i+1)); done; exec sleep 600";
    let error = refused(soon(host.run(unread).hide(Hide::Both).watch(answer())).await, ErrorKind::Channel);
    assert!(block(&error).contains("16 MiB of answers are unread"), "{}", block(&error));
    Ok(())
}
