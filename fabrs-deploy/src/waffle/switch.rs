//! [`WaffleSwitch`]: a switch with a desired state.

use fabrs::{Connection, Error, ErrorKind, ShellLine, cmd};
use futures::future::{BoxFuture, FutureExt};

use crate::provision::{EnsureRequest, ResourceChanges, SealedResource};
use crate::waffle::change::{Comparison, MissingName, WaffleResource, ensure};
use crate::waffle::list::{SwitchState, WaffleList};

/// A switch with a desired state: see [`HostWaffle::switch`](crate::HostWaffle::switch).
#[derive(Debug, Clone)]
pub struct WaffleSwitch {
    name: String,
    /// `None` if no method of the request has set a state.
    is_on: Option<bool>,
    missing: MissingName,
}

impl WaffleSwitch {
    pub(super) fn new(name: String) -> Self {
        Self { name, is_on: None, missing: MissingName::Reject }
    }

    fn label(&self) -> &'static str {
        SwitchState::label(self.is_on.unwrap_or_default())
    }
}

/// # Switches
///
/// Methods of [`HostWaffle::switch`](crate::HostWaffle::switch).
impl EnsureRequest<WaffleSwitch> {
    /// Turns the switch on (`waffle_switch NAME on`).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).switch("mail").on();
    /// assert!(format!("{request:?}").contains("Some(true)"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn on(self) -> Self {
        self.map(|switch| switch.is_on = Some(true))
    }

    /// Turns the switch off (`waffle_switch NAME off`).
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).switch("mail").off();
    /// assert!(format!("{request:?}").contains("Some(false)"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn off(self) -> Self {
        self.map(|switch| switch.is_on = Some(false))
    }

    /// Creates a missing switch (`waffle_switch --create`). By default, a missing switch is an
    /// error, since its name may be misspelled.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).switch("mail").off().create();
    /// assert!(format!("{request:?}").contains("Create"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn create(self) -> Self {
        self.map(|switch| switch.missing = MissingName::Create)
    }
}

impl WaffleResource for WaffleSwitch {
    const KIND: &'static str = "switch";

    fn name(&self) -> &str {
        &self.name
    }

    fn missing(&self) -> MissingName {
        self.missing
    }

    fn check(&self) -> Result<(), Error> {
        if self.is_on.is_some() {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Usage, format!("switch {} has no state", self.name));
        Err(error.hint("add `.on()` or `.off()` to the request"))
    }

    fn compare(&self, list: &WaffleList) -> Comparison {
        let present = list.switches.iter().find(|switch| switch.name == self.name);
        Comparison {
            present: present.map(|switch| SwitchState::label(switch.is_on).to_owned()),
            desired: self.label().to_owned(),
        }
    }

    fn line(&self) -> ShellLine {
        let (name, create, state) = (&self.name, self.missing.option(), self.label());
        // A name may begin with a dash.
        cmd!("waffle_switch {create...} -- {name} {state}")
    }
}

impl SealedResource for WaffleSwitch {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        ensure(connection, self).boxed()
    }
}
