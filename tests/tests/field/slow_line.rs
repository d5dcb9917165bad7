//! A day's work over 20 kbit/s and 600 ms round trip: what it costs, and that nothing is lost where packets are lost and
//! the line is cut again and again.

use std::time::{Duration, Instant};

use branchline_tests::line::Weather;
use branchline_tests::sim::Random;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::day::{CHANGES_DOWN, CLIENTS, EDITS, Office, shown};
use crate::whole;

/// Longest that all may take on a line that is cut, in seconds.
const LINE_SECONDS_MAX: u64 = 600;
/// What one more connection may cost on the way up, in bytes: a greeting, and the piece or batch that was under way,
/// which on such a line is three seconds of its rate.
const AGAIN_BYTES_MAX: u64 = 8 * 1024 + 1_024;

fn number(answer: &Value, key: &str) -> u64 {
    answer[key].as_u64().unwrap_or_else(|| panic!("{key}: {answer:#}"))
}

#[test]
fn a_days_text_goes_through_a_slow_line_in_a_few_seconds() {
    let Some(office) = Office::founded(1) else { return };
    let typed = office.day(None);
    office.line.set(Weather::SLOW);
    let before = office.line.carried_bytes();
    let begun = Instant::now();
    let answer = {
        let _inside = office.line.lower();
        office.rep.json(["sync", "--deadline", "120s"])
    };
    let wall = begun.elapsed().as_secs_f64();
    let (up, down, trips) =
        (number(&answer, "bytes_up"), number(&answer, "bytes_down"), number(&answer, "round_trips"));
    let line_seconds = (up + down) as f64 * 8.0 / 20_000.0 + trips as f64 * 0.6;
    let packets = office.line.carried_bytes() - before;
    println!(
        "a day's text: {up} bytes up, {down} down, {trips} round trips: {line_seconds:.1} s of the line; \
         {packets} bytes of packets, {wall:.1} s by the clock"
    );
    assert_eq!(number(&answer, "pushed"), (EDITS + 20 + 2 * CLIENTS) as u64);
    assert_eq!(number(&answer, "pulled"), CHANGES_DOWN as u64);
    assert_eq!(shown(&office.hub, &typed), typed);
    assert_eq!(shown(&office.rep, &typed), typed);
    assert!(up <= 4_096 && line_seconds <= 5.0, "{up} bytes up, {line_seconds:.1} s");
}

#[test]
fn a_day_comes_through_a_line_that_loses_packets_and_is_cut() {
    let (photo_bytes, cut_each) = if whole() { (200 * 1024, 30) } else { (24 * 1024, 15) };
    let Some(office) = Office::founded(2) else { return };
    let mut random = Random::new(2, "photo");
    let photo: Vec<u8> = (0..photo_bytes).map(|_| random.number() as u8).collect();
    let file = office.home.path().join("photo.jpg");
    std::fs::write(&file, &photo).unwrap();
    let typed = office.day(Some(&file));
    let hash: String = Sha256::digest(&photo).iter().map(|byte| format!("{byte:02x}")).collect();

    office.line.set(Weather::LOSSY);
    let mut watching = {
        let _inside = office.line.lower();
        office.rep.start(["sync", "--watch"])
    };
    let begun = Instant::now();
    let (mut next_cut, mut text_after) = (begun + Duration::from_secs(3), None);
    let got = office.home.path().join("got.jpg");
    loop {
        assert!(begun.elapsed().as_secs() < LINE_SECONDS_MAX, "the day does not come through");
        assert!(!watching.ended(), "{:#?}", watching.wait());
        if Instant::now() >= next_cut {
            office.line.cut();
            next_cut += Duration::from_secs(cut_each);
        }
        let waiting = number(&office.rep.json(["status"]), "outbox");
        if waiting == 0 && text_after.is_none() {
            text_after = Some(begun.elapsed().as_secs_f64());
        }
        if waiting == 0 && office.hub.run(["fetch", &hash, "--out", got.to_str().unwrap()]).code == 0 {
            break;
        }
    }
    let whole_after = begun.elapsed().as_secs_f64();
    // The line is cut no more, so what is left on the way down comes.
    while shown(&office.rep, &typed) != typed {
        assert!(begun.elapsed().as_secs() < LINE_SECONDS_MAX, "what head office changed does not come down");
    }
    let answer = watching.interrupt().json();
    let (up, down, cuts) = (number(&answer, "bytes_up"), number(&answer, "bytes_down"), office.line.cuts());
    println!(
        "a day with a photo of {photo_bytes} bytes, cut {cuts} times, {} packets lost: {up} bytes up, {down} down; text \
         after {:.1} s, all after {whole_after:.1} s",
        office.line.lost(),
        text_after.unwrap(),
    );
    assert_eq!(std::fs::read(&got).unwrap(), photo);
    assert_eq!(shown(&office.hub, &typed), typed);
    assert_eq!(number(&answer, "pulled"), CHANGES_DOWN as u64, "each change comes once");
    assert!(cuts >= 2, "the line was cut {cuts} times");
    assert!(up <= photo_bytes as u64 + 8 * 1024 + cuts * AGAIN_BYTES_MAX, "{up} bytes up in spite of {cuts} cuts");
    for node in [&office.hub, &office.rep] {
        node.json(["verify"]);
    }
}
