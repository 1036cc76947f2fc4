//! A small business to test with: one line, people in it, clues.

use std::collections::BTreeMap;

use commands::clock::{SharedClock, fresh_uuid};
use commands::service::{CommandContext, CommandService, Receipt, UseCase};
use commands::use_cases::business_line::ApplyLine;
use commands::use_cases::clue::{CaptureClue, CapturedCustomer, Route};
use commands::use_cases::customer::ContactInput;
use commands::use_cases::operator::RegisterOperator;
use commands::use_cases::team::RegisterTeam;
use domain::business_line::{
    FieldDefinition, FieldKind, LineSpec, LossPolicy, LossReason, Move, Policy, PoolPolicy, ScorePolicy,
    Signal, SignalWeight, Stage, StageCategory, StageGraph,
};
use domain::clue::Source;
use domain::envelope::Actor;
use domain::ids::{ClueId, CommandId, CustomerId, OperatorId, TeamId};
use domain::operator::{Role, Scope};
use domain::personal::Personal;
use domain::values::{Code, ContactKind, LineKey, SourceKey};

/// A command service with a business around it.
pub struct World {
    /// The service.
    pub service: CommandService,
    /// The clock that it goes by.
    pub clock: SharedClock,
    /// The line.
    pub line: LineKey,
    /// The only team.
    pub team: TeamId,
}

/// A person as somebody typed one in.
pub struct Person<'a> {
    /// What the person is called.
    pub name: &'a str,
    /// A phone number as written.
    pub phone: &'a str,
}

impl World {
    /// Defines the line and its team.
    pub async fn new(service: CommandService) -> Self {
        let clock = service.clock().clone();
        let line: LineKey = parse("sales");
        let mut world = Self { service, clock, line, team: TeamId::new(uuid::Uuid::nil()) };
        world.done(&world.system(), &ApplyLine { spec: sales_line() }).await;
        let team = RegisterTeam { line: world.line.clone(), name: parse("North") };
        world.team = id(&world.done(&world.system(), &team).await, "team_id");
        world
    }

    /// A fresh command of the system.
    #[must_use]
    pub fn system(&self) -> CommandContext {
        self.by(Actor::System(parse("test")))
    }

    /// A fresh command of an operator.
    #[must_use]
    pub fn operator(&self, id: OperatorId) -> CommandContext {
        self.by(Actor::Operator(id))
    }

    fn by(&self, actor: Actor) -> CommandContext {
        CommandContext::new(CommandId::new(fresh_uuid(self.clock.now())), actor)
    }

    /// Does it, and fails the test when it is refused.
    pub async fn done<U: UseCase>(&self, context: &CommandContext, use_case: &U) -> Receipt {
        self.service.execute(context, use_case).await.unwrap_or_else(|error| panic!("{}: {error:?}", U::NAME))
    }

    /// Tries it, and gives the code of what went wrong.
    pub async fn refused<U: UseCase>(&self, context: &CommandContext, use_case: &U) -> String {
        match self.service.execute(context, use_case).await {
            Ok(receipt) => panic!("{} was done: {receipt:?}", U::NAME),
            Err(error) => error.code().to_owned(),
        }
    }

    /// A new operator in the line and its team.
    pub async fn hire(&self, roles: &[Role]) -> OperatorId {
        let scope = Scope { lines: [self.line.clone()].into(), teams: [self.team].into() };
        let hire = RegisterOperator { name: "Wang Fang".to_owned().into(), roles: roles.to_vec(), scope };
        id(&self.done(&self.system(), &hire).await, "operator_id")
    }

    /// The capture of a clue of a described person.
    #[must_use]
    pub fn capture(&self, person: &Person<'_>, source_key: Option<&str>, route: Route) -> CaptureClue {
        let contacts =
            vec![ContactInput { kind: ContactKind::Phone, text: Personal::Clear(person.phone.to_owned()) }];
        CaptureClue {
            line: self.line.clone(),
            source: Source {
                channel: parse("website"),
                key: source_key.map(|key| SourceKey::new(key).expect("a source key")),
                campaign: None,
            },
            customer: CapturedCustomer::Described { name: Personal::text(person.name), contacts },
            need: None,
            fields: BTreeMap::new(),
            route,
        }
    }

    /// A clue in the pool, of a person with this number.
    pub async fn pooled_clue(&self, phone: &str) -> (ClueId, CustomerId) {
        let capture = self.capture(&Person { name: "Li Wei", phone }, None, Route::Pool);
        let receipt = self.done(&self.system(), &capture).await;
        (id(&receipt, "clue_id"), id(&receipt, "customer_id"))
    }

    /// A clue that an operator owns.
    pub async fn owned_clue(&self, phone: &str, owner: OperatorId) -> (ClueId, CustomerId) {
        let capture = self.capture(&Person { name: "Li Wei", phone }, None, Route::Assign(owner));
        let receipt = self.done(&self.system(), &capture).await;
        (id(&receipt, "clue_id"), id(&receipt, "customer_id"))
    }
}

/// An id that a command made.
#[must_use]
pub fn id<I: std::str::FromStr>(receipt: &Receipt, name: &str) -> I {
    receipt.id(name).and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no {name} in {receipt:?}"))
}

/// A value from its text.
#[must_use]
pub fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// A line with a short stage graph, one field and every policy.
#[must_use]
pub fn sales_line() -> LineSpec {
    let stage = |key: &str, category| Stage { key: parse(key), label: parse(key), category };
    let step = |from: &str, to: &str| Move { from: parse(from), to: parse(to) };
    LineSpec {
        key: parse("sales"),
        name: parse("Sales"),
        country: parse("CN"),
        time_zone: parse("Asia/Shanghai"),
        currency: parse("CNY"),
        graph: StageGraph {
            stages: vec![
                stage("new", StageCategory::Open),
                stage("contacted", StageCategory::Ongoing),
                stage("negotiating", StageCategory::Ongoing),
                stage("won", StageCategory::Won),
                stage("lost", StageCategory::Lost),
            ],
            moves: vec![
                step("new", "contacted"),
                step("contacted", "negotiating"),
                step("negotiating", "contacted"),
            ],
        },
        fields: vec![FieldDefinition {
            key: parse("remark"),
            label: parse("Remark"),
            kind: FieldKind::Text,
            options: Vec::new(),
            min: None,
            max: None,
            required_at: Vec::new(),
        }],
        policies: vec![
            Policy::Pool(PoolPolicy { former_owner_cooldown_minutes: 60 }),
            Policy::Loss(LossPolicy {
                review: true,
                other_approver: true,
                reasons: vec![LossReason { key: parse::<Code>("price"), label: parse("Price") }],
            }),
            Policy::Score(ScorePolicy {
                half_life_hours: 168,
                weights: vec![SignalWeight { signal: Signal::ClueCaptured, points: 10 }],
            }),
        ],
    }
}
