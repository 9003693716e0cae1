//! A smart plug.

use std::time::Duration;

use super::judge::{Judged, hold};

/// A plug, its own timer, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Plug {
    off_since: Option<Duration>,
    /// The device switches itself on then.
    on_at: Option<Duration>,
    /// It answers after this time; it does at once what it is told.
    pub answers_after: Duration,
    pub refuses: bool,
    /// It tells the opposite of its state.
    pub lies: bool,
}

/// It says no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused;

impl Plug {
    pub const fn new() -> Self {
        Self { off_since: None, on_at: None, answers_after: Duration::ZERO, refuses: false, lies: false }
    }

    fn switch(&mut self, at: Duration, on: bool) {
        self.off_since = if on { None } else { self.off_since.or(Some(at)) };
    }

    /// Lets the timer do its work up to now.
    pub fn passes(&mut self, now: Duration) {
        if let Some(at) = self.on_at.take_if(|at| *at <= now) {
            self.switch(at, true);
        }
    }

    /// Switches; `timer` is the time after which an off ends by itself. The time of the answer.
    pub fn set(&mut self, now: Duration, on: bool, timer: Option<Duration>) -> Result<Duration, Refused> {
        self.passes(now);
        if self.refuses {
            return Err(Refused);
        }
        self.on_at = timer.filter(|_| !on).map(|wait| now + wait);
        self.switch(now, on);
        Ok(now + self.answers_after)
    }

    /// What it says, and when.
    pub fn state(&mut self, now: Duration) -> Result<(Duration, bool), Refused> {
        self.passes(now);
        if self.refuses { Err(Refused) } else { Ok((now + self.answers_after, self.is_on() != self.lies)) }
    }

    pub const fn is_on(&self) -> bool {
        self.off_since.is_none()
    }

    /// Whether power is back in time: `longest` after it went, and after anybody could bring it back.
    pub fn judged(&self, now: Duration, could_since: Duration, longest: Duration) -> Judged {
        let Some(off) = self.off_since else { return Ok(()) };
        let fine = now <= off.max(could_since) + longest;
        hold(fine, "the plug is never left off", || format!("off at {off:?}, could be on since {could_since:?}"))
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_plug_that_stays_off_is_noticed() {
    let mut plug = Plug::new();
    plug.set(MINUTE, false, None).unwrap();
    plug.judged(MINUTE * 2, Duration::ZERO, MINUTE).unwrap();
    assert!(plug.judged(MINUTE * 3, Duration::ZERO, MINUTE).is_err(), "still off");
    plug.judged(MINUTE * 3, MINUTE * 2, MINUTE).unwrap();
    plug.set(MINUTE * 3, true, None).unwrap();
    plug.judged(MINUTE * 9, Duration::ZERO, MINUTE).unwrap();
}

#[test]
fn its_own_timer_ends_an_off() {
    let mut plug = Plug::new();
    assert_eq!(plug.set(MINUTE, false, Some(MINUTE)), Ok(MINUTE));
    assert!(!plug.is_on());
    plug.passes(MINUTE * 3);
    assert!(plug.is_on());
}

#[test]
fn it_refuses_answers_late_and_lies_where_told_to() {
    let mut plug = Plug { answers_after: MINUTE, ..Plug::new() };
    assert_eq!(plug.state(MINUTE), Ok((MINUTE * 2, true)));
    plug.lies = true;
    assert_eq!(plug.state(MINUTE), Ok((MINUTE * 2, false)));
    plug.refuses = true;
    assert_eq!((plug.set(MINUTE, false, None), plug.state(MINUTE)), (Err(Refused), Err(Refused)));
    assert!(plug.is_on());
}
