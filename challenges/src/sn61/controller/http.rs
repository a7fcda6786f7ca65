//! Services over HTTP.
//!
//! * `GET <challenge>/task` gives an input, an object.
//! * `POST <runner>/solve {"docker_hub_id", "miner_input"}` gives the image's answer, an
//!   object. How the runner starts images is its own matter.
//! * `POST <challenge>/score?reset=true {"miner_input", "miner_output"}` gives a bare
//!   number; `reset` only at the first task.
//! * `POST <compare>/compare {"miner_input", "miner_output", "reference_output"}` gives
//!   `{"data": {"similarity_score", "reason"}}`.

use std::collections::BTreeMap;
use std::time::Duration;

use ureq::Agent;

use super::{Controller, ControllerError, Likeness, likeness_of, score_of};
use crate::python::{Json, dumps, parse_slice};

/// Where the services of a challenge are, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Services {
    /// The challenge: `/task` and `/score`.
    pub challenge: String,
    /// What compares: `/compare`.
    pub compare: String,
    /// What runs images: `/solve`.
    pub runner: String,
}

/// How services are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long one attempt may take, reading included.
    pub timeout: Duration,
    /// How long an image may take for one task.
    pub solve_timeout: Duration,
    /// How long to wait before each further attempt; as many as there are.
    pub waits: Vec<Duration>,
    /// Longest answer, in bytes.
    pub max_answer: u64,
}

impl Default for Settings {
    /// 60 s (240 s for an image), three attempts with 1 and 5 s between, 8 MiB.
    fn default() -> Settings {
        Settings {
            timeout: Duration::from_secs(60),
            solve_timeout: Duration::from_secs(240),
            waits: vec![Duration::from_secs(1), Duration::from_secs(5)],
            max_answer: 8 << 20,
        }
    }
}

/// Services over HTTP, by challenge.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    services: BTreeMap<String, Services>,
    settings: Settings,
}

impl Http {
    /// Of these services. Redirects are not followed and proxies of the environment not used:
    /// what is asked is what is configured.
    pub fn new(services: BTreeMap<String, Services>, settings: Settings) -> Http {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build();
        Http {
            agent: config.into(),
            services,
            settings,
        }
    }

    fn services(&self, challenge: &str) -> Result<&Services, ControllerError> {
        self.services
            .get(challenge)
            .ok_or_else(|| ControllerError::Unreachable {
                service: challenge.chars().take(64).collect(),
                attempts: 0,
                why: "no services are configured for this challenge".into(),
            })
    }

    /// Asks until there is an answer that another attempt would not better.
    fn ask(
        &self,
        url: &str,
        body: Option<&Json>,
        timeout: Duration,
    ) -> Result<Json, ControllerError> {
        let body = body.map(dumps);
        let mut attempts = 0;
        let mut waits = self.settings.waits.iter();
        loop {
            attempts += 1;
            let outcome = self.once(url, body.as_deref(), timeout, attempts);
            let again = match &outcome {
                Err(ControllerError::Unreachable { .. }) => true,
                Err(ControllerError::Status { status, .. }) => *status == 429 || *status >= 500,
                _ => false,
            };
            match waits.next() {
                Some(wait) if again => std::thread::sleep(*wait),
                _ => return outcome,
            }
        }
    }

    fn once(
        &self,
        url: &str,
        body: Option<&str>,
        timeout: Duration,
        attempts: u32,
    ) -> Result<Json, ControllerError> {
        let service = named(url);
        let limit = self.settings.max_answer;
        let failed = |error: ureq::Error| match error {
            ureq::Error::BodyExceedsLimit(_) => ControllerError::Long {
                service: service.clone(),
                limit,
            },
            error => ControllerError::Unreachable {
                service: service.clone(),
                attempts,
                why: error.to_string(),
            },
        };
        let response = match body {
            None => {
                let request = self.agent.get(url).config();
                request.timeout_global(Some(timeout)).build().call()
            }
            Some(body) => {
                let request = self.agent.post(url).config();
                let request = request.timeout_global(Some(timeout)).build();
                let request = request.header("content-type", "application/json");
                request.send(body)
            }
        };
        let mut response = response.map_err(failed)?;
        let status = response.status().as_u16();
        if !(200..300).contains(&status) {
            return Err(ControllerError::Status {
                service,
                status,
                attempts,
            });
        }
        let reader = response.body_mut().with_config().limit(limit);
        let bytes = reader.read_to_vec().map_err(failed)?;
        parse_slice(&bytes).map_err(|e| ControllerError::Shape {
            service,
            wanted: "JSON",
            why: e.to_string(),
        })
    }

    fn object(
        &self,
        url: &str,
        body: Option<&Json>,
        timeout: Duration,
    ) -> Result<Json, ControllerError> {
        match self.ask(url, body, timeout)? {
            object @ Json::Dict(_) => Ok(object),
            _ => Err(ControllerError::Shape {
                service: named(url),
                wanted: "an object",
                why: "it is another value".into(),
            }),
        }
    }
}

/// The address without a user and password in it and without a query.
fn named(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

impl Controller for Http {
    fn task(&self, challenge: &str) -> Result<Json, ControllerError> {
        let url = format!("{}/task", self.services(challenge)?.challenge);
        self.object(&url, None, self.settings.timeout)
    }

    fn solve(&self, challenge: &str, docker: &str, input: &Json) -> Result<Json, ControllerError> {
        let url = format!("{}/solve", self.services(challenge)?.runner);
        let body = Json::dict([
            ("docker_hub_id", Json::Str(docker.to_owned())),
            ("miner_input", input.clone()),
        ]);
        self.object(&url, Some(&body), self.settings.solve_timeout)
    }

    fn score(
        &self,
        challenge: &str,
        reset: bool,
        input: &Json,
        output: &Json,
    ) -> Result<f64, ControllerError> {
        let query = if reset { "?reset=true" } else { "" };
        let url = format!("{}/score{query}", self.services(challenge)?.challenge);
        let body = Json::dict([
            ("miner_input", input.clone()),
            ("miner_output", output.clone()),
        ]);
        let answer = self.ask(&url, Some(&body), self.settings.timeout)?;
        Ok(score_of(&answer))
    }

    fn compare(
        &self,
        challenge: &str,
        input: &Json,
        output: &Json,
        reference: &Json,
    ) -> Result<Likeness, ControllerError> {
        let url = format!("{}/compare", self.services(challenge)?.compare);
        let body = Json::dict([
            ("miner_input", input.clone()),
            ("miner_output", output.clone()),
            ("reference_output", reference.clone()),
        ]);
        let answer = self.ask(&url, Some(&body), self.settings.timeout)?;
        likeness_of(&answer).ok_or_else(|| ControllerError::Shape {
            service: named(&url),
            wanted: "`data.similarity_score`",
            why: "it is no number".into(),
        })
    }
}
