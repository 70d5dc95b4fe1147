"""Packs a program into what is released, the same bytes each time.

    release/pack.py TARGET PROGRAM MADE OUT    MADE has completions, manual page, SBOM and THIRD-PARTY.txt
"""

import datetime
import email.utils
import gzip
import hashlib
import io
import json
import os
import pathlib
import sys
import tarfile
import tomllib
import zipfile

import links

NAME = "ess-callbacks"
TIME = int(os.environ["SOURCE_DATE_EPOCH"])
# Who runs in the container: a number, as Kubernetes can't tell whether a name is root.
USER = 65532
DAY = datetime.datetime.fromtimestamp(TIME, datetime.UTC)
REPOSITORY = os.environ.get("RELEASE_REPOSITORY")
# Debian's tools need an address. This one says that there is none: the domain can't exist.
MAINTAINER = os.environ.get("RELEASE_MAINTAINER") or f"{NAME} maintainers <noreply@{NAME}.invalid>"
# The pages of archives.
PAGES = ("README.md", "README.zh-CN.md")


def compressed(data):
    return gzip.compress(data, compresslevel=9, mtime=0)


def tar(files, folders=(), prefix=""):
    """A tar of (path, bytes, mode) and of (path, mode, owner), with all folders above them, in order."""
    known = {path: (mode, owner) for path, mode, owner in folders}
    for path in [path for path, _, _ in files] + list(known):
        for parent in pathlib.PurePosixPath(path).parents:
            known.setdefault(str(parent), (0o755, 0))
    known.pop(".", None)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as out:
        entries = [(path, None, mode, owner) for path, (mode, owner) in known.items()]
        entries += [(path, data, mode, 0) for path, data, mode in files]
        for path, data, mode, owner in sorted(entries, key=lambda entry: entry[0]):
            entry = tarfile.TarInfo(prefix + path)
            entry.mtime, entry.mode, entry.uid, entry.gid = TIME, mode, owner, owner
            if data is None:
                entry.type = tarfile.DIRTYPE
                out.addfile(entry)
            else:
                entry.size = len(data)
                out.addfile(entry, io.BytesIO(data))
    return written.getvalue()


def zipped(files):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path, data, mode in sorted(files):
            entry = zipfile.ZipInfo(path)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, mode << 16, 3
            out.writestr(entry, data)
    return written.getvalue()


def archive(folder, version, program, made, text):
    suffix = program.suffix
    # GitLab has files at another path than the others.
    blob = os.environ.get("RELEASE_BLOB") or "blob"
    files = f"{REPOSITORY}/{blob}/v{version}/" if REPOSITORY else None
    page = lambda name: links.elsewhere(text(name).decode(), (*PAGES, "LICENSE"), files).encode()
    return [
        (f"{folder}/{NAME}{suffix}", program.read_bytes(), 0o755),
        (f"{folder}/LICENSE", text("LICENSE"), 0o644),
        *[(f"{folder}/{name}", page(name), 0o644) for name in PAGES],
        (f"{folder}/THIRD-PARTY.txt", made("THIRD-PARTY.txt"), 0o644),
        *[(f"{folder}/completions/{NAME}.{shell}", made(f"{NAME}.{shell}"), 0o644) for shell in ("bash", "zsh", "fish")],
        (f"{folder}/man/{NAME}.1", made(f"{NAME}.1"), 0o644),
    ]


def debian(version, processor, program, made, text):
    """A package of Debian: an `ar` of a version, a control archive and the files."""
    shared = "usr/share"
    doc = f"{shared}/doc/{NAME}"
    copyright = (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        f"Upstream-Name: {NAME}\n\nFiles: *\nCopyright: {DAY.year} the authors of {NAME}\nLicense: Apache-2.0\n"
        " On Debian systems, the full text is in /usr/share/common-licenses/Apache-2.0.\n"
        " The licences of the packages that the program contains are in THIRD-PARTY.txt.gz.\n"
    )
    changelog = (
        f"{NAME} ({version}) unstable; urgency=medium\n\n  * CHANGELOG.md.gz has the changes.\n\n"
        f" -- {MAINTAINER}  {email.utils.format_datetime(DAY)}\n"
    )
    files = [
        (f"usr/bin/{NAME}", program.read_bytes(), 0o755),
        (f"{shared}/bash-completion/completions/{NAME}", made(f"{NAME}.bash"), 0o644),
        (f"{shared}/zsh/vendor-completions/_{NAME}", made(f"{NAME}.zsh"), 0o644),
        (f"{shared}/fish/vendor_completions.d/{NAME}.fish", made(f"{NAME}.fish"), 0o644),
        (f"{shared}/man/man1/{NAME}.1.gz", compressed(made(f"{NAME}.1")), 0o644),
        (f"{doc}/copyright", copyright.encode(), 0o644),
        (f"{doc}/changelog.gz", compressed(changelog.encode()), 0o644),
        (f"{doc}/CHANGELOG.md.gz", compressed(text("CHANGELOG.md")), 0o644),
        (f"{doc}/THIRD-PARTY.txt.gz", compressed(made("THIRD-PARTY.txt")), 0o644),
    ]
    size = sum(len(data) for _, data, _ in files) // 1024
    homepage = f"Homepage: {REPOSITORY}\n" if REPOSITORY else ""
    control = (
        f"Package: {NAME}\nVersion: {version}\nArchitecture: {processor}\nSection: net\nPriority: optional\n"
        f"Maintainer: {MAINTAINER}\nInstalled-Size: {size}\n"
        f"{homepage}"
        "Recommends: ca-certificates\n"
        "Description: declarative callback URLs for Tencent eSign\n"
        " Plans and applies the callback URLs of an enterprise at Tencent eSign, whose\n"
        " API can add and delete them but not list them, and corrects drift.\n"
    )
    sums = "".join(f"{hashlib.md5(data).hexdigest()}  {path}\n" for path, data, _ in sorted(files))
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": compressed(
            tar([("control", control.encode(), 0o644), ("md5sums", sums.encode(), 0o644)], prefix="./")
        ),
        "data.tar.gz": compressed(tar(files, prefix="./")),
    }
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{TIME:<12}{0:<6}{0:<6}{0o100644:<8o}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def image(version, processor, program, certificates, made, text):
    """A container image as an OCI layout: the program and the root certificates, nothing else."""
    layer = tar(
        [
            (f"usr/local/bin/{NAME}", program.read_bytes(), 0o755),
            ("etc/ssl/certs/ca-certificates.crt", certificates, 0o644),
            ("etc/passwd", f"{NAME}:x:{USER}:{USER}::/work:/sbin/nologin\n".encode(), 0o644),
            (f"usr/share/doc/{NAME}/LICENSE", text("LICENSE"), 0o644),
            (f"usr/share/doc/{NAME}/THIRD-PARTY.txt", made("THIRD-PARTY.txt"), 0o644),
        ],
        [("tmp", 0o1777, 0), ("work", 0o755, USER)],
    )
    blobs = {}

    def blob(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def described(kind, value):
        return blob(kind, json.dumps(value, sort_keys=True).encode())

    labels = {
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    packed = blob("layer.v1.tar+gzip", compressed(layer))
    config = {
        "architecture": processor,
        "os": "linux",
        "created": f"{DAY:%Y-%m-%dT%H:%M:%SZ}",
        "config": {
            "User": f"{USER}:{USER}",
            "Env": ["PATH=/usr/local/bin"],
            "Entrypoint": [NAME],
            "Cmd": ["--help"],
            "WorkingDir": "/work",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config.v1+json", config),
        "layers": [packed],
        "annotations": labels,
    }
    index = {"schemaVersion": 2, "manifests": [described("manifest.v1+json", manifest)]}
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": version}
    index["manifests"][0]["platform"] = {"architecture": processor, "os": "linux"}
    files = {**blobs, "index.json": json.dumps(index).encode(), "oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    return tar([(path, data, 0o644) for path, data in files.items()])


def main(target, program, made_in, out):
    program, out = pathlib.Path(program), pathlib.Path(out)
    made = lambda name: pathlib.Path(made_in, name).read_bytes()
    text = lambda name: pathlib.Path(name).read_bytes().replace(b"\r\n", b"\n")
    version = tomllib.loads(text("Cargo.toml").decode())["package"]["version"]
    folder = f"{NAME}-{version}-{target}"
    files = archive(folder, version, program, made, text)
    written = {f"{folder}.cdx.json": made("sbom.cdx.json")}
    if "windows" in target:
        written[f"{folder}.zip"] = zipped(files)
    else:
        written[f"{folder}.tar.gz"] = compressed(tar(files))
    processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(target.split("-")[0])
    if "-linux-" in target and processor:
        certificates = os.environ.get("RELEASE_CERTIFICATES", "/etc/ssl/certs/ca-certificates.crt")
        certificates = pathlib.Path(certificates).read_bytes()
        written[f"{NAME}_{version}_{processor}.deb"] = debian(version, processor, program, made, text)
        written[f"{folder}.oci.tar"] = image(version, processor, program, certificates, made, text)
    for name, data in written.items():
        (out / name).write_bytes(data)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(written.items()))
    (out / f"{folder}.sha256").write_text(sums, newline="\n")


main(*sys.argv[1:])
