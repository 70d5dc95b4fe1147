"""Prints the Homebrew formula of a release.

    release/formula.py SHA256SUMS REPOSITORY    REPOSITORY is its address
"""

import re
import sys

TARGETS = {
    ("macos", "arm"): "aarch64-apple-darwin",
    ("macos", "intel"): "x86_64-apple-darwin",
    ("linux", "arm"): "aarch64-unknown-linux-musl",
    ("linux", "intel"): "x86_64-unknown-linux-musl",
}


def main(sums, repository):
    archives = {}
    with open(sums, encoding="utf-8") as lines:
        for line in lines:
            checksum, name = line.split()
            found = re.fullmatch(r"ess-callbacks-(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+?)?)-((?:x86_64|aarch64)-.+)\.tar\.gz", name)
            if found:
                archives[found[2]] = (found[1], name, checksum)
    versions = {version for version, _, _ in archives.values()}
    if len(versions) != 1 or set(TARGETS.values()) - set(archives):
        sys.exit(f"{sums} does not have the archives of one version for macOS and Linux")
    version = versions.pop()
    print("class EssCallbacks < Formula")
    print('  desc "Declarative callback URLs for Tencent eSign"')
    print(f'  homepage "{repository}"')
    print(f'  version "{version}"')
    print('  license "Apache-2.0"\n')
    for system in ("macos", "linux"):
        print(f"  on_{system} do")
        for processor in ("arm", "intel"):
            _, name, checksum = archives[TARGETS[system, processor]]
            print(f"    on_{processor} do")
            print(f'      url "{repository}/releases/download/v{version}/{name}"')
            print(f'      sha256 "{checksum}"')
            print("    end")
        print("  end\n")
    print("  def install")
    print('    bin.install "ess-callbacks"')
    print('    man1.install "man/ess-callbacks.1"')
    print('    bash_completion.install "completions/ess-callbacks.bash" => "ess-callbacks"')
    print('    zsh_completion.install "completions/ess-callbacks.zsh" => "_ess-callbacks"')
    print('    fish_completion.install "completions/ess-callbacks.fish"')
    print("  end\n")
    print("  test do")
    print('    assert_equal "ess-callbacks #{version}", shell_output("#{bin}/ess-callbacks --version").strip')
    print("  end")
    print("end")


main(*sys.argv[1:])
