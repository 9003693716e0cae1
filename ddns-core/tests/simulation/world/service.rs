//! The way of a request to the service, whoever lives to see its answer.

use super::*;

/// A request to a provider that hangs takes so long, and so does its answer.
const HANGS: Duration = Duration::from_secs(60);

impl World {
    pub(super) fn calls(&mut self, record: usize, request: Option<UpdateRequest>) {
        self.totals.calls += 1;
        let latency = self.way_to(record);
        let (run, began) = (self.run, self.now);
        self.after(latency, Item::Arrives { run, record, began, request });
    }

    fn way_to(&mut self, record: usize) -> Duration {
        let provider = self.plan.config.records[record].provider.0;
        let hangs = if self.weather.at(Fault::ProviderHangs, provider) { HANGS } else { Duration::ZERO };
        self.latency(Fault::ProviderSlow, provider) + hangs
    }

    pub(super) fn arrives(&mut self, record: usize, began: Duration, request: Option<UpdateRequest>) -> Judged {
        self.judge.arrived(self.now, record);
        let latency = self.way_to(record);
        let id = ddns_core::engine::RecordId(record);
        let Some(request) = request else {
            let result = self.provider.read(record, &self.weather, &mut self.dice);
            self.answers(latency, Event::Read { record: id, result });
            return Ok(());
        };
        let written = self.writes(record, &request)?;
        if written.needless {
            self.judge.needless(record)?;
        }
        if written.effect {
            self.judge.wrote(self.now, record, began)?;
        }
        self.answers(latency, Event::Updated { record: id, result: written.result });
        Ok(())
    }

    pub(super) fn lands(
        &mut self,
        record: usize,
        began: Duration,
        save: Option<(u64, Wall)>,
        request: &UpdateRequest,
    ) -> Judged {
        self.history.say(self.now, Some(record), format_args!("service: a write from before the end comes"));
        if self.writes(record, request)?.effect {
            // Whoever sets the clock takes away what a start could know of the time since.
            let save = save.filter(|_| self.wall_set < began);
            self.judge.landed(self.now, record, save, began)?;
        }
        Ok(())
    }

    pub(super) fn writes(&mut self, record: usize, request: &UpdateRequest) -> Result<Written, Violation> {
        let before = self.provider.sets[record].clone();
        let written = self.provider.update(record, request, &self.weather, &mut self.dice);
        let after = &self.provider.sets[record];
        if after.len() < before.len() {
            violated("b: nothing is deleted", format!("{before:?} became {after:?}"))?;
        }
        if written.effect {
            self.totals.writes += 1;
            self.history.mark((record, after));
            self.history.say(self.now, Some(record), format_args!("service: record {record} holds {after:?}"));
            self.resolvers.others_asked(self.now, record, &before, &mut self.dice);
        }
        Ok(written)
    }

    /// The process ends at once; requests under way may have come to the service or not.
    pub(super) fn dies(&mut self) {
        self.history.say(self.now, None, format_args!("process: ends"));
        let run = self.run;
        let under_way: Vec<_> = self
            .queue
            .iter()
            .filter(|(_, item)| matches!(item, Item::Arrives { run: of, request: Some(_), .. } if *of == run))
            .map(|(key, _)| *key)
            .collect();
        let mut later = Vec::new();
        for key in under_way {
            let Some(Item::Arrives { run, record, began, request: Some(request) }) = self.queue.remove(&key) else {
                continue;
            };
            match self.dice.below(3) {
                0 => {
                    // Judged like any other write; its violation would have shown at its begin.
                    let _ = self.happens(Item::Arrives { run, record, began, request: Some(request) });
                }
                1 => later.push((key.0.min(began + LANDS_WITHIN), record, began, request)),
                _ => {}
            }
        }
        self.disk.crash(&mut self.dice);
        for (at, record, began, request) in later {
            let save = self.judge.saved_write(record).filter(|(save, _)| *save <= self.disk.durable());
            self.at(at, Item::Lands { record, began, save, request });
        }
        self.engine = None;
        self.sources.iter_mut().for_each(|source| source.watched = false);
        self.stopping = false;
        self.run += 1;
    }
}
