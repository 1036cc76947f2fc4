//! Appointments to see a car.

use super::*;

fn booked() -> Vec<Event> {
    then::<Clue>(&owned(), book(30, 60))
}

/// Each way in which an appointment ends.
fn endings() -> [(Command, Event); 3] {
    [
        (cancel(30), Event::ViewingCancelled { viewing_id: id(30) }),
        (complete(30), Event::ViewingCompleted { viewing_id: id(30) }),
        (no_show(30), Event::ViewingNoShowed { viewing_id: id(30) }),
    ]
}

#[test]
fn a_viewing_is_booked_once_for_a_time_to_come() {
    let event = Event::ViewingBooked {
        viewing_id: id(30),
        at: at(60),
        car: Some(read("奔驰GLB 2020款")),
        place: Some(text("朝阳店")),
    };
    accepted(&owned(), book(30, 60), &[event]);
    refused(&booked(), book(30, 60), Error::ViewingExists { viewing: id(30) });
    for minute in [9, 10] {
        refused(&owned(), book(30, minute), Error::ViewingInPast);
    }
}

#[test]
fn a_clue_may_have_several_viewings() {
    let both = then::<Clue>(&booked(), book(31, 70));
    accepted(&both, cancel(30), &[Event::ViewingCancelled { viewing_id: id(30) }]);
    accepted(&both, complete(31), &[Event::ViewingCompleted { viewing_id: id(31) }]);
}

#[test]
fn a_viewing_is_booked_for_another_time_and_says_nothing_twice() {
    let event = Event::ViewingRebooked { viewing_id: id(30), at: at(90) };
    accepted(&booked(), rebook(30, 90), &[event]);
    accepted(&booked(), rebook(30, 60), &[]);
    accepted(&then::<Clue>(&booked(), rebook(30, 90)), rebook(30, 90), &[]);
    refused(&booked(), rebook(30, 10), Error::ViewingInPast);
}

#[test]
fn only_a_clue_in_work_gets_and_moves_viewings() {
    for command in [book(30, 60), rebook(30, 90)] {
        refused_without_owner(&command);
        refused(&in_review(), command.clone(), Error::InLossReview);
        refused_after_the_end(&command);
    }
}

#[test]
fn a_viewing_ends_once_in_one_way() {
    for (how, event) in endings() {
        accepted(&booked(), how.clone(), &[event]);
        let over = then::<Clue>(&booked(), how.clone());
        for (command, _) in endings() {
            if command == how {
                accepted(&over, command, &[]);
            } else {
                refused(&over, command, Error::ViewingOver { viewing: id(30) });
            }
        }
        refused(&over, rebook(30, 90), Error::ViewingOver { viewing: id(30) });
    }
}

#[test]
fn a_viewing_that_was_never_booked_neither_moves_nor_ends() {
    for command in [rebook(31, 90), cancel(31), complete(31), no_show(31)] {
        refused(&booked(), command, Error::ViewingUnknown { viewing: id(31) });
    }
}

#[test]
fn a_viewing_ends_while_the_clue_is_under_review_or_back_in_the_pool() {
    let in_review = then::<Clue>(&booked(), propose(OWNER, "price"));
    let pooled = then::<Clue>(&booked(), release());
    for past in [in_review, pooled] {
        for (command, event) in endings() {
            accepted(&past, command, &[event]);
        }
    }
}

#[test]
fn a_viewing_does_not_end_after_its_clue_and_can_once_it_is_reopened() {
    let won = then::<Clue>(&booked(), win());
    let invalid = then::<Clue>(&booked(), invalidate());
    for (command, event) in endings() {
        refused(&won, command.clone(), Error::Ended { lifecycle: "won" });
        refused(&invalid, command.clone(), Error::Ended { lifecycle: "invalid" });
        accepted(&then::<Clue>(&invalid, reopen()), command, &[event]);
    }
}
