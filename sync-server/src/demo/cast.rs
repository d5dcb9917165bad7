//! The replicas of the demo and the lines between them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use branchline_core::access::Scope;
use branchline_core::crm::demo::offices;
use branchline_core::id::RecordId;
use branchline_core::replica::link::InvitationCode;
use branchline_core::replica::{Direction, Query, Record, Replica};
use branchline_core::schema::parse_filter;
use branchline_core::{Error, Result, crm};
use data_encoding::BASE32_NOPAD;
use tokio::time::{Instant, sleep};

use super::line::Line;
use super::node::Node;
use crate::context::environment;
use crate::state::State;

/// How often the folders are compared while the replicas catch up.
const LOOK: Duration = Duration::from_millis(200);
/// A replica under another one, and the line between them.
#[derive(Debug)]
pub(super) struct Place {
    /// The replica.
    pub node: Node,
    /// Its line upwards.
    pub line: Line,
}

/// Head office, the offices, the field rep.
#[derive(Debug)]
pub(super) struct Cast {
    /// Head office.
    pub hub: Node,
    /// The offices in the order in which they open; empty before they do.
    pub branches: Vec<Place>,
    /// The field rep of the first office, once enrolled.
    pub rep: Option<Place>,
    port: u16,
}

/// Where a replica stands at the end.
#[derive(Debug)]
pub(super) struct Standing {
    /// Its name.
    pub name: &'static str,
    /// Records held.
    pub records: u64,
    /// Changes that wait to go up.
    pub outbox: u64,
    /// Records with an open conflict.
    pub conflicts: u64,
    /// Bytes sent upwards.
    pub bytes_up: u64,
    /// Bytes received from above.
    pub bytes_down: u64,
    /// Whether it has the same records and heads as the replica above it has in its scopes.
    pub agrees: bool,
    /// Its workplace.
    pub page: String,
}

/// Who can sign in at the end.
#[derive(Debug)]
pub(super) struct Guests {
    /// The password of all of them.
    pub password: String,
    /// Them.
    pub people: Vec<Guest>,
    /// The link with which the rep signs in at the laptop, which keeps no passwords.
    pub laptop: String,
}

/// Somebody to sign in as.
#[derive(Debug)]
pub(super) struct Guest {
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// The e-mail address.
    pub email: String,
    /// The name of the server to sign in at.
    pub node: &'static str,
    /// Its address.
    pub page: String,
}

impl Guest {
    fn of(node: &Node, person: &Record) -> Self {
        let text = |field: &str| person.text(field).to_owned();
        let page = node.url().to_owned();
        Self { name: text("name"), role: text("role"), email: text("email"), node: node.name, page }
    }
}

fn person(node: &Node, text: &str) -> Result<Record> {
    let replica = open(node)?;
    replica.record("user", &replica.find("user", text)?)
}

fn email_of(node: &Node, id: &RecordId) -> Result<String> {
    Ok(open(node)?.record("user", id)?.text("email").to_owned())
}

fn first(node: &Node, asked: &str) -> Result<Option<Record>> {
    let replica = open(node)?;
    let schema = replica.schema();
    let filter = parse_filter(asked, schema.require("user")?, environment().now().day())?;
    let query = Query::of("user").filtered(filter).sorted("name", Direction::Ascending).limited(1);
    Ok(replica.list(&query)?.rows.into_iter().next())
}

/// Bytes of randomness in the password.
const PASSWORD_BYTES: usize = 10;
/// The owner's e-mail address.
const OWNER: &str = "anna@meridian.example";

impl Cast {
    /// A cast without any process yet; `port` 0 takes free ones throughout.
    ///
    /// # Errors
    /// `demo_process`.
    pub(super) fn new(home: &Path, port: u16) -> Result<Self> {
        Ok(Self { hub: Node::new(home, "hub")?, branches: Vec::new(), rep: None, port })
    }

    /// Makes head office and lets it serve.
    ///
    /// # Errors
    /// `demo_process`.
    pub(super) async fn open_hub(&mut self) -> Result<()> {
        let company = ["init", "--name", "Meridian Express", "--owner", OWNER, "--currency", "EUR"];
        self.hub.run(&company).await?;
        self.hub.serve(self.port).await
    }

    /// Opens the next office: it joins over a line of its own and serves.
    ///
    /// # Errors
    /// `demo_process`.
    pub(super) async fn open_branch(&mut self, home: &Path, code: &'static str) -> Result<&Place> {
        let node = Node::new(home, code)?;
        let invited = self.hub.run(&["invite", "--as", "branch", "--name", code]).await?;
        let port = self.next_port(self.branches.len() as u16 + 1);
        self.branches.push(enrol(&self.hub, node, &invited, port).await?);
        self.branches.last().ok_or_else(|| Error::storage("demo-process").with("detail", code))
    }

    /// Enrols the field rep at the first office as the person of this address.
    ///
    /// # Errors
    /// `demo_process`.
    pub(super) async fn enrol_rep(&mut self, home: &Path, email: &str) -> Result<()> {
        let Some(office) = self.branches.first() else { return Ok(()) };
        let node = Node::new(home, "rep")?;
        let scope = format!("branch:{}", office.node.name);
        let args = ["invite", "--as", "device", "--name", "rep", "--user", email, "--scope", scope.as_str()];
        let invited = office.node.run(&args).await?;
        self.rep = Some(enrol(&office.node, node, &invited, self.next_port(4)).await?);
        Ok(())
    }

    fn next_port(&self, offset: u16) -> u16 {
        if self.port == 0 { 0 } else { self.port.saturating_add(offset) }
    }

    fn places(&self) -> impl Iterator<Item = (&Node, &Place)> {
        let branches = self.branches.iter().map(|place| (&self.hub, place));
        let rep = self.branches.first().and_then(|office| self.rep.as_ref().map(|rep| (&office.node, rep)));
        branches.chain(rep)
    }

    /// Waits until every outbox is empty and every replica agrees with the one above it, at most for `max`; gives whether
    /// it came to that.
    ///
    /// # Errors
    /// Those of the stores.
    pub(super) async fn quiet(&self, max: Duration) -> Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < max {
            if at_rest(|| self.marks(), || self.standings())? {
                return Ok(true);
            }
            sleep(LOOK).await;
        }
        Ok(false)
    }

    // The end of every log.
    fn marks(&self) -> Result<Vec<u64>> {
        let nodes = std::iter::once(&self.hub).chain(self.places().map(|(_, place)| &place.node));
        nodes.map(|node| open(node)?.log_end()).collect()
    }

    /// What the servers said last, for whoever must find out why a story failed.
    pub(super) fn last_words(&self) -> Vec<String> {
        let nodes = std::iter::once(&self.hub).chain(self.places().map(|(_, place)| &place.node));
        nodes.filter_map(Node::last_words).collect()
    }

    /// Where every replica stands, head office first.
    ///
    /// # Errors
    /// Those of the stores.
    pub(super) fn standings(&self) -> Result<Vec<Standing>> {
        let mut all = vec![standing(&self.hub, true)?];
        for (above, place) in self.places() {
            all.push(standing(&place.node, agrees(above, &place.node)?)?);
        }
        Ok(all)
    }

    /// People to sign in as, with one password: the owner at head office, the manager and a seller of each office, the rep
    /// at the own laptop.
    ///
    /// # Errors
    /// `demo_process`; those of the stores.
    pub(super) async fn guests(&self) -> Result<Guests> {
        let mut random = [0; PASSWORD_BYTES];
        environment().fill_random(&mut random);
        let password = BASE32_NOPAD.encode(&random).to_lowercase();
        let mut people = vec![Guest::of(&self.hub, &person(&self.hub, &format!("email={OWNER}"))?)];
        for office in &self.branches {
            let branch = open(&office.node)?.find("branch", &format!("code={}", office.node.name))?;
            for role in ["manager", "seller"] {
                let asked = format!("role = \"{role}\" and home_branch = \"{branch}\" and email is not empty");
                people.extend(first(&office.node, &asked)?.map(|person| Guest::of(&office.node, &person)));
            }
        }
        for guest in &people {
            let node = self.branches.iter().map(|office| &office.node).find(|node| node.name == guest.node);
            let args = ["users", "password", &guest.email];
            node.unwrap_or(&self.hub).run_with(&args, &format!("{password}\n")).await?;
        }
        let laptop = match &self.rep {
            Some(rep) => {
                let email = open(&rep.node)?.me().and_then(|me| email_of(&rep.node, &me.id))?;
                rep.node.run(&["users", "sign-in", &email]).await?["link"].as_str().unwrap_or_default().to_owned()
            }
            None => String::new(),
        };
        Ok(Guests { password, people, laptop })
    }

    /// Ends all processes, the lowest first.
    pub(super) async fn leave(&mut self) {
        if let Some(rep) = &mut self.rep {
            rep.node.stop().await;
        }
        for place in &mut self.branches {
            place.node.stop().await;
        }
        self.hub.stop().await;
    }
}

// Whether all replicas rest. They are read one after another while changes may be on their way between them, so that
// what they show is of one moment only if no log has grown meanwhile.
fn at_rest(
    mut marks: impl FnMut() -> Result<Vec<u64>>,
    standings: impl FnOnce() -> Result<Vec<Standing>>,
) -> Result<bool> {
    let before = marks()?;
    let rests = standings()?.iter().all(|s| s.agrees && s.outbox == 0);
    Ok(rests && marks()? == before)
}

// The code is handed on with the line's address in it, so that already the first byte goes over that line.
async fn enrol(above: &Node, mut node: Node, invited: &serde_json::Value, port: u16) -> Result<Place> {
    let failed = |detail: String| Error::storage("demo-process").with("detail", detail).at(node.name);
    let upstream: SocketAddr =
        above.url().trim_start_matches("http://").parse().map_err(|_| failed(above.url().to_owned()))?;
    let line = Line::to(upstream).await.map_err(|e| failed(e.to_string()))?;
    let code = invited.get("code").and_then(serde_json::Value::as_str).unwrap_or_default();
    let mut code = InvitationCode::parse(code)?;
    code.address = format!("http://{}", line.address());
    node.run(&["join", &code.encode()]).await?;
    node.serve(port).await?;
    Ok(Place { node, line })
}

/// The replica in a node's folder, as any process on that machine could open it.
///
/// # Errors
/// Those of the store.
pub(super) fn open(node: &Node) -> Result<Replica> {
    Replica::open(&node.dir, crm::builtin().clone(), environment())
}

fn standing(node: &Node, agrees: bool) -> Result<Standing> {
    let state = State::read(&open(node)?)?;
    Ok(Standing {
        name: node.name,
        records: state.records_total(),
        outbox: state.status.outbox,
        conflicts: state.status.conflicts,
        bytes_up: state.bytes_up,
        bytes_down: state.bytes_down,
        agrees,
        page: node.url().to_owned(),
    })
}

// What the replica above holds in this one's scopes, against what this one holds: record ids and heads.
fn agrees(above: &Node, node: &Node) -> Result<bool> {
    let (upper, lower) = (open(above)?, open(node)?);
    let device = lower.settings()?.device;
    let Some(known) = upper.downstreams()?.into_iter().find(|d| d.device == device) else { return Ok(false) };
    let mut scopes: Vec<Scope> = known.scopes.iter().filter_map(|text| Scope::parse(text)).collect();
    scopes.push(Scope::Shared);
    Ok(upper.digest_of(&scopes)? == lower.digest()?)
}

// The offices' codes are fixed in the generator; the story names them in its order.
pub(super) fn office_codes() -> Vec<&'static str> {
    offices().map(|(code, _)| code).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn standing(agrees: bool, outbox: u64) -> Result<Vec<Standing>> {
        let (name, page) = ("hub", String::new());
        Ok(vec![Standing { name, records: 1, outbox, conflicts: 0, bytes_up: 0, bytes_down: 0, agrees, page }])
    }

    /// Seen: the office agreed with head office, then got the rep's changes, then agreed with the rep; the story went on
    /// while those changes had yet to reach head office.
    #[test]
    fn replicas_do_not_rest_while_a_log_grows_between_two_looks() {
        let rests = |ends: [u64; 2], agrees, outbox| {
            let mut ends = ends.into_iter();
            at_rest(|| Ok(ends.next().into_iter().collect()), || standing(agrees, outbox)).unwrap()
        };
        assert!(rests([7, 7], true, 0));
        assert!(!rests([7, 8], true, 0));
        assert!(!rests([7, 7], false, 0));
        assert!(!rests([7, 7], true, 1));
    }
}
