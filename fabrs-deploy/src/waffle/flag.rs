//! [`WaffleFlag`]: a flag with a desired audience.

use fabrs::{Connection, Error, ErrorKind, ShellLine, cmd};
use futures::future::{BoxFuture, FutureExt};

use crate::provision::{EnsureRequest, ResourceChanges, SealedResource};
use crate::waffle::audience::{FlagAudience, FlagRules};
use crate::waffle::change::{Comparison, MissingName, WaffleResource, ensure};
use crate::waffle::list::{WaffleList, single_line};

/// A flag with a desired audience: see [`HostWaffle::flag`](crate::HostWaffle::flag).
#[derive(Debug, Clone)]
pub struct WaffleFlag {
    name: String,
    desired: FlagSetting,
    missing: MissingName,
}

/// The desired audience.
#[derive(Debug, Clone)]
enum FlagSetting {
    /// No method of the request has set an audience.
    Undecided,
    Everyone,
    Nobody,
    Rules(FlagRules),
}

impl From<FlagAudience> for FlagSetting {
    fn from(audience: FlagAudience) -> Self {
        match audience {
            FlagAudience::Everyone => Self::Everyone,
            FlagAudience::Nobody => Self::Nobody,
            FlagAudience::Some(rules) => {
                let settable = FlagRules { user_count: 0, languages: Vec::new(), testing: false, ..rules };
                match FlagAudience::from(settable) {
                    FlagAudience::Some(settable) => Self::Rules(settable),
                    FlagAudience::Everyone | FlagAudience::Nobody => Self::Nobody,
                }
            }
        }
    }
}

impl WaffleFlag {
    pub(super) fn new(name: String) -> Self {
        Self { name, desired: FlagSetting::Undecided, missing: MissingName::Reject }
    }

    /// Adds a rule to the other rules of the request. Rules replace `everyone` and `off`.
    fn set_rule(&mut self, set: impl FnOnce(&mut FlagRules)) {
        if let FlagSetting::Rules(rules) = &mut self.desired {
            set(rules);
        } else {
            let mut rules = FlagRules::default();
            set(&mut rules);
            self.desired = FlagSetting::Rules(rules);
        }
    }

    /// Returns the desired audience. The management command keeps users and languages, and also
    /// groups unless the request names groups.
    fn audience(&self, present: &FlagRules) -> FlagAudience {
        match &self.desired {
            FlagSetting::Everyone => FlagAudience::Everyone,
            FlagSetting::Undecided | FlagSetting::Nobody => FlagAudience::Nobody,
            FlagSetting::Rules(rules) => {
                let groups = if rules.groups.is_empty() { &present.groups } else { &rules.groups };
                let (groups, languages) = (groups.clone(), present.languages.clone());
                FlagRules { groups, user_count: present.user_count, languages, ..rules.clone() }.into()
            }
        }
    }
}

/// # Feature flags
///
/// Methods of [`HostWaffle::flag`](crate::HostWaffle::flag). Rules are combined:
/// `.staff().percent(20)` is on for staff and for 20 % of the other users. A request replaces the
/// earlier rules of the flag. The flag keeps its listed users, its languages and, without
/// [`group`](Self::group), its groups. A flag with users or groups needs django-waffle 5, since
/// earlier versions would remove them.
impl EnsureRequest<WaffleFlag> {
    /// Turns the flag on for all users (`waffle_flag --everyone`).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").everyone();
    /// assert!(format!("{request:?}").contains("Everyone"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn everyone(self) -> Self {
        self.map(|flag| flag.desired = FlagSetting::Everyone)
    }

    /// Sets the audience, for example from the argument of a task. An audience replaces all earlier
    /// rules of the request.
    ///
    /// The users, the languages and the testing mode of [`FlagRules`] are ignored, since the
    /// management command cannot set them.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::{FlagAudience, Waffle};
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let audience: FlagAudience = "20%".parse()?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").audience(audience);
    /// assert!(format!("{request:?}").contains("20.0"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn audience(self, audience: FlagAudience) -> Self {
        self.map(|flag| flag.desired = audience.into())
    }

    /// Turns the flag off for all users (`waffle_flag --deactivate`).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").off();
    /// assert!(format!("{request:?}").contains("Nobody"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    #[doc(alias = "deactivate")]
    pub fn off(self) -> Self {
        self.map(|flag| flag.desired = FlagSetting::Nobody)
    }

    /// Turns the flag on for a percentage of the users, from 1 to 99 (`waffle_flag --percent`).
    ///
    /// django-waffle selects users at random, and stores the result in a cookie for a month. A
    /// higher percentage later reaches only users without this cookie. With
    /// [`rollout`](Self::rollout), it also reaches users outside the earlier percentage, in their
    /// next browser session.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").percent(20).rollout();
    /// assert!(format!("{request:?}").contains("20.0"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn percent(self, percent: u8) -> Self {
        self.map(|flag| flag.set_rule(|rules| rules.percent = Some(percent.into())))
    }

    /// Turns the flag on for staff (`waffle_flag --staff`).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").staff();
    /// assert!(format!("{request:?}").contains("staff: true"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn staff(self) -> Self {
        self.map(|flag| flag.set_rule(|rules| rules.staff = true))
    }

    /// Turns the flag on for superusers (`waffle_flag --superusers`).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").superusers();
    /// assert!(format!("{request:?}").contains("superusers: true"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn superusers(self) -> Self {
        self.map(|flag| flag.set_rule(|rules| rules.superusers = true))
    }

    /// Turns the flag on for logged-in users (`waffle_flag --authenticated`).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").authenticated();
    /// assert!(format!("{request:?}").contains("authenticated: true"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn authenticated(self) -> Self {
        self.map(|flag| flag.set_rule(|rules| rules.authenticated = true))
    }

    /// Turns the flag on for the members of a group (`waffle_flag --group`). Call again for more
    /// groups. These groups replace the groups of the flag.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").group("beta");
    /// assert!(format!("{request:?}").contains("beta"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn group(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.map(|flag| {
            flag.set_rule(|rules| {
                rules.groups.push(name);
                rules.groups.sort();
                rules.groups.dedup();
            });
        })
    }

    /// Sets rollout mode (`waffle_flag --rollout`): in each browser session, django-waffle draws
    /// again for users outside the percentage.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").percent(50).rollout();
    /// assert!(format!("{request:?}").contains("rollout: true"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn rollout(self) -> Self {
        self.map(|flag| flag.set_rule(|rules| rules.rollout = true))
    }

    /// Creates a missing flag (`waffle_flag --create`). By default, a missing flag is an error,
    /// since its name may be misspelled.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).flag("one_page_checkout").off().create();
    /// assert!(format!("{request:?}").contains("Create"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn create(self) -> Self {
        self.map(|flag| flag.missing = MissingName::Create)
    }
}

impl WaffleResource for WaffleFlag {
    const KIND: &'static str = "flag";

    fn name(&self) -> &str {
        &self.name
    }

    fn missing(&self) -> MissingName {
        self.missing
    }

    fn check(&self) -> Result<(), Error> {
        match &self.desired {
            FlagSetting::Undecided => {
                let error = Error::new(ErrorKind::Usage, format!("flag {} has no audience", self.name));
                Err(error.hint("add `.everyone()`, `.off()`, `.staff()` or `.percent(20)` to the request"))
            }
            FlagSetting::Rules(FlagRules { percent: Some(percent), .. }) if !(1.0..=99.0).contains(percent) => {
                let text = format!("invalid percentage {percent} for flag {}: not between 1 and 99", self.name);
                Err(Error::new(ErrorKind::Usage, text).hint("use `.off()` for 0 %, and `.everyone()` for 100 %"))
            }
            FlagSetting::Everyone | FlagSetting::Nobody | FlagSetting::Rules(_) => Ok(()),
        }
    }

    fn compare(&self, list: &WaffleList) -> Comparison {
        let present = list.flags.iter().find(|flag| flag.name == self.name);
        let rules = present.map(|flag| flag.rules.clone()).unwrap_or_default();
        Comparison {
            present: present.map(|flag| flag.audience.to_string()),
            desired: self.audience(&rules).to_string(),
        }
    }

    /// Before version 5, each change without `--append` removes the users and groups of the flag.
    fn refusal(&self, list: &WaffleList) -> Option<String> {
        let rules = &list.flags.iter().find(|flag| flag.name == self.name)?.rules;
        let major = list.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let is_loss = major.is_none_or(|major| major < 5) && (rules.user_count > 0 || !rules.groups.is_empty());
        is_loss.then(|| format!("django-waffle {} would remove its users and groups", single_line(&list.version)))
    }

    fn line(&self) -> ShellLine {
        let (name, create) = (&self.name, self.missing.option());
        let mut options = Vec::new();
        match &self.desired {
            FlagSetting::Undecided => {}
            FlagSetting::Everyone => options.push("--everyone".to_owned()),
            FlagSetting::Nobody => options.push("--deactivate".to_owned()),
            FlagSetting::Rules(rules) => {
                let marks = [
                    (rules.superusers, "--superusers"),
                    (rules.staff, "--staff"),
                    (rules.authenticated, "--authenticated"),
                    (rules.rollout, "--rollout"),
                ];
                options.extend(rules.percent.iter().map(|percent| format!("--percent={percent}")));
                options.extend(marks.into_iter().filter(|(is_set, _)| *is_set).map(|(_, option)| option.to_owned()));
                options.extend(rules.groups.iter().map(|group| format!("--group={group}")));
            }
        }
        // A name may begin with a dash.
        cmd!("waffle_flag {create...} {options...} -- {name}")
    }
}

impl SealedResource for WaffleFlag {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        ensure(connection, self).boxed()
    }
}
