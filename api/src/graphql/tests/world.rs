//! A server on a store of its own, with two lines and people in every role.

use std::future::Future;
use std::sync::Arc;

use commands::clock::{Clock, SystemClock, fresh_uuid};
use domain::ids::OperatorId;
use domain::operator::Role;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::app::{App, Location, Role as ServeRole, ServeError, Service, migrate, sealer, services};
use crate::auth::{Caller, Tokens};
use crate::config::{Config, DatabaseUrl};
use crate::demo::{Staff, hire};
use crate::graphql::services::{Services, Session};
use crate::http::{RequestContext, Server};
use crate::keys::Keys;

/// A running server.
pub struct World {
    pub app: Arc<App>,
    pub staff: Staff,
    pub address: std::net::SocketAddr,
    services: Arc<Services>,
    tokens: Tokens,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<JoinHandle<Result<(), ServeError>>>,
    pub config: Config,
    pub keys: Keys,
    folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cluestream.db");
        let config = Config {
            database_url: DatabaseUrl::new(&format!("sqlite://{}", file.display())).unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            checkpoints_dir: folder.path().join("checkpoints"),
            ..Config::default()
        };
        let keys = Keys::generate().unwrap();
        migrate(&Location::of(&config.database_url).unwrap()).await.unwrap();
        let server = Server::bind(config.listen).await.unwrap();
        let app = Arc::new(App::open(&config, &keys, Arc::new(SystemClock)).await.unwrap());
        let lines = [
            include_str!("../../../../docs/lines/used-car-sales.toml"),
            include_str!("../../../../docs/lines/after-sale.toml"),
        ];
        let lines = lines.map(|text| commands::line_file::parse(text).unwrap());
        let staff = hire(&app.commands, &lines, SystemClock.now()).await.unwrap();
        app.projections.catch_up().await.unwrap();
        app.directory.refresh().await.unwrap();
        let roles = [ServeRole::Api, ServeRole::Projections];
        let service = Service::new(server, app.clone(), &config, &keys, &roles).unwrap();
        let address = service.address();
        let services = Arc::new(services(&app, &config, &keys));
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(service.run(async move {
            let _ = stopped.await;
        }));
        Self {
            app,
            staff,
            address,
            services,
            tokens: Tokens::new(keys.signing()).unwrap(),
            client: reqwest::Client::new(),
            stop: Some(stop),
            ended: Some(ended),
            config,
            keys,
            folder,
        }
    }

    /// Ends the server and waits for it.
    pub async fn end(mut self) {
        drop(self.stop.take());
        self.ended.take().unwrap().await.unwrap().unwrap();
    }

    /// Signs what the log holds.
    pub async fn seal(&self) {
        sealer(&self.app, &self.config, &self.keys).unwrap().seal_all().await.unwrap();
    }

    /// The key that checkpoints are verified with.
    pub fn verifier(&self) -> &domain::proof::VerifierKey {
        self.keys.log().unwrap().verifier()
    }

    /// A file of this world.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// The answer to a GET of an operator.
    pub async fn get(&self, operator: OperatorId, path: &str) -> reqwest::Response {
        let request = self.client.get(format!("http://{}{path}", self.address));
        request.bearer_auth(self.token(operator)).send().await.unwrap()
    }

    /// Somebody in a role.
    pub fn who(&self, role: Role) -> OperatorId {
        self.staff.showcase.iter().find(|(known, ..)| *known == role).unwrap().2
    }

    /// The agents of the first team.
    pub fn agent(&self, number: usize) -> OperatorId {
        self.staff.teams[0].agents[number]
    }

    pub fn token(&self, operator: OperatorId) -> String {
        let hour = std::time::Duration::from_secs(3_600);
        self.tokens.issue(operator, SystemClock.now(), hour).unwrap().token
    }

    /// A session as the server makes it for a request of an operator.
    pub fn session(&self, operator: OperatorId) -> Session {
        let known = &self.app.directory.now().operators[&operator];
        let caller = Caller {
            operator_id: operator,
            roles: known.roles.clone(),
            scope: known.scope.clone(),
            token_expires_at: SystemClock.now(),
        };
        let request = RequestContext { caller, request_id: command_id(), trace: None };
        Session::new(self.services.clone(), request)
    }

    /// The whole answer to a request.
    pub fn ask(
        &self,
        operator: OperatorId,
        query: &str,
        variables: Value,
    ) -> impl Future<Output = Value> + use<> {
        let request = self
            .client
            .post(format!("http://{}/graphql", self.address))
            .bearer_auth(self.token(operator))
            .json(&json!({ "query": query, "variables": variables }));
        async move { request.send().await.unwrap().json().await.unwrap() }
    }

    /// The data of an answer without errors.
    pub async fn data(&self, operator: OperatorId, query: &str, variables: Value) -> Value {
        let answer = self.ask(operator, query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    /// The code of the first error of an answer.
    pub async fn code(&self, operator: OperatorId, query: &str, variables: Value) -> String {
        let answer = self.ask(operator, query, variables).await;
        answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Runs a mutation that takes an input of this type, and gives its payload.
    pub async fn run(&self, operator: OperatorId, name: &str, input_type: &str, mut input: Value) -> Value {
        if input.get("commandId").is_none() {
            input["commandId"] = json!(command_id());
        }
        let of = |words: &[&str]| words.iter().any(|word| input_type.contains(word));
        let fields = match input_type {
            "CaptureClueInput" => "clueId customerId",
            "LogFollowUpInput" => "clueId followUpId",
            "BookViewingInput" => "clueId viewingId",
            "AddContactPointInput" => "customerId contactPointId",
            _ if of(&["Customer", "Contact", "Consent", "Star", "DoNotCall"]) => "customerId",
            _ if of(&["Operator"]) => "operatorId",
            _ if of(&["Team"]) => "teamId",
            _ if of(&["Line", "Policy", "StageGraph", "DefineField", "RetireField"]) => "line",
            _ => "clueId",
        };
        let query = format!(
            "mutation M($input: {input_type}!) {{ {name}(input: $input) \
             {{ position revision userErrors {{ code message field }} {fields} }} }}"
        );
        self.data(operator, &query, json!({ "input": input })).await[name].clone()
    }

    /// The same, and fails the test when it was refused.
    pub async fn done(&self, operator: OperatorId, name: &str, input_type: &str, input: Value) -> Value {
        let payload = self.run(operator, name, input_type, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{name}");
        payload
    }

    /// A clue of a new person in the pool of the first line.
    pub async fn pooled(&self, phone: &str) -> Value {
        let input = capture(phone, json!({ "pool": true }));
        self.done(self.who(Role::Manager), "captureClue", "CaptureClueInput", input).await
    }

    /// A clue of a new person that an operator works.
    pub async fn owned(&self, phone: &str, owner: OperatorId) -> Value {
        let input = capture(phone, json!({ "assignTo": owner }));
        self.done(self.who(Role::Manager), "captureClue", "CaptureClueInput", input).await
    }
}

pub fn command_id() -> uuid::Uuid {
    fresh_uuid(SystemClock.now())
}

pub fn capture(phone: &str, route: Value) -> Value {
    json!({
        "line": "used-car-sales",
        "source": { "channel": "website", "campaign": "Spring" },
        "customer": { "person": { "name": "李伟", "contacts": [{ "kind": "PHONE", "value": phone }] } },
        "need": { "intent": "BUY", "budgetMax": "12800000 CNY", "brands": ["Toyota"] },
        "route": route,
    })
}
