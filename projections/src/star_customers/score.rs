//! Forward-decayed sums as one integer that orders for all time.
//!
//! A signal of `p` points at instant `t` is worth `p · 2^(-(now - t)/h)` now. With a landmark `L`
//! (the Unix epoch) that is `p · 2^((t - L)/h) · 2^(-(now - L)/h)`: the last factor is the same for
//! all signals of a line, so `S = Σ p · 2^((t - L)/h)` orders customers as their decayed sums do, at
//! every moment, without being touched again.
//!
//! `S` overflows any float within weeks of short half-lives, so it is kept as sign, exponent and
//! fraction in one integer: `±((exponent + 2^29) << 33 | fraction)`, zero for zero. Larger integers
//! are larger sums, negative ones included. All arithmetic is on integers, or on IEEE operations
//! that every machine rounds alike, so that a replay gives the same bits everywhere.

use domain::values::Instant;

/// Bits of the fraction: a score is exact to about one in eight thousand million.
const FRACTION_BITS: u32 = 33;
/// What makes exponents positive.
const BIAS: i64 = 1 << 29;
/// Sums of which one is smaller by so many powers of two do not change each other.
const REACH: i64 = 60;

/// A forward-decayed sum. Greater is greater at every moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(i64);

impl Score {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// What `points` at an instant are worth at the landmark.
    #[must_use]
    pub fn of(points: i32, at: Instant, half_life_hours: u32) -> Self {
        if points == 0 || half_life_hours == 0 {
            return Self::ZERO;
        }
        let half_life = i64::from(half_life_hours) * 3_600_000_000;
        let (whole, rest) = (at.micros().div_euclid(half_life), at.micros().rem_euclid(half_life));
        #[allow(clippy::cast_precision_loss)]
        let mantissa = f64::from(points.unsigned_abs()) * exp2(rest as f64 / half_life as f64);
        // A positive normal double: its own bits say where its leading one is.
        let bits = mantissa.to_bits();
        let exponent = (bits >> 52).cast_signed() - 1_023;
        let leading = (bits & ((1 << 52) - 1)) | (1 << 52);
        let mantissa = leading >> (52 - FRACTION_BITS);
        Self::pack(points < 0, whole + exponent, mantissa)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (Some(a), Some(b)) = (self.parts(), other.parts()) else {
            return if self.0 == 0 { other } else { self };
        };
        let (large, small) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
        let apart = large.exponent - small.exponent;
        if apart > REACH {
            return large.score();
        }
        let sum = (large.signed() << apart) + small.signed();
        if sum == 0 {
            return Self::ZERO;
        }
        let size = sum.unsigned_abs();
        let top = i64::from(size.ilog2());
        let shift = top - i64::from(FRACTION_BITS);
        let mantissa = if shift >= 0 { size >> shift } else { size << -shift };
        let mantissa = u64::try_from(mantissa).unwrap_or(u64::MAX);
        Self::pack(sum < 0, small.exponent + shift, mantissa)
    }

    /// The same without its sign: how much it weighs.
    #[must_use]
    pub const fn size(self) -> Self {
        Self(self.0.abs())
    }

    /// What it is worth at an instant, in points.
    #[must_use]
    pub fn value_at(self, now: Instant, half_life_hours: u32) -> f64 {
        let Some(parts) = self.parts() else { return 0.0 };
        let half_life = i64::from(half_life_hours.max(1)) * 3_600_000_000;
        let (whole, rest) = (now.micros().div_euclid(half_life), now.micros().rem_euclid(half_life));
        #[allow(clippy::cast_precision_loss)]
        let fraction = parts.mantissa as f64 / (1_u64 << FRACTION_BITS) as f64;
        #[allow(clippy::cast_precision_loss)]
        let aged = fraction / exp2(rest as f64 / half_life as f64);
        let power = (parts.exponent - whole).clamp(-1_000, 1_000);
        let value = aged * 2_f64.powi(i32::try_from(power).unwrap_or(0));
        if parts.negative { -value } else { value }
    }

    /// The stored form.
    #[must_use]
    pub const fn key(self) -> i64 {
        self.0
    }

    /// From the stored form.
    #[must_use]
    pub const fn from_key(key: i64) -> Self {
        Self(key)
    }

    /// `mantissa` has its leading one at bit `FRACTION_BITS`.
    fn pack(negative: bool, exponent: i64, mantissa: u64) -> Self {
        let exponent = exponent.clamp(1 - BIAS, BIAS - 1);
        let fraction = (mantissa & ((1 << FRACTION_BITS) - 1)).cast_signed();
        let size = ((exponent + BIAS) << FRACTION_BITS) | fraction;
        Self(if negative { -size } else { size })
    }

    fn parts(self) -> Option<Parts> {
        if self.0 == 0 {
            return None;
        }
        let size = self.0.unsigned_abs();
        let mantissa = (size & ((1 << FRACTION_BITS) - 1)) | (1 << FRACTION_BITS);
        let exponent = (size >> FRACTION_BITS).cast_signed() - BIAS;
        Some(Parts { negative: self.0 < 0, exponent, mantissa })
    }
}

#[derive(Clone, Copy)]
struct Parts {
    negative: bool,
    exponent: i64,
    mantissa: u64,
}

impl Parts {
    fn signed(self) -> i128 {
        let size = i128::from(self.mantissa);
        if self.negative { -size } else { size }
    }

    fn score(self) -> Score {
        Score::pack(self.negative, self.exponent, self.mantissa)
    }
}

/// 2^x for x in [0, 1], by its Taylor series. The library's own may differ between machines.
fn exp2(x: f64) -> f64 {
    let y = x * std::f64::consts::LN_2;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..=20_i32 {
        term *= y / f64::from(k);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000_000;

    fn decayed(signals: &[(i32, i64)], now: i64, hours: u32) -> f64 {
        let age = |at: i64| (now - at) as f64 / (f64::from(hours) * HOUR as f64);
        signals.iter().map(|(points, at)| f64::from(*points) * (-age(*at)).exp2()).sum()
    }

    fn score(signals: &[(i32, i64)], hours: u32) -> Score {
        let each = signals.iter().map(|(points, at)| Score::of(*points, Instant::from_micros(*at), hours));
        each.fold(Score::ZERO, Score::plus)
    }

    fn signals() -> impl Strategy<Value = Vec<(i32, i64)>> {
        let start = 1_700_000_000_000_000_i64;
        prop::collection::vec((-50..50_i32, start..start + 40_000 * HOUR), 0..12)
    }

    proptest! {
        #[test]
        fn the_order_of_scores_is_the_order_of_decayed_sums_at_any_time(
            a in signals(), b in signals(), hours in 1..5_000_u32, later in 0..100_i64,
        ) {
            // Any moment near the newest signal shows the difference best; the order is that of all.
            let newest = a.iter().chain(&b).map(|(_, at)| *at).max().unwrap_or(0);
            let now = newest + later * i64::from(hours) * HOUR / 10;
            let (x, y) = (decayed(&a, now, hours), decayed(&b, now, hours));
            let terms: f64 = a.iter().chain(&b).map(|s| decayed(&[*s], now, hours).abs()).sum();
            prop_assume!((x - y).abs() > terms * 1e-7);
            prop_assert_eq!(score(&a, hours).cmp(&score(&b, hours)), x.total_cmp(&y));
        }

        #[test]
        fn a_score_is_worth_its_decayed_sum(a in signals(), hours in 1..5_000_u32) {
            let now = a.iter().map(|(_, at)| *at).max().unwrap_or(0);
            let terms: f64 = a.iter().map(|s| decayed(&[*s], now, hours).abs()).sum();
            let worth = score(&a, hours).value_at(Instant::from_micros(now), hours);
            prop_assert!((worth - decayed(&a, now, hours)).abs() <= terms * 1e-7 + 1e-12);
        }
    }

    #[test]
    fn the_shortest_half_life_and_the_longest_time_do_not_overflow() {
        let far = Instant::from_micros(253_402_300_799_000_000);
        let early = Instant::from_micros(-62_135_596_800_000_000);
        assert!(Score::of(1, far, 1) > Score::of(i32::MAX, early, 1));
        assert!(Score::of(-1, far, 1) < Score::of(i32::MIN, early, 1));
        assert!((Score::of(7, far, 1).value_at(far, 1) - 7.0).abs() < 1e-8);
    }

    #[test]
    fn opposite_signals_of_one_moment_leave_nothing() {
        let at = Instant::from_micros(1_700_000_000_123_456);
        assert_eq!(Score::of(5, at, 72).plus(Score::of(-5, at, 72)), Score::ZERO);
    }
}
