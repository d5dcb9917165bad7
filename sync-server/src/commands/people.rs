//! People: `users list`, `users add`, `users sign-in`, `users password`, `users disable`; tokens of the HTTP API: `users
//! token`, `users tokens`, `users end-token`.

use std::io::{BufRead as _, Read as _};
use std::time::Duration;

use branchline_core::document::Edit;
use branchline_core::id::RecordId;
use branchline_core::message::Message;
use branchline_core::replica::{Direction, Query, Record, Replica};
use branchline_core::schema::{Name, Value};
use branchline_core::{Error, Result};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

use super::assignments;
use super::shape::Shaper;
use crate::context::Context;
use crate::output::{Answer, Table};
use crate::runtime::parse_span;
use crate::web::{self, LINK_MS, Sessions, Token};

const USER: &str = "user";
/// Bytes of standard input that are read for a password.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// People: list, add, sign in, password, disable.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  branchline users add \"Anna Petrova\" --email anna@acme.example --role manager \
                        --branch central")]
pub struct Users {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the people.
    #[command(after_help = "Example:\n  branchline users list")]
    List,
    /// Add a person.
    #[command(
        after_help = "Example:\n  branchline users add \"Oleh Koval\" --email oleh@acme.example --role seller --branch kyiv"
    )]
    Add {
        /// The name.
        name: String,
        /// The e-mail address; without one there is no sign-in.
        #[arg(long)]
        email: Option<String>,
        /// owner, manager, seller, reader, or a role of the workspace's own.
        #[arg(long)]
        role: String,
        /// The branch whose records the person makes: its code or name.
        #[arg(long)]
        branch: Option<String>,
    },
    /// Make a one-time link to the web workplace, good for ten minutes.
    #[command(name = "sign-in", after_help = "Example:\n  branchline users sign-in anna@acme.example")]
    SignIn {
        /// The e-mail address.
        email: String,
    },
    /// Make a token with which a program calls the HTTP API of this server as this person. It is shown once.
    #[command(after_help = "Example:\n  branchline users token anna@acme.example --name shop --expires 90d")]
    Token {
        /// The e-mail address, name or id of the person.
        person: String,
        /// What the token is called.
        #[arg(long)]
        name: String,
        /// How long it is good.
        #[arg(long, value_name = "SPAN", default_value = "365d", value_parser = parse_span)]
        expires: Duration,
    },
    /// List the tokens of this server.
    #[command(after_help = "Example:\n  branchline users tokens")]
    Tokens,
    /// End a token.
    #[command(name = "end-token", after_help = "Example:\n  branchline users end-token shop")]
    EndToken {
        /// What it is called.
        name: String,
    },
    /// Set a person's password: the first line of standard input. Other sessions end, and no code is asked besides.
    #[command(after_help = "Example:\n  branchline users password anna@acme.example < password.txt")]
    Password {
        /// The e-mail address.
        email: String,
    },
    /// End a person's access; what the person wrote stays.
    #[command(after_help = "Example:\n  branchline users disable oleh@acme.example")]
    Disable {
        /// The name, the e-mail address or the id.
        name: String,
    },
}

impl Users {
    /// Lists, adds, signs in, sets passwords or disables.
    ///
    /// # Errors
    /// An unknown branch or person, an unknown role, rights, and those of the store.
    pub fn run(&self, context: &Context) -> Result<Answer> {
        let replica = context.open()?;
        match &self.command {
            Command::List => list(context, &replica),
            Command::Add { name, email, role, branch } => {
                add(context, &replica, name, email.as_deref(), role, branch.as_deref())
            }
            Command::SignIn { email } => sign_in(context, &replica, email),
            Command::Token { person, name, expires } => token(context, &replica, person, name, *expires),
            Command::Tokens => Ok(tokens(context, &replica)),
            Command::EndToken { name } => {
                Sessions::of(replica.dir()).end_token(replica.environment().now(), name)?;
                let said = Message::new("token-ended").with("name", name);
                Ok(Answer::of(context, || json!({"name": name}), || said.render(context.language())))
            }
            Command::Password { email } => set_password(context, &replica, email),
            Command::Disable { name } => disable(context, &replica, name),
        }
    }
}

fn list(context: &Context, replica: &Replica) -> Result<Answer> {
    let schema = replica.schema();
    let collection = schema.require(USER)?;
    let mut people: Vec<Record> = Vec::new();
    replica.each(&Query::of(USER).sorted("name", Direction::Ascending), &mut |record| {
        people.push(record);
        Ok(())
    })?;
    let shaper = Shaper::new(replica);
    Ok(Answer::of(
        context,
        || people.iter().map(|r| Json::Object(shaper.object(collection, r, None))).collect(),
        || {
            let headings = ["name", "email", "role", "home_branch", "active"];
            let titles = headings.map(|n| collection.field(n).map_or(n, |f| f.labels.text(context.language())));
            let mut table = Table::new(std::iter::once("id").chain(titles));
            for record in &people {
                let cells = headings.map(|name| shaper.cell(collection, record, name));
                table.row(std::iter::once(replica.short_id(&record.id)).chain(cells));
            }
            table.text()
        },
    ))
}

fn add(
    context: &Context,
    replica: &Replica,
    name: &str,
    email: Option<&str>,
    role: &str,
    branch: Option<&str>,
) -> Result<Answer> {
    let schema = replica.schema();
    let collection = schema.require(USER)?;
    let typed = [
        ("name", Some(name)),
        ("email", email),
        ("role", Some(role)),
        ("home_branch", branch),
        ("active", Some("yes")),
    ];
    let mut values: Vec<(Name, Value)> = Vec::new();
    for (field, text) in typed {
        let (Some(text), field) = (text, collection.require_field(field)?) else { continue };
        values.push((field.name.clone(), assignments::parse(replica, field, text)?));
    }
    let id = replica.transact(|tx| tx.create(USER, values))?;
    Ok(answer(context, replica, "user-added", &id, name))
}

fn disable(context: &Context, replica: &Replica, name: &str) -> Result<Answer> {
    let id = replica.find(USER, name)?;
    if id == replica.me()?.id {
        return Err(Error::invalid("user-disable-self").with("name", name));
    }
    replica.transact(|tx| tx.edit(USER, &id, vec![Edit::Set("active".into(), Value::Boolean(false))]))?;
    let label = replica.label(&id).unwrap_or_else(|| name.to_owned());
    Ok(answer(context, replica, "user-disabled", &id, &label))
}

fn sign_in(context: &Context, replica: &Replica, email: &str) -> Result<Answer> {
    let person = replica.find(USER, email)?;
    let name = replica.principal(&person)?.me()?.name;
    if replica.record(USER, &person)?.text("email").is_empty() {
        return Err(Error::invalid("user-without-email").with("name", name));
    }
    let (address, _) = replica.public_address()?.ok_or_else(|| Error::usage("no-public-address"))?;
    let token = Sessions::of(replica.dir()).link(replica.environment(), &person)?;
    let link = format!("{}/sign-in?link={token}", address.trim_end_matches('/'));
    let said = Message::new("user-sign-in").with("name", name).with("minutes", LINK_MS / 60_000).with("link", &link);
    Ok(Answer::of(context, || json!({"link": link}), || said.render(context.language())))
}

fn token(context: &Context, replica: &Replica, person: &str, name: &str, expires: Duration) -> Result<Answer> {
    let person = replica.find(USER, person)?;
    let who = replica.principal(&person)?.me()?.name;
    let good_ms = i64::try_from(expires.as_millis()).unwrap_or(i64::MAX);
    let token = Sessions::of(replica.dir()).token(replica.environment(), &person, name, good_ms)?;
    let until = replica.environment().now().plus(good_ms).rfc3339();
    let said = Message::new("token-made").with("name", name).with("person", who).with("until", &until);
    Ok(Answer::of(
        context,
        || json!({"token": token, "name": name, "expires": until}),
        || format!("{}\n{token}", said.render(context.language())),
    ))
}

fn tokens(context: &Context, replica: &Replica) -> Answer {
    let tokens = Sessions::of(replica.dir()).list_tokens(replica.environment().now());
    let shaper = Shaper::new(replica);
    let object = |token: &Token| json!({"name": token.name, "user": shaper.reference(Some(&token.person)), "expires": token.expires.rfc3339()});
    Answer::of(
        context,
        || tokens.iter().map(object).collect(),
        || {
            let mut table = Table::titled(context.language(), &["col-name", "col-user", "col-expires"]);
            for token in &tokens {
                table.row([
                    token.name.clone(),
                    shaper.label(&token.person).unwrap_or_default(),
                    token.expires.rfc3339(),
                ]);
            }
            table.text()
        },
    )
}

fn set_password(context: &Context, replica: &Replica, email: &str) -> Result<Answer> {
    let person = replica.find(USER, email)?;
    let principal = replica.principal(&person)?;
    let mut line = String::new();
    let read = std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_line(&mut line);
    read.map_err(|e| Error::invalid("value-file").with("detail", e.to_string()))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Error::invalid("password-input"));
    }
    web::set_password(&principal, password)?;
    Ok(answer(context, replica, "user-password", &person, &principal.me()?.name))
}

fn answer(context: &Context, replica: &Replica, said: &'static str, id: &RecordId, name: &str) -> Answer {
    Answer::of(
        context,
        || json!({"id": id.to_string(), "name": name}),
        || Message::new(said).with("name", name).with("id", replica.short_id(id)).render(context.language()),
    )
}
