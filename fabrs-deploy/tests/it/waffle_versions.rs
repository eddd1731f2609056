//! Versions of django-waffle: the users and groups of a flag stay in each version.

use fabrs::ErrorKind;
use fabrs::prelude::*;
use fabrs_deploy::Waffle;

use crate::fixture::Fixture;
use crate::waffle::project_with;

/// Adds a user and a group to the flag `checkout`.
const ADD_MEMBERS: &str = "from django.contrib.auth.models import Group, User\nfrom waffle.models import Flag\n\
    flag = Flag.objects.get(name='checkout')\nflag.users.add(User.objects.create_user('ann'))\n\
    flag.groups.add(Group.objects.create(name='testers'))\n";

/// Prints the users and groups of the flag `checkout`.
const MEMBERS: &str = "from waffle.models import Flag\nflag = Flag.objects.get(name='checkout')\n\
    print('members', flag.users.count(), flag.groups.count())\n";

async fn members(live: &Connection) -> Result<String> {
    let lines = live.v_run("python manage.py shell --verbosity 0").stdin(MEMBERS).lines().await?;
    Ok(lines.into_iter().find(|line| line.starts_with("members ")).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_keeps_the_users_and_groups_of_a_flag_or_is_refused() -> Result {
    for (version, is_refused) in [("4.2.0", true), ("5.0.0", false)] {
        let Some(fixture) = Fixture::start() else { return Ok(()) };
        let (client, _) = fixture.client();
        let live = project_with(&fixture, &client, version).await?;
        let flags = Waffle::new().on(&live);
        flags.flag("checkout").off().create().await?;
        flags.flag("checkout").superusers().await?;
        live.v_run("python manage.py shell --verbosity 0").stdin(ADD_MEMBERS).await?;
        let changed = flags.flag("checkout").staff().await;
        assert_eq!(changed.is_err(), is_refused, "django-waffle {version}");
        if let Err(error) = changed {
            assert_eq!(error.kind(), ErrorKind::Task);
            let block = error.block().to_string();
            let text = "flag checkout is unchanged: django-waffle 4.2.0 would remove its users and groups";
            assert!(block.contains(text) && block.contains("upgrade django-waffle"), "{block}");
        }
        assert_eq!(members(&live).await?, "members 1 1", "django-waffle {version}");
        client.close().await;
    }
    Ok(())
}
