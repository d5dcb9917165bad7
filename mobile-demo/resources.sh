#!/usr/bin/env bash
# Compiles the manifest and the resources: R.java and target/resources.apk. Run by Maven.
# usage: resources.sh FRAMEWORK-RES.APK TARGET
set -eu
cd "$(dirname "$0")"
framework=$1 target=$2
mkdir -p "$target/generated/r"
aapt package -f -m -J "$target/generated/r" -S src/main/res -M src/main/AndroidManifest.xml -I "$framework" \
  -F "$target/resources.apk"
