//! Each stage by itself: `cargo bench --bench micro`.
//!
//! What the parts of a plan and of a call cost, without processes, disks and networks but for the
//! journal, which is durable before a call leaves.

mod workload;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box, counter::ItemsCount};
use ess_callbacks::config;
use ess_callbacks::model::{
    Desired, Environment, Fingerprint, Fingerprints, Identity, Intent, Lineage, LostCall, Outcome,
    RequestId, Timestamp, Write,
};
use ess_callbacks::plan::{self, Options, Plan, Secrets, write_document};
use ess_callbacks::render::{self, Style};
use ess_callbacks::secret::{Fingerprinter, Secret};
use ess_callbacks::sign::{self, Credential, Unsigned};
use ess_callbacks::state::{LockOwner, Store, format};

use workload::{SALT, Workload, fingerprints, recorded};

const SIZES: [usize; 3] = [10, 1_000, 100_000];

fn main() {
    divan::main();
}

const fn workload(callbacks: usize) -> Workload {
    Workload {
        callbacks,
        files: 1,
        seed: 42,
    }
}

fn desired(callbacks: usize) -> Desired {
    let parsed = config::parse(&workload(callbacks).sources());
    parsed.expect("what is made here is valid").desired
}

/// A plan that adds the first `left_out` callbacks and keeps the rest.
fn planned(callbacks: usize, left_out: usize) -> Plan {
    let desired = desired(callbacks);
    let (recorded, table) = (recorded(&desired, left_out), fingerprints(&desired));
    let secrets = Secrets {
        salt: SALT,
        fingerprints: Some(&table),
    };
    plan::plan(&desired, &recorded, secrets, &Options::default())
}

#[divan::bench(args = SIZES)]
fn parse(bencher: Bencher<'_, '_>, callbacks: usize) {
    let sources = workload(callbacks).sources();
    bencher
        .counter(ItemsCount::new(callbacks))
        .bench_local(|| config::parse(black_box(&sources)).map_err(|_| ()));
}

#[divan::bench(args = SIZES)]
fn plan_unchanged(bencher: Bencher<'_, '_>, callbacks: usize) {
    let desired = desired(callbacks);
    let (recorded, table) = (recorded(&desired, 0), fingerprints(&desired));
    let secrets = Secrets {
        salt: SALT,
        fingerprints: Some(&table),
    };
    let options = Options::default();
    bencher
        .counter(ItemsCount::new(callbacks))
        .bench_local(|| plan::plan(black_box(&desired), &recorded, secrets, &options));
}

#[divan::bench(args = SIZES)]
fn render_text(bencher: Bencher<'_, '_>, changes: usize) {
    let plan = planned(changes, changes);
    let style = Style {
        colour: false,
        width: 0,
        now: Timestamp(1_790_000_060),
        rate: 20,
    };
    bencher.counter(ItemsCount::new(changes)).bench_local(|| {
        let mut text = String::new();
        render::plan_text(black_box(&plan), &style, &mut text).map(|()| text)
    });
}

#[divan::bench(args = SIZES)]
fn render_json(bencher: Bencher<'_, '_>, changes: usize) {
    let plan = planned(changes, changes);
    bencher.counter(ItemsCount::new(changes)).bench_local(|| {
        let mut text = Vec::new();
        write_document(black_box(&plan), &[], &mut text)
            .map(|()| text)
            .map_err(|_| ())
    });
}

#[divan::bench]
fn fingerprint_with_key(bencher: Bencher<'_, '_>) {
    let fingerprinter = Fingerprinter::new(SALT);
    let (key, token) = (Secret::new("k".repeat(32)), Secret::new("t".repeat(16)));
    bencher.bench_local(|| fingerprinter.fingerprints(black_box(Some(&key)), Some(&token)));
}

#[divan::bench]
fn fingerprint_token_alone(bencher: Bencher<'_, '_>) {
    let fingerprinter = Fingerprinter::new(SALT);
    let token = Secret::new("t".repeat(16));
    bencher.bench_local(|| fingerprinter.fingerprints(None, black_box(Some(&token))));
}

#[divan::bench]
fn sign_one_call(bencher: Bencher<'_, '_>) {
    let body = format!(
        r#"{{"Operator":{{"UserId":"{id}"}},"Agent":{{"ProxyOrganizationId":"{id}"}},"CallbackInfo":{{"CallbackUrl":"https://hooks.example.com.cn/esign/v2/callback/1","CallbackKey":"{id}","CallbackToken":"{id}"}}}}"#,
        id = "yDw6yUUgyg3caowzUx4GQptRKfMnJqX8"
    );
    let credential = Credential {
        secret_id: "AKIDEXAMPLE".to_owned(),
        secret_key: Secret::new("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"),
        token: None,
    };
    let request = Unsigned {
        service: "ess",
        host: "ess.tencentcloudapi.com",
        content_type: "application/json; charset=utf-8",
        body: body.as_bytes(),
    };
    bencher.bench_local(|| sign::sign(black_box(&request), &credential, Timestamp(1_790_000_000)));
}

#[divan::bench(args = SIZES)]
fn state_load(bencher: Bencher<'_, '_>, callbacks: usize) {
    let mut text = Vec::new();
    format::write(&recorded(&desired(callbacks), 0), &mut text).expect("memory takes everything");
    bencher.counter(ItemsCount::new(callbacks)).bench_local(|| {
        format::read(Path::new("state"), black_box(text.as_slice())).map_err(|_| ())
    });
}

#[divan::bench(args = SIZES)]
fn state_save(bencher: Bencher<'_, '_>, callbacks: usize) {
    let state = recorded(&desired(callbacks), 0);
    bencher.counter(ItemsCount::new(callbacks)).bench_local(|| {
        let mut text = Vec::new();
        format::write(black_box(&state), &mut text).map(|()| text)
    });
}

/// One durable intent and its outcome, in a state of so many callbacks, on a real disk. The same for
/// all, or the journal is not what it should be.
#[divan::bench(args = SIZES)]
fn journal_append(bencher: Bencher<'_, '_>, callbacks: usize) {
    let desired = desired(callbacks);
    let folder = tempfile::tempdir().expect("a folder for the journal");
    let path = folder.path().join("callbacks.state.json");
    let mut file = std::fs::File::create(&path).expect("a state file");
    format::write(&recorded(&desired, 0), &mut file).expect("a state");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let owner = LockOwner {
        id: "1".to_owned(),
        who: "bench".to_owned(),
        host: "here".to_owned(),
        pid: std::process::id(),
        command: "apply".to_owned(),
        since: Timestamp(1_790_000_000),
        job_url: None,
    };
    let store = Store::on_disk(&path);
    let state = runtime
        .block_on(store.lock(Environment::Production, &owner, Duration::ZERO, |_| {}))
        .expect("nobody else has it");
    runtime
        .block_on(state.initialize(Lineage(uuid::Uuid::nil()), SALT))
        .expect("it has a lineage");
    let organization = &desired.organizations[0];
    let intent = Intent {
        identity: Identity {
            scope: Arc::clone(&organization.scope),
            url: organization.callbacks[0].url.clone(),
        },
        handle: organization.handle.clone(),
        operator: organization.operator.clone(),
        protect: false,
        call: LostCall {
            write: Write::Add(Fingerprints {
                key: Some(Fingerprint([1; 16])),
                token: Some(Fingerprint([2; 16])),
            }),
            signed_at: Timestamp(1_790_000_000),
        },
    };
    let applied = Outcome::Applied(RequestId::new("f2a4a4c1-3b5e-4a6f-9a2e-3c1d5e7f9a0b"));
    bencher.bench_local(|| {
        let ids = runtime
            .block_on(state.begin(vec![intent.clone()]))
            .expect("the disk is not full");
        state.settle(ids[0], &applied, Timestamp(1_790_000_001))
    });
    runtime.block_on(state.release()).expect("the lock is ours");
}
