//! Commands that are sent again, abandoned, or too late: one id has one effect and one answer.

use std::time::Duration;

use commands::clock::fresh_uuid;
use commands::service::{COMMAND_RETENTION, CommandContext, CommandError};
use commands::use_cases::clue::{ClaimClue, ClueStep, ReleaseClue, WorkClue};
use domain::Instant;
use domain::envelope::Revision;
use domain::ids::CommandId;
use domain::operator::Role;
use futures::FutureExt;
use tests::clock::ManualClock;
use tests::given::parse;
use tests::stores::Store;
use tokio::task::unconstrained;

use super::{all, world};

on_every_backend! {
    a_repeated_command_returns_its_first_result_refusals_included,
    what_was_forbidden_stays_so_under_its_id_and_rights_that_came_later_need_a_new_one,
    a_command_id_is_not_used_for_something_else,
    command_ids_out_of_time_or_of_another_version_are_refused,
    a_pinned_revision_that_is_stale_is_an_error,
    an_abandoned_command_is_done_and_leaves_no_stale_state,
    what_is_sent_again_while_it_is_on_its_way_is_answered_as_it_turns_out,
    whoever_goes_away_before_there_is_a_place_in_the_queue_has_done_nothing,
}

async fn a_repeated_command_returns_its_first_result_refusals_included(store: Store) {
    let world = world(&store).await;
    let (clue_id, _) = world.pooled_clue("13800138000").await;
    let (winner, loser) = (world.hire(&[Role::Agent]).await, world.hire(&[Role::Agent]).await);
    let (claim, refused) = (world.operator(winner), world.operator(loser));
    let first = world.done(&claim, &ClaimClue { clue_id }).await;
    assert_eq!(world.refused(&refused, &ClaimClue { clue_id }).await, "clue_not_pooled");
    world.done(&world.operator(winner), &ReleaseClue { clue_id, note: None }).await;
    let head = world.service.log().head().await.unwrap();
    // Now the clue is free again; the first results stand all the same, in another process too.
    for service in [world.service.clone(), store.service(ManualClock::new()).await] {
        let again = service.execute(&claim, &ClaimClue { clue_id }).await.unwrap();
        assert_eq!(
            (again.position, again.revision, &again.ids),
            (first.position, first.revision, &first.ids)
        );
        assert!(again.repeated && !first.repeated);
        let again = service.execute(&refused, &ClaimClue { clue_id }).await.unwrap_err();
        assert_eq!(again.code(), "clue_not_pooled");
    }
    assert_eq!(world.service.log().head().await.unwrap(), head);
}

async fn what_was_forbidden_stays_so_under_its_id_and_rights_that_came_later_need_a_new_one(store: Store) {
    let world = world(&store).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, _) = world.pooled_clue("13800138000").await;
    let step = WorkClue { clue_id, step: ClueStep::MoveStage(parse("contacted")) };
    let forbidden = world.operator(agent);
    assert_eq!(world.refused(&forbidden, &step).await, "forbidden");
    world.done(&world.operator(agent), &ClaimClue { clue_id }).await;
    let head = world.service.log().head().await.unwrap();
    for service in [world.service.clone(), store.service(ManualClock::new()).await] {
        assert_eq!(service.execute(&forbidden, &step).await, Err(CommandError::Forbidden));
    }
    assert_eq!(world.service.log().head().await.unwrap(), head);
    world.done(&world.operator(agent), &step).await;
}

async fn a_command_id_is_not_used_for_something_else(store: Store) {
    let world = world(&store).await;
    let ((one, _), (two, _)) =
        (world.pooled_clue("13800138000").await, world.pooled_clue("13900139000").await);
    let context = world.operator(world.hire(&[Role::Agent]).await);
    world.done(&context, &ClaimClue { clue_id: one }).await;
    assert_eq!(world.refused(&context, &ClaimClue { clue_id: two }).await, "command_id_reused");
    assert_eq!(world.refused(&context, &ReleaseClue { clue_id: one, note: None }).await, "command_id_reused");
}

async fn command_ids_out_of_time_or_of_another_version_are_refused(store: Store) {
    let world = world(&store).await;
    let (clue_id, _) = world.pooled_clue("13800138000").await;
    let agent = world.hire(&[Role::Agent]).await;
    let now = world.clock.now();
    let early =
        Instant::from_micros(now.micros() - i64::try_from(COMMAND_RETENTION.as_micros()).unwrap() - 10_000);
    for (made, code) in [
        (fresh_uuid(early), "command_id_expired"),
        (fresh_uuid(now + Duration::from_secs(600)), "command_id_from_future"),
        (uuid::Uuid::from_u128(5), "command_id_invalid"),
    ] {
        let mut context = world.operator(agent);
        context.command_id = CommandId::new(made);
        assert_eq!(world.refused(&context, &ClaimClue { clue_id }).await, code);
    }
}

async fn a_pinned_revision_that_is_stale_is_an_error(store: Store) {
    let world = world(&store).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, _) = world.owned_clue("13800138000", agent).await;
    let step = |to: &str| WorkClue { clue_id, step: ClueStep::MoveStage(parse(to)) };
    let mut pinned = world.operator(agent);
    pinned.expected_revision = Some(Revision::new(2));
    let receipt = world.done(&pinned, &step("contacted")).await;
    assert_eq!(receipt.revision, Revision::new(3));
    let mut stale = world.operator(agent);
    stale.expected_revision = Some(Revision::new(2));
    let error = world.service.execute(&stale, &step("negotiating")).await.unwrap_err();
    let (expected, current) = (Revision::new(2), Revision::new(3));
    assert_eq!(error, CommandError::StaleRevision { expected, current });
    // The command that was done is repeated with the revision that it saw, which is stale by now.
    assert!(world.done(&pinned, &step("contacted")).await.repeated);
    // The one that was not stays so, whatever is pinned now, in another process too.
    let other = store.service(ManualClock::new()).await;
    stale.expected_revision = Some(current);
    assert_eq!(other.execute(&stale, &step("negotiating")).await, Err(error));
    world.done(&world.operator(agent), &step("negotiating")).await;
}

async fn an_abandoned_command_is_done_and_leaves_no_stale_state(store: Store) {
    let world = world(&store).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, _) = world.owned_clue("13800138000", agent).await;
    let (context, step) =
        (world.operator(agent), WorkClue { clue_id, step: ClueStep::MoveStage(parse("contacted")) });
    {
        // One poll hands the append in; then the caller goes away.
        let mut command = Box::pin(world.service.execute(&context, &step));
        let _ = futures::poll!(&mut command);
    }
    assert!(world.done(&context, &step).await.revision >= Revision::new(3));
    let next = WorkClue { clue_id, step: ClueStep::MoveStage(parse("negotiating")) };
    assert_eq!(world.done(&world.operator(agent), &next).await.revision, Revision::new(4));
}

async fn what_is_sent_again_while_it_is_on_its_way_is_answered_as_it_turns_out(store: Store) {
    let world = world(&store).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, _) = world.pooled_clue("13800138000").await;
    let (claim, release) = (ClaimClue { clue_id }, ReleaseClue { clue_id, note: None });
    let of_agent = || CommandContext { bulk: true, ..world.operator(agent) };
    let (claims, releases) = (of_agent(), of_agent());
    let log = world.service.log();
    let gathering = log.appender().gather();
    // Both are handed in, the second one on the strength of the first, and nothing is committed.
    let mut claimed = Box::pin(world.service.execute(&claims, &claim));
    assert!(futures::poll!(&mut claimed).is_pending());
    {
        let mut released = Box::pin(world.service.execute(&releases, &release));
        assert!(futures::poll!(&mut released).is_pending());
    }
    // The caller went away and sends it again: as far as the log knows, the clue is nobody's.
    let again = world.service.execute(&releases, &release);
    // It has the time of so many reads to say so.
    let committed = async {
        for _ in 0..20 {
            log.command(releases.command_id).await.unwrap();
        }
        drop(gathering);
    };
    let (again, ()) = tokio::join!(again, committed);
    let (claimed, again) = (claimed.await.unwrap(), again.unwrap());
    assert!(again.repeated && again.position > claimed.position, "{again:?} {claimed:?}");
}

async fn whoever_goes_away_before_there_is_a_place_in_the_queue_has_done_nothing(store: Store) {
    let world = world(&store).await;
    let agent = world.hire(&[Role::Agent]).await;
    let (clue_id, _) = world.owned_clue("13800138000", agent).await;
    let step = WorkClue { clue_id, step: ClueStep::MoveStage(parse("contacted")) };
    let (log, before) = (world.service.log(), all(world.service.log()).await.len());
    let mut places = Vec::new();
    // All that there are, in one go.
    while let Some(place) = unconstrained(log.appender().permit()).now_or_never() {
        places.push(place.unwrap());
    }
    {
        let context = world.operator(agent);
        let mut command = Box::pin(world.service.execute(&context, &step));
        assert!(futures::poll!(&mut command).is_pending(), "it waits for a place");
    }
    drop(places);
    // What was never handed in is not taken for done.
    assert_eq!(world.done(&world.operator(agent), &step).await.revision, Revision::new(3));
    assert_eq!(all(log).await.len(), before + 1);
}
