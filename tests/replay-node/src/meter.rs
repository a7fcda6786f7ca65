//! Stands between the sockets and the methods: counts, delays, and carries out faults.

use std::future::Future;
use std::sync::Arc;

use jsonrpsee::server::middleware::rpc::{
    Batch, BatchEntry, Notification, Request, RpcService, RpcServiceT,
};
use jsonrpsee::server::{BatchResponseBuilder, MethodResponse, ResponsePayload};
use jsonrpsee::types::{ErrorObject, Id};
use serde_json::Value;

use crate::connection::Connection;
use crate::faults::{MethodFault, halved, oversized};
use crate::shared::Shared;

/// Requests and answers may have this many bytes.
pub(crate) const MAX_BODY: u32 = 128 << 20;

/// The middleware of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    service: RpcService,
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    max_response: u32,
}

impl Meter {
    pub(crate) fn new(
        service: RpcService,
        shared: Arc<Shared>,
        connection: Arc<Connection>,
        max_response: u32,
    ) -> Meter {
        Meter {
            service,
            shared,
            connection,
            max_response,
        }
    }

    /// Counts a request and waits; false when the connection was closed instead.
    async fn admit(&self, batch: bool) -> bool {
        self.shared.counter.request(batch);
        let number = self.connection.next_request();
        let settings = self.shared.settings();
        if number.checked_rem(settings.drop_every) == Some(0) {
            self.connection.kill();
            return false;
        }
        if !settings.delay.is_zero() {
            tokio::time::sleep(settings.delay).await;
        }
        true
    }

    async fn one(&self, request: Request<'_>) -> MethodResponse {
        let method = request.method_name();
        self.shared.counter.call(method);
        let fault = match self.shared.method_faults.take(method) {
            None => return self.service.call(request).await,
            Some(fault) => fault,
        };
        let id = request.id().into_owned();
        let change: Box<dyn FnOnce(Value) -> Value + Send> = match fault {
            MethodFault::Fail(error) => return MethodResponse::error(id, error),
            MethodFault::Drop => {
                self.connection.kill();
                return closed(id);
            }
            MethodFault::Truncate => Box::new(halved),
            MethodFault::Oversize(bytes) => Box::new(move |value| oversized(value, bytes)),
        };
        let response = self.service.call(request).await;
        if response.is_error() || response.is_subscription() {
            return response;
        }
        let mut answer: Value = serde_json::from_str(response.as_ref()).unwrap_or_default();
        let result = change(answer["result"].take());
        let payload = ResponsePayload::success(result);
        MethodResponse::response(id, payload, usize::MAX)
    }

    async fn many(&self, batch: Batch<'_>) -> MethodResponse {
        if !self.admit(true).await {
            return closed(Id::Null);
        }
        let limit = usize::try_from(self.max_response).unwrap_or(usize::MAX);
        let mut answers = BatchResponseBuilder::new_with_limit(limit);
        let mut notified = false;
        for entry in batch {
            let response = match entry {
                Ok(BatchEntry::Call(request)) => self.one(request).await,
                Ok(BatchEntry::Notification(notification)) => {
                    notified = true;
                    self.service.notification(notification).await;
                    continue;
                }
                Err(entry) => {
                    let (error, id) = entry.into_parts();
                    MethodResponse::error(id, error)
                }
            };
            if let Err(too_big) = answers.append(response) {
                return too_big;
            }
        }
        if answers.is_empty() && notified {
            MethodResponse::notification()
        } else {
            MethodResponse::from_batch(answers.finish())
        }
    }
}

/// Never reaches the client: its connection is closed.
fn closed(id: Id<'_>) -> MethodResponse {
    MethodResponse::error(id, ErrorObject::borrowed(-32000, "connection closed", None))
}

impl RpcServiceT for Meter {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            if this.admit(false).await {
                this.one(request).await
            } else {
                closed(request.id().into_owned())
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move { this.many(batch).await }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            this.shared.counter.request(false);
            this.service.notification(notification).await
        }
    }
}
