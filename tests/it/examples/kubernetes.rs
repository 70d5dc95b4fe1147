//! The job for Kubernetes. What the overlay for a bucket makes of it is checked by
//! tests/external/pipelines/kustomize.py.

use serde_json::Value;

use super::{root, yaml_files};
use crate::support::{TestEnv, configuration};

/// A file among the examples for Kubernetes.
fn manifest(name: &str) -> Value {
    let name = format!("examples/{name}");
    let files = yaml_files();
    let found = files.into_iter().find(|file| file.0 == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().unwrap().iter().map(Value::as_str);
    words.map(|word| word.unwrap().to_owned()).collect()
}

/// The job's arguments are words of the command line, and its codes those of the program.
#[test]
fn the_cron_job_says_what_the_program_understands() {
    let job = &manifest("kubernetes/heal.yaml")["spec"]["jobTemplate"]["spec"];
    let container = &job["template"]["spec"]["containers"][0];
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    let arguments: Vec<String> = words(&container["args"])
        .into_iter()
        .map(|word| word.replace("--jitter=10m", "--jitter=0s"))
        .collect();
    let served = env.serve(&[]);
    let said = env.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(said.exits(0).stdout, "");
    assert_eq!(served.arrived(), 1);
    // Another try may help with 4 and 6, so these must not be final.
    let last = &job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"];
    assert_eq!(last, &serde_json::json!([1, 3, 5, 7, 64]));
    // The three files name each other's things.
    let kustomization = manifest("kubernetes/kustomization.yaml");
    let claim = manifest("kubernetes/state.yaml");
    let volumes = &job["template"]["spec"]["volumes"];
    assert_eq!(
        volumes[1]["persistentVolumeClaim"]["claimName"],
        claim["metadata"]["name"]
    );
    assert_eq!(
        volumes[0]["configMap"]["name"],
        kustomization["configMapGenerator"][0]["name"]
    );
    assert_eq!(container["image"], kustomization["images"][0]["name"]);
    for resource in words(&kustomization["resources"]) {
        assert!(root().join("examples/kubernetes").join(resource).is_file());
    }
    for name in container["env"].as_array().unwrap() {
        let name = name["name"].as_str().unwrap();
        assert!(
            ["ESS_CALLBACKS_CONFIG", "ESS_CALLBACKS_STATE"].contains(&name),
            "{name}"
        );
    }
}

/// Its credentials are looked for where those of the calls are.
#[test]
fn the_job_for_a_bucket_has_an_address_that_the_program_understands() {
    let kustomization = manifest("kubernetes-cos/kustomization.yaml");
    let patch = kustomization["patches"][0]["patch"].as_str().unwrap();
    let patch: Value = serde_yaml::from_str(patch).unwrap();
    let container = &patch["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let variable = &container["env"][0];
    assert_eq!(variable["name"], "ESS_CALLBACKS_STATE");
    let address = variable["value"].as_str().unwrap();
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    env.set("ESS_CALLBACKS_STATE", address)
        .set("TENCENTCLOUD_SECRET_ID", "AKIDhalf");
    let said = env.run(&["plan"]).exits(1);
    let bucket = address.split('?').next().unwrap();
    assert!(said.stderr.contains(bucket), "{said}");
    assert!(said.stderr.contains("TENCENTCLOUD_SECRET_KEY"), "{said}");
}
