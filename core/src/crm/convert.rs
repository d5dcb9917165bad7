//! Turning a lead into a client: an account, a contact and a deal, once, whoever does it where.
//!
//! Their ids follow from the lead, so that two people who convert it at once, offline, make the same three records. An
//! account whose tax id the lead names is taken as it is: by its key, so that an import that brings the same company
//! meets it. Long texts stay on the lead: copied twice they would stand there twice.

use crate::error::{Error, Result};
use crate::id::RecordId;
use crate::replica::{Edit, Record, Replica, Tx};
use crate::schema::{Name, Value};

/// What a lead became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// The company, or the person where the lead names no company.
    pub account: RecordId,
    /// The person.
    pub contact: RecordId,
    /// The deal.
    pub opportunity: RecordId,
}

/// Converts a lead, or tells what it became if it has been converted.
///
/// # Errors
/// `unknown_record`, a denial (who converts needs to create accounts and to edit the lead), an ambiguity where
/// several accounts have the lead's tax id, and those of the store.
pub fn convert_lead(replica: &Replica, lead: &RecordId) -> Result<Converted> {
    let record = replica.record("lead", lead)?;
    if let Some(done) = converted(&record) {
        return Ok(done);
    }
    let held = held_account(replica, record.text("tax_id"))?;
    let now = replica.environment().now();
    replica.transact(|tx| {
        let account = match held {
            Some(account) => account,
            None => make_account(tx, &record)?,
        };
        let contact = make_contact(tx, &record, account)?;
        let opportunity = make_opportunity(tx, &record, account, contact, Value::Date(now.day()))?;
        let set = |field: &str, value| Edit::Set(field.into(), value);
        let edits = vec![
            set("status", Value::Text("converted".into())),
            set("converted_at", Value::Instant(now)),
            set("converted_account", Value::Reference(account)),
            set("converted_contact", Value::Reference(contact)),
            set("converted_opportunity", Value::Reference(opportunity)),
        ];
        tx.edit("lead", lead, edits)?;
        Ok(Converted { account, contact, opportunity })
    })
}

fn converted(lead: &Record) -> Option<Converted> {
    Some(Converted {
        account: lead.reference("converted_account")?,
        contact: lead.reference("converted_contact")?,
        opportunity: lead.reference("converted_opportunity")?,
    })
}

fn held_account(replica: &Replica, tax_id: &str) -> Result<Option<RecordId>> {
    if tax_id.is_empty() {
        return Ok(None);
    }
    match replica.find("account", &format!("tax_id={tax_id}")) {
        Ok(account) => Ok(Some(account)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn make_account(tx: &mut Tx<'_>, lead: &Record) -> Result<RecordId> {
    let company = if lead.text("company").is_empty() { lead.text("name") } else { lead.text("company") };
    let mut values = vec![("name".into(), Value::Text(company.to_owned()))];
    values.extend(copied(lead, &["tax_id", "website", "country", "city", "address", "referred_by"]));
    let key: &str = if lead.text("tax_id").is_empty() {
        // Not the lead's id: accounts are held where the lead is not.
        let origin = RecordId::derived(&[b"account of lead", &lead.id.0]);
        values.push(("external_id".into(), Value::Text(format!("lead:{origin}"))));
        "external_id"
    } else {
        "tax_id"
    };
    Ok(tx.create_keyed("account", values, &[key.into()])?.id)
}

fn make_contact(tx: &mut Tx<'_>, lead: &Record, account: RecordId) -> Result<RecordId> {
    let (first, middle, last) = person_name(lead.text("name"));
    let mut values = vec![
        ("lead".into(), Value::Reference(lead.id)),
        ("account".into(), Value::Reference(account)),
        ("first_name".into(), text(&first)),
        ("middle_name".into(), text(&middle)),
        ("last_name".into(), text(&last)),
    ];
    values.extend(copied(lead, &["job_title", "phones", "emails", "country", "city", "branch", "team", "owner"]));
    Ok(tx.create_keyed("contact", values, &["lead".into()])?.id)
}

fn make_opportunity(
    tx: &mut Tx<'_>,
    lead: &Record,
    account: RecordId,
    contact: RecordId,
    today: Value,
) -> Result<RecordId> {
    let name = if lead.text("company").is_empty() { lead.text("name") } else { lead.text("company") };
    let mut values = vec![
        ("lead".into(), Value::Reference(lead.id)),
        ("name".into(), text(name)),
        ("account".into(), Value::Reference(account)),
        ("contact".into(), Value::Reference(contact)),
        ("stage".into(), Value::Text("new".into())),
        ("opened_on".into(), today),
    ];
    values.extend(copied(lead, &["product", "amount", "campaign", "source", "branch", "team", "owner"]));
    Ok(tx.create_keyed("opportunity", values, &["lead".into()])?.id)
}

fn copied<'a>(lead: &'a Record, fields: &'a [&str]) -> impl Iterator<Item = (Name, Value)> + 'a {
    fields.iter().map(|field| (Name::from(*field), lead.value(field).clone())).filter(|(_, v)| *v != Value::Null)
}

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::Text(text.to_owned()) }
}

// First, middle and last name. A patronymic says which order was used: `Иванов Иван Иванович`, `Иван Иванович Иванов`.
fn person_name(name: &str) -> (String, String, String) {
    let words: Vec<&str> = name.split_whitespace().collect();
    let patronymic = |word: &&str| {
        let word = word.to_lowercase();
        ["ович", "евич", "йович", "ич", "овна", "евна", "ична", "івна", "ївна"].iter().any(|end| word.ends_with(end))
            && word.chars().count() > 5
    };
    match words.as_slice() {
        [] => (String::new(), String::new(), String::new()),
        [one] => (String::new(), String::new(), (*one).to_owned()),
        [last, first, middle] if patronymic(middle) => ((*first).to_owned(), (*middle).to_owned(), (*last).to_owned()),
        [first, middle, last] if patronymic(middle) => ((*first).to_owned(), (*middle).to_owned(), (*last).to_owned()),
        [first, last @ ..] => ((*first).to_owned(), String::new(), last.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_by_their_patronymic() {
        let check = |name: &str, first: &str, middle: &str, last: &str| {
            assert_eq!(person_name(name), (first.to_owned(), middle.to_owned(), last.to_owned()), "{name}");
        };
        check("Иванов Пётр Сергеевич", "Пётр", "Сергеевич", "Иванов");
        check("Ганна Петрівна Коваль", "Ганна", "Петрівна", "Коваль");
        check("Anna van Dyk", "Anna", "", "van Dyk");
        check(" Anna  Smith ", "Anna", "", "Smith");
        check("Zoe", "", "", "Zoe");
        check("", "", "", "");
    }
}
