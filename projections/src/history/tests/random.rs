//! Random histories: the past is what the present was.

use std::collections::{BTreeMap, BTreeSet};

use domain::business_line::FieldValue;
use domain::clue::ClueEvent;
use domain::customer::{CustomerEvent, StarBasis};
use domain::ids::{ClueId, CustomerId};
use domain::personal::Personal;
use domain::values::{ContactKind, Money};

use super::*;
use crate::clue_list::{ClueListQuery, FieldFilter, FieldItem, FieldMatch, PhoneFilter};
use crate::customer::{CustomerItem, CustomerQuery};
use crate::read::{Cursor, Shown};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

const CLUES: u64 = 6;
const CUSTOMERS: u64 = 3;
const NAMES: [&str; 4] = ["王小明", "欧阳小明", "Anna Li", "张三"];
const ORDERS: [ClueOrder; 4] =
    [ClueOrder::Updated, ClueOrder::Captured, ClueOrder::NextFollowUp, ClueOrder::Star];

/// What has happened, as far as the next event must know.
#[derive(Default)]
struct Made {
    captured: BTreeSet<u64>,
    phones: BTreeSet<u64>,
    erased: BTreeSet<u64>,
}

/// Appends an event that could come next.
fn step(world: &World, random: &mut Random, made: &mut Made) {
    let n = random.below(CLUES) + 1;
    let of = n % CUSTOMERS + 1;
    let (id, customer) = (u128::from(n), u128::from(of));
    if made.erased.contains(&of) {
        return grow(world, 1);
    }
    if made.captured.insert(n) {
        world.capture(id, customer, "sales");
        return;
    }
    let who = u128::from(random.below(3) + 1);
    match random.below(15) {
        0 => drop(world.on_clue(id, customer, "sales", ClueEvent::Pooled {})),
        1 | 2 => drop(world.assign(id, customer, "sales", who, Some(who))),
        3 => drop(world.follow(id, customer, "sales", "note", Some(600 * i64::try_from(who).unwrap()))),
        4 => drop(world.follow(id, customer, "sales", "note", None)),
        5 => drop(world.move_stage(id, customer, "sales", "new", "talking")),
        6 => drop(world.move_stage(id, customer, "sales", "talking", "waiting")),
        7 => {
            let amount = Some(Money { minor: 100 * i64::try_from(n).unwrap(), currency: key("CNY") });
            world.on_clue(id, customer, "sales", ClueEvent::Won { stage: key("won"), amount });
        }
        8 => {
            let colour = ["red", "blue"][usize::try_from(random.below(2)).unwrap()];
            let values = [
                (key("colour"), (random.below(3) > 0).then(|| FieldValue::Choice(key(colour)))),
                (key("remark"), Some(FieldValue::Text(Personal::Clear(format!("remark {colour}"))))),
            ];
            world.on_clue(id, customer, "sales", ClueEvent::FieldsSet { values: values.into() });
        }
        9 => {
            let tier = u8::try_from(random.below(5) + 1).unwrap().try_into().unwrap();
            let (line, basis, expires_at) = (key("sales"), StarBasis::Person, Some(at(9_999)));
            world.on_customer(customer, CustomerEvent::StarGranted { line, tier, basis, expires_at });
        }
        10 => drop(world.on_customer(customer, CustomerEvent::StarRevoked { line: key("sales") })),
        11 => {
            let name = NAMES[usize::try_from(random.below(4)).unwrap()];
            world.on_customer(customer, CustomerEvent::Renamed { name: Personal::Clear(name.into()) });
        }
        12 if made.phones.remove(&of) => {
            let contact_point_id = contact(customer + 10);
            world.on_customer(customer, CustomerEvent::ContactPointRemoved { contact_point_id });
        }
        12 => {
            made.phones.insert(of);
            let value = Personal::Clear(format!("+86138001390{:02}", random.below(3)));
            let (contact_point_id, kind) = (contact(customer + 10), ContactKind::Phone);
            world.on_customer(customer, CustomerEvent::ContactPointAdded { contact_point_id, kind, value });
        }
        13 => {
            let purpose = key("marketing");
            world.on_customer(
                customer,
                match random.below(2) {
                    0 => CustomerEvent::ConsentGiven { purpose },
                    _ => CustomerEvent::ConsentWithdrawn { purpose },
                },
            );
        }
        _ if random.below(8) == 0 => {
            made.erased.insert(of);
            world.erase(customer);
        }
        _ => drop(world.on_customer(customer, CustomerEvent::DoNotCallSet { do_not_call: who == 1 })),
    }
}

fn filters() -> Vec<ClueFilter> {
    let any = ClueFilter::default;
    let colour = FieldMatch::Choice(vec!["red".into()]);
    vec![
        any(),
        ClueFilter { lines: vec![key("sales")], ..any() },
        ClueFilter { owner: Some(operator(1)), ..any() },
        ClueFilter { team: Some(team(2)), ..any() },
        ClueFilter { customer: Some(customer(2)), ..any() },
        ClueFilter { stages: vec![key("talking")], ..any() },
        ClueFilter { stars_at_least: Some(2), ..any() },
        ClueFilter { name: Some("小明".into()), ..any() },
        ClueFilter { name: Some("li".into()), owner: Some(operator(2)), ..any() },
        ClueFilter { phone: Some(PhoneFilter::Suffix("9001".into())), ..any() },
        ClueFilter { fields: vec![FieldFilter { field: key("colour"), matches: colour }], ..any() },
    ]
}

/// Everything that the present shows.
#[derive(Clone, Debug, PartialEq)]
struct Shot {
    lists: Vec<Vec<ClueItem>>,
    clues: BTreeMap<ClueId, (ClueItem, Vec<FieldItem>)>,
    customers: BTreeMap<CustomerId, CustomerItem>,
    of_customers: BTreeMap<CustomerId, Vec<ClueItem>>,
}

fn ids() -> (Vec<ClueId>, Vec<CustomerId>) {
    let clues = (1..=CLUES).map(|n| clue(n.into())).collect();
    (clues, (1..=CUSTOMERS).map(|n| customer(n.into())).collect())
}

async fn present(world: &World) -> Shot {
    let index: Arc<dyn domain::ports::BlindIndex> = Arc::new(FakeIndex);
    let list = ClueListQuery::new(world.db.clone(), Arc::clone(&index));
    let all = Viewer::system();
    let mut lists = Vec::new();
    for filter in filters() {
        for order in ORDERS {
            let page = list.page(&all, &filter, order, &Paging::first(100)).await.unwrap();
            lists.push(page.edges.into_iter().map(|edge| edge.node).collect());
        }
    }
    let (clues, customers) = ids();
    let mut fields = list.fields(&all, &clues).await.unwrap();
    let found = list.by_ids(&all, &clues).await.unwrap();
    let found = found.into_iter().map(|(id, item)| (id, (item, fields.remove(&id).unwrap_or_default())));
    Shot {
        lists,
        clues: found.collect(),
        customers: sorted(
            CustomerQuery::new(world.db.clone(), index).by_ids(&all, &customers).await.unwrap(),
        ),
        of_customers: list.of_customers(&all, &customers).await.unwrap().into_iter().collect(),
    }
}

fn sorted(items: std::collections::HashMap<CustomerId, CustomerItem>) -> BTreeMap<CustomerId, CustomerItem> {
    let mut items: BTreeMap<_, _> = items.into_iter().collect();
    for item in items.values_mut() {
        item.clues.sort_unstable();
    }
    items
}

/// The same of the past, by pages of three in both directions.
async fn past(world: &World, position: Position) -> Shot {
    let query = history(&world.db);
    let (all, moment) = (Viewer::system(), moment(world, position));
    let mut lists = Vec::new();
    for filter in filters() {
        for order in ORDERS {
            let mut rows = Vec::new();
            let mut after: Option<Cursor> = None;
            loop {
                let paging = Paging::Forward { first: 3, after };
                let page = query.page(&all, &filter, order, &moment, &paging).await.unwrap();
                after = page.edges.last().map(|edge| edge.cursor.to_string().parse().unwrap());
                rows.extend(page.edges.into_iter().map(|edge| edge.node));
                if !page.has_next {
                    break;
                }
            }
            let last = Paging::Backward { last: 100, before: None };
            let backward = query.page(&all, &filter, order, &moment, &last).await.unwrap();
            let backward: Vec<ClueItem> = backward.edges.into_iter().map(|edge| edge.node).collect();
            assert_eq!(backward, rows, "{order:?} {filter:?}");
            lists.push(rows);
        }
    }
    let (clues, customers) = ids();
    let mut fields = query.fields_at(&all, &clues, position).await.unwrap();
    let found = query.clues_at(&all, &clues, position).await.unwrap();
    let found = found.into_iter().map(|(id, item)| (id, (item, fields.remove(&id).unwrap_or_default())));
    Shot {
        lists,
        clues: found.collect(),
        customers: sorted(query.customers_at(&all, &customers, position).await.unwrap()),
        of_customers: query
            .clues_of_customers_at(&all, &customers, position)
            .await
            .unwrap()
            .into_iter()
            .collect(),
    }
}

/// What the present showed, without what was erased since.
fn redact(mut shot: Shot, erased: &BTreeSet<u64>) -> Shot {
    let gone: BTreeSet<CustomerId> = erased.iter().map(|n| customer((*n).into())).collect();
    let clue = |item: &mut ClueItem| {
        if gone.contains(&item.clue.customer_id) {
            item.clue.erased = true;
            item.customer_name = Some(Shown::Redacted);
        }
    };
    for (place, list) in shot.lists.iter_mut().enumerate() {
        // Searches by name or phone find the erased no more.
        let personal = filters()[place / ORDERS.len()].is_personal();
        list.retain(|item| !personal || !gone.contains(&item.clue.customer_id));
        list.iter_mut().for_each(clue);
    }
    for (item, fields) in shot.clues.values_mut() {
        clue(item);
        for field in fields.iter_mut().filter(|_| gone.contains(&item.clue.customer_id)) {
            if let crate::clue_list::FieldShown::Text(text) = &mut field.value {
                *text = Shown::Redacted;
            }
        }
    }
    shot.of_customers.values_mut().flatten().for_each(clue);
    for item in shot.customers.values_mut().filter(|item| gone.contains(&item.customer.customer_id)) {
        item.name = Some(Shown::Redacted);
        item.contacts.iter_mut().for_each(|contact| contact.value = Shown::Redacted);
    }
    shot
}

#[tokio::test]
async fn the_past_is_what_the_present_was_at_every_position() {
    for seed in [1, 2] {
        on_each_database(|world| async move {
            let mut random = Random(seed);
            let mut made = Made::default();
            world.define_line("sales");
            for n in 1..=CUSTOMERS {
                world.register(
                    n.into(),
                    "sales",
                    NAMES[usize::try_from(n).unwrap()],
                    &format!("+861380013800{n}"),
                );
            }
            let mut shots: Vec<(Position, Shot)> = Vec::new();
            for round in 0..8 {
                // Several events at once, some of them long after the others.
                for _ in 0..=random.below(9) {
                    step(&world, &mut random, &mut made);
                }
                if round % 4 == 3 {
                    grow(&world, 300 * usize::try_from(random.below(3) + 1).unwrap());
                }
                let position = Position::ZERO.plus(world.log.events.lock().unwrap().len());
                world.catch_up().await;
                shots.push((position, present(&world).await));
            }
            for (position, shot) in shots {
                let was = redact(shot, &made.erased);
                assert_eq!(past(&world, position).await, was, "seed {seed}, position {position}");
            }
            let projections = world.projections();
            let report = projections.verify(History::NAME, &|_| {}).await.unwrap();
            assert!(report.is_equal() && report.parked == 0, "seed {seed}: {report:?}");
        })
        .await;
    }
}
