//! The plans of lists as of a position.

use domain::clue::Lifecycle;
use domain::operator::Role;

use super::era::{LASTS, era};
use super::list::listing;
use super::rows::{CLUE_PAST, CluePast};
use super::*;
use crate::clue_list::{ClueRow, NEVER};
use crate::read::Predicate;
use crate::sql::{Record as _, Suffix};

const CLUES: i64 = 4_000;
const STATES: i64 = 5;
const HEAD: i64 = CLUES * STATES;

/// Clues of a shop of some size, each changed again and again.
async fn fill(db: &Database) {
    let mut rows = Vec::new();
    for n in 0..CLUES {
        for state in 0..STATES {
            let position = Position::new(1 + state * CLUES + n);
            let id = u128::try_from(n).unwrap();
            let clue = ClueRow {
                clue_id: clue(id),
                customer_id: customer(id / 2),
                line: key(if n % 4 == 3 { "service" } else { "sales" }),
                lifecycle: Lifecycle::Owned,
                stage: key(if n % 3 == 0 { "talking" } else { "new" }),
                stage_category: domain::business_line::StageCategory::Open,
                graph_version: 1,
                owner_id: Some(operator(id % 10)),
                team_id: Some(team(id % 5)),
                source_channel: key("website"),
                source_key: None,
                campaign: None,
                captured_at: at(n * 11 % 1_000),
                updated_at: at(position.get()),
                pooled_at: None,
                owned_since: None,
                first_response_at: None,
                next_follow_up_at: if n % 2 == 0 { NEVER } else { at(position.get() + n * 3 % 500) },
                last_follow_up_at: None,
                won_at: None,
                lost_at: None,
                amount_minor: None,
                currency: None,
                loss_reason: None,
                intent: None,
                budget_min: None,
                budget_max: None,
                budget_currency: None,
                star: n % 6,
                customer_name: Some("王".into()),
                erased: false,
                position,
            };
            // Every third clue stays as it is early on.
            let last = state == STATES - 1 || (n % 3 == 0 && state == 1);
            let until = if last { LASTS } else { Position::new(position.get() + CLUES) };
            rows.push(CluePast { clue, name_folded: Some("王".into()), until }.to_values());
            if last {
                break;
            }
        }
    }
    let mut tx = db.begin().await.unwrap();
    CLUE_PAST.upsert(&mut tx, Suffix::Live, rows).await.unwrap();
    tx.commit().await.unwrap();
    db.run("ANALYZE").await.unwrap();
}

/// Whether PostgreSQL expects to read a few hundred states at most, which may be gathered and sorted: an
/// era has thousands.
fn reads_little(plan: &[String]) -> bool {
    let number = |step: &String, behind: &str| {
        let text = step.split_once(behind)?.1;
        text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.parse::<f64>().ok()
    };
    let gathered = plan.iter().find(|step| step.contains("Bitmap Index Scan"));
    match gathered {
        Some(step) => number(step, "rows=").is_some_and(|rows| rows <= 1_000.0),
        None => plan.first().and_then(|step| number(step, "..")).is_some_and(|cost| cost < 600.0),
    }
}

#[tokio::test]
async fn no_order_of_the_past_sorts_or_scans_more_than_what_is_few() {
    on_each_database(|world| async move {
        fill(&world.db).await;
        let any = ClueFilter::default;
        let viewers = [
            ("all", Viewer::system()),
            ("line", viewer(1, Role::Manager, &["sales"], &[])),
            ("lines", viewer(1, Role::Manager, &["sales", "service"], &[])),
        ];
        let filters = [
            ("", any()),
            ("line", ClueFilter { lines: vec![key("sales")], ..any() }),
            ("owner", ClueFilter { owner: Some(operator(1)), ..any() }),
            ("team", ClueFilter { team: Some(team(1)), ..any() }),
            ("stage", ClueFilter { stages: vec![key("talking")], ..any() }),
            ("stars", ClueFilter { stars_at_least: Some(1), ..any() }),
        ];
        let orders = [ClueOrder::Updated, ClueOrder::Captured, ClueOrder::NextFollowUp, ClueOrder::Star];
        let moment = Moment { at: at(0), position: Position::new(HEAD / 2), head: Position::new(HEAD) };
        for (who, viewer) in &viewers {
            for (what, filter) in &filters {
                for order in orders {
                    let parts =
                        history(&world.db).past_parts(viewer, filter, &[], order, &moment).await.unwrap();
                    assert!(parts.len() <= 24, "{who} by {what}: {} parts", parts.len());
                    let select = CLUE_PAST.columns_of("c");
                    let column = format!("c.{}", order.column());
                    let sort = [column.as_str()];
                    for part in parts.iter().filter(|part| part.walks()) {
                        let listing = listing(order, moment.position, &select, &sort);
                        let predicate: Predicate<'_> = Box::new(move |sql| part.push(sql));
                        for paging in [Paging::first(20), Paging::Backward { last: 20, before: None }] {
                            let plan =
                                explain(&world.db, &listing, std::slice::from_ref(&predicate), &paging).await;
                            let case = format!("{who} by {what}, {order:?}: {plan:#?}");
                            for step in &plan {
                                assert!(!step.contains("Seq Scan"), "{case}");
                                assert!(!step.contains("SCAN c"), "{case}");
                                let gathers = step.contains("Sort") || step.contains("Bitmap");
                                assert!(!gathers || reads_little(&plan), "{case}");
                                assert!(!step.contains("TEMP B-TREE"), "{case}");
                            }
                        }
                    }
                }
            }
        }
        // What is few is found by its key.
        let few = Moment { position: Position::new(CLUES + 300), ..moment };
        let viewer = Viewer::system();
        let parts =
            history(&world.db).past_parts(&viewer, &filters[0].1, &[], ClueOrder::Star, &few).await.unwrap();
        let part = parts.iter().find(|part| !part.walks()).unwrap();
        let select = CLUE_PAST.columns_of("c");
        let listing = listing(ClueOrder::Star, few.position, &select, &["c.star"]);
        let predicate: Predicate<'_> = Box::new(move |sql| part.push(sql));
        let plan = explain(&world.db, &listing, &[predicate], &Paging::first(20)).await;
        assert!(plan.iter().all(|step| !step.contains("Seq Scan") && !step.contains("SCAN c")), "{plan:#?}");
        // Owned states of a class are in two eras, whatever the age of the log.
        let eras = |position: i64| era(Position::new(position), Position::new(position + CLUES));
        assert_ne!(eras(1), eras(HEAD - CLUES));
    })
    .await;
}
