//! `sandbox`: serves the sandbox to any client.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::clock;
use crate::cli::exit::{Exit, Failure, with_causes};
use crate::cli::options::switch;
use crate::cli::process::signals;
use crate::cli::random::random;
use crate::cli::terminal::Ui;
use crate::sandbox::{
    self, CloudFile, Customer, Enterprise, FaultSpec, Limits, Member, OnExists, Options, Sandbox,
    SandboxError, Script,
};
use crate::secret::Secret;
use crate::sign::Credential;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The address to listen on. Other machines can't connect without --allow-remote.
    #[arg(
        long,
        env = "ESS_CALLBACKS_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8901"
    )]
    listen: String,
    /// Let other machines connect. They can then read the log and make the sandbox send requests.
    #[arg(long, env = "ESS_CALLBACKS_ALLOW_REMOTE", value_parser = switch::parse)]
    allow_remote: bool,
    /// Accept this key pair, for a separate account or the one named. Repeatable [default: the pair
    /// in the environment, otherwise a new one, which is printed].
    #[arg(
        long,
        env = "ESS_CALLBACKS_CREDENTIAL",
        value_name = "[ACCOUNT=]ID:KEY",
        value_delimiter = ' '
    )]
    #[arg(hide_env_values = true)]
    credential: Vec<String>,
    /// A member organization of the group. Repeatable; without any, every organization is a member.
    #[arg(
        long,
        env = "ESS_CALLBACKS_MEMBER",
        value_name = "ID[:NAME[:STATUS]]",
        value_delimiter = ' '
    )]
    member: Vec<Member>,
    /// Whose eSign it is: a JSON file with members, employees, roles, edition.
    #[arg(long, env = "ESS_CALLBACKS_ENTERPRISE", value_name = "FILE")]
    enterprise: Option<PathBuf>,
    /// Keep the callbacks of the sandbox in this file.
    #[arg(long, env = "ESS_CALLBACKS_CLOUD", value_name = "FILE")]
    cloud: Option<PathBuf>,
    /// Requests per second for each key pair; 0 is no limit.
    #[arg(
        long,
        env = "ESS_CALLBACKS_LIMIT",
        value_name = "N",
        default_value_t = 20
    )]
    limit: u32,
    /// Random faults, with their probability: lost-after=0.1,throttle=0.05,slow=800ms,skew=+400 …
    #[arg(long, env = "ESS_CALLBACKS_FAULT", value_name = "SPEC")]
    fault: Option<FaultSpec>,
    /// Faults in this order: ok,lost-before,lost-after,ok …
    #[arg(long, env = "ESS_CALLBACKS_SCRIPT", value_name = "SPEC")]
    script: Option<Script>,
    /// The seed of the random faults.
    #[arg(
        long,
        env = "ESS_CALLBACKS_SEED",
        value_name = "N",
        default_value_t = 0
    )]
    seed: u64,
    /// How to answer an add of an existing URL: success or error. The vendor documents neither.
    #[arg(
        long,
        env = "ESS_CALLBACKS_EXISTS",
        value_name = "ANSWER",
        default_value = "success"
    )]
    exists: OnExists,
}

pub(crate) async fn run(args: Args, ui: &mut Ui) -> Result<Exit, Failure> {
    let Args {
        listen,
        allow_remote,
        credential,
        member,
        enterprise: described,
        cloud,
        limit,
        fault,
        script,
        seed,
        exists,
    } = args;
    let (customers, fresh) = customers(&credential)?;
    let mut enterprise = described
        .as_deref()
        .map_or_else(|| Ok(Enterprise::default()), enterprise_of)?;
    enterprise.members.extend(member);
    enterprise.check().map_err(|why| {
        Failure::usage(format!("--enterprise and --member: {why}"))
            .advice("docs/sandbox.md has an example.")
    })?;
    let options = Options {
        customers: customers.clone(),
        enterprise,
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
    let served = Sandbox::new(options, clock::of_sandbox()).map_err(failed)?;
    ui.print(format_args!("Listening on http://{address}\n"));
    if let Some(fresh) = fresh {
        // No other secret is printed: this one was generated just now, for this sandbox only.
        ui.print(format_args!(
            "TENCENTCLOUD_SECRET_ID={}\nTENCENTCLOUD_SECRET_KEY={}\n",
            fresh.credential.secret_id,
            fresh.credential.secret_key.expose()
        ));
    }
    ui.flush();
    let mut asked = signals::listen(|| "Requests in flight get no answer.".to_owned());
    let shutdown = async move { signals::first(&mut asked).await };
    sandbox::run(listener, served, shutdown)
        .await
        .map_err(failed)?;
    Ok(Exit::Done)
}

/// The largest description of an enterprise, in bytes.
const LARGEST: u64 = 16 << 20;

fn enterprise_of(path: &Path) -> Result<Enterprise, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!(
            "--enterprise: `{}` can't be used: {why}",
            path.display()
        ))
        .advice("docs/sandbox.md has an example.")
    };
    let mut text = String::new();
    let mut file = File::open(path)
        .map_err(|error| wrong(error.to_string()))?
        .take(LARGEST + 1);
    file.read_to_string(&mut text)
        .map_err(|error| wrong(error.to_string()))?;
    if text.len() as u64 > LARGEST {
        return Err(wrong("it is larger than 16 MiB".to_owned()));
    }
    Enterprise::parse(&text).map_err(wrong)
}

/// The customers that are given, otherwise the pair in the environment, otherwise a new one, which is also returned
/// separately.
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
