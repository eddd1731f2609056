//! Every kind of transfer and edit.

use fabrs::prelude::*;

/// Transfers and edits files in every way, as the login user and as root.
#[task(role = "web", sudo)]
async fn files(dir: String, to: String) -> Result {
    let c = current();
    let place = format!("{dir}/{}", c.host().map(|host| host.name()).unwrap_or_default());
    let below = |name: &str| format!("{place}/{name}");
    c.ensure_dir(below("put")).await?;
    put("conf/app.conf", below("put/app.conf")).mode(0o640).await?;
    put("conf/app.conf", below("put-sudo.conf")).sudo().owner("root").backup(".bak").validate("test -s %s").await?;
    put("site", below("put-site")).await?;
    put("site", below("put-site-sudo")).sudo().await?;
    put(["conf", "site"], below("put-both")).await?;
    put(b"PORT=80\n", below("bytes")).await?;
    put(&Secret::new("hush-hush"), below("secret")).await?;
    put(Template::text("{{ host }}").set("x", 1), below("template")).await?;
    c.write(below("written"), "text\n").await?;
    sync("site", below("synced")).delete().protect("uploads").await?;
    sync("site", below("synced-sudo")).sudo().delete().await?;
    c.rsync("site/", below("rsynced")).await?;
    c.rsync("site/", below("rsynced-sudo")).sudo().await?;
    c.append(below("there"), "appended").await?;
    c.append(below("put/appended"), "appended").sudo().await?;
    c.replace(below("there"), "old", "new").await?;
    c.comment(below("there"), "^one").await?;
    c.uncomment(below("there"), "two").sudo().await?;
    let changed = c.ensure_line(below("there"), "three = 3").matching("^three").await?;
    c.ensure_dir(below("made/folder")).mode(0o700).await?;
    c.ensure_dir(below("made-sudo")).sudo().owner("root").await?;
    c.symlink(below("there"), below("link")).await?;
    c.remove(below("unwanted")).await?;
    c.remove(below("unwanted-folder")).recursive().sudo().await?;
    ensure!(changed.any()?, "a line differs");
    sudo(cmd!("touch {place}/command-reload")).await?;
    get(below("there"), format!("{to}/{{host}}/")).await?;
    get(below("secret-*"), format!("{to}/{{host}}/")).sudo().await?;
    get(below("logs"), format!("{to}/{{host}}/")).await?;
    c.rsync(format!("{to}/rsynced-{}", c.host().map(|host| host.name()).unwrap_or_default()), below("logs/")).download().await?;
    Ok(())
}

/// Adds a line on the host, and reloads the service after a change.
#[task(hosts("web1", "web2"), rolling = 1)]
async fn reload(dir: String) -> Result {
    put("conf/app.conf", format!("{dir}/app.conf")).await?;
    let changed = current().ensure_line(format!("{dir}/env"), "WORKERS=4").matching("^WORKERS=").await?;
    if changed.any()? {
        sudo("systemctl reload app").await?;
    }
    run("echo the end").await?;
    Ok(())
}

/// Downloads a dump.
#[task(role = "web")]
async fn dump(
    /// The directory of the dump on the host.
    dir: String,
    /// Create the dump first.
    make: bool,
) -> Result {
    if make {
        run(cmd!("echo dump > {dir}/dump")).await?;
    }
    get(format!("{dir}/dump"), format!("{dir}/got/{{host}}/")).await?;
    run("echo the end").await?;
    Ok(())
}

/// Downloads a missing file.
#[task(role = "web", sudo)]
async fn fetch(dir: String) -> Result {
    get(format!("{dir}/none"), format!("{dir}/got/{{host}}/")).sudo().await?;
    Ok(())
}
