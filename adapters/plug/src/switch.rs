use std::time::Duration;

use async_trait::async_trait;
use ddns_core::config::Endpoint;
use ddns_core::ports::{PlugError, PlugOrder, PlugReport, PowerSwitch};
use ddns_core::registry::PlugTransports;

use crate::session::{Failure, Login, Scheme, Session};

/// What a device may round up.
const ROUNDING: f64 = 1.0;

/// How one kind of device is spoken to. Each function is one step of an order.
#[async_trait]
pub(crate) trait Device: Send + Sync {
    fn scheme(&self) -> Scheme;
    /// That it is of this kind, and its MAC address if it tells that.
    async fn identify(&self, session: &mut Session) -> Result<Option<String>, Failure>;
    /// What has to be in place before the power goes off; the time for which it then goes off.
    async fn prepare(&self, _session: &mut Session, seconds: u16) -> Result<u16, Failure> {
        Ok(seconds)
    }
    async fn off(&self, session: &mut Session, seconds: u16) -> Result<(), Failure>;
    async fn on(&self, session: &mut Session) -> Result<(), Failure>;
    async fn look(&self, session: &mut Session) -> Result<State, Failure>;
}

/// What a device says of its switch.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct State {
    pub(crate) on: bool,
    pub(crate) timer: Timer,
}

/// Whether the device will change its state by itself.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Timer {
    /// It doesn't say.
    Untold,
    /// It won't.
    Stopped,
    /// It will, in about so many seconds.
    Runs(f64),
}

/// A plug of any kind.
pub(crate) struct Switch {
    pub(crate) at: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) device: Box<dyn Device>,
    /// The only device that may be switched off.
    pub(crate) wanted: Option<String>,
    pub(crate) login: Option<Login>,
    pub(crate) transports: PlugTransports,
}

#[async_trait]
impl PowerSwitch for Switch {
    async fn carry_out(&self, order: PlugOrder) -> Result<PlugReport, PlugError> {
        let mut session = self.session();
        match order {
            PlugOrder::Look => self.look(&mut session).await,
            PlugOrder::Off { back_on } => self.off(&mut session, back_on).await,
            PlugOrder::On => self.on(&mut session).await,
        }
    }
}

impl Switch {
    fn session(&self) -> Session {
        Session::new((self.transports)(&self.endpoint), self.login.clone(), self.device.scheme())
    }

    async fn look(&self, session: &mut Session) -> Result<PlugReport, PlugError> {
        let device = self.known(session).await?;
        let state = self.device.look(session).await.map_err(|failure| self.before(failure))?;
        Ok(PlugReport { on: state.on, device })
    }

    async fn off(&self, session: &mut Session, back_on: Duration) -> Result<PlugReport, PlugError> {
        let seconds = back_on.as_secs() + u64::from(back_on.subsec_nanos() > 0);
        let seconds = match u16::try_from(seconds) {
            Ok(seconds @ 1..) => seconds,
            _ => return Err(self.refused(format!("its timer takes 1 to {} seconds, not {seconds}", u16::MAX))),
        };
        let device = self.known(session).await?;
        let seconds = self.device.prepare(session, seconds).await.map_err(|failure| self.before(failure))?;
        let done = self.device.off(session, seconds).await;
        let state = self.read_back(session, done).await?;
        if state.on {
            return Ok(PlugReport { on: true, device });
        }
        let comes_back = match state.timer {
            Timer::Untold => true,
            Timer::Stopped => false,
            Timer::Runs(left) => left <= f64::from(seconds) + ROUNDING,
        };
        if comes_back {
            return Ok(PlugReport { on: false, device });
        }
        if self.undo().await?.on {
            let what = "the device took no timer, so that it would have stayed off; it was switched on again at once. \
                        Update its firmware, or use another plug";
            return Err(self.refused(what.to_owned()));
        }
        let cause = "it took no timer, and it is still off after it was switched on again".into();
        Err(PlugError::Unconfirmed { at: self.at.clone(), cause })
    }

    /// Switches on what is off without a timer. Whatever goes wrong with that, the off has worked. The nonces of the
    /// session may be used up, so it is not used.
    async fn undo(&self) -> Result<State, PlugError> {
        let mut session = self.session();
        match self.device.on(&mut session).await {
            Err(failure) if !failure.may_have_worked() => Err(self.unconfirmed(failure)),
            done => self.read_back(&mut session, done).await,
        }
    }

    /// Who the device is comes last, and is no condition: power off is worse than a doubt.
    async fn on(&self, session: &mut Session) -> Result<PlugReport, PlugError> {
        let done = self.device.on(session).await;
        let state = self.read_back(session, done).await?;
        let device = match self.device.identify(session).await {
            Ok(device) => device,
            Err(Failure::Unfit(what)) => return Err(self.refused(what)),
            Err(_) => None,
        };
        if device.is_some() {
            self.expect(device.as_deref())?;
        }
        if let (true, Timer::Runs(left)) = (state.on, state.timer) {
            let what = "it is on, and a timer of its own will switch it off";
            return Err(self.refused(format!("{what} in {left:.0} seconds; switch the device's auto-off off")));
        }
        Ok(PlugReport { on: state.on, device })
    }

    /// Who the device is, if it may be spoken to.
    async fn known(&self, session: &mut Session) -> Result<Option<String>, PlugError> {
        let device = self.device.identify(session).await.map_err(|failure| self.before(failure))?;
        self.expect(device.as_deref())?;
        Ok(device)
    }

    fn expect(&self, device: Option<&str>) -> Result<(), PlugError> {
        match (&self.wanted, device) {
            (Some(wanted), found) if found != Some(wanted) => {
                let found = found.unwrap_or("one without a name");
                Err(self.refused(format!(
                    "it is another device, {found} in place of {wanted}; correct DDNS_PLUG_HOST or \
                                          DDNS_PLUG_ID"
                )))
            }
            _ => Ok(()),
        }
    }

    /// What the device says after an order. Where the order's own answer was lost the read-back can still tell.
    async fn read_back(&self, session: &mut Session, done: Result<(), Failure>) -> Result<State, PlugError> {
        if let Err(failure) = done {
            if !failure.may_have_worked() {
                return Err(self.before(failure));
            }
            return self.device.look(session).await.map_err(|_| self.unconfirmed(failure));
        }
        self.device.look(session).await.map_err(|failure| self.unconfirmed(failure))
    }

    /// The order didn't go out, or was not taken.
    fn before(&self, failure: Failure) -> PlugError {
        match failure {
            Failure::Transport(error) => PlugError::Unreachable { at: self.at.clone(), cause: error.into() },
            Failure::Status(_) | Failure::Answer(_) => {
                self.refused(format!("{failure}; correct DDNS_PLUG_HOST or DDNS_PLUG_KIND"))
            }
            Failure::Unauthorized { .. } | Failure::Unfit(_) => self.refused(failure.to_string()),
        }
    }

    fn unconfirmed(&self, failure: Failure) -> PlugError {
        PlugError::Unconfirmed { at: self.at.clone(), cause: failure.into() }
    }

    fn refused(&self, what: String) -> PlugError {
        PlugError::Refused { at: self.at.clone(), what }
    }
}
