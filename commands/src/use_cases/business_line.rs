//! Business lines: applied from files, or changed part by part.

use domain::business_line::{
    BusinessLine, BusinessLineCommand as Command, FieldDefinition, LineSpec, Policy, StageGraph,
};
use domain::values::{FieldKey, Label, LineKey};
use serde::Serialize;

use crate::service::{About, Done, Permission, Stop, UnitOfWork, UseCase};

/// Brings a line to the description in a file, defining it when it does not exist.
#[derive(Clone, Debug, Serialize)]
pub struct ApplyLine {
    /// What the line should be.
    pub spec: LineSpec,
}

impl UseCase for ApplyLine {
    const NAME: &'static str = "apply_line";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        change(work, &self.spec.key, Command::Apply(Box::new(self.spec.clone()))).await
    }
}

/// One change of a line that exists.
#[derive(Clone, Debug, Serialize)]
pub enum LineChange {
    /// Call it otherwise.
    Rename(Label),
    /// Put a new stage graph in force.
    PublishStageGraph(StageGraph),
    /// Define a custom field, or change what may change of it.
    DefineField(FieldDefinition),
    /// Take no new values for a field.
    RetireField(FieldKey),
    /// Put new rules in force.
    PublishPolicy(Policy),
    /// Take no new clues.
    Suspend,
    /// Take clues again.
    Resume,
}

/// Changes one part of a line.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeLine {
    /// Which line.
    pub line: LineKey,
    /// What to change.
    pub change: LineChange,
}

impl UseCase for ChangeLine {
    const NAME: &'static str = "change_line";

    async fn execute(&self, work: &mut UnitOfWork<'_>) -> Result<Done, Stop> {
        let command = match self.change.clone() {
            LineChange::Rename(name) => Command::Rename { name },
            LineChange::PublishStageGraph(graph) => Command::PublishStageGraph { graph },
            LineChange::DefineField(field) => Command::DefineField { field },
            LineChange::RetireField(key) => Command::RetireField { key },
            LineChange::PublishPolicy(policy) => Command::PublishPolicy { policy },
            LineChange::Suspend => Command::Suspend,
            LineChange::Resume => Command::Resume,
        };
        change(work, &self.line, command).await
    }
}

async fn change(work: &mut UnitOfWork<'_>, key: &LineKey, command: Command) -> Result<Done, Stop> {
    work.authorize(Permission::Configure(key)).await?;
    work.primary::<BusinessLine>(key).await?;
    let about = About { line: Some(key.clone()), ..About::default() };
    let events = work.decide::<BusinessLine>(key, &about, command).await?;
    Ok(Done::plain().id("line", key).id("events", events))
}
