/// What can go wrong around the engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    Swap,
    Flap,
    NotPublishable,
    Gone,
    Several,
    AnnouncementsLost,
    AnnouncementsRepeated,
    SourceEnds,
    SourceBroken,
    ProviderUnreachable,
    ProviderUnavailable,
    ProviderRetryAfter,
    ProviderUnauthorized,
    ProviderRefuses,
    AnswerLostWithEffect,
    AnswerLostWithoutEffect,
    HandleStale,
    ProviderSlow,
    ProviderHangs,
    Meddler,
    FurtherAddress,
    ResolversFail,
    ResolverLies,
    ResolversSlow,
    SaveFails,
    SaveHangs,
    SaveSlow,
    LoadFails,
    WallStep,
    Suspend,
    Crash,
    Reboot,
    Stop,
    WanDown,
    TargetDown,
    MostTargetsDown,
    OneFamilyDown,
    SnapshotsLate,
    OneRecordFails,
    Distress,
    RouterFreezes,
    CarrierDown,
    PlugSilent,
    PlugSlow,
    PlugLies,
}

impl Fault {
    pub const ALL: [Self; 45] = [
        Self::Swap,
        Self::Flap,
        Self::NotPublishable,
        Self::Gone,
        Self::Several,
        Self::AnnouncementsLost,
        Self::AnnouncementsRepeated,
        Self::SourceEnds,
        Self::SourceBroken,
        Self::ProviderUnreachable,
        Self::ProviderUnavailable,
        Self::ProviderRetryAfter,
        Self::ProviderUnauthorized,
        Self::ProviderRefuses,
        Self::AnswerLostWithEffect,
        Self::AnswerLostWithoutEffect,
        Self::HandleStale,
        Self::ProviderSlow,
        Self::ProviderHangs,
        Self::Meddler,
        Self::FurtherAddress,
        Self::ResolversFail,
        Self::ResolverLies,
        Self::ResolversSlow,
        Self::SaveFails,
        Self::SaveHangs,
        Self::SaveSlow,
        Self::LoadFails,
        Self::WallStep,
        Self::Suspend,
        Self::Crash,
        Self::Reboot,
        Self::Stop,
        Self::WanDown,
        Self::TargetDown,
        Self::MostTargetsDown,
        Self::OneFamilyDown,
        Self::SnapshotsLate,
        Self::OneRecordFails,
        Self::Distress,
        Self::RouterFreezes,
        Self::CarrierDown,
        Self::PlugSilent,
        Self::PlugSlow,
        Self::PlugLies,
    ];
}

/// A set of kinds of faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults(u64);

impl Faults {
    pub const ALL: Self = Self(u64::MAX);

    pub const fn has(self, fault: Fault) -> bool {
        self.0 >> fault as u32 & 1 == 1
    }

    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u32))
    }
}

/// At most so many sources or providers.
const PLACES: usize = 4;

/// The faults under way, each at a place: a source's or a provider's number, 0 for all else.
#[derive(Clone, Debug)]
pub struct Weather([[u32; Fault::ALL.len()]; PLACES]);

impl Weather {
    pub const CALM: Self = Self([[0; Fault::ALL.len()]; PLACES]);

    pub const fn is(&self, fault: Fault) -> bool {
        self.at(fault, 0)
    }

    pub const fn at(&self, fault: Fault, place: usize) -> bool {
        self.0[place][fault as usize] > 0
    }

    pub const fn begins(&mut self, fault: Fault, place: usize) {
        self.0[place][fault as usize] += 1;
    }

    pub const fn ends(&mut self, fault: Fault, place: usize) {
        self.0[place][fault as usize] = self.0[place][fault as usize].saturating_sub(1);
    }
}
