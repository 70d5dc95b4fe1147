"""Applies the patches of examples/kubernetes-cos to examples/kubernetes, as kustomize does, and renders
examples/kubernetes-controller, with git-sync and with a ConfigMap.

    kustomize.py FOLDER

Writes the results to FOLDER/*.yaml. Where `kubectl` is installed, its result of the former must be the same; without it,
the latter is not rendered.
"""

import pathlib
import shutil
import subprocess
import sys

from ruamel.yaml import YAML

EXAMPLES = pathlib.Path("examples")
yaml = YAML(typ="safe")
yaml.default_flow_style = False

# What the items of a list are told apart by: `patchMergeKey` in the types of Kubernetes.
KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}


def merged(base, patch, member=None):
    """A strategic merge of what the patches use: `None` is what they delete."""
    if isinstance(patch, dict):
        if patch.get("$patch") == "delete":
            return None
        base = dict(base or {})
        for name, inner in patch.items():
            base[name] = merged(base.get(name), inner, name)
        return base
    if isinstance(patch, list):
        key = KEYS[member]
        items = {item[key]: item for item in base}
        for item in patch:
            assert item[key] in items, "%s has no %s to change" % (member, item[key])
            items[item[key]] = merged(items[item[key]], item)
        return [item for item in items.values() if item is not None]
    return patch


def named(resource):
    return resource["kind"], resource["metadata"]["name"]


def rendered():
    """The resources of the overlay, without the ConfigMap that kustomize makes."""
    overlay = yaml.load(EXAMPLES / "kubernetes-cos/kustomization.yaml")
    assert overlay["resources"] == ["../kubernetes"], overlay["resources"]
    base = EXAMPLES / "kubernetes"
    files = yaml.load(base / "kustomization.yaml")["resources"]
    resources = {named(resource): resource for resource in (yaml.load(base / file) for file in files)}
    for entry in overlay["patches"]:
        patch = yaml.load(entry["patch"])
        resources[named(patch)] = merged(resources[named(patch)], patch)
    return [resource for resource in resources.values() if resource is not None]


def by_kubectl(folder):
    """The same by kustomize, with the names that it changes changed back."""
    for name in ("kubernetes", "kubernetes-cos"):
        shutil.copytree(EXAMPLES / name, folder / name)
    shutil.copy("callbacks.yaml.example", folder / "kubernetes/callbacks.yaml")
    printed = subprocess.run(
        ["kubectl", "kustomize", folder / "kubernetes-cos"], check=True, capture_output=True, text=True).stdout
    resources = list(yaml.load_all(printed))
    generated = [resource for resource in resources if resource["kind"] == "ConfigMap"]
    images = yaml.load(folder / "kubernetes/kustomization.yaml")["images"]
    for image in images:
        printed = printed.replace("%s:%s" % (image["newName"], image["newTag"]), image["name"])
    for resource in generated:
        name = resource["metadata"]["name"]
        printed = printed.replace(name, name.rsplit("-", 1)[0])
    return [resource for resource in yaml.load_all(printed) if resource["kind"] != "ConfigMap"]


def ordered(value):
    """Without the order of lists whose items have keys."""
    if isinstance(value, dict):
        return {name: sorted(map(ordered, inner), key=lambda item, key=KEYS[name]: item[key])
                if name in KEYS else ordered(inner) for name, inner in value.items()}
    return [ordered(item) for item in value] if isinstance(value, list) else value


def controller(folder):
    """The controller by kustomize: as it is, and with the files from a ConfigMap."""
    copy = folder / "kubernetes-controller"
    shutil.copytree(EXAMPLES / copy.name, copy)
    shutil.copy("callbacks.yaml.example", copy / "configmap/callbacks.yaml")
    resources = ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"]
    render(copy, folder / "controller-git.yaml", resources, ["ess-callbacks", "git-sync"])
    kustomization = copy / "kustomization.yaml"
    text = kustomization.read_text()
    assert "\n# components: [configmap]\n" in text, "the alternative to git-sync is missing"
    kustomization.write_text(text.replace("# components:", "components:"))
    render(copy, folder / "controller-configmap.yaml", ["ConfigMap", *resources], ["ess-callbacks"])


def render(source, target, kinds, containers):
    printed = subprocess.run(
        ["kubectl", "kustomize", source], check=True, capture_output=True, text=True).stdout
    target.write_text(printed)
    resources = {resource["kind"]: resource for resource in yaml.load_all(printed)}
    assert sorted(resources) == kinds, sorted(resources)
    pod = resources["Deployment"]["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["containers"]] == containers, pod["containers"]
    assert all("/" in one["image"] and ":" in one["image"] for one in pod["containers"]), "an image has no tag"
    mounted = {mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}, mounted


def main(folder):
    ours = rendered()
    assert [resource["kind"] for resource in ours] == ["CronJob"], "the volume is not left out"
    with open(folder / "kubernetes-cos.yaml", "w", encoding="utf-8") as file:
        yaml.dump_all(ours, file)
    if shutil.which("kubectl"):
        controller(folder)
        assert ordered(by_kubectl(folder)) == ordered(ours), "kubectl kustomize gives another result"
        print("kubectl gives the same resources")
    else:
        print("SKIPPED: there is no kubectl to compare the patched resources with, and to render the controller")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
