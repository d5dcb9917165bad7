//! Generates the packages of other languages from the built library: `uniffi-bindgen generate --language python …`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
