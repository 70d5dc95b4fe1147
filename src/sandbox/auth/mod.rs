//! TC3-HMAC-SHA256, verified from the request as it came in.

use axum::http::HeaderMap;
use subtle::ConstantTimeEq as _;

use super::failure::{Failure, Language};
use super::options::Customer;
use crate::model::Timestamp;
use crate::sign::{ALGORITHM, canonical_request, signature, string_to_sign};
use crate::wire::{CLOUDAUDIT, ESIGN, STS, Service};

/// How far a signature's time may be from the server's, in seconds.
const WINDOW: i64 = 300;

/// A request as received. It has no `Debug`: its body holds a
/// callback's key and token.
#[derive(Clone)]
pub(super) struct RawRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: axum::body::Bytes,
}

impl RawRequest {
    /// The value of a header that is present exactly once and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let only = values.next()?;
        values.next().is_none().then(|| only.to_str().ok())?
    }

    pub(super) fn language(&self) -> Language {
        match self.header("x-tc-language") {
            Some("en-US") => Language::English,
            _ => Language::Chinese,
        }
    }

    fn timestamp(&self) -> Result<Timestamp, Failure> {
        let text = self
            .header("x-tc-timestamp")
            .ok_or_else(|| Failure::missing("Timestamp"))?;
        let seconds = text.parse().map_err(|_| Failure::wrong_type("Timestamp"))?;
        Ok(Timestamp(seconds))
    }
}

/// The parts of `Authorization`.
struct Authorization<'a> {
    secret_id: &'a str,
    date: &'a str,
    service: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(text: &'a str) -> Result<Self, Failure> {
        let wrong = Failure::invalid_authorization;
        let rest = text
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| wrong("it does not begin with TC3-HMAC-SHA256"))?;
        let [mut credential, mut headers, mut signature] = [None; 3];
        for part in rest.split(',').map(str::trim) {
            match part.split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => return Err(wrong("it has an unknown part")),
            }
        }
        let scope = credential.ok_or_else(|| wrong("it has no Credential"))?;
        let [secret_id, date, service, "tc3_request"] = scope.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(wrong("the Credential is not ID/DATE/ess/tc3_request"));
        };
        if ![ESIGN.name, STS.name, CLOUDAUDIT.name].contains(&service) {
            return Err(wrong(
                "the Credential names another service than ess, sts and cloudaudit",
            ));
        }
        let signed_headers: Vec<&str> = headers
            .ok_or_else(|| wrong("it has no SignedHeaders"))?
            .split(';')
            .collect();
        if !["content-type", "host"]
            .iter()
            .all(|name| signed_headers.contains(name))
        {
            return Err(wrong("SignedHeaders must name content-type and host"));
        }
        if !signed_headers.is_sorted() {
            return Err(wrong("SignedHeaders are not sorted"));
        }
        Ok(Self {
            secret_id,
            date,
            service,
            signed_headers,
            signature: signature.ok_or_else(|| wrong("it has no Signature"))?,
        })
    }
}

/// The customer that the head names. The id is known and the time is in the window; the signature is not verified.
pub(super) fn identify<'c>(
    request: &RawRequest,
    customers: &'c [Customer],
    now: Timestamp,
) -> Result<&'c Customer, Failure> {
    claim(request, customers, now).map(|(customer, _, _)| customer)
}

fn claim<'r, 'c>(
    request: &'r RawRequest,
    customers: &'c [Customer],
    now: Timestamp,
) -> Result<(&'c Customer, Authorization<'r>, Timestamp), Failure> {
    let at = request.timestamp()?;
    let authorization = request
        .header("authorization")
        .ok_or_else(|| Failure::invalid_authorization("it is missing"))?;
    let claimed = Authorization::parse(authorization)?;
    let customer = customers
        .iter()
        .find(|customer| customer.credential.secret_id == claimed.secret_id)
        .ok_or_else(Failure::secret_id_not_found)?;
    if at.seconds_since(now).saturating_abs() > WINDOW {
        return Err(Failure::signature_expired());
    }
    Ok((customer, claimed, at))
}

/// The verified customer and the service: id, time, signature and token are valid.
pub(super) fn authenticate<'c>(
    request: &RawRequest,
    customers: &'c [Customer],
    now: Timestamp,
) -> Result<(&'c Customer, &'static Service), Failure> {
    let (customer, claimed, at) = claim(request, customers, now)?;
    if !is_signed(request, customer, &claimed, at)? {
        return Err(Failure::signature_wrong());
    }
    match (&customer.credential.token, request.header("x-tc-token")) {
        (Some(token), sent) if sent != Some(token.expose()) => Err(Failure::token_wrong()),
        _ if claimed.service == STS.name => Ok((customer, &STS)),
        _ if claimed.service == CLOUDAUDIT.name => Ok((customer, &CLOUDAUDIT)),
        _ => Ok((customer, &ESIGN)),
    }
}

fn is_signed(
    request: &RawRequest,
    customer: &Customer,
    claimed: &Authorization<'_>,
    at: Timestamp,
) -> Result<bool, Failure> {
    if claimed.date != at.utc_date() {
        return Ok(false);
    }
    let mut verbatim = Vec::new();
    let mut lowered = Vec::new();
    for &name in &claimed.signed_headers {
        let value = request
            .header(name)
            .ok_or_else(|| Failure::invalid_authorization("a signed header is missing"))?;
        let lower = value.to_ascii_lowercase();
        // The official SDKs sign these two as they send them; the documentation lower-cases all.
        let sent_as_is = matches!(name, "content-type" | "host");
        verbatim.push((
            name,
            if sent_as_is {
                value.to_owned()
            } else {
                lower.clone()
            },
        ));
        lowered.push((name, lower));
    }
    let body: &[u8] = match request.header("x-tc-content-sha256") {
        Some(unsigned @ "UNSIGNED-PAYLOAD") => unsigned.as_bytes(),
        _ => &request.body,
    };
    let matches = |headers: &[(&str, String)]| {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let canonical = canonical_request(
            &request.method,
            &request.path,
            &request.query,
            &headers,
            body,
        );
        let to_sign = string_to_sign(at, claimed.service, &canonical);
        let key = &customer.credential.secret_key;
        let expected = signature(key, at, claimed.service, &to_sign);
        bool::from(expected.as_bytes().ct_eq(claimed.signature.as_bytes()))
    };
    Ok(matches(&verbatim) || (verbatim != lowered && matches(&lowered)))
}

#[cfg(test)]
mod tests;
