//! Tasks for groups of hosts.

use std::sync::atomic::{AtomicUsize, Ordering};

use fabrs::prelude::*;

/// Runs a command on each host, and prints the maximum number of hosts at once.
async fn print_overlap(hosts: Group) -> Result {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ran = hosts.each(|_| {
        let (now, most) = (&now, &most);
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            run("true").await?;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<(), TaskError>(())
        }
    });
    ran.await.all_ok()?;
    let most = most.into_inner();
    local(cmd!("echo at most {most}")).await?;
    Ok(())
}

/// Prints the overlap on the hosts of a role.
#[task(local)]
async fn overlap_of_role(limit: Option<usize>) -> Result {
    let web = on(role("web"))?;
    print_overlap(match limit {
        Some(limit) => web.limit(limit),
        None => web,
    })
    .await
}

/// Prints the overlap on a list of hosts.
#[task(local)]
async fn overlap_of_list() -> Result {
    print_overlap(on(["web1", "web2", "web3", "db1"])?).await
}

/// Prints the reachable hosts of roles.
#[task(local)]
async fn members(
    /// The roles.
    role: Vec<String>,
) -> Result {
    for name in role {
        let answers = on(fabrs::prelude::role(name.as_str()))?.run("true").await.all_ok()?;
        let hosts: Vec<String> = answers.into_iter().map(|(host, _)| host.to_string()).collect();
        local(cmd!("echo {name}: {hosts...}")).await?;
    }
    Ok(())
}

/// Prints the reachable hosts of a list.
#[task(local)]
async fn listed(
    /// The hosts.
    host: Vec<String>,
) -> Result {
    let answers = on(host)?.run("true").await.all_ok()?;
    let hosts: Vec<String> = answers.into_iter().map(|(host, _)| host.to_string()).collect();
    local(cmd!("echo listed: {hosts...}")).await?;
    Ok(())
}

/// Returns the host of a database.
#[task(role = "db")]
async fn back_up(c: Connection) -> Result<String> {
    run("true").await?;
    Ok(c.host().map(ToString::to_string).unwrap_or_default())
}

/// Calls a task of another role.
#[task(role = "web")]
async fn backs_up() -> Result {
    back_up::call().await?;
    Ok(())
}

/// Calls a task on all hosts of the called task.
#[task(local)]
async fn backs_up_all() -> Result {
    let names = back_up::call().all().await?.all_ok()?.into_iter().map(|(_, name)| name);
    let names: Vec<String> = names.collect();
    local(cmd!("echo backed up: {names...}")).await?;
    Ok(())
}

/// Runs a local command on a connection with a directory.
#[task]
async fn local_in_a_directory() -> Result {
    cd("src").local("pwd").await?;
    Ok(())
}
