//! The built-in collections: data, in the same TOML that a workspace declares its own ones in (`collections/*.toml`).

use std::sync::OnceLock;

use super::board;
use crate::replica::sealed;
use crate::schema::{Collection, Schema, parse_declarations};

const SOURCES: [(&str, &str); 4] = [
    ("organisation", include_str!("collections/organisation.toml")),
    ("clients", include_str!("collections/clients.toml")),
    ("sales", include_str!("collections/sales.toml")),
    ("work", include_str!("collections/work.toml")),
];

/// The schema of a workspace that has declared nothing of its own.
pub fn builtin() -> &'static Schema {
    static BUILTIN: OnceLock<Schema> = OnceLock::new();
    BUILTIN.get_or_init(|| {
        // The sources are part of the program, and a test parses each: none is left out here.
        let declared = SOURCES.iter().filter_map(|(_, text)| parse_declarations(text).ok());
        let mut schema = Schema::new(declared.flat_map(|d| d.collections).map(with_place));
        sealed::declare(&mut schema);
        schema
    })
}

// What no file can declare: a field that is moved by hand and never typed.
fn with_place(mut collection: Collection) -> Collection {
    collection.fields.update(board::PLACE, |field| field.placing = true);
    collection
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::schema::{Field, FieldType, Kind, Labels, Winner};

    #[test]
    fn every_source_parses() {
        for (name, text) in SOURCES {
            let declared = parse_declarations(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(declared.extensions.is_empty() && !declared.collections.is_empty());
        }
    }

    #[test]
    fn the_names_that_scripts_rely_on_are_there() {
        let contract = [
            ("branch", "code name region"),
            ("team", "code name branch"),
            ("user", "email name manager home_branch role active"),
            (
                "account",
                "name legal_name tax_id roles industry parent phones emails website country city address employees \
                 annual_revenue founded_year notes",
            ),
            ("product", "sku name family unit list_price active"),
            ("account_branch", "account status credit_terms dealer notes branch team owner"),
            (
                "contact",
                "first_name middle_name last_name account job_title phones emails birthday notes branch team owner",
            ),
            ("lead", "name company source status phones emails notes branch team owner"),
            (
                "opportunity",
                "name account contact product stage amount probability opened_on expected_on closed_on lost_reason \
                 lines notes branch team owner",
            ),
            (
                "activity",
                "kind subject account contact opportunity starts_at due_at done_at outcome notes branch team owner",
            ),
            ("case", "kind subject account contact priority status notes branch team owner"),
        ];
        for (collection, fields) in contract {
            let found = builtin().require(collection).unwrap();
            for field in fields.split_whitespace().chain(["external_id"]) {
                assert!(found.field(field).is_some(), "{collection}.{field}");
            }
            assert_eq!(found.kind == Kind::Branch, fields.contains("owner"), "{collection}");
        }
        for collection in [
            "pipeline",
            "price_list",
            "price_entry",
            "campaign",
            "document",
            "quota",
            "attachment",
            "collection",
            "field",
            "role",
            "device",
        ] {
            builtin().require(collection).unwrap();
        }
        let choices = |collection: &str, field: &str| {
            let field = builtin().require(collection).unwrap().field(field).unwrap();
            field.ty.choices().iter().map(|c| c.value.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(choices("opportunity", "stage"), "new qualified proposal negotiation won lost");
        assert_eq!(choices("activity", "kind"), "call meeting task visit email note");
        assert_eq!(choices("case", "kind"), "question request claim feedback");
        assert_eq!(choices("user", "role"), "owner manager seller reader");
    }

    #[test]
    fn everything_that_people_read_is_in_three_languages() {
        let full = |labels: &Labels, place: &str| {
            assert!(![&labels.en, &labels.ru, &labels.uk].iter().any(|t| t.trim().is_empty()), "{place}");
        };
        fn fields<'a>(of: &'a [Field], place: &str, full: &dyn Fn(&'a Labels, &str)) {
            for field in of {
                let place = format!("{place}.{}", field.name);
                full(&field.labels, &place);
                field.ty.choices().iter().for_each(|c| full(&c.labels, &place));
                if let FieldType::Lines(columns) = &field.ty {
                    fields(columns, &place, full);
                }
            }
        }
        for collection in builtin().collections() {
            full(&collection.labels, &collection.name);
            fields(&collection.fields, &collection.name, &full);
        }
    }

    #[test]
    fn references_point_to_collections_and_choice_rules_to_choices() {
        for collection in builtin().collections() {
            let place = |field: &Field| format!("{}.{}", collection.name, field.name);
            for field in &collection.fields {
                if let Some(target) = field.ty.target() {
                    assert!(builtin().collection(target).is_some(), "{}", place(field));
                    let scalar = matches!(field.ty, FieldType::Reference(_));
                    let navigated = ["branch", "team", "owner", "account", "product"].contains(&&*field.name);
                    assert!(!scalar || !navigated || field.indexed, "{} has no index", place(field));
                }
                if let (Winner::State(state), FieldType::Choice(choices)) = (&field.winner, &field.ty) {
                    assert!(choices.iter().any(|c| c.value == *state), "{}", place(field));
                }
                let notes = &*field.name == "notes";
                assert!(!notes || field.ty == FieldType::LongText, "{}", place(field));
            }
        }
    }

    #[test]
    fn reference_data_comes_before_what_refers_to_it() {
        let priority = |name: &str| builtin().require(name).unwrap().priority;
        assert_eq!((priority("collection"), priority("field")), (0, 0));
        for name in ["user", "branch", "team", "device", "role"] {
            assert_eq!(priority(name), 1, "{name}");
        }
        for name in ["product", "price_list", "price_entry"] {
            assert_eq!(priority(name), 2, "{name}");
        }
        assert_eq!(priority("account"), 3);
        for collection in builtin().collections().iter().filter(|c| c.kind == Kind::Branch && &*c.name != "device") {
            assert!(collection.priority > 3, "{}", collection.name);
        }
    }

    #[test]
    fn rules_of_the_domain_decide_conflicts() {
        let winner =
            |collection: &str, field: &str| builtin().require(collection).unwrap().field(field).unwrap().winner.spec();
        assert_eq!(winner("opportunity", "stage"), "ask");
        // What happened wins over what did not: an empty field is no extreme.
        assert_eq!(winner("activity", "done_at"), "lowest");
        assert_eq!(winner("device", "revoked_at"), "lowest");
        assert_eq!(winner("contact", "opted_out_at"), "lowest");
        assert_eq!(winner("contact", "do_not_call"), "highest");
        assert_eq!(winner("user", "active"), "lowest");
        assert_eq!(winner("field", "type"), "earliest");
        assert_eq!(winner("case", "owner"), "earliest");
        assert_eq!(winner("opportunity", "amount"), "latest");
    }
}
