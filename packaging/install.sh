#!/bin/sh
# Installs the newest binary of fgd into ~/.local/bin, or $FGD_INSTALL_DIR: sh install.sh [VERSION]
set -eu
releases=${FGD_RELEASES:-https://github.com/@REPOSITORY@/releases}
folder=${FGD_INSTALL_DIR:-$HOME/.local/bin}
version=${1:-}

fail() { echo "install.sh: $*" >&2; exit 1; }
case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
    Linux-aarch64) target=aarch64-unknown-linux-gnu ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    *) fail "there is no binary for $(uname -s) on $(uname -m); pip install pyfgd, or cargo build" ;;
esac
archive=fgd-$target.tar.gz
from=$releases/${version:+download/v}${version:-latest/download}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for file in "$archive" "$archive.sha256"; do
    curl --fail --silent --show-error --location --output "$work/$file" "$from/$file" || fail "$from/$file cannot be fetched"
done
cd "$work"
if command -v sha256sum >/dev/null; then sha256sum --quiet --check "$archive.sha256"; else shasum -a 256 --quiet --check "$archive.sha256"; fi ||
    fail "the archive is not the one that was released"
tar -xzf "$archive"
mkdir -p "$folder"
# The old one may be running: it is replaced, not written into.
cp "fgd-$target/fgd" "$folder/.fgd.new"
mv "$folder/.fgd.new" "$folder/fgd"
echo "$("$folder/fgd" --version) is in $folder"
case :$PATH: in *":$folder:"*) ;; *) echo "put $folder into PATH to call it by its name" ;; esac
