//! What happens in the demo, in order.
//!
//! The offices open and lose their lines; each makes its own part of the company's data offline; the lines come back,
//! one of them slow and cut once in the middle. The field rep is away for a week while a deal of his is also worked on
//! at the office and at head office. Everything meets, collides visibly, and is settled by a person.

use std::path::PathBuf;
use std::time::Duration;

use branchline_core::crm::demo::{Spec, found, populate};
use branchline_core::message::Message;
use branchline_core::replica::{Query, Record};
use branchline_core::schema::{Value, parse_filter};
use branchline_core::time::DAY_MS;
use branchline_core::{Error, Result};
use tokio::time::sleep;

use super::cast::{Cast, Place, office_codes, open};
use super::node::Node;
use super::teller::Teller;
use crate::context::environment;
use crate::output::bytes;

/// The same company each time.
const SEED: u64 = 20_250_301;
/// A bad mobile line, in bits per second.
const SLOW_BITS_PER_SECOND: u64 = 512_000;
/// Its round trip.
const SLOW_ROUND_TRIP: Duration = Duration::from_millis(600);
/// Bytes after which the slow line is cut once more.
const CUT_AFTER_BYTES: u64 = 40_000;
/// Days that the rep is away.
const DAYS_AWAY: i64 = 7;
/// How long one step may take, whatever happens, before the demo gives up.
const STEP_MAX: Duration = Duration::from_secs(120);
/// What each client of the company adds to that: a slow machine makes some hundreds a second.
const STEP_MAX_PER_CLIENT: Duration = Duration::from_millis(10);

/// Plays the whole story.
///
/// # Errors
/// `demo_stuck` where a step does not end, `demo_process`, `demo_diverged` where the replicas do not come to agree, and
/// those of the stores.
pub(super) async fn play(cast: &mut Cast, teller: &Teller, clients: usize) -> Result<()> {
    let home = cast.hub.dir.parent().map(PathBuf::from).unwrap_or_default();
    let spec = Spec { seed: SEED, accounts: clients, today: environment().now().day() };
    let within = Within(STEP_MAX + STEP_MAX_PER_CLIENT * u32::try_from(clients).unwrap_or(u32::MAX));
    within.step("found", open_company(cast, teller, spec)).await?;
    for code in office_codes() {
        let place = within.step("open", cast.open_branch(&home, code)).await?;
        teller.say(&Message::new("demo-opened").with("office", code).with("url", place.node.url()));
    }
    within.step("work", work_offline(cast, teller, spec)).await?;
    within.step("back", lines_come_back(cast, teller)).await?;
    within.caught_up(cast, teller).await?;
    let deal = within.step("rep", rep_joins(cast, teller, &home)).await?;
    within.step("apart", a_week_apart(cast, teller, &deal)).await?;
    within.step("meet", meet(cast, teller, &deal)).await?;
    within.caught_up(cast, teller).await?;
    within.step("settle", settle(cast, teller, &deal)).await?;
    within.caught_up(cast, teller).await
}

/// How long each step may take.
struct Within(Duration);

impl Within {
    // Whatever hangs, a process, a line or a wait that nothing ends, ends here and has the name of its step.
    async fn step<T>(&self, step: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.0, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::storage("demo-stuck").with("step", step).with("seconds", self.0.as_secs())),
        }
    }

    async fn caught_up(&self, cast: &Cast, teller: &Teller) -> Result<()> {
        if !cast.quiet(self.0).await? {
            let apart: Vec<&str> = cast.standings()?.iter().filter(|s| !s.agrees).map(|s| s.name).collect();
            return Err(Error::corrupt("demo-diverged").with("replicas", apart.join(", ")));
        }
        let records = cast.standings()?.first().map_or(0, |hub| hub.records);
        teller.say(&Message::new("demo-agree").with("records", records));
        Ok(())
    }
}

async fn open_company(cast: &mut Cast, teller: &Teller, spec: Spec) -> Result<()> {
    cast.open_hub().await?;
    let made = blocking(&cast.hub, move |replica| found(replica, &spec)).await?;
    teller.say(&Message::new("demo-founded").with("records", made.records).with("url", cast.hub.url()));
    Ok(())
}

// Each office makes its own clients and deals while nothing connects it to anybody.
async fn work_offline(cast: &Cast, teller: &Teller, spec: Spec) -> Result<()> {
    for place in &cast.branches {
        place.line.cut();
    }
    teller.say(&Message::new("demo-lines-cut").with("count", cast.branches.len()));
    for place in &cast.branches {
        let office = place.node.name;
        let made = blocking(&place.node, move |replica| populate(replica, &spec, office)).await?;
        let said = Message::new("demo-worked").with("office", office).with("accounts", made.accounts);
        let said = said.with("contacts", made.contacts).with("deals", made.opportunities);
        teller.say(&said.with("activities", made.activities));
    }
    Ok(())
}

// Two lines at full speed, the third slow, and cut once more at some byte in the middle.
async fn lines_come_back(cast: &Cast, teller: &Teller) -> Result<()> {
    let Some((last, others)) = cast.branches.split_last() else { return Ok(()) };
    for place in others {
        place.line.restore();
        teller.say(&Message::new("demo-line-back").with("office", place.node.name));
    }
    let before = last.line.carried();
    last.line.restore_slow(SLOW_BITS_PER_SECOND, SLOW_ROUND_TRIP);
    let kbit = SLOW_BITS_PER_SECOND / 1_000;
    let said = Message::new("demo-line-slow").with("office", last.node.name).with("kbit", kbit);
    teller.say(&said.with("ms", SLOW_ROUND_TRIP.as_millis() as u64));
    while last.line.carried() < before + CUT_AFTER_BYTES && outbox(last)? > 0 {
        sleep(Duration::from_millis(50)).await;
    }
    last.line.cut();
    let carried = last.line.carried() - before;
    teller.say(&Message::new("demo-cut-midway").with("office", last.node.name).with("bytes", bytes(carried)));
    sleep(Duration::from_millis(500)).await;
    last.line.restore_slow(SLOW_BITS_PER_SECOND, SLOW_ROUND_TRIP);
    Ok(())
}

fn outbox(place: &Place) -> Result<u64> {
    open(&place.node)?.outbox_len()
}

// The rep is the owner of some open deal of the first office.
async fn rep_joins(cast: &mut Cast, teller: &Teller, home: &std::path::Path) -> Result<Deal> {
    let Some(office) = cast.branches.first() else { return Err(missing("office")) };
    let deal = blocking(&office.node, |replica| {
        let schema = replica.schema();
        let collection = schema.require("opportunity")?;
        let open = parse_filter("stage = \"negotiation\" or stage = \"proposal\"", collection, spec_day())?;
        let found = replica.list(&Query::of("opportunity").filtered(open).limited(1))?.rows;
        let record = found.first().ok_or_else(|| missing("opportunity"))?;
        let owner = record.reference("owner").ok_or_else(|| missing("owner"))?;
        let person = replica.record("user", &owner)?;
        Ok(Deal::of(record, &person))
    })
    .await?;
    cast.enrol_rep(home, &deal.email).await?;
    if let Some(rep) = &cast.rep {
        let said = Message::new("demo-rep").with("name", &deal.owner).with("url", rep.node.url());
        teller.say(&said);
    }
    Ok(deal)
}

fn spec_day() -> branchline_core::time::Day {
    environment().now().day()
}

fn missing(what: &str) -> Error {
    Error::storage("demo-process").with("detail", what)
}

/// The deal that three people work on at once.
struct Deal {
    id: String,
    name: String,
    owner: String,
    email: String,
    account: Option<String>,
}

impl Deal {
    fn of(record: &Record, person: &Record) -> Self {
        Self {
            id: record.id.to_string(),
            name: record.text("name").to_owned(),
            owner: person.text("name").to_owned(),
            email: person.text("email").to_owned(),
            account: record.reference("account").map(|id| id.to_string()),
        }
    }
}

// The rep wins the deal on the road, the office writes it off, head office raises it: none can see the others.
async fn a_week_apart(cast: &Cast, teller: &Teller, deal: &Deal) -> Result<()> {
    let (Some(rep), Some(office)) = (&cast.rep, cast.branches.first()) else { return Ok(()) };
    rep.node.run(&["pause"]).await?;
    until_offline(&rep.node).await?;
    office.line.cut();
    teller.say(&Message::new("demo-rep-away").with("name", &deal.owner).with("days", DAYS_AWAY));
    let now = environment().now();
    for day in 0..DAYS_AWAY {
        let at = format!("starts_at={}", now.plus((day - DAYS_AWAY) * DAY_MS).rfc3339());
        let account = format!("account={}", deal.account.as_deref().unwrap_or_default());
        let subject = format!("subject=Visit {}", day + 1);
        rep.node.run(&["create", "activity", "kind=visit", &subject, &at, &account]).await?;
    }
    rep.node.run(&["edit", "opportunity", &deal.id, "stage=won", "amount=4800.00 EUR"]).await?;
    teller.say(&Message::new("demo-edit-rep").with("deal", &deal.name).with("name", &deal.owner));
    office.node.run(&["edit", "opportunity", &deal.id, "stage=lost", "lost_reason=price"]).await?;
    teller.say(&Message::new("demo-edit-office").with("deal", &deal.name).with("office", office.node.name));
    cast.hub.run(&["edit", "opportunity", &deal.id, "amount=5200.00 EUR"]).await?;
    teller.say(&Message::new("demo-edit-hub").with("deal", &deal.name));
    Ok(())
}

// All lines are back.
async fn meet(cast: &Cast, teller: &Teller, deal: &Deal) -> Result<()> {
    let (Some(rep), Some(office)) = (&cast.rep, cast.branches.first()) else { return Ok(()) };
    rep.node.run(&["resume"]).await?;
    office.line.restore();
    teller.say(&Message::new("demo-all-back").with("name", &deal.owner).with("office", office.node.name));
    Ok(())
}

// The collision is seen everywhere, and head office settles what only a person may.
async fn settle(cast: &Cast, teller: &Teller, deal: &Deal) -> Result<()> {
    tell_conflicts(cast, teller, deal).await?;
    cast.hub.run(&["resolve", "opportunity", &deal.id, "stage", "--keep", "won"]).await?;
    teller.say(&Message::new("demo-settled").with("deal", &deal.name));
    Ok(())
}

async fn tell_conflicts(cast: &Cast, teller: &Teller, deal: &Deal) -> Result<()> {
    let name = deal.name.clone();
    let lines = blocking(&cast.hub, move |replica| {
        let schema = replica.schema();
        let mut lines = Vec::new();
        for conflict in replica.conflicts()? {
            let field = schema.require(&conflict.collection)?.require_field(&conflict.field)?;
            let label = |id: &branchline_core::id::RecordId| replica.label(id);
            let values = conflict.values.iter().map(|v| {
                let text = branchline_core::schema::format_value(field, &v.value, &label);
                let text = if v.value == Value::Null { "–".to_owned() } else { text };
                format!("{text} ({})", v.device)
            });
            let said = Message::new("demo-conflict").with("deal", &name).with("field", &*conflict.field);
            lines.push(said.with("values", values.collect::<Vec<_>>().join(" · ")));
        }
        Ok(lines)
    })
    .await?;
    lines.iter().for_each(|line| teller.say(line));
    Ok(())
}

// A process that keeps a link obeys a pause within a second: what is typed before that would still go out.
async fn until_offline(node: &Node) -> Result<()> {
    while blocking(node, branchline_core::net::is_online).await? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

// Work in a folder, off the asynchronous workers.
async fn blocking<T: Send + 'static>(
    node: &Node,
    work: impl FnOnce(&branchline_core::replica::Replica) -> Result<T> + Send + 'static,
) -> Result<T> {
    let replica = open(node)?;
    match tokio::task::spawn_blocking(move || work(&replica)).await {
        Ok(done) => done,
        Err(lost) => Err(Error::storage("demo-process").with("detail", lost.to_string()).at(node.name)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Time stands still but for the bound itself: nobody waits for it.
    #[tokio::test(start_paused = true)]
    async fn a_step_that_never_ends_is_given_up_by_name() {
        let within = Within(STEP_MAX);
        let stuck = within.step("rep", std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(stuck.code(), "demo_stuck");
        crate::catalogue::install();
        assert!(stuck.to_string().contains("120 s"), "{stuck}");
        assert_eq!(within.step("rep", async { Ok(7) }).await, Ok(7));
    }
}
