//! The life of one clue: what happens next, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use commands::service::{CommandService, Receipt};
use commands::use_cases::clue::{
    CaptureClue, CapturedCustomer, ClaimClue, ClueStep, PoolClue, ReleaseClue, Route, WorkClue,
};
use commands::use_cases::customer::{ChangeCustomer, ContactInput, CustomerChange};
use domain::Instant;
use domain::business_line::{FieldDefinition, FieldKind, FieldValue, LineSpec, Policy, StageCategory};
use domain::clue::{FollowUpChannel, FollowUpOutcome, Intent, Need, Source};
use domain::customer::{StarBasis, StarTier};
use domain::envelope::Actor;
use domain::ids::{ClueId, CustomerId, OperatorId, ViewingId};
use domain::personal::Personal;
use domain::values::{Code, ContactKind, FieldKey, Label, Money, StageKey};
use rand::RngExt;
use rand::rngs::StdRng;

use super::people::{CARS, REMARKS, name, phone, pick};
use super::staff::{Staff, Team};
use super::{DemoError, made, run, system, value};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// What happens to the clue next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Arrive,
    Claim,
    Call { attempt: u8 },
    Advance,
    Viewing(ViewingId),
    Decide,
    Review,
}

/// One clue's life.
pub struct Journey {
    rng: StdRng,
    line: LineSpec,
    next: Next,
    car: (&'static str, &'static str, i64),
    clue: Option<ClueId>,
    customer: Option<CustomerId>,
    owner: Option<(OperatorId, OperatorId)>,
    stage: Option<StageKey>,
    steps: u8,
}

impl Journey {
    /// A clue that is about to arrive in a line.
    pub fn new(mut rng: StdRng, line: LineSpec) -> Self {
        let car = CARS[rng.random_range(0..CARS.len())];
        let stage = line.graph.initial().map(|stage| stage.key.clone());
        Self { rng, line, next: Next::Arrive, car, clue: None, customer: None, owner: None, stage, steps: 0 }
    }

    /// Does the next thing at `at`; says after how long the one behind it comes, if any.
    pub async fn go_on(
        &mut self,
        service: &CommandService,
        staff: &Staff,
        at: Instant,
    ) -> Result<Option<Duration>, DemoError> {
        match self.next {
            Next::Arrive => self.arrive(service, staff, at).await,
            Next::Claim => self.claim(service, staff, at).await,
            Next::Call { attempt } => self.call(service, at, attempt).await,
            Next::Advance => self.advance(service, at).await,
            Next::Viewing(id) => self.view(service, at, id).await,
            Next::Decide => self.decide(service, at).await,
            Next::Review => self.review(service, at).await,
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// One of the line's teams.
    fn team<'s>(&mut self, staff: &'s Staff) -> Option<&'s Team> {
        let teams: Vec<&'s Team> = staff.teams.iter().filter(|team| team.line == self.line.key).collect();
        pick(&mut self.rng, &teams)
    }

    /// Comes back within a span of seconds.
    fn then(&mut self, next: Next, from: u64, to: u64) -> Option<Duration> {
        self.next = next;
        Some(Duration::from_secs(self.rng.random_range(from..to)))
    }

    async fn step(
        &self,
        service: &CommandService,
        at: Instant,
        step: ClueStep,
    ) -> Result<Receipt, DemoError> {
        let clue_id = self.clue()?;
        let actor = Actor::Operator(self.owner()?.0);
        run(service, actor, at, &WorkClue { clue_id, step }).await
    }

    fn clue(&self) -> Result<ClueId, DemoError> {
        self.clue.ok_or_else(|| DemoError::Script("the clue has not arrived".to_owned()))
    }

    /// The owner and who leads the owner.
    fn owner(&self) -> Result<(OperatorId, OperatorId), DemoError> {
        self.owner.ok_or_else(|| DemoError::Script("nobody owns the clue".to_owned()))
    }

    fn remark(&mut self) -> Option<Personal<String>> {
        pick(&mut self.rng, &REMARKS).and_then(Personal::text)
    }

    async fn arrive(
        &mut self,
        service: &CommandService,
        staff: &Staff,
        at: Instant,
    ) -> Result<Option<Duration>, DemoError> {
        let channel = pick(&mut self.rng, &["website", "douyin", "phone-in", "walk-in", "partner"]);
        let Some(team) = self.team(staff) else { return Ok(None) };
        let agent = team.agents[self.rng.random_range(0..team.agents.len())];
        let assigned = self.chance(40);
        let waits = !assigned && self.chance(10);
        let route = match (assigned, waits) {
            (true, _) => Route::Assign(agent),
            (_, true) => Route::Wait,
            _ => Route::Pool,
        };
        let contacts = vec![ContactInput { kind: ContactKind::Phone, text: phone(&mut self.rng).into() }];
        let capture = CaptureClue {
            line: self.line.key.clone(),
            source: Source { channel: value(channel.unwrap_or("website"))?, key: None, campaign: None },
            customer: CapturedCustomer::Described { name: Some(name(&mut self.rng).into()), contacts },
            need: None,
            fields: BTreeMap::new(),
            route,
        };
        let receipt = run(service, system()?, at, &capture).await?;
        self.clue = Some(made(&receipt, "clue_id")?);
        self.customer = Some(made(&receipt, "customer_id")?);
        if assigned {
            self.owner = Some((agent, team.lead));
            return Ok(self.then(Next::Call { attempt: 1 }, 3 * MINUTE, 90 * MINUTE));
        }
        if waits {
            let pool = PoolClue { clue_id: self.clue()? };
            run(service, Actor::Operator(team.lead), at + Duration::from_secs(MINUTE), &pool).await?;
        }
        Ok(self.then(Next::Claim, 5 * MINUTE, 6 * HOUR))
    }

    /// Two agents want it at once; the log says who won and keeps the other's attempt.
    async fn claim(
        &mut self,
        service: &CommandService,
        staff: &Staff,
        at: Instant,
    ) -> Result<Option<Duration>, DemoError> {
        let Some(team) = self.team(staff) else { return Ok(None) };
        if self.chance(12) {
            // Some clues stay in the pool.
            return Ok(None);
        }
        let first = self.rng.random_range(0..team.agents.len());
        let claim = ClaimClue { clue_id: self.clue()? };
        let winner = team.agents[first];
        match run(service, Actor::Operator(winner), at, &claim).await {
            Ok(_) => self.owner = Some((winner, team.lead)),
            // Its former owner still has to wait.
            Err(DemoError::Command { .. }) => return Ok(self.then(Next::Claim, HOUR, 12 * HOUR)),
            Err(error) => return Err(error),
        }
        if self.chance(30) {
            let loser = team.agents[(first + 1) % team.agents.len()];
            let _ = run(service, Actor::Operator(loser), at + Duration::from_secs(1), &claim).await;
        }
        Ok(self.then(Next::Call { attempt: 1 }, 2 * MINUTE, 45 * MINUTE))
    }

    async fn call(
        &mut self,
        service: &CommandService,
        at: Instant,
        attempt: u8,
    ) -> Result<Option<Duration>, DemoError> {
        let reached = self.chance(60);
        let planned = at + Duration::from_secs(self.rng.random_range(4 * HOUR..48 * HOUR));
        let follow_up = ClueStep::LogFollowUp {
            channel: FollowUpChannel::Call,
            outcome: if reached { FollowUpOutcome::Connected } else { FollowUpOutcome::NoAnswer },
            duration_seconds: reached.then(|| self.rng.random_range(45..900)),
            next_at: Some(planned),
            note: if reached { self.remark() } else { None },
        };
        self.step(service, at, follow_up).await?;
        if reached {
            self.learn_need(service, at).await?;
            return Ok(self.then(Next::Advance, 10 * MINUTE, 20 * HOUR));
        }
        if attempt < 4 {
            return Ok(self.then(Next::Call { attempt: attempt + 1 }, 3 * HOUR, 30 * HOUR));
        }
        if self.chance(50) {
            let release = ReleaseClue { clue_id: self.clue()?, note: self.remark() };
            run(service, Actor::Operator(self.owner()?.0), at, &release).await?;
            return Ok(self.then(Next::Claim, 3 * HOUR, 72 * HOUR));
        }
        let invalid = ClueStep::Invalidate(value::<Code>("unreachable")?);
        let clue_id = self.clue()?;
        run(service, Actor::Operator(self.owner()?.1), at, &WorkClue { clue_id, step: invalid }).await?;
        Ok(None)
    }

    async fn learn_need(&mut self, service: &CommandService, at: Instant) -> Result<(), DemoError> {
        let (brand, model, price) = self.car;
        let yuan = |yuan: i64| Money { minor: yuan * 100, currency: self.line.currency };
        let need = Need {
            intent: Some(Intent::Buy),
            budget_min: Some(yuan(price * 8 / 10)),
            budget_max: Some(yuan(price * 11 / 10)),
            brands: vec![value::<Label>(brand)?],
            models: vec![value::<Label>(model)?],
            ..Need::default()
        };
        self.step(service, at, ClueStep::SetNeed(need)).await?;
        if self.chance(12) {
            let star = CustomerChange::GrantStar {
                line: self.line.key.clone(),
                tier: StarTier::try_from(self.rng.random_range(3..=5_u8))
                    .map_err(|error| DemoError::Script(error.to_string()))?,
                basis: StarBasis::Person,
                expires_at: None,
            };
            let (Some(customer_id), clue_id) = (self.customer, self.clue) else { return Ok(()) };
            let change = ChangeCustomer { customer_id, clue_id, change: star };
            run(service, Actor::Operator(self.owner()?.1), at, &change).await?;
        }
        Ok(())
    }

    /// Moves along the stage graph, filling what the next stage requires.
    async fn advance(
        &mut self,
        service: &CommandService,
        at: Instant,
    ) -> Result<Option<Duration>, DemoError> {
        self.steps += 1;
        let graph = &self.line.graph;
        let onward: Vec<StageKey> = graph
            .moves
            .iter()
            .filter(|step| Some(&step.from) == self.stage.as_ref())
            .filter(|step| graph.stage(&step.to).is_some_and(|to| to.category == StageCategory::Ongoing))
            .map(|step| step.to.clone())
            .collect();
        if onward.is_empty() || self.steps > 5 {
            return Ok(self.then(Next::Decide, HOUR, 48 * HOUR));
        }
        let to = onward[self.rng.random_range(0..onward.len())].clone();
        let required: Vec<FieldDefinition> =
            self.line.fields.iter().filter(|field| field.required_at.contains(&to)).cloned().collect();
        let mut values = BTreeMap::new();
        for field in &required {
            values.insert(field.key.clone(), Some(self.field_value(field, at)?));
        }
        if !values.is_empty() {
            self.step(service, at, ClueStep::SetFields(values)).await?;
        }
        self.step(service, at, ClueStep::MoveStage(to.clone())).await?;
        self.stage = Some(to);
        if self.chance(35) {
            return self.book(service, at).await;
        }
        if self.chance(30) {
            return Ok(self.then(Next::Call { attempt: 1 }, 12 * HOUR, 72 * HOUR));
        }
        Ok(self.then(Next::Advance, 4 * HOUR, 60 * HOUR))
    }

    fn field_value(&mut self, field: &FieldDefinition, at: Instant) -> Result<FieldValue, DemoError> {
        Ok(match field.kind {
            FieldKind::Text => FieldValue::Text(self.remark().unwrap_or(Personal::Redacted)),
            FieldKind::Choice => {
                let index = self.rng.random_range(0..field.options.len().max(1));
                let option = field.options.get(index);
                let option = option.ok_or_else(|| no_option(&field.key))?;
                FieldValue::Choice(option.key.clone())
            }
            FieldKind::Number => FieldValue::Number(field.min.or(field.max).unwrap_or_default()),
            FieldKind::Flag => FieldValue::Flag(self.chance(50)),
            FieldKind::Date => FieldValue::Date(value(&at.to_string()[..10])?),
            FieldKind::Instant => FieldValue::Instant(at),
            FieldKind::Money => {
                FieldValue::Money(Money { minor: self.car.2 * 100, currency: self.line.currency })
            }
        })
    }

    async fn book(&mut self, service: &CommandService, at: Instant) -> Result<Option<Duration>, DemoError> {
        let wait = self.rng.random_range(20 * HOUR..70 * HOUR);
        let car = value::<Label>(&format!("{} {}", self.car.0, self.car.1))?;
        let book = ClueStep::BookViewing {
            at: at + Duration::from_secs(wait),
            car: Some(car),
            place: Personal::text("门店展厅"),
        };
        let receipt = self.step(service, at, book).await?;
        self.next = Next::Viewing(made(&receipt, "viewing_id")?);
        Ok(Some(Duration::from_secs(wait + HOUR)))
    }

    async fn view(
        &mut self,
        service: &CommandService,
        at: Instant,
        id: ViewingId,
    ) -> Result<Option<Duration>, DemoError> {
        let came = self.chance(72);
        let step = if came { ClueStep::CompleteViewing(id) } else { ClueStep::RecordNoShow(id) };
        self.step(service, at, step).await?;
        if came {
            return Ok(self.then(Next::Decide, HOUR, 50 * HOUR));
        }
        Ok(self.then(Next::Call { attempt: 2 }, 2 * HOUR, 24 * HOUR))
    }

    async fn decide(&mut self, service: &CommandService, at: Instant) -> Result<Option<Duration>, DemoError> {
        match self.rng.random_range(0..100) {
            0..32 => {
                let off = self.rng.random_range(90..=100);
                let amount = Money { minor: self.car.2 * off, currency: self.line.currency };
                self.step(service, at, ClueStep::Win { amount: Some(amount) }).await?;
                Ok(None)
            }
            32..72 => {
                let reason = self.loss_reason()?;
                let note = self.remark();
                self.step(service, at, ClueStep::ProposeLoss { reason, note }).await?;
                if self.reviews_losses() {
                    return Ok(self.then(Next::Review, HOUR, 30 * HOUR));
                }
                Ok(None)
            }
            _ => Ok(self.then(Next::Call { attempt: 1 }, 24 * HOUR, 96 * HOUR)),
        }
    }

    fn reviews_losses(&self) -> bool {
        self.line.policies.iter().any(|policy| matches!(policy, Policy::Loss(loss) if loss.review))
    }

    fn loss_reason(&mut self) -> Result<Code, DemoError> {
        let reasons = self.line.policies.iter().find_map(|policy| match policy {
            Policy::Loss(loss) if !loss.reasons.is_empty() => Some(&loss.reasons),
            _ => None,
        });
        match reasons {
            Some(reasons) => Ok(reasons[self.rng.random_range(0..reasons.len())].key.clone()),
            None => value("price"),
        }
    }

    async fn review(&mut self, service: &CommandService, at: Instant) -> Result<Option<Duration>, DemoError> {
        let clue_id = self.clue()?;
        let lead = Actor::Operator(self.owner()?.1);
        if self.chance(80) {
            run(service, lead, at, &WorkClue { clue_id, step: ClueStep::ApproveLoss }).await?;
            return Ok(None);
        }
        let step = ClueStep::RejectLoss { note: Personal::text("再联系一次，给出分期方案") };
        run(service, lead, at, &WorkClue { clue_id, step }).await?;
        Ok(self.then(Next::Call { attempt: 1 }, 2 * HOUR, 20 * HOUR))
    }
}

fn no_option(field: &FieldKey) -> DemoError {
    DemoError::Script(format!("choice field {field} has no option"))
}
