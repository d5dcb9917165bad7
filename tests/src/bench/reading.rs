//! The row of reading: one record, pages of lists, searches, at 100,000 records; the slowest of a hundred.
//!
//! The bounds hold for what people do all day. What no index serves is measured too and stands beside it.

use branchline_core::id::RecordId;
use branchline_core::replica::{Direction, Query, Replica};
use branchline_core::schema::parse_filter;
use branchline_core::time::Day;

use super::company::hub;
use super::local::{ids, millis, quantile};
use super::{Figure, cpu};
use crate::generator::{CITIES, Draw, INDUSTRIES};
use crate::process::home;

const RECORDS: usize = 100_000;
const OFTEN: usize = 1_000;
/// Times for what may read every record.
const SELDOM: usize = 100;
const PAGE: usize = 50;

/// Reads one record, lists, searches.
pub(super) fn reads() -> Vec<Figure> {
    let home = home();
    let replica = hub(&home.path().join("hub"), RECORDS);
    let ids = ids(&replica, RECORDS);
    let mut draw = Draw::of(RECORDS);
    let bound = |what: &str, times: Times| {
        [
            Figure::at_most(format!("ms {what}, p99"), times.p99, 5.0, 1.0),
            Figure::note(format!("ms {what}, median"), times.median),
            Figure::note(format!("ms {what}, mean of the processor"), times.mean_cpu),
        ]
    };
    let mut figures = Vec::new();
    let record = |draw: &mut Draw| {
        let id = &ids[draw.below(RECORDS as u64)];
        millis(|| replica.record("account", id).expect("a record"))
    };
    figures.extend(bound("to read a record", times(OFTEN, &mut draw, record)));
    for list in lists(&replica, &ids) {
        let times = times(list.times, &mut draw, |draw| {
            let query = (list.query)(draw);
            millis(|| assert_eq!(replica.list(&query).expect("a page").rows.len() == PAGE, list.is_full))
        });
        match list.is_bound {
            true => figures.extend(bound(list.what, times)),
            false => figures.push(Figure::note(format!("ms {}, p99", list.what), times.p99)),
        }
    }
    for search in searches() {
        let times = times(search.times, &mut draw, |draw| {
            let words = (search.words)(draw);
            millis(|| assert_eq!(!replica.search(&words, 20).expect("hits").is_empty(), search.finds, "{words}"))
        });
        match search.is_bound {
            true => figures.extend(bound(search.what, times)),
            false => figures.push(Figure::note(format!("ms {}, p99", search.what), times.p99)),
        }
    }
    figures
}

struct Times {
    p99: f64,
    median: f64,
    mean_cpu: f64,
}

fn times(count: usize, draw: &mut Draw, mut once: impl FnMut(&mut Draw) -> f64) -> Times {
    let before = cpu::thread_seconds();
    let mut all: Vec<f64> = (0..count).map(|_| once(draw)).collect();
    let mean_cpu = (cpu::thread_seconds() - before) * 1_000.0 / count as f64;
    Times { p99: quantile(&mut all, 0.99), median: quantile(&mut all, 0.5), mean_cpu }
}

struct List<'a> {
    what: &'static str,
    is_bound: bool,
    times: usize,
    /// Whether it fills its page.
    is_full: bool,
    query: Box<dyn Fn(&mut Draw) -> Query + 'a>,
}

fn lists<'a>(replica: &'a Replica, ids: &[RecordId]) -> Vec<List<'a>> {
    let filtered = |text: &str| {
        let schema = replica.schema();
        let account = schema.collection("account").expect("a built-in collection");
        let filter = parse_filter(text, account, Day(20_000)).unwrap_or_else(|e| panic!("{text}: {e}"));
        Query::of("account").filtered(filter).limited(PAGE)
    };
    let city = |draw: &mut Draw| CITIES[draw.below(CITIES.len() as u64)];
    let list = |what, times, is_full, query| List { what, is_bound: false, times, is_full, query };
    let by_name = |query: Query| query.sorted("name", Direction::Ascending);
    let deep = after_pages(replica, 20);
    let newest = ids.last().expect("records").to_string();
    vec![
        List {
            is_bound: true,
            ..list("to list 50, filtered and sorted", OFTEN, true, {
                Box::new(move |draw| by_name(filtered(&format!("city = \"{}\" and industry = \"retail\"", city(draw)))))
            })
        },
        list("by name from Z to A, one city", OFTEN, true, {
            Box::new(move |draw| filtered(&format!("city = \"{}\"", city(draw))).sorted("name", Direction::Descending))
        }),
        list("two industries of a city, by name", OFTEN, true, {
            Box::new(move |draw| {
                by_name(filtered(&format!("city = \"{}\" and industry in (retail, medical)", city(draw))))
            })
        }),
        list("an industry, in the order of arrival", OFTEN, true, {
            Box::new(move |draw| {
                filtered(&format!("industry = \"{}\"", INDUSTRIES[draw.below(INDUSTRIES.len() as u64)]))
            })
        }),
        list("the page after twenty others, one city, by name", OFTEN, true, {
            Box::new(move |draw| by_name(filtered(&format!("city = \"{}\"", city(draw)))).after(Some(deep)))
        }),
        list("a name that contains a common word, by name", OFTEN, true, {
            Box::new(move |_| by_name(filtered("name ~ \"granite\"")))
        }),
        list("one record of a city by its id, by name", OFTEN, false, {
            Box::new(move |draw| by_name(filtered(&format!("city = \"{}\" and id = \"{newest}\"", city(draw)))))
        }),
        list("nothing: an industry that nobody has, by name", OFTEN, false, {
            Box::new(move |draw| by_name(filtered(&format!("city = \"{}\" and industry = \"food\"", city(draw)))))
        }),
        list("one city by a field without an index", SELDOM, true, {
            Box::new(move |draw| {
                filtered(&format!("city = \"{}\"", city(draw))).sorted("legal_name", Direction::Ascending)
            })
        }),
        list("1 in 300 by a field without an index, by name", SELDOM, true, {
            Box::new(move |draw| by_name(filtered(&format!("address ~ \"мира {}-\"", draw.below(200) + 100))))
        }),
        list("nothing: a city and a text that nobody has, by name", SELDOM, false, {
            Box::new(move |draw| by_name(filtered(&format!("city = \"{}\" and website ~ \"nowhere\"", city(draw)))))
        }),
        list("nothing: a text that nobody has, by name", SELDOM, false, {
            Box::new(move |_| by_name(filtered("website ~ \"nowhere\"")))
        }),
    ]
}

// Where the page begins that follows so many others, by name.
fn after_pages(replica: &Replica, pages: usize) -> RecordId {
    let query = Query::of("account").sorted("name", Direction::Ascending).limited(PAGE * pages);
    replica.list(&query).expect("pages").next.expect("more pages")
}

struct Search {
    what: &'static str,
    is_bound: bool,
    times: usize,
    finds: bool,
    words: fn(&mut Draw) -> String,
}

fn searches() -> Vec<Search> {
    let search = |what, times, finds, words| Search { what, is_bound: false, times, finds, words };
    vec![
        Search {
            is_bound: true,
            ..search("to search", OFTEN, true, |draw| format!("{:06} llc", draw.below(RECORDS as u64)))
        },
        search("to search one word that all have", OFTEN, true, |_| "llc".to_owned()),
        search("to search two common words", OFTEN, true, |draw| {
            format!("{} llc", CITIES[draw.below(CITIES.len() as u64)])
        }),
        search("to search the begun number of a record", OFTEN, true, |draw| {
            format!("{:05}", draw.below(RECORDS as u64 / 10))
        }),
        search("to search two letters as typed, of a common word", SELDOM, true, |draw| {
            ["ll", "мо", "gr", "за", "ww"][draw.below(5)].to_owned()
        }),
        search("to search a beginning that all have", SELDOM, true, |_| "exam".to_owned()),
        search("to search a city and a letter", SELDOM, true, |draw| {
            format!("{} l", CITIES[draw.below(CITIES.len() as u64)])
        }),
        search("to search what nobody has", OFTEN, false, |draw| format!("{:06} zzz", draw.below(RECORDS as u64))),
    ]
}
