//! `sandbox`: serves an eSign of one's own to any client.

use std::time::SystemTime;

use super::args;
use super::exit::{Exit, Failure, with_causes};
use super::random::random;
use super::stop;
use super::ui::Ui;
use crate::sandbox::{self, Clock, CloudFile, Customer, Limits, Options, Sandbox, SandboxError};
use crate::secret::Secret;
use crate::sign::Credential;

pub(super) async fn run(args: args::Sandbox, ui: &mut Ui) -> Result<Exit, Failure> {
    let args::Sandbox {
        listen,
        allow_remote,
        credential,
        member,
        cloud,
        limit,
        fault,
        script,
        seed,
        exists,
    } = args;
    let (customers, fresh) = customers(&credential)?;
    let options = Options {
        customers: customers.clone(),
        members: member,
        cloud: cloud.map(|path| CloudFile {
            path,
            keep_secrets: true,
        }),
        limit,
        exists,
        faults: fault.unwrap_or_default(),
        script: script.unwrap_or_default(),
        seed,
        limits: Limits::default(),
    };
    let failed = |error: SandboxError| Failure::error(with_causes(&error));
    let listener = sandbox::bind(&listen, allow_remote).await.map_err(failed)?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::error(error.to_string()))?;
    let served = Sandbox::new(options, clock()).map_err(failed)?;
    ui.print(format_args!("Listening on http://{address}\n"));
    if let Some(fresh) = fresh {
        // The one secret that is printed: it was made this moment, for this sandbox alone.
        ui.print(format_args!(
            "TENCENTCLOUD_SECRET_ID={}\nTENCENTCLOUD_SECRET_KEY={}\n",
            fresh.credential.secret_id,
            fresh.credential.secret_key.expose()
        ));
    }
    ui.flush();
    let mut asked = stop::listen(|| "What is in flight gets no answer.".to_owned());
    let shutdown = async move {
        // An error means that nobody can ask any more.
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    sandbox::run(listener, served, shutdown)
        .await
        .map_err(failed)?;
    Ok(Exit::Done)
}

/// Who may call: those given, else the pair in the environment, else a fresh one.
fn customers(given: &[String]) -> Result<(Vec<Customer>, Option<Customer>), Failure> {
    if !given.is_empty() {
        let parse = |text: &String| {
            text.parse()
                .map_err(|error| Failure::usage(format!("--credential: {error}")))
        };
        return Ok((given.iter().map(parse).collect::<Result<_, _>>()?, None));
    }
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(secret_id), Some(key)) = (
        set("TENCENTCLOUD_SECRET_ID"),
        set("TENCENTCLOUD_SECRET_KEY"),
    ) {
        let credential = Credential {
            secret_id,
            secret_key: Secret::new(key),
            token: None,
        };
        return Ok((
            vec![Customer {
                account: "default".to_owned(),
                credential,
            }],
            None,
        ));
    }
    let fresh = Customer::fresh("default", u64::from_be_bytes(random()?));
    Ok((vec![fresh.clone()], Some(fresh)))
}

/// This machine's clock, as the sandbox wants it.
pub(super) fn clock() -> Clock {
    Clock::new(|| {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}
