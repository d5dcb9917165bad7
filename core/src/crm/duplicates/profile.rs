//! Which fields of a collection say that two records are the same thing, and how much each says.

use crate::schema::{Collection, FieldType, Name, SetOf};

/// How the values of a trait compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// A number that belongs to one: a slip of one character is nearly the same.
    Identifier,
    /// A phone, compared in E.164 form.
    Phone,
    /// An e-mail address.
    Email,
    /// A web address.
    Website,
    /// A company's name without its legal form.
    Organisation,
    /// Words: parts of a person's name, streets, towns.
    Words,
    /// A day.
    Day,
}

/// One kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trait {
    /// How values compare.
    pub(super) likeness: Likeness,
    /// How often two different things share a value by chance, before the data itself is counted.
    pub(super) chance: f64,
    /// What it says, in bits, when both have it and it differs; negative.
    pub(super) differs: f64,
    /// Two that differ here are never the same thing.
    pub(super) veto: bool,
    /// Whether records that share a value are worth comparing.
    pub(super) blocks: bool,
}

/// A trait with the fields that it is read from: several for one name, of which the first that is filled counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    pub(super) evidence: Trait,
    pub(super) fields: Vec<Name>,
}

const fn evidence(likeness: Likeness, chance: f64, differs: f64) -> Trait {
    Trait { likeness, chance, differs, veto: false, blocks: true }
}

const UNIQUE: Trait = Trait { veto: true, ..evidence(Likeness::Identifier, 1e-6, -20.0) };
const PERSONAL: Trait = evidence(Likeness::Identifier, 1e-6, -5.0);
const PHONE: Trait = evidence(Likeness::Phone, 1e-5, -0.5);
const EMAIL: Trait = evidence(Likeness::Email, 1e-6, -0.5);
const WEBSITE: Trait = evidence(Likeness::Website, 1e-5, -1.0);
const COMPANY: Trait = evidence(Likeness::Organisation, 1e-4, -6.0);
const FULL_NAME: Trait = evidence(Likeness::Words, 1e-4, -5.0);
const FIRST_NAME: Trait = Trait { blocks: false, ..evidence(Likeness::Words, 1e-2, -3.0) };
const LAST_NAME: Trait = evidence(Likeness::Words, 1e-3, -4.0);
const MIDDLE_NAME: Trait = Trait { blocks: false, ..evidence(Likeness::Words, 1e-2, -2.0) };
const BIRTHDAY: Trait = evidence(Likeness::Day, 1e-4, -4.0);
const POSTCODE: Trait = evidence(Likeness::Identifier, 1e-2, -1.5);
const CITY: Trait = Trait { blocks: false, ..evidence(Likeness::Words, 3e-2, -1.0) };
const ADDRESS: Trait = evidence(Likeness::Words, 1e-4, -1.0);

/// What is compared in a collection. Collections that have no entry are compared by their natural keys and titles.
pub(super) fn sources(collection: &Collection) -> Vec<Source> {
    let table: &[(Trait, &[&str])] = match &*collection.name {
        "account" => &[
            (UNIQUE, &["tax_id"]),
            (UNIQUE, &["registration_id"]),
            (COMPANY, &["name", "legal_name"]),
            (PHONE, &["phones"]),
            (EMAIL, &["emails"]),
            (WEBSITE, &["website"]),
            (POSTCODE, &["postcode"]),
            (CITY, &["city"]),
            (ADDRESS, &["address"]),
        ],
        "contact" => &[
            (PERSONAL, &["personal_id"]),
            (FIRST_NAME, &["first_name"]),
            (LAST_NAME, &["last_name"]),
            (MIDDLE_NAME, &["middle_name"]),
            (BIRTHDAY, &["birthday"]),
            (PHONE, &["phones"]),
            (EMAIL, &["emails"]),
            (POSTCODE, &["postcode"]),
            (CITY, &["city"]),
            (ADDRESS, &["address"]),
        ],
        "lead" => &[
            (UNIQUE, &["tax_id"]),
            (FULL_NAME, &["name"]),
            (COMPANY, &["company"]),
            (PHONE, &["phones"]),
            (EMAIL, &["emails"]),
            (WEBSITE, &["website"]),
            (CITY, &["city"]),
        ],
        "user" => &[(EMAIL, &["email"]), (FULL_NAME, &["name"]), (PHONE, &["phones"])],
        "product" => &[(UNIQUE, &["sku"]), (UNIQUE, &["barcode"]), (FULL_NAME, &["name"])],
        _ => return declared(collection),
    };
    let source = |(evidence, fields): &(Trait, &[&str])| {
        let fields = fields.iter().map(|f| Name::from(*f)).collect();
        Source { evidence: *evidence, fields }
    };
    table.iter().map(source).collect()
}

fn declared(collection: &Collection) -> Vec<Source> {
    let source = |evidence, field: &Name| Source { evidence, fields: vec![field.clone()] };
    let mut sources = Vec::new();
    for field in &collection.fields {
        let name = &field.name;
        let titles = collection.title.contains(name);
        let names = collection.natural_keys.contains(name) && &**name != "external_id";
        match (&field.ty, &**name) {
            (FieldType::Set(SetOf::Text), "phones") => sources.push(source(PHONE, name)),
            (FieldType::Set(SetOf::Text), "emails") => sources.push(source(EMAIL, name)),
            (FieldType::Text, "email") => sources.push(source(EMAIL, name)),
            (FieldType::Text, _) if titles => sources.push(source(FULL_NAME, name)),
            (FieldType::Text, _) if names => sources.push(source(PERSONAL, name)),
            _ => {}
        }
    }
    sources
}
