//! The HTTP routes: from a request to its answer.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::http::{Response, StatusCode};
use axum::routing::any;
use axum::{Extension, Router};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::auth::RawRequest;
use super::control;
use super::failure::Failure;
use super::fault::Fault;
use super::service::{Receipt, Service};
use crate::serving::intake::{self, Refusal};
use crate::serving::line::Line;
use crate::wire::CONTENT_TYPE as JSON;

/// The vendor's limit for the body of a request, in bytes.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

pub(super) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", any(call))
        .nest("/_sandbox", control::router(Arc::clone(&service)))
        .with_state(service)
}

async fn call(
    State(service): State<Arc<Service>>,
    Extension(line): Extension<Line>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut request = RawRequest {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: Bytes::new(),
    };
    let wanted = || service.may_be_good(&request);
    let intake = match intake::read(&*service, &line, body, LARGEST_BODY, wanted).await {
        Ok(intake) => intake,
        Err(refusal @ Refusal::TooLarge) => {
            let answer = service.refuse(&request, &Failure::too_large());
            return respond(&service, refusal.status(), JSON, answer);
        }
        Err(refusal @ (Refusal::TooSlow | Refusal::NoRoom | Refusal::Broken)) => {
            let answer = json!({ "error": refusal.why() }).to_string();
            return respond(&service, refusal.status(), JSON, answer);
        }
    };
    request.body = intake.bytes;
    let way = service.inner().faults.way();
    if !way.is_zero() {
        tokio::time::sleep(way).await;
    }
    let receipt = if intake.kept {
        service.receive(&request)
    } else {
        service.receive_refused()
    };
    let response = react(&service, &line, request, receipt, intake.place);
    if !receipt.delay.is_zero() {
        tokio::time::sleep(receipt.delay).await;
    }
    response
}

/// Processes the request at once, with its fault; only the answer may be late.
fn react(
    service: &Arc<Service>,
    line: &Line,
    request: RawRequest,
    receipt: Receipt,
    place: Option<OwnedSemaphorePermit>,
) -> Response<Body> {
    let reach = |applied: bool| {
        if applied {
            drop(service.process(&request, receipt));
        } else {
            service.lose(&request, receipt);
        }
    };
    match receipt.fault {
        Fault::None | Fault::Slow(_) | Fault::Throttle | Fault::InternalError { .. } => {
            let answer = service.process(&request, receipt);
            respond(service, StatusCode::OK, JSON, answer)
        }
        Fault::Lost { applied } => {
            reach(applied);
            silence(line)
        }
        Fault::Late(delay) => {
            service.lose(&request, receipt);
            let service = Arc::clone(service);
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                drop(service.process(&request, receipt));
                // Its body was in memory until now.
                drop(place);
            });
            silence(line)
        }
        Fault::BadGateway { applied } => {
            reach(applied);
            let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
            respond(service, StatusCode::BAD_GATEWAY, "text/html", page)
        }
        Fault::Garbage { applied } => {
            reach(applied);
            respond(service, StatusCode::OK, JSON, r#"{"Response":{"Req"#)
        }
    }
}

/// Ends the connection. The response is discarded.
fn silence(line: &Line) -> Response<Body> {
    line.cut();
    Response::new(Body::empty())
}

fn respond(
    service: &Service,
    status: StatusCode,
    content_type: &str,
    body: impl Into<Body>,
) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(DATE, service.clock.date())
        .body(body.into())
        .expect("these headers are always valid")
}
