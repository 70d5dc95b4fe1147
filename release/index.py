"""Makes one image for several processors of the images that release/build.sh wrote, and prints its digest.

    release/index.py FOLDER IMAGE.oci.tar...    FOLDER becomes an OCI layout

The images themselves stay as they are, and so do their digests.
"""

import hashlib
import json
import pathlib
import sys
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"


def main(folder, *images):
    blobs = pathlib.Path(folder, "blobs", "sha256")
    blobs.mkdir(parents=True)

    def keep(data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    manifests = []
    for image in images:
        with tarfile.open(image) as layout:
            for member in layout:
                if member.isfile() and member.name.startswith("blobs/sha256/"):
                    if keep(layout.extractfile(member).read())["digest"] != f"sha256:{pathlib.Path(member.name).name}":
                        sys.exit(f"{image}: {member.name} has another digest")
            (manifest,) = json.load(layout.extractfile("index.json"))["manifests"]
        manifest.pop("annotations", None)
        manifests.append(manifest)
    manifests.sort(key=lambda manifest: manifest["platform"]["architecture"])
    processors = [manifest["platform"]["architecture"] for manifest in manifests]
    if processors != ["amd64", "arm64"]:
        sys.exit(f"one image each of amd64 and arm64 is needed, not {processors}")
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    described = {"mediaType": INDEX, **keep(json.dumps(index, sort_keys=True).encode())}
    layout = {"schemaVersion": 2, "manifests": [described]}
    pathlib.Path(folder, "index.json").write_text(json.dumps(layout))
    pathlib.Path(folder, "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    print(described["digest"])


main(*sys.argv[1:])
