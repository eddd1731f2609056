//! Deploys a small web site in releases: upload, atomic switch, health check over HTTP, rollback.
//!
//! ```cargo
//! [dependencies]
//! serde = { version = "1", features = ["derive"] }
//! ```

use fabrs::prelude::*;

/// The variables in `[vars]` of fabrs.toml.
#[derive(serde::Deserialize)]
struct Site {
    root: String,
    keep: usize,
}

/// Deploys the site. If the site is up to date, nothing changes.
#[task(default, sudo)]
async fn deploy() -> Result {
    let Site { root, keep } = current().vars()?;
    let summed = local("find site -type f -exec sha256sum {} + | sort | sha256sum | cut -c1-12").probe();
    let release = once("release", summed.line()).await?;
    let site = cd(&root);

    sudo(cmd!("mkdir -p {root}/releases && chown $SUDO_UID {root} {root}/releases")).await?;
    put("site", format!("{root}/releases/{release}")).await?;
    put(format!("{release}\n").into_bytes(), format!("{root}/releases/{release}/release.txt")).await?;
    put("serve", format!("{root}/serve")).mode(0o755).await?;

    let before = live(&site).await?;
    if before.as_deref() != Some(release.as_str()) {
        switch(&site, &release).await?;
    }
    if let Err(error) = check(&site, &release).await {
        let Some(before) = before else { return Err(error.context("the new release failed its health check")) };
        switch(&site, &before).await?;
        return Err(error.context("the new release failed its health check; the previous release is active again"));
    }
    let first = keep + 1;
    site.cd("releases").run(cmd!("ls -t | tail -n +{first} | xargs -r rm -rf")).await?;
    Ok(())
}

/// Rolls back to the previous release.
#[task]
async fn rollback() -> Result {
    let Site { root, .. } = current().vars()?;
    let site = cd(&root);
    let now = live(&site).await?.context("no release is active yet")?;
    let all = site.probe("ls -t releases").lines().await?;
    let before = all.iter().skip_while(|release| **release != now).nth(1).context("there is no previous release")?;
    switch(&site, before).await?;
    check(&site, before).await
}

/// Prints the active release of each host.
#[task]
async fn status() -> Result {
    let Site { root, .. } = current().vars()?;
    cd(&root).run("curl -fsS $(cat url)/release.txt").await?;
    Ok(())
}

/// Returns the active release, or `None` before the first deploy.
async fn live(site: &Connection) -> Result<Option<String>> {
    let link = site.probe("readlink current").hide(Hide::Both).warn().await?;
    Ok(link.line().ok().map(|link| link.replace("releases/", "")))
}

/// Switches `current` to a release atomically, and starts the server unless it runs.
async fn switch(site: &Connection, release: &str) -> Result {
    site.run(cmd!("touch releases/{release} && ln -sfn releases/{release} next && mv -T next current")).await?;
    site.run("./serve").await?;
    Ok(())
}

/// Checks on the host that the server serves a release.
async fn check(site: &Connection, release: &str) -> Result {
    site.run(cmd!("curl -fsS --retry 5 --retry-connrefused $(cat url)/release.txt | grep -qx {release}")).await?;
    Ok(())
}
