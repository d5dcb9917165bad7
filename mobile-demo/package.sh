#!/usr/bin/env bash
# Assembles a signed APK of what Maven has compiled: target/fieldrep.apk, or the file APK. Needs aapt, zipalign, apksigner, zip,
# unzip and Debian's framework resources. It is a packaging check: dx does not desugar. Engines that were built for Android are
# taken from the folders of ENGINES (arm64-v8a/, x86_64/, …), and the APK is for their ABIs; without any it installs everywhere,
# and says at its start that it has none.
# usage: package.sh [ENGINES [APK]]
set -eu
engines=${1:+$(realpath "$1")}
apk=${2:+$(realpath "$2")}
cd "$(dirname "$0")"
apk=${apk:-target/fieldrep.apk}
engine=libbranchline_bindings.so
abis=
for abi in arm64-v8a armeabi-v7a x86_64; do
  # An ABI without an engine would be installed, and find none.
  if [ -z "$engines" ] || [ -f "$engines/$abi/$engine" ]; then abis="$abis $abi"; fi
done
if [ -z "$abis" ]; then
  echo "mobile-demo/package.sh: $engines holds no ABI/$engine; \`cargo ndk --output-dir\` puts it there" >&2
  exit 1
fi
framework=${FRAMEWORK_RESOURCES:-/usr/share/android-framework-res/framework-res.apk}
work=target/package
rm -rf "$work"
mkdir -p "$work/in" "$work/lib"

mvn -B -q dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$PWD/$work/jars"
mvn -B -q dependency:copy -Dartifact=com.jakewharton.android.repackaged:dalvik-dx:16.0.1 -DoutputDirectory="$PWD/$work/tools"
mvn -B -q dependency:copy -Dartifact=net.java.dev.jna:jna:5.19.1:aar -DoutputDirectory="$PWD/$work/tools"

# JNA's Android package has the same classes as its jar, with its native part for each ABI.
unzip -q -o "$work"/tools/jna-*.aar -d "$work/jna"
rm -f "$work"/jars/jna-*.jar
cp "$work/jna/classes.jar" "$work/in/jna.jar"
for jar in "$work"/jars/*.jar; do
  name=${jar##*/}
  cp "$jar" "$work/in/$name"
  # Only classes are compiled; versions for newer Java are none of Android's.
  zip -q -d "$work/in/$name" 'META-INF/*' '*.so' 2>/dev/null || true
done
(cd target/classes && zip -q -r "../package/in/app.jar" . -i '*.class')
java -Xmx2g -cp "$work/tools/dalvik-dx-16.0.1.jar" com.android.dx.command.Main --dex --multi-dex --min-sdk-version=26 \
  --output="$work" "$work"/in/*.jar

for abi in $abis; do
  mkdir -p "$work/lib/$abi"
  cp "$work/jna/jni/$abi"/*.so ${engines:+"$engines/$abi/$engine"} "$work/lib/$abi/"
done

aapt package -f -S src/main/res -M src/main/AndroidManifest.xml -I "$framework" -F "$work/base.apk"
(cd "$work" && zip -q base.apk classes*.dex && zip -q -r base.apk lib)
zipalign -f -p 4 "$work/base.apk" "$work/aligned.apk"
if [ ! -f target/debug.jks ]; then
  keytool -genkeypair -keystore target/debug.jks -storepass android -keypass android -alias debug -keyalg RSA -keysize 2048 \
    -validity 9999 -dname CN=Debug 2>/dev/null
fi
apksigner sign --ks target/debug.jks --ks-pass pass:android --out "$apk" "$work/aligned.apk"
apksigner verify "$apk"
aapt dump badging "$apk" >"$work/badging"
grep -q "package: name='dev.branchline.fieldrep'" "$work/badging"
for abi in $abis; do grep -q "native-code:.*'$abi'" "$work/badging"; done
printf '%s: %d bytes, signed, for%s\n' "$apk" "$(stat -c %s "$apk")" "$abis"
