use std::sync::Arc;
use std::time::Duration;

use ddns_core::address::{Hint, InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::ports::SourceError;
use ddns_core::time::Instant;

use super::{Shared, interrupted, no_reader, unread};
use crate::dump::DumpError;
use crate::hook::{Announcements, Attached, Wanted};
use crate::privileges;
use crate::snapshot::SnapshotReader;

/// How long the announcement of a change may be behind the change.
const BEHIND: Duration = Duration::from_secs(1);

/// One watch of the source: a hook, and the snapshot told last.
pub(super) struct Watch {
    shared: Arc<Shared>,
    hook: Attached,
    reader: SnapshotReader,
    followed: Vec<u32>,
    last: Snapshot,
    audit_at: Option<Instant>,
}

/// Announcements not yet answered by a snapshot, and when the first of them came.
type Owed = Option<(Instant, Announcements)>;

impl Watch {
    /// Attaches first and reads then, so that a change in between announces itself.
    pub(super) fn start(shared: Arc<Shared>) -> Result<(IpChangeEvent, Self), SourceError> {
        let hook = attach(&shared)?;
        if shared.options.drop_privileges {
            privileges::drop_all();
        }
        let reader = SnapshotReader::open().map_err(no_reader)?;
        let received_at = shared.clock.now();
        let audit_at = shared.options.audit.map(|audit| received_at + audit);
        let mut watch = Self { shared, hook, reader, followed: Vec::new(), last: Snapshot::default(), audit_at };
        watch.last = watch.look().map_err(unread)?;
        let hint = Hint::new("snapshot", received_at, 0);
        Ok((IpChangeEvent::new(watch.last.clone(), hint).by(watch.hook.rung().as_str()), watch))
    }

    pub(super) async fn next(mut self) -> Result<(IpChangeEvent, Self), SourceError> {
        let mut owed = None;
        loop {
            let event = if self.announced().await? { self.turn(&mut owed)? } else { self.audit(&mut owed).await? };
            if let Some(event) = event {
                return Ok((event, self));
            }
            tokio::task::yield_now().await;
        }
    }

    /// False if the time for an audit came first.
    async fn announced(&self) -> Result<bool, SourceError> {
        let Some(audit_at) = self.audit_at else {
            return self.ready().await.map(|()| true);
        };
        tokio::select! {
            biased;
            ready = self.ready() => ready.map(|()| true),
            () = self.shared.clock.sleep_until(audit_at) => Ok(false),
        }
    }

    async fn ready(&self) -> Result<(), SourceError> {
        self.hook.ready().await.map_err(interrupted("waiting for the kernel's announcements"))
    }

    /// Takes what was announced and looks. No await in here: what was drained is answered.
    fn turn(&mut self, owed: &mut Owed) -> Result<Option<IpChangeEvent>, SourceError> {
        let now = self.shared.clock.now();
        let batch = self.shared.options.batch.max(1);
        let found = self.hook.drain(batch).map_err(interrupted("reading the kernel's announcements"))?;
        if found.is_empty() {
            return Ok(None);
        }
        let (received_at, owing) = owed.get_or_insert((now, Announcements::default()));
        owing.add(found);
        let (received_at, owing) = (*received_at, *owing);
        let snapshot = match self.look() {
            Ok(snapshot) => snapshot,
            // What disturbed the last read has been announced too.
            Err(DumpError::Restless) => return Ok(None),
            Err(error) => return Err(unread(error)),
        };
        *owed = None;
        if snapshot == self.last && !owing.loss && owing.distress.is_none() {
            return Ok(None);
        }
        let by = owing.by.filter(|_| snapshot != self.last);
        self.last.clone_from(&snapshot);
        let hint = Hint {
            kernel_at: owing.first_at,
            after_loss: owing.loss,
            by,
            distress: owing.distress,
            ..Hint::new(self.hook.rung().as_str(), received_at, owing.count)
        };
        Ok(Some(IpChangeEvent::new(snapshot, hint).by(self.hook.rung().as_str())))
    }

    /// Looks without having been told. A change that is not announced within [`BEHIND`] was missed by the hook.
    async fn audit(&mut self, owed: &mut Owed) -> Result<Option<IpChangeEvent>, SourceError> {
        let clock = Arc::clone(&self.shared.clock);
        let now = clock.now();
        self.audit_at = self.shared.options.audit.map(|audit| now + audit);
        let snapshot = match self.look() {
            Ok(snapshot) => snapshot,
            Err(DumpError::Restless) => return Ok(None),
            Err(error) => return Err(unread(error)),
        };
        if self.announceable(&snapshot) == self.announceable(&self.last) {
            return Ok(None);
        }
        tokio::select! {
            biased;
            ready = self.ready() => {
                ready?;
                return self.turn(owed);
            }
            () = clock.sleep_until(now + BEHIND) => {}
        }
        self.shared.missed(self.hook.rung());
        self.hook = attach(&self.shared)?;
        self.last = self.look().map_err(unread)?;
        let hint = Hint { after_loss: true, ..Hint::new("audit", now, 0) };
        Ok(Some(IpChangeEvent::new(self.last.clone(), hint).by(self.hook.rung().as_str())))
    }

    /// The addresses of which a change is announced: not the tentative ones, and those of the interfaces that matter.
    fn announceable<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a InterfaceAddress> {
        let only = &self.shared.options.interfaces;
        let matters = |held: &&InterfaceAddress| {
            let tentative = held.flags.tentative && !held.flags.dad_failed;
            !tentative && (only.is_empty() || only.contains(&held.interface))
        };
        snapshot.addresses().iter().filter(matters).collect()
    }

    /// Reads the addresses. An interface that came or went is followed first, and everything is read again.
    fn look(&mut self) -> Result<Snapshot, DumpError> {
        loop {
            let snapshot = self.reader.read()?;
            let indices = self.reader.indices(&self.shared.options.interfaces);
            if indices == self.followed {
                return Ok(snapshot);
            }
            self.hook.follow(&indices).map_err(DumpError::Socket)?;
            self.followed = indices;
        }
    }
}

fn attach(shared: &Shared) -> Result<Attached, SourceError> {
    let options = &shared.options;
    let wanted = Wanted { only_followed: !options.interfaces.is_empty(), every_namespace: options.every_namespace };
    let (hook, reason) = Attached::first_of(shared.rungs(), wanted)?;
    shared.say(hook.rung().as_str(), reason);
    Ok(hook)
}
