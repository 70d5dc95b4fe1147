//! The job and the controller for Kubernetes. What kustomize makes of them is checked by
//! tests/external/pipelines/kustomize.py.

use serde_json::Value;

use super::controller::Controller;
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

/// The controller's arguments, probes and address are those of the program.
#[test]
fn the_controller_is_ready_where_kubernetes_looks() {
    let pod = &manifest("kubernetes-controller/deployment.yaml")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let state = &container["env"][0];
    assert_eq!(state["name"], "ESS_CALLBACKS_STATE");
    let mut env = TestEnv::new(&configuration(&[("acme", &["https://hooks.example/one"])]));
    // Nothing listens there.
    let address = state["value"].as_str().unwrap();
    let address = address.replace("@postgres.example/", "@127.0.0.1:1/");
    env.set("ESS_CALLBACKS_STATE", &address);
    let said = env.run(&["plan"]).exits(1);
    assert!(said.stderr.contains(&address), "{said}");
    assert!(said.stderr.contains("refused"), "{said}");

    env.unset("ESS_CALLBACKS_STATE");
    // The program warns about variables that it does not have.
    assert_eq!(pod["enableServiceLinks"], false);
    let served = env.serve(&[]);
    env.write("token", "0123456789abcdef0123456789abcdef\n");
    std::fs::create_dir(env.path("files")).unwrap();
    std::fs::rename(env.path("callbacks.yaml"), env.path("files/callbacks.yaml")).unwrap();
    let arguments: Vec<String> = words(&container["args"])
        .into_iter()
        .map(|word| word.replace("/config/current/callbacks", "files"))
        .map(|word| word.replace("/etc/ess-callbacks/token", "token"))
        .map(|word| word.replace("0.0.0.0:8980", "0.0.0.0:0"))
        .collect();
    let controller = Controller::start(
        &env,
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    for probe in ["livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        controller.answers(path);
    }
    served.wait_for(1);
    assert_eq!(controller.get("/status").0, 401);
    controller.stop();
}

/// What one of the files names is in another.
#[test]
fn the_files_of_the_controller_fit_together() {
    let manifest = |name: &str| manifest(&format!("kubernetes-controller/{name}.yaml"));
    let deployment = manifest("deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    for selector in [
        &deployment["spec"]["selector"]["matchLabels"],
        &manifest("service")["spec"]["selector"],
        &manifest("pdb")["spec"]["selector"]["matchLabels"],
        &manifest("networkpolicy")["spec"]["podSelector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
    // The pods of the job are others.
    let job = self::manifest("kubernetes/heal.yaml");
    let of_job = &job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"];
    assert_ne!(of_job, labels);

    let pod = &deployment["spec"]["template"]["spec"];
    let [ours, git] = &pod["containers"].as_array().unwrap()[..] else {
        panic!("{pod}");
    };
    let port = &ours["ports"][0];
    let service = &manifest("service")["spec"]["ports"][0];
    assert_eq!(service["targetPort"], port["name"]);
    assert_eq!(service["port"], port["containerPort"]);
    let ingress = &manifest("networkpolicy")["spec"]["ingress"][0];
    assert_eq!(ingress["ports"][0]["port"], port["containerPort"]);
    for probe in ["livenessProbe", "readinessProbe"] {
        assert_eq!(ours[probe]["httpGet"]["port"], port["name"]);
    }

    // git-sync swaps the link that the controller reads behind.
    let given = words(&git["args"]);
    let value = |flag: &str| {
        let mut all = given.iter();
        all.find_map(|word| word.strip_prefix(&format!("--{flag}=")))
            .unwrap_or_else(|| panic!("no --{flag}"))
    };
    let link = format!("{}/{}/", value("root"), value("link"));
    assert!(words(&ours["args"])[1].starts_with(&link), "{link}");
    for container in [ours, git] {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let files = mounts.iter().find(|mount| mount["name"] == "config");
        assert_eq!(files.unwrap()["mountPath"], value("root"));
        assert!(mounts.iter().any(|mount| mount["mountPath"] == "/tmp"));
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"]["drop"][0], "ALL");
    }
    let kustomization = manifest("kustomization");
    let images: Vec<_> = kustomization["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| &image["name"])
        .collect();
    assert_eq!(images, [&ours["image"], &git["image"]]);
    for resource in words(&kustomization["resources"]) {
        let file = root().join("examples/kubernetes-controller").join(resource);
        assert!(file.is_file(), "{}", file.display());
    }
}
