//! Rights of today on states of then; and erasures.

use domain::business_line::FieldValue;
use domain::clue::ClueEvent;
use domain::customer::CustomerEvent;
use domain::operator::Role;
use domain::personal::Personal;

use super::*;
use crate::clue_list::FieldShown;
use crate::read::{Shown, Sight};
use crate::sql::Suffix;

#[tokio::test]
async fn a_clue_takes_its_past_along_to_whoever_has_it_now() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "欧阳一", "+8613800138001");
        world.capture(1, 1, "sales");
        let first = world.assign(1, 1, "sales", 1, Some(1));
        let at_ = at(50);
        let to_second =
            ClueEvent::Transferred { from: operator(1), to: operator(2), team_id: Some(team(2)), at: at_ };
        world.on_clue(1, 1, "sales", to_second);
        world.catch_up().await;
        let any = ClueFilter::default();
        let agent = |n| viewer(n, Role::Agent, &["sales"], &[]);
        let lead = |n| viewer(90, Role::TeamLead, &["sales"], &[n]);
        for (who, sees) in [(agent(1), false), (agent(2), true), (lead(1), false), (lead(2), true)] {
            let seen = clue_at(&world, &who, 1, first).await;
            assert_eq!(seen.is_some(), sees, "{who:?}");
            assert_eq!(listed(&world, &who, &any, first).await.len(), usize::from(sees), "{who:?}");
            let changes = history(&world.db).of_clue(&who, clue(1), None, &Paging::first(10)).await.unwrap();
            assert_eq!(!changes.edges.is_empty(), sees, "{who:?}");
        }
        let seen = clue_at(&world, &agent(2), 1, first).await.unwrap();
        assert_eq!(seen.clue.owner_id, Some(operator(1)), "the owner of then");
        // Filters are of then as well.
        let of = |n| ClueFilter { owner: Some(operator(n)), ..ClueFilter::default() };
        assert_eq!(listed(&world, &agent(2), &of(1), first).await, [1]);
        assert_eq!(listed(&world, &agent(2), &of(2), first).await, [] as [u128; 0]);

        world.on_clue(
            1,
            1,
            "sales",
            ClueEvent::Released { operator_id: operator(2), at: at(60), note: None },
        );
        world.catch_up().await;
        let pooled = clue_at(&world, &agent(1), 1, first).await.unwrap();
        assert_eq!(pooled.sight, Sight::Masked, "what one may claim now is masked in the past too");
        assert_eq!(pooled.customer_name, Some(Shown::Masked("欧**".into())));
        assert_eq!(
            listed(&world, &agent(2), &any, first).await,
            [] as [u128; 0],
            "pooled clues are in no list"
        );
        let bi = viewer(5, Role::Bi, &["sales"], &[]);
        assert_eq!(clue_at(&world, &bi, 1, first).await.unwrap().customer_name, Some(Shown::Redacted));
        for nobody in [viewer(5, Role::Manager, &["service"], &[]), Viewer::default()] {
            assert_eq!(clue_at(&world, &nobody, 1, first).await, None);
            assert_eq!(listed(&world, &nobody, &any, first).await, [] as [u128; 0]);
            let customers = history(&world.db).customers_at(&nobody, &[customer(1)], first).await.unwrap();
            assert!(customers.is_empty());
            let changes =
                history(&world.db).of_customer(&nobody, customer(1), None, &Paging::first(10)).await;
            assert!(changes.unwrap().edges.is_empty());
        }
        let name = ClueFilter { name: Some("欧".into()), ..any };
        let refused = page_at(&world, &bi, &name, first).await;
        assert!(matches!(refused, Err(QueryError::Forbidden(_))));
    })
    .await;
}

#[tokio::test]
async fn an_erasure_reaches_every_state_in_the_live_and_in_the_retired_copy() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "Kanarienvogel", "+8613712345678");
        world.capture(1, 1, "sales");
        world.assign(1, 1, "sales", 1, Some(1));
        world.follow(1, 1, "sales", "Kanarienvogel singt", None);
        world.on_customer(1, CustomerEvent::Renamed { name: Personal::Clear("Kanarienvogel Zwei".into()) });
        let projections = world.catch_up().await;
        let before = Position::ZERO.plus(world.log.events.lock().unwrap().len());
        projections.rebuild(History::NAME, &|_| {}).await.unwrap();
        world.on_customer(1, CustomerEvent::DoNotCallSet { do_not_call: true });
        world.catch_up().await;
        world.on_customer(1, CustomerEvent::DoNotCallSet { do_not_call: false });
        world.erase(1);
        let projections = world.catch_up().await;

        let tables = [rows::CLUE_PAST, rows::PAST_VALUE, rows::PAST_GRAM, rows::PAST_PHONE];
        for suffix in [Suffix::Live, Suffix::Old] {
            for table in tables {
                let columns = table.columns.iter().filter(|column| column.kind == crate::sql::Kind::Text);
                for column in columns {
                    let name = table.named(suffix);
                    let sql =
                        format!("SELECT count(*) FROM {name} WHERE {} LIKE '%anarienvogel%'", column.name);
                    assert_eq!(world.number(&sql).await, 0, "{name}.{}", column.name);
                    let sql =
                        format!("SELECT count(*) FROM {name} WHERE {} LIKE '%13712345678%'", column.name);
                    assert_eq!(world.number(&sql).await, 0, "{name}.{}", column.name);
                }
            }
            for table in [rows::PAST_GRAM, rows::PAST_PHONE] {
                assert_eq!(world.number(&format!("SELECT count(*) FROM {}", table.named(suffix))).await, 0);
            }
        }
        let all = Viewer::system();
        assert_eq!(clue_at(&world, &all, 1, before).await.unwrap().customer_name, Some(Shown::Redacted));
        let then = history(&world.db).customers_at(&all, &[customer(1)], before).await.unwrap();
        let then = &then[&customer(1)];
        assert_eq!((then.name.clone(), then.customer.erased_at), (Some(Shown::Redacted), None));
        assert_eq!(then.contacts[0].value, Shown::Redacted);
        let search = ClueFilter { name: Some("kanarien".into()), ..ClueFilter::default() };
        assert_eq!(listed(&world, &all, &search, before).await, [] as [u128; 0]);
        let page = history(&world.db).of_customer(&all, customer(1), None, &Paging::first(50)).await.unwrap();
        let seen = page.nodes().flat_map(|change| &change.fields);
        let texts = seen.flat_map(|field| [&field.before, &field.after]).flatten();
        let shown = texts.filter(|seen| matches!(seen, Seen::Personal(shown) if *shown != Shown::Redacted));
        assert_eq!(shown.count(), 0);

        // The retired copy goes on from where it stood, to the rows of a replay.
        projections.roll_back(History::NAME).await.unwrap();
        projections.catch_up().await.unwrap();
        let report = projections.verify(History::NAME, &|_| {}).await.unwrap();
        assert!(report.is_equal() && report.parked == 0, "{report:?}");
    })
    .await;
}

#[tokio::test]
async fn of_an_erased_person_nothing_shows_while_the_past_waits_for_the_erasure() {
    on_each_database(|world| async move {
        world.define_line("sales");
        world.register(1, "sales", "Kanarienvogel", "+8613712345678");
        world.capture(1, 1, "sales");
        let text = FieldValue::Text(Personal::Clear("Kanarienvogel singt".into()));
        let values = [(key("hobby"), Some(text)), (key("size"), Some(FieldValue::Flag(true)))].into();
        world.on_clue(1, 1, "sales", ClueEvent::FieldsSet { values });
        world.follow(1, 1, "sales", "Kanarienvogel fliegt", None);
        world.catch_up().await;
        let then = Position::ZERO.plus(world.log.events.lock().unwrap().len());
        world.erase(1);
        let index: Arc<dyn domain::ports::BlindIndex> = Arc::new(FakeIndex);
        let present: Vec<Arc<dyn crate::runner::Projector>> = vec![
            Arc::new(crate::clue_list::ClueList::new(Arc::clone(&index))),
            Arc::new(crate::customer::Customers::new(index)),
        ];
        world.with(crate::runner::Config::default(), present).catch_up().await.unwrap();

        let (all, query) = (Viewer::system(), history(&world.db));
        let fields = query.fields_at(&all, &[clue(1)], then).await.unwrap().remove(&clue(1)).unwrap();
        let of_clue = query.of_clue(&all, clue(1), None, &Paging::first(50)).await.unwrap();
        let of_customer = query.of_customer(&all, customer(1), None, &Paging::first(50)).await.unwrap();
        let changes = of_clue.nodes().chain(of_customer.nodes()).flat_map(|change| &change.fields);
        let seen: Vec<&Seen> = changes.flat_map(|field| [&field.before, &field.after]).flatten().collect();
        let mut shown: Vec<&Shown> = Vec::new();
        shown.extend(seen.iter().filter_map(|seen| match seen {
            Seen::Personal(shown) => Some(shown),
            _ => None,
        }));
        assert!(shown.len() >= 4, "name, phone, field and note: {shown:?}");
        shown.extend(fields.iter().filter_map(|item| match &item.value {
            FieldShown::Text(shown) => Some(shown),
            _ => None,
        }));
        let past = clue_at(&world, &all, 1, then).await.unwrap();
        shown.extend(&past.customer_name);
        let customers = query.customers_at(&all, &[customer(1)], then).await.unwrap();
        let person = &customers[&customer(1)];
        shown.extend(person.contacts.iter().map(|contact| &contact.value).chain(&person.name));
        assert!(shown.iter().all(|shown| **shown == Shown::Redacted), "{shown:?}");
        let flag = fields.iter().find(|item| item.field == key("size")).map(|item| &item.value);
        assert_eq!(flag, Some(&FieldShown::Flag(true)), "what is not about the person stays");
        let search = ClueFilter { name: Some("kanarien".into()), ..ClueFilter::default() };
        assert_eq!(listed(&world, &all, &search, then).await, [] as [u128; 0], "nor is the person found");
    })
    .await;
}
