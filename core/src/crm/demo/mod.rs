//! A made-up company to try everything on: an express carrier with regional offices.
//!
//! Its shape is that of a real one: an office in each region, sellers in pairs (one telephones and books, the other
//! visits), every client called once in six weeks, deals for lanes and services, names in Cyrillic and Latin. The same
//! seed and day give the same company. Everything is written through the replica as its acting person, in transactions
//! of bounded size; nothing here is taken from real data.

mod people;
mod random;
mod words;

use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::{Replica, Tx};
use crate::schema::{Currency, Money, Name, Value};
use crate::time::{Day, Millis};

use people::Person;
use random::Random;
use words::{OFFICES, Office, PRODUCTS, SUBJECTS};

/// Clients that one transaction makes, with all that belongs to them: about ten records each at most.
const CLIENTS_PER_TRANSACTION: usize = 60;
/// Days between two calls to a client.
const CALL_CYCLE_DAYS: i32 = 42;
/// How far back the company's memory goes.
const PAST_DAYS: u64 = 400;

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// The same seed gives the same names, sums and days.
    pub seed: u64,
    /// Clients of the whole company, shared out evenly among the offices.
    pub accounts: usize,
    /// The day that is today for the company.
    pub today: Day,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Clients.
    pub accounts: u64,
    /// Contacts.
    pub contacts: u64,
    /// Deals.
    pub opportunities: u64,
    /// Calls, meetings, visits and tasks.
    pub activities: u64,
    /// All records, these included.
    pub records: u64,
}

/// Code and name of each office, in the order in which a demonstration opens them.
pub fn offices() -> impl Iterator<Item = (&'static str, &'static str)> {
    OFFICES.iter().map(|office| (office.code, office.name))
}

/// Makes the whole company: offices, people, services, then every office's clients.
///
/// # Errors
/// As [`found`] and [`populate`].
pub fn company(replica: &Replica, spec: &Spec) -> Result<Made> {
    let mut made = found(replica, spec)?;
    for (code, _) in offices() {
        made.add(populate(replica, spec, code)?);
    }
    Ok(made)
}

/// Makes what the whole company shares: offices, people, services. Offices that are there already are taken as they are.
///
/// # Errors
/// `denied_…` where the acting person may not make offices and people: this is done at head office.
pub fn found(replica: &Replica, spec: &Spec) -> Result<Made> {
    let mut made = Made::default();
    replica.transact(|tx| {
        for product in PRODUCTS {
            let price = Money { minor: product.price_minor, currency: Currency(*b"EUR") };
            tx.create(
                "product",
                vec![
                    field("sku", text(product.sku)),
                    field("name", text(product.name)),
                    field("family", text(product.family)),
                    field("unit", text(product.unit)),
                    field("list_price", Value::Money(price)),
                    field("active", Value::Boolean(true)),
                ],
            )?;
            made.records += 1;
        }
        for office in &OFFICES {
            made.records += found_office(tx, office, spec)?;
        }
        Ok(())
    })?;
    Ok(made)
}

fn found_office(tx: &mut Tx<'_>, office: &Office, spec: &Spec) -> Result<u64> {
    let values = vec![
        field("code", text(office.code)),
        field("name", text(office.name)),
        field("region", text(office.region)),
        field("city", text(office.name)),
        field("active", Value::Boolean(true)),
    ];
    let branch = tx.create_keyed("branch", values, &["code".into()])?;
    let mut records = u64::from(branch.created);
    let mut random = Random::new(spec.seed, office.code);
    let mut manager = None;
    for (n, role) in ["manager", "seller", "seller", "seller", "seller"].into_iter().enumerate() {
        let person = Person::draw(&mut random, office.script);
        let title = match (role, n % 2) {
            ("manager", _) => "Office manager",
            (_, 1) => "Telephone sales",
            _ => "Field sales",
        };
        let mut values = vec![
            field("name", text(&person.full_name())),
            field("email", text(&format!("{}.{n}@{}.carrier.example", person.login, office.code))),
            field("role", text(role)),
            field("job_title", text(title)),
            field("home_branch", Value::Reference(branch.id)),
            field("active", Value::Boolean(true)),
        ];
        values.extend(manager.map(|manager| field("manager", Value::Reference(manager))));
        let id = tx.create_keyed("user", values, &["email".into()])?.id;
        manager = manager.or(Some(id));
        records += 1;
    }
    Ok(records)
}

/// Makes an office's share of the clients, with contacts, deals and six-week calls.
///
/// # Errors
/// `demo_office_unknown` where there is no such office; `record_not_found` where [`found`] has not been called or has not
/// arrived here; `denied_…`.
pub fn populate(replica: &Replica, spec: &Spec, office: &str) -> Result<Made> {
    let at = OFFICES.iter().position(|o| o.code == office);
    let at = at.ok_or_else(|| Error::not_found("demo-office-unknown").with("office", office))?;
    let Some(office) = OFFICES.get(at) else { return Ok(Made::default()) };
    let mut context = Context::load(replica, spec, office)?;
    let share = spec.accounts / OFFICES.len() + usize::from(at < spec.accounts % OFFICES.len());
    let mut made = Made::default();
    let mut left = share;
    while left > 0 {
        let chunk = left.min(CLIENTS_PER_TRANSACTION);
        made.add(replica.transact(|tx| {
            let mut made = Made::default();
            for _ in 0..chunk {
                context.client(tx, &mut made)?;
            }
            Ok(made)
        })?);
        left -= chunk;
    }
    Ok(made)
}

impl Made {
    fn add(&mut self, other: Self) {
        self.accounts += other.accounts;
        self.contacts += other.contacts;
        self.opportunities += other.opportunities;
        self.activities += other.activities;
        self.records += other.records;
    }
}

/// What every client of an office is made with.
struct Context<'s> {
    random: Random,
    office: &'s Office,
    today: Day,
    branch: RecordId,
    /// Who telephones and who visits.
    pairs: Vec<(RecordId, RecordId)>,
    products: Vec<(RecordId, i64)>,
    serial: u64,
}

impl<'s> Context<'s> {
    fn load(replica: &Replica, spec: &Spec, office: &'s Office) -> Result<Self> {
        let branch = replica.find("branch", &format!("code={}", office.code))?;
        let mut people: Vec<(String, RecordId)> = Vec::new();
        replica.each(&crate::replica::Query::of("user"), &mut |person| {
            if person.reference("home_branch") == Some(branch) && person.text("role") == "seller" {
                people.push((person.text("email").to_owned(), person.id));
            }
            Ok(())
        })?;
        people.sort();
        let pairs = people.chunks_exact(2).filter_map(|pair| match pair {
            [(_, one), (_, other)] => Some((*one, *other)),
            _ => None,
        });
        let pairs: Vec<_> = pairs.collect();
        let mut products = Vec::new();
        for product in PRODUCTS {
            products.push((replica.find("product", &format!("sku={}", product.sku))?, product.price_minor));
        }
        if pairs.is_empty() {
            return Err(Error::not_found("demo-people-missing").with("office", office.code));
        }
        let random = Random::new(spec.seed ^ 0x5eed, office.code);
        Ok(Self { random, office, today: spec.today, branch, pairs, products, serial: 0 })
    }

    fn client(&mut self, tx: &mut Tx<'_>, made: &mut Made) -> Result<()> {
        self.serial += 1;
        let company = words::company(&mut self.random, self.office.script);
        let account = self.account(tx, &company)?;
        let (caller, visitor) = self.random.pick(&self.pairs);
        let branch = Value::Reference(self.branch);
        let owned = |owner: RecordId| [field("branch", branch.clone()), field("owner", Value::Reference(owner))];
        let status = self.random.pick(&["active", "active", "prospect", "sleeping"]);
        let mut values = vec![
            field("account", Value::Reference(account)),
            field("status", text(status)),
            field("credit_terms", text(self.random.pick(&["prepaid", "14 days", "30 days"]))),
            field("call_period_days", Value::Integer(CALL_CYCLE_DAYS.into())),
        ];
        values.extend(owned(visitor));
        tx.create("account_branch", values)?;
        let mut contacts = Vec::new();
        for _ in 0..self.random.up_to(2) + 1 {
            let mut values = self.contact(account, &company);
            values.extend(owned(visitor));
            contacts.push(tx.create("contact", values)?);
        }
        made.contacts += contacts.len() as u64;
        for _ in 0..self.random.up_to(3) {
            let mut values = self.deal(account, contacts.first().copied(), &company);
            values.extend(owned(visitor));
            tx.create("opportunity", values)?;
            made.opportunities += 1;
            made.records += 1;
        }
        let calls = self.calls(account, contacts.first().copied(), caller, visitor);
        made.activities += calls.len() as u64;
        made.records += 2 + contacts.len() as u64 + calls.len() as u64;
        made.accounts += 1;
        for mut values in calls {
            values.push(field("branch", Value::Reference(self.branch)));
            tx.create("activity", values)?;
        }
        Ok(())
    }

    fn account(&mut self, tx: &mut Tx<'_>, company: &words::Company) -> Result<RecordId> {
        let city = self.random.pick(self.office.cities);
        let industry = self.random.pick(&["retail", "wholesale", "medical", "technology", "manufacturing", "finance"]);
        let phone = self.phone();
        let values = vec![
            field("name", text(&company.name)),
            field("legal_name", text(&company.legal_name)),
            field("tax_id", text(&format!("{}{:07}", self.office.tax_prefix, self.random.up_to(9_999_999)))),
            field("roles", Value::Set(["customer".to_owned()].into())),
            field("industry", text(industry)),
            field("phones", Value::Set([phone].into())),
            field("emails", Value::Set([format!("office@{}", company.domain)].into())),
            field("website", text(&format!("https://{}", company.domain))),
            field("country", text(self.office.country)),
            field("city", text(city)),
            field("employees", Value::Integer(5 + self.random.up_to(60).pow(2) as i64)),
        ];
        tx.create("account", values)
    }

    fn contact(&mut self, account: RecordId, company: &words::Company) -> Vec<(Name, Value)> {
        let person = Person::draw(&mut self.random, self.office.script);
        let birthday = Day(self.today.0 - 9_000 - self.random.up_to(13_000) as i32);
        let mut values = vec![
            field("first_name", text(person.first)),
            field("last_name", text(&person.last)),
            field("account", Value::Reference(account)),
            field("job_title", text(self.random.pick(self.office.script.jobs()))),
            field("phones", Value::Set([self.phone()].into())),
            field("emails", Value::Set([format!("{}@{}", person.login, company.domain)].into())),
            field("birthday", Value::Date(birthday)),
        ];
        values.extend(person.middle.map(|middle| field("middle_name", text(&middle))));
        values
    }

    fn phone(&mut self) -> String {
        format!("{}{:07}", self.office.phone_prefix, 1_000_000 + self.random.up_to(8_999_999))
    }

    fn deal(&mut self, account: RecordId, contact: Option<RecordId>, company: &words::Company) -> Vec<(Name, Value)> {
        let (product, price) = self.random.pick(&self.products);
        let age = self.random.up_to(PAST_DAYS) as i32;
        let opened = Day(self.today.0 - age);
        let parcels = 5 + self.random.up_to(40).pow(2) as i64;
        let open = ["new", "qualified", "proposal", "negotiation"];
        // The older a deal, the more likely it is closed.
        let closed = self.random.up_to(120) < age as u64;
        let stage = match (closed, self.random.up_to(99)) {
            (true, 0..=54) => "won",
            (true, _) => "lost",
            (false, _) => self.random.pick(&open),
        };
        let mut values = vec![
            field("name", text(&format!("{} · {parcels}", company.name))),
            field("account", Value::Reference(account)),
            field("product", Value::Reference(product)),
            field("stage", text(stage)),
            field("amount", Value::Money(Money { minor: price * parcels, currency: Currency(*b"EUR") })),
            field("opened_on", Value::Date(opened)),
        ];
        values.extend(contact.map(|contact| field("contact", Value::Reference(contact))));
        if closed {
            let took = 3 + self.random.up_to(60) as i32;
            values.push(field("closed_on", Value::Date(Day((opened.0 + took).min(self.today.0)))));
        } else {
            values.push(field("expected_on", Value::Date(Day(self.today.0 + self.random.up_to(120) as i32))));
        }
        if stage == "lost" {
            values.push(field("lost_reason", text(self.random.pick(self.office.script.refusals()))));
        }
        values
    }

    /// The calls of the last cycles, sometimes a visit that came of one, and the next call with its day.
    fn calls(
        &mut self,
        account: RecordId,
        contact: Option<RecordId>,
        caller: RecordId,
        visitor: RecordId,
    ) -> Vec<Vec<(Name, Value)>> {
        let mut activities = Vec::new();
        let mut day = self.today.0 - self.random.up_to(CALL_CYCLE_DAYS as u64 - 1) as i32;
        let next = day + CALL_CYCLE_DAYS;
        let activity = |kind: &str, subject: &str, owner: RecordId| {
            let mut values = vec![
                field("kind", text(kind)),
                field("subject", text(subject)),
                field("account", Value::Reference(account)),
                field("owner", Value::Reference(owner)),
            ];
            values.extend(contact.map(|contact| field("contact", Value::Reference(contact))));
            values
        };
        for _ in 0..self.random.up_to(2) + 1 {
            let at = self.hour(day);
            let mut call = activity("call", self.random.pick(SUBJECTS), caller);
            call.push(field("done_at", Value::Instant(at)));
            activities.push(call);
            if self.random.up_to(3) == 0 {
                let mut visit = activity("visit", self.random.pick(SUBJECTS), visitor);
                visit.push(field("starts_at", Value::Instant(self.hour(day + 3))));
                activities.push(visit);
            }
            day -= CALL_CYCLE_DAYS;
        }
        let mut planned = activity("call", self.random.pick(SUBJECTS), caller);
        planned.push(field("due_at", Value::Instant(self.hour(next))));
        activities.push(planned);
        activities
    }

    /// A quarter of an hour in the working time of a day.
    fn hour(&mut self, day: i32) -> Millis {
        const QUARTER_MS: i64 = 900_000;
        Day(day).start().plus((32 + self.random.up_to(36) as i64) * QUARTER_MS)
    }
}

fn field(name: &str, value: Value) -> (Name, Value) {
    (name.into(), value)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
