//! Eras: how long a state lasted and when it began, as one number.
//!
//! States that held at one position begin anywhere before it. Sorted by when they began, or by any
//! order of a list, they lie among all that ended before: reading them would cost more the older the
//! log. So states are put into classes by how long they lasted, each eight times the one before, and a
//! class is cut into stretches as long as its longest state. A state of a class that held at a
//! position began in the stretch of that position or in the one before: two eras a class hold all of
//! them, and of what else is in these eras there is not much more than of them.

use domain::envelope::Position;

/// Until when a state holds that lasts.
pub const LASTS: Position = Position::new(i64::MAX);
/// The era of states that last.
pub const LASTING: i64 = -1;
/// The longest state of the shortest class, in positions.
const SHORTEST: i64 = 512;
/// How much longer the states of the next class last.
const GROWTH: i64 = 8;
/// What may be appended while a list is read.
const MEANWHILE: i64 = 1 << 20;
/// Where the class is in an era's number.
const CLASS: u32 = 48;

/// The era of a state that held from one position until before another.
pub fn era(from: Position, until: Position) -> i64 {
    if until == LASTS {
        return LASTING;
    }
    let lasted = until.get() - from.get();
    let (mut class, mut longest) = (0, SHORTEST);
    while lasted > longest {
        class += 1;
        longest = longest.saturating_mul(GROWTH);
    }
    (class << CLASS) + from.get() / longest
}

/// The eras of all states that held at a position and ended by the head of the log, or not long after:
/// the log goes on between the moment at which somebody asked for its head and the reading of states.
pub fn ended_eras(at: Position, head: Position) -> Vec<i64> {
    let mut eras = Vec::new();
    let head = head.max(at).get().saturating_add(MEANWHILE);
    let (mut class, mut longest) = (0, SHORTEST);
    loop {
        let stretch = at.get() / longest;
        eras.extend((stretch > 0).then(|| (class << CLASS) + stretch - 1));
        eras.push((class << CLASS) + stretch);
        // States of the next class last longer than this: are there any yet?
        if longest >= head {
            return eras;
        }
        class += 1;
        longest = longest.saturating_mul(GROWTH);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_held_at_a_position_is_in_one_of_its_eras(
            from in 1_i64..5_000_000, lasted in 1_i64..5_000_000, within in 0.0_f64..1.0, more in 0_i64..MEANWHILE,
        ) {
            let until = from + lasted;
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
            let at = Position::new((from + (lasted as f64 * within) as i64).min(until - 1));
            let (from, until) = (Position::new(from), Position::new(until));
            // The head may be that of a while ago.
            let head = Position::new((until.get() - more).max(1));
            prop_assert!(ended_eras(at, head).contains(&era(from, until)));
        }
    }

    #[test]
    fn a_position_has_few_eras() {
        let head = Position::new(1_000_000);
        assert!(ended_eras(Position::new(700_000), head).len() <= 10);
        assert!(ended_eras(head, head).len() <= 10);
        assert_eq!(era(Position::new(7), LASTS), LASTING);
    }
}
