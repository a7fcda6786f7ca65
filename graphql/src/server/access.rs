//! At the door: every request is asked who it is, what it wants, and whether it may once more.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_graphql::ServerError;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Value, json};

use super::address::{client, is_forwarded};
use super::auth::{ApiKey, WrongKey, shown};
use super::connections::{Connection, Full, Party, StreamPlace};
use super::door::{Door, holder, holder_of, now_ms};
use super::rate::Level;
use super::refused::{Refused, code};
use super::{App, Cors};

/// Complexity that a token pays for, beyond the token of the request itself.
const COMPLEXITY_PER_TOKEN: usize = 10_000;
/// Routes that take in reports, when posted to.
const INGEST: [&str; 2] = ["/v1/results/{netuid}", "/v1/scoring/{netuid}/reports"];
/// The route of WebSockets.
const SOCKET: &str = "/graphql/ws";
/// Probes, which are never refused.
const PROBES: [&str; 2] = ["/health", "/ready"];

tokio::task_local! {
    static CALLER: Arc<Caller>;
}

/// What a request wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// A sign of life.
    Probe,
    /// A page that tells nothing that is not on the way to it.
    Page,
    /// To know something.
    Read,
    /// To tell something.
    Ingest,
}

impl Wants {
    fn of(method: &Method, route: &str, uri: &Uri) -> Self {
        // Whatever stands in the query string: the query page needs none, and a name of a parameter
        // can be written in many ways.
        let is_bare = uri.query().is_none_or(str::is_empty);
        let may_show = is_bare && (method == Method::GET || method == Method::HEAD);
        let is_page = route == "/" || route.starts_with("/assets/");
        match route {
            route if PROBES.contains(&route) => Self::Probe,
            "/graphql" if may_show => Self::Page,
            _ if is_page || method == Method::OPTIONS => Self::Page,
            route if method == Method::POST && INGEST.contains(&route) => Self::Ingest,
            _ => Self::Read,
        }
    }
}

/// Who asks, and what it has cost so far.
pub(crate) struct Caller {
    door: Arc<Door>,
    /// The client, behind proxies that are trusted.
    pub(super) address: IpAddr,
    /// Whether rates hold for it.
    counted: bool,
    /// Whether it speaks over a WebSocket, where every operation counts as a request.
    is_socket: bool,
    /// The connection that it speaks over. It ends with its socket, whoever speaks.
    connection: Weak<Connection>,
    key: Mutex<Option<Arc<ApiKey>>>,
    tokens: AtomicU64,
    operation: Mutex<Option<String>>,
}

impl Caller {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<ApiKey>>> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> Option<Arc<ApiKey>> {
        self.lock().clone()
    }

    /// Name of the key, for logs.
    pub(super) fn key_name(&self) -> Option<String> {
        self.lock().as_ref().map(|key| key.name.clone())
    }

    /// Tokens that were taken.
    pub(super) fn cost(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// The field that was asked for, if it was one.
    pub(super) fn operation(&self) -> Option<String> {
        let told = self.operation.lock();
        told.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the token of a request.
    fn take(&self) -> Result<(), Refused> {
        self.tokens.fetch_add(1, Ordering::Relaxed);
        let key = self.key();
        // A key has a rate wherever it is used from; an own address has none.
        if key.is_none() && !self.counted {
            return Ok(());
        }
        match self.door.take(self.address, key.as_deref()) {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(level)) => Err(too_fast(level, key.as_deref())),
        }
    }

    /// Takes what an operation costs beyond that.
    fn charge(&self, complexity: usize) {
        let tokens = u32::try_from(complexity / COMPLEXITY_PER_TOKEN).unwrap_or(u32::MAX);
        self.tokens.fetch_add(u64::from(tokens), Ordering::Relaxed);
        if tokens > 0 {
            self.level(f64::from(tokens));
        }
    }

    fn level(&self, cost: f64) -> Option<Level> {
        let key = self.key();
        if key.is_none() && !self.counted {
            return None;
        }
        self.door.charge(self.address, key.as_deref(), cost)
    }

    /// Whether it may ask now. Looked at once more where something is asked, so that the sorting of
    /// routes at the door is not all that stands before an answer.
    fn may_ask(&self) -> Result<(), Refused> {
        match self.key() {
            Some(key) if !self.door.options.keys.holds(&key, now_ms()) => {
                Err(Refused::unknown(WrongKey::Unknown))
            }
            Some(key) if !key.scopes.read => Err(Refused::scope(&key.name, "read")),
            None if self.door.options.require_key => Err(Refused::no_key()),
            _ => Ok(()),
        }
    }

    /// Whom places are counted for; `None` for this machine's own tools.
    fn party(&self) -> Option<Party> {
        let key = self.key();
        (key.is_some() || self.counted).then(|| holder(self.address, key.as_deref()))
    }
}

/// Whom places of the request that is answered are counted for.
pub(super) fn party() -> Option<Party> {
    current()?.party()
}

/// Whoever this task answers.
pub(crate) fn current() -> Option<Arc<Caller>> {
    CALLER.try_with(Arc::clone).ok()
}

/// Goes on for the same caller in another task.
pub(super) async fn within<F: Future>(caller: Option<Arc<Caller>>, work: F) -> F::Output {
    match caller {
        Some(caller) => CALLER.scope(caller, work).await,
        None => work.await,
    }
}

/// Asked by the schema before it so much as reads an operation.
pub(crate) fn may_begin() -> Result<(), ServerError> {
    let Some(caller) = current() else {
        return Ok(());
    };
    let may = caller.may_ask().and_then(|()| match caller.is_socket {
        true => caller.take(),
        false => Ok(()),
    });
    may.map_err(|refused| refused.error())
}

/// Told by the schema what an operation costs, before it is carried out.
pub(crate) fn measured(complexity: usize) {
    if let Some(caller) = current() {
        caller.charge(complexity);
    }
}

/// Told by REST what an answer cost beyond the token of its request.
pub(crate) fn owes(tokens: usize) {
    if let Some(caller) = current() {
        caller.charge(tokens.saturating_mul(COMPLEXITY_PER_TOKEN));
    }
}

/// Told by the schema what is asked for: a field of the schema, never a word of the client.
pub(crate) fn operation(label: &str) {
    if let Some(caller) = current() {
        let told = caller.operation.lock();
        *told.unwrap_or_else(PoisonError::into_inner) = Some(label.to_owned());
    }
}

/// A key in the first message of a socket: `{"authorization": "Bearer …"}` or `{"apiKey": "…"}`.
///
/// # Errors
/// A sentence, when the key is wrong, or when there must be one and is none.
pub(super) fn introduced(caller: Option<&Caller>, payload: &Value) -> Result<(), String> {
    let Some(caller) = caller else {
        return Ok(());
    };
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let bearer = text("authorization").or_else(|| text("Authorization"));
    let mut headers = HeaderMap::new();
    for (name, value) in [("authorization", bearer), ("x-api-key", text("apiKey"))] {
        if let Some(value) = value {
            let value = HeaderValue::from_str(value);
            let value = value.map_err(|_| WrongKey::Malformed.to_string())?;
            headers.insert(name, value);
        }
    }
    let key = match shown(&headers) {
        Ok(None) => {
            let is_known = caller.key().is_some() || !caller.door.options.require_key;
            return is_known.then_some(()).ok_or_else(|| Refused::no_key().text);
        }
        Ok(Some(text)) => caller.door.options.keys.verify(text, now_ms()),
        Err(wrong) => Err(wrong),
    };
    match key {
        Ok(key) => {
            let connection = caller.connection.upgrade();
            let connection = connection.ok_or("the connection has ended")?;
            let place = caller.door.connections.stream(holder_of(&key));
            let place = place.map_err(|full| too_many(full).text)?;
            // From here on the socket is this key's: it takes one of its places, and ends with it.
            connection.hand_over(place, key.clone());
            *caller.lock() = Some(key);
            Ok(())
        }
        Err(wrong) => {
            caller.take().map_err(|refused| refused.text)?;
            Err(wrong.to_string())
        }
    }
}

/// The layer: lets a request in or says why not.
pub(super) async fn admit(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let is_stopping = *app.draining.borrow();
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    if let Some(connection) = &connection {
        connection.next_request();
    }
    let (caller, let_in) = introduce(&app, &request, connection.as_ref());
    let wants = wanted(&request);
    let answered = match let_in {
        Err(refused) => Err(refused),
        Ok(()) if wants == Wants::Probe => Ok(None),
        Ok(()) => caller.take().and_then(|()| match caller.is_socket {
            true => stream_place(&caller).map(Some),
            false => Ok(None),
        }),
    };
    let mut response = match answered {
        Err(refused) => refused.response(&path),
        Ok(place) => {
            let response = CALLER.scope(caller.clone(), next.run(request)).await;
            placed(response, place, &caller, connection.as_deref(), &path)
        }
    };
    let goes_on = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    if wants != Wants::Probe
        && let Some(level) = caller.level(0.0)
    {
        tell_level(headers, &level, caller.key().is_some());
    }
    if is_stopping && !goes_on {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response.extensions_mut().insert(caller);
    response
}

fn wanted(request: &Request) -> Wants {
    Wants::of(request.method(), route(request), request.uri())
}

fn route(request: &Request) -> &str {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or("", MatchedPath::as_str)
}

/// Whether a WebSocket is to be opened where there are some. The header alone says nothing: any
/// request can have it.
fn opens_socket(request: &Request) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    let wanted = upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    wanted && request.method() == Method::GET && route(request) == SOCKET
}

/// Who asks, and whether what it wants is its to have.
fn introduce(
    app: &App,
    request: &Request,
    connection: Option<&Arc<Connection>>,
) -> (Arc<Caller>, Result<(), Refused>) {
    let (door, headers) = (&app.door, request.headers());
    let peer = connection.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.peer.ip());
    let address = client(
        peer,
        headers,
        &door.options.trusted_proxies,
        door.options.proxy_header,
    );
    let own = is_own(door, address, headers);
    if address.is_loopback() && is_forwarded(headers) && !door.trusts(peer) {
        unnamed_proxy();
    }
    let is_socket = opens_socket(request);
    let key = match shown(headers) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => door.options.keys.verify(text, now_ms()).map(Some),
        Err(wrong) => Err(wrong),
    };
    let (key, wrong) = match key {
        Ok(key) => (key, None),
        Err(wrong) => (None, Some(wrong)),
    };
    let wants = wanted(request);
    let let_in = match (wants, wrong, &key) {
        (Wants::Probe | Wants::Page, ..) => Ok(()),
        (_, Some(wrong), _) => Err(Refused::unknown(wrong)),
        (Wants::Read, _, Some(key)) if !key.scopes.read => Err(Refused::scope(&key.name, "read")),
        // A page in a browser can show its key only in the first message of the socket.
        (Wants::Read, _, None) if door.options.require_key && !is_socket => Err(Refused::no_key()),
        (Wants::Ingest, _, key) if door.options.ingest_requires_key => match key {
            Some(key) if key.scopes.ingest => Ok(()),
            Some(key) => Err(Refused::scope(&key.name, "ingest")),
            None => Err(Refused::no_key()),
        },
        _ => Ok(()),
    };
    let caller = Caller {
        door: door.clone(),
        address,
        counted: !own,
        is_socket,
        connection: connection.map(Arc::downgrade).unwrap_or_default(),
        key: Mutex::new(key),
        tokens: AtomicU64::new(0),
        operation: Mutex::default(),
    };
    let let_in = let_in.and_then(
        |()| match is_socket && !may_open(&app.options.cors, headers) {
            true => Err(Refused::origin()),
            false => Ok(()),
        },
    );
    // Trying keys is paid for like asking.
    let let_in = let_in.or_else(|refused| caller.take().and(Err(refused)));
    (Arc::new(caller), let_in)
}

/// Browsers ask nobody before they open a WebSocket, so the origin is looked at here.
fn may_open(cors: &Cors, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let of_host = |scheme: &[u8]| {
        let rest = origin.as_bytes().strip_prefix(scheme);
        rest.is_some() && rest == host
    };
    let is_same = of_host(b"http://") || of_host(b"https://");
    is_same
        || match cors {
            Cors::Any => true,
            Cors::Off => false,
            Cors::Origins(origins) => origins.contains(origin),
        }
}

fn stream_place(caller: &Caller) -> Result<StreamPlace, Refused> {
    // This machine's own tools may open as many as there are places at all.
    match caller.party() {
        None => Ok(StreamPlace::uncounted()),
        Some(who) => caller.door.connections.stream(who).map_err(too_many),
    }
}

/// Whether this machine asks, and nobody through it.
pub(super) fn is_own(door: &Door, address: IpAddr, headers: &HeaderMap) -> bool {
    address.is_loopback() && !door.options.limit_loopback && !is_forwarded(headers)
}

/// Puts the place of a long answer where it lives as long as the socket.
fn placed(
    response: Response,
    place: Option<StreamPlace>,
    caller: &Caller,
    connection: Option<&Connection>,
    path: &str,
) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_events = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let is_switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if !is_events && !is_switched {
        return response;
    }
    let place = match place {
        Some(place) => place,
        None => match stream_place(caller) {
            Ok(place) => place,
            Err(refused) => return refused.response(path),
        },
    };
    if let Some(connection) = connection {
        connection.keep(place, caller.key());
    }
    response
}

fn too_fast(level: Level, key: Option<&ApiKey>) -> Refused {
    let (limit, whose, advice) = match key {
        Some(_) => ("key rate", "this key", "ask for less at once"),
        None => (
            "anonymous rate",
            "requests without a key from this address",
            "ask for less at once, or with an API key",
        ),
    };
    metrics::counter!("limit_hits_total", "limit" => limit.replace(' ', "_")).increment(1);
    let (wait, rate) = (level.wait(), level.rate);
    let measured = level
        .limit()
        .saturating_sub(level.remaining())
        .saturating_add(1);
    let text = format!(
        "{whose} may cost {} tokens a second with bursts of {}, and all are spent; wait {wait} seconds, and {advice}",
        rate.per_second,
        level.limit(),
    );
    Refused {
        retry: Some(wait),
        more: vec![
            ("limit", json!(limit)),
            ("measured", json!(measured)),
            ("allowed", json!(level.limit())),
            ("perSecond", json!(rate.per_second)),
            ("retryAfterSeconds", json!(wait)),
        ],
        ..Refused::new(429, code::RATE_LIMITED, text)
    }
}

fn too_many(full: Full) -> Refused {
    metrics::counter!("limit_hits_total", "limit" => full.limit).increment(1);
    let most = full.most;
    let text = format!(
        "{most} WebSockets and event streams are open already, and more are not allowed to one caller; close one, or put several operations on one WebSocket"
    );
    Refused {
        retry: Some(5),
        more: vec![
            ("limit", json!("streams per caller")),
            ("measured", json!(most.saturating_add(1))),
            ("allowed", json!(most)),
        ],
        ..Refused::new(429, code::RATE_LIMITED, text)
    }
}

/// How a bucket stands, for clients that pace themselves.
fn tell_level(headers: &mut HeaderMap, level: &Level, has_key: bool) {
    let policy = if has_key { "key" } else { "anonymous" };
    let (limit, left, reset) = (level.limit(), level.remaining(), level.reset());
    let texts = [
        ("ratelimit-limit", limit.to_string()),
        ("ratelimit-remaining", left.to_string()),
        ("ratelimit-reset", reset.to_string()),
        ("ratelimit", format!("\"{policy}\";r={left};t={reset}")),
        (
            "ratelimit-policy",
            format!("\"{policy}\";q={limit};w={}", level.rate.window()),
        ),
    ];
    for (name, text) in texts {
        // Digits and letters are always a header's value.
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Said once: counting all of a proxy's clients as one is seldom what its operator wants.
fn unnamed_proxy() {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "a proxy on this machine forwards requests, but is not named by --trusted-proxy: all its clients are counted as one"
        );
    });
}
