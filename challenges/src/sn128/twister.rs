//! The Mersenne twister MT19937, as numpy's `RandomState` uses it.

const LEN: usize = 624;
const SHIFT: usize = 397;

/// The generator. A copy goes on from the same place.
#[derive(Clone)]
pub struct Twister {
    state: [u32; LEN],
    next: usize,
}

impl std::fmt::Debug for Twister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Twister").finish_non_exhaustive()
    }
}

impl Twister {
    /// From a seed.
    ///
    /// ```
    /// // The first number of the reference implementation with its usual seed.
    /// assert_eq!(challenges::sn128::twister::Twister::new(5489).draw(), 3_499_211_612);
    /// ```
    pub fn new(seed: u32) -> Twister {
        let mut state = [0; LEN];
        let mut last = seed;
        for (place, word) in (0_u32..).zip(&mut state) {
            if place > 0 {
                last = (last ^ (last >> 30))
                    .wrapping_mul(1_812_433_253)
                    .wrapping_add(place);
            }
            *word = last;
        }
        Twister { state, next: LEN }
    }

    fn turn(&mut self) {
        for place in 0..LEN {
            let word =
                (self.state[place] & 0x8000_0000) | (self.state[(place + 1) % LEN] & 0x7fff_ffff);
            let odd = if word & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[place] = self.state[(place + SHIFT) % LEN] ^ (word >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// The next 32 bits.
    pub fn draw(&mut self) -> u32 {
        if self.next >= LEN {
            self.turn();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// A number from 0 to `max`, every one as likely: numbers of as many bits as `max` has
    /// are drawn until one is not above it. Nothing is drawn when `max` is 0.
    pub fn up_to(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let number = self.draw() & mask;
            if number <= max {
                return number;
            }
        }
    }
}
