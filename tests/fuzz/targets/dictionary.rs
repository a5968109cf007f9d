//! The dictionary of words that the fuzzer puts into scripts.

use std::fmt::Write;
use std::path::Path;

/// Words and signs of the language, and edge cases of numbers and texts.
const WORDS: &str = "fn let const if else while loop do until for in return throw try catch import export as \
    private switch true false this is_def_fn call curry Fn type_of print debug global args point run metrics \
    space evaluate reward schedule objectives thresholds summary sweep training accuracy latency_ms \
    -9223372036854775808 9223372036854775807 1e308 1e-308 -0.0 0 1 .. ..= ** << >> ?? ?. ?[ || && |x| #{ ${ \
    /* */ // @ $ \u{1F600} \u{0}";

/// Writes a file of words in libFuzzer's format.
///
/// # Panics
/// If the file cannot be written.
pub fn write_dictionary(path: &Path) {
    let words = WORDS.split_whitespace().map(str::to_owned);
    let mut lines = String::new();
    for word in words.chain(tandem::script::reference::vocabulary()) {
        let quoted: String = word
            .bytes()
            .map(|byte| match byte {
                b'"' | b'\\' => format!("\\{}", byte as char),
                b' '..=b'~' => (byte as char).to_string(),
                _ => format!("\\x{byte:02X}"),
            })
            .collect();
        writeln!(lines, "\"{quoted}\"").expect("a text takes more");
    }
    std::fs::write(path, lines).expect("the dictionary can be written");
}
