use std::time::Duration;

/// A deterministic generator (SplitMix64); streams of one seed don't touch each other.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut dice = Self(seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93));
        dice.next();
        dice
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap().max(1);
        Duration::from_nanos(self.next() % most)
    }

    /// Every order of magnitude between the two is as likely as any other.
    pub fn magnitude(&mut self, least: Duration, most: Duration) -> Duration {
        let mut doublings = 0;
        while least * (1 << (doublings + 1)) <= most && doublings < 30 {
            doublings += 1;
        }
        let floor = least * (1 << self.below(doublings + 1));
        (floor + self.up_to(floor)).min(most.max(least))
    }
}
