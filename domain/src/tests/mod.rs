//! Random sequences of commands never break an invariant of an aggregate.
//!
//! [`Walk`] holds what is true of every aggregate; the files beside this one say what is true of
//! each. A walk is only worth something when it gets about, so each file also proves that its
//! commands reach every type of event.

mod business_line;
mod clue;
mod customer;
mod people;

use std::collections::BTreeSet;
use std::fmt::Debug;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aggregate::Aggregate;
use crate::codec::EventContract;
use crate::testing::fold;

/// One accepted command that changed something.
struct Step<'a, A: Aggregate> {
    before: &'a A,
    events: &'a [A::Event],
    after: &'a A,
}

/// An aggregate on its way through commands.
struct Walk<A: Aggregate> {
    state: A,
    history: Vec<A::Event>,
}

impl<A> Walk<A>
where
    A: Aggregate + PartialEq + Debug + Serialize + DeserializeOwned,
    A::Command: Clone + Debug,
    A::Event: PartialEq + Debug + Serialize + DeserializeOwned,
    A::Error: PartialEq + Debug,
{
    /// Sends every command and calls `check` after each that led to events.
    fn take(commands: &[A::Command], mut check: impl FnMut(&[A::Event], Step<'_, A>)) -> Self {
        let mut walk = Self { state: A::default(), history: Vec::new() };
        for command in commands {
            let decision = walk.state.decide(command.clone());
            assert_eq!(decision, walk.state.decide(command.clone()), "a decision depends on its input alone");
            let events = match decision {
                Ok(events) if !events.is_empty() => events,
                _ => continue,
            };
            let before = walk.state.clone();
            events.iter().for_each(|event| walk.state.evolve(event));
            check(&walk.history, Step { before: &before, events: &events, after: &walk.state });
            walk.history.extend(events);
            walk.repeat(command);
        }
        walk.reads_back();
        walk
    }

    /// Saying it again leads to a refusal, to nothing, or to facts that leave the state as it is.
    fn repeat(&self, command: &A::Command) {
        let mut again = self.state.clone();
        if let Ok(events) = again.decide(command.clone()) {
            events.iter().for_each(|event| again.evolve(event));
        }
        assert_eq!(again, self.state, "{command:?} said twice differs from said once");
    }

    /// Events and state survive JSON, and events fold to the same state from scratch, through
    /// `evolve` as through cqrs-es.
    fn reads_back(&self) {
        let json = serde_json::to_string(&self.history).unwrap();
        let history: Vec<A::Event> = serde_json::from_str(&json).unwrap();
        assert_eq!(history, self.history);
        assert_eq!(fold::<A>(&history), self.state);
        let mut applied = A::default();
        history.into_iter().for_each(|event| cqrs_es::Aggregate::apply(&mut applied, event));
        assert_eq!(applied, self.state);
        let json = serde_json::to_string(&self.state).unwrap();
        assert_eq!(serde_json::from_str::<A>(&json).unwrap(), self.state);
    }
}

/// Every event but those in `but` leaves another state than it found: it says something new.
fn each_event_says_something<A>(step: &Step<'_, A>, but: &[&str])
where
    A: Aggregate + PartialEq,
    A::Event: Debug,
{
    let mut state = step.before.clone();
    for event in step.events {
        let before = state.clone();
        state.evolve(event);
        assert!(state != before || but.contains(&event.contract().name), "{event:?} says nothing");
    }
}

/// The commands that `commands` makes lead to every type of event. The seed is fixed.
fn reaches_every_event<A>(commands: &impl Strategy<Value = Vec<A::Command>>)
where
    A: Aggregate + PartialEq + Debug + Serialize + DeserializeOwned,
    A::Command: Clone + Debug,
    A::Event: PartialEq + Debug + Serialize + DeserializeOwned,
    A::Error: PartialEq + Debug,
{
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..200 {
        let commands = commands.new_tree(&mut runner).unwrap().current();
        let walk = Walk::<A>::take(&commands, |_, _| ());
        reached.extend(walk.history.iter().map(|event| event.contract().name));
    }
    let all: BTreeSet<_> = A::Event::TYPES.iter().map(|known| known.name).collect();
    assert_eq!(reached, all);
}
