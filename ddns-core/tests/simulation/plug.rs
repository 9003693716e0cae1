//! A smart plug, for the recovery that the engine does not have yet.

use std::time::Duration;

use super::judge::{Judged, hold};

/// A plug, its own timer, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Plug {
    on: bool,
    /// The device switches itself on then.
    on_at: Option<Duration>,
    /// When it was switched, and to what.
    switched: Vec<(Duration, bool)>,
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
        Self { on: true, on_at: None, switched: Vec::new(), answers_after: Duration::ZERO, refuses: false, lies: false }
    }

    fn switch(&mut self, at: Duration, on: bool) {
        if self.on != on {
            self.on = on;
            self.switched.push((at, on));
        }
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
        if self.refuses { Err(Refused) } else { Ok((now + self.answers_after, self.on != self.lies)) }
    }

    pub const fn is_on(&self) -> bool {
        self.on
    }

    /// Whether every off has ended, or has not lasted too long yet.
    pub fn judged(&self, now: Duration, longest: Duration) -> Judged {
        never_left_off(&self.switched, now, longest)
    }
}

/// The plug is never left off: after each off an on follows within `longest`.
pub fn never_left_off(switched: &[(Duration, bool)], now: Duration, longest: Duration) -> Judged {
    for (index, (off, _)) in switched.iter().enumerate().filter(|(_, (_, on))| !on) {
        let on = switched[index..].iter().find(|(_, on)| *on).map_or(now, |(at, _)| *at);
        hold(on <= *off + longest, "the plug is never left off", || format!("off at {off:?}, still at {on:?}"))?;
    }
    Ok(())
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_plug_that_stays_off_is_noticed() {
    let off = [(MINUTE, false)];
    assert!(never_left_off(&off, MINUTE * 2, MINUTE).is_ok());
    assert!(never_left_off(&off, MINUTE * 3, MINUTE).is_err(), "still off");
    let late = [(MINUTE, false), (MINUTE * 5, true)];
    assert!(never_left_off(&late, MINUTE * 6, MINUTE).is_err(), "off for too long");
    let twice = [(MINUTE, false), (MINUTE * 2, true), (MINUTE * 3, false)];
    assert!(never_left_off(&twice, MINUTE * 9, MINUTE).is_err(), "the second off");
    assert!(never_left_off(&[], MINUTE, MINUTE).is_ok());
}

#[test]
fn its_own_timer_ends_an_off() {
    let mut plug = Plug::new();
    assert_eq!(plug.set(MINUTE, false, Some(MINUTE)), Ok(MINUTE));
    assert!(!plug.is_on());
    plug.passes(MINUTE * 3);
    assert!(plug.is_on());
    plug.judged(MINUTE * 9, MINUTE).unwrap();
    plug.set(MINUTE * 10, false, None).unwrap();
    assert!(plug.judged(MINUTE * 12, MINUTE).is_err(), "without a timer it stays off");
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
