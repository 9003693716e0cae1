//! The plug, and the router that it feeds.

use ddns_core::ports::{PlugError, PlugReport};

use super::*;

/// An order that the plug did not answer by then has failed.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// The latest that an order arrives.
const ARRIVES_WITHIN: Duration = Duration::from_secs(100);
/// From the moment that power could be back to when it is: two pauses of the engine, and what lands late.
const BACK_WITHIN: Duration = Duration::from_secs(600);

impl World {
    pub(super) fn orders(&mut self, order: PlugOrder) {
        let most = if self.weather.is(Fault::PlugSlow) { ARRIVES_WITHIN } else { Duration::from_millis(200) };
        let wait = self.dice.magnitude(Duration::from_millis(1), most);
        let until = self.now + ANSWERS_WITHIN;
        let late = self.now + wait > until;
        self.after(wait, Item::PlugGets { run: (!late).then_some(self.run), order, until });
        self.totals.cycles += u64::from(matches!(order, PlugOrder::Off { .. }));
        self.trouble_with_power(order);
        if late {
            self.silence(self.run, until);
        }
    }

    /// What matters most happens in these moments.
    fn trouble_with_power(&mut self, order: PlugOrder) {
        let faults = [Fault::Crash, Fault::PlugSilent, Fault::PlugLies, Fault::PlugSlow];
        let fault = self.dice.pick(&faults);
        if order == PlugOrder::Look || !self.plan.faults.has(fault) || !self.dice.percent(60) {
            return;
        }
        let soon = self.dice.magnitude(Duration::from_millis(1), Duration::from_secs(40));
        let lasts = self
            .dice
            .magnitude(Duration::from_secs(1), Duration::from_secs(if fault == Fault::Crash { 2 } else { 900 }));
        let salt = self.dice.next();
        self.after(soon, Item::Begins(fault, salt, lasts));
    }

    fn silence(&mut self, run: u32, until: Duration) {
        let error = PlugError::Unconfirmed { at: "the plug".into(), cause: "time-out".into() };
        self.at(until.max(self.now), Item::Tells(run, Box::new(Event::Plug(Err(error)))));
    }

    /// Lets the plug's timer and the router do their work up to now.
    pub(super) fn power(&mut self) {
        self.plug.passes(self.now);
        self.router.power(self.now, self.plug.is_on());
    }

    pub(super) fn plug_gets(&mut self, run: Option<u32>, order: PlugOrder, until: Duration) {
        self.power();
        let (silent, obeys) = (self.weather.is(Fault::PlugSilent), self.dice.percent(50));
        self.plug.lies = self.weather.is(Fault::PlugLies);
        if !silent || obeys {
            self.history.say(self.now, None, format_args!("plug: gets {order:?}"));
            match order {
                PlugOrder::Look => {}
                PlugOrder::Off { back_on } => {
                    let timer = self.plan.config.recovery.plug.as_ref().is_some_and(|plug| plug.has_timer);
                    self.plug.set(self.now, false, timer.then_some(back_on)).unwrap();
                }
                PlugOrder::On => drop(self.plug.set(self.now, true, None).unwrap()),
            }
            self.power();
        }
        let Some(run) = run else { return };
        // Who slept in between has not heard the answer.
        if silent || self.now > until {
            self.silence(run, until);
        } else {
            let (_, on) = self.plug.state(self.now).unwrap();
            let report = PlugReport { on, device: Some("a1".into()) };
            self.answers(Duration::from_millis(1), Event::Plug(Ok(report)));
        }
    }

    /// Whoever could switch the plug on does so.
    pub(super) fn power_comes_back(&mut self) -> Judged {
        self.plug.passes(self.now);
        let ill = [Fault::PlugSilent, Fault::PlugSlow, Fault::PlugLies].into_iter().any(|fault| self.weather.is(fault));
        if ill || self.engine.is_none() || self.stopping || self.store_given_up() {
            self.could_switch = self.now;
        }
        self.plug.judged(self.now, self.could_switch.max(self.judge.woke), BACK_WITHIN)
    }

    /// A person puts everything right.
    pub(super) fn power_heals(&mut self) {
        self.router = Router::new(self.plan.boots_for);
        self.power();
    }
}
