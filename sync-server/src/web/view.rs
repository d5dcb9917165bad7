//! How a list is looked at: words, filter, sort, columns. An address carries it, and people save it under a name.

use std::collections::HashMap;

use branchline_core::replica::{Direction, Query, Record};
use branchline_core::schema::{Collection, Field, FieldType, Filter, Literal, Name, Op, Value, parse_filter};
use branchline_core::time::Day;
use branchline_core::{Error, Result};

use super::desk::Desk;
use crate::commands::query::known_field;
use crate::commands::shape::telling_fields;

/// Lists of choices above a table.
const CHOICES_MAX: usize = 3;
/// Who has a record, from the nearest to the furthest.
const WHOSE: [&str; 3] = ["owner", "team", "branch"];
/// What the filter builder offers.
pub(super) const OPERATORS: [&str; 9] = ["=", "!=", "~", "<", "<=", ">", ">=", "is empty", "is not empty"];

/// What the address of a list says.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) q: String,
    pub(super) filter: String,
    pub(super) sort: String,
    pub(super) after: String,
    pub(super) archived: String,
    /// Columns by name, commas between; empty for the telling ones.
    pub(super) columns: String,
    /// The first and the last day of a period, each of which may be open.
    pub(super) from: String,
    pub(super) to: String,
    choices: Vec<(String, String)>,
}

impl View {
    pub(super) fn of(asked: &HashMap<String, String>) -> Self {
        let take = |name: &str| asked.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        let mut choices: Vec<(String, String)> = asked
            .iter()
            .filter(|(key, value)| key.starts_with("is.") && !value.is_empty())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        choices.sort();
        let mut view = Self {
            q: take("q"),
            filter: take("where"),
            sort: take("sort"),
            after: take("after"),
            archived: take("archived"),
            columns: take("columns"),
            from: take("from"),
            to: take("to"),
            choices,
        };
        view.pick(asked);
        view.add(&take("add.field"), &take("add.op"), &take("add.value"));
        view
    }

    /// A view as it was saved.
    pub(super) fn parse(query: &str) -> Self {
        Self::of(&form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    // What a form of check boxes says of columns.
    fn pick(&mut self, asked: &HashMap<String, String>) {
        if !asked.contains_key("pick") {
            return;
        }
        let order: Vec<&str> = asked.get("order").map(|order| order.split(',').collect()).unwrap_or_default();
        let mut picked: Vec<&str> = asked.keys().filter_map(|key| key.strip_prefix("column.")).collect();
        picked.sort_by_key(|name| order.iter().position(|known| known == name));
        self.columns = picked.join(",");
    }

    // A condition of the filter builder joins those that are there.
    fn add(&mut self, field: &str, op: &str, value: &str) {
        if field.is_empty() || !OPERATORS.contains(&op) {
            return;
        }
        let more = match op.starts_with("is ") {
            true => format!("{field} {op}"),
            false => format!("{field} {op} \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
        };
        self.join(&more);
    }

    fn join(&mut self, more: &str) {
        self.filter = match self.filter.is_empty() {
            true => more.to_owned(),
            false if self.filter.contains(" or ") => format!("({}) and {more}", self.filter),
            false => format!("{} and {more}", self.filter),
        };
    }

    /// The same with one more condition.
    pub(super) fn and(&self, condition: &str) -> Self {
        let mut view = self.clone();
        view.join(condition);
        view
    }

    /// The choice that is asked of a field.
    pub(super) fn choice(&self, field: &str) -> &str {
        let key = format!("is.{field}");
        self.choices.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Its parts as an address carries them.
    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        let own = [
            ("q", &self.q),
            ("where", &self.filter),
            ("sort", &self.sort),
            ("archived", &self.archived),
            ("columns", &self.columns),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let own = own.iter().map(|(key, value)| (*key, value.as_str()));
        let chosen = self.choices.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        own.chain(chosen).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The same as one text.
    pub(super) fn query_text(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.pairs()).finish()
    }

    /// The address of the list with one part of it changed.
    pub(super) fn with(&self, collection: &str, name: &str, value: &str) -> String {
        let mut pairs = self.pairs();
        pairs.retain(|(key, _)| *key != name);
        if !value.is_empty() {
            pairs.push((name, value));
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/c/{collection}?{query}")
    }

    /// What it asks for, in its order, without a limit.
    ///
    /// # Errors
    /// A filter that does not parse, a field that is not there.
    pub(super) fn query(&self, desk: &Desk, collection: &Collection) -> Result<Query> {
        let mut query = Query::of(&collection.name);
        query.archived = !self.archived.is_empty();
        let mut parts: Vec<Filter> = Vec::new();
        if !self.filter.is_empty() {
            parts.push(parse_filter(&self.filter, collection, desk.today())?);
        }
        for field in chosen_fields(collection).filter(|field| !self.choice(field).is_empty()) {
            let value = Literal::Text(self.choice(field).to_owned());
            parts.push(Filter::Compare { field: field.clone(), op: Op::Eq, value });
        }
        for (field, target) in whose(collection).filter(|(field, _)| !self.choice(&field.name).is_empty()) {
            let text = self.choice(&field.name).to_owned();
            let value = Literal::Key { collection: target.clone(), text };
            parts.push(Filter::Compare { field: field.name.clone(), op: Op::Eq, value });
        }
        for (text, op) in [(&self.from, Op::Ge), (&self.to, Op::Le)] {
            let Some(field) = period(collection).filter(|_| !text.is_empty()) else { continue };
            let day = Day::parse_relative(text, desk.today());
            let day = day.ok_or_else(|| Error::invalid("report-day").with("day", text))?;
            parts.push(Filter::Compare { field: field.name.clone(), op, value: Literal::Date(day) });
        }
        if !self.q.is_empty() {
            parts.push(Filter::Words(self.q.clone()));
        }
        if !parts.is_empty() {
            query.filter = Some(Filter::And(parts));
        }
        query.sort = sorted(collection, &self.sort)?;
        Ok(query)
    }

    /// The columns that were picked; without any, the telling ones, but for those that are empty in all rows.
    pub(super) fn columns(&self, collection: &Collection, rows: &[Record]) -> Vec<String> {
        let picked = self.columns.split(',').filter(|name| collection.field(name).is_some());
        let picked: Vec<String> = picked.map(str::to_owned).collect();
        if !picked.is_empty() {
            return picked;
        }
        let mut columns = telling_fields(collection);
        let sorts = self.sort.trim_start_matches('-').to_owned();
        let mut at = 0;
        columns.retain(|name| {
            at += 1;
            at == 1 || *name == sorts || rows.iter().any(|record| *record.value(name) != Value::Null)
        });
        columns
    }
}

/// The fields whose choices stand above a table.
pub(super) fn chosen_fields(collection: &Collection) -> impl Iterator<Item = &Name> {
    let choices = collection.fields.iter().filter(|field| !field.ty.choices().is_empty());
    choices.map(|field| &field.name).take(CHOICES_MAX)
}

/// The fields that say whose a record is, with what they refer to.
pub(super) fn whose(collection: &Collection) -> impl Iterator<Item = (&Field, &Name)> {
    let fields = WHOSE.iter().filter_map(|name| collection.field(name));
    fields.filter_map(|field| Some((field, field.ty.target()?)))
}

/// The field by which a period counts.
pub(super) fn period(collection: &Collection) -> Option<&Field> {
    collection.field("expected_on").filter(|field| field.ty == FieldType::Date)
}

// Without a wish, the newest first.
fn sorted(collection: &Collection, text: &str) -> Result<Vec<(Name, Direction)>> {
    let text = if text.is_empty() { "-updated_at" } else { text };
    let (name, direction) = match text.strip_prefix('-') {
        Some(name) => (name, Direction::Descending),
        None => (text, Direction::Ascending),
    };
    Ok(vec![(known_field(collection, name)?, direction)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(pairs: &[(&str, &str)]) -> View {
        View::of(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_condition_joins_those_that_are_there() {
        let add = [("add.field", "name"), ("add.op", "~"), ("add.value", "a\"b")];
        assert_eq!(view(&add).filter, "name ~ \"a\\\"b\"");
        let both = view(&[&add[..], &[("where", "x = 1 or y = 2")]].concat());
        assert_eq!(both.filter, "(x = 1 or y = 2) and name ~ \"a\\\"b\"");
        let empty = view(&[("add.field", "name"), ("add.op", "is empty"), ("add.value", "unused")]);
        assert_eq!(empty.filter, "name is empty");
        assert_eq!(view(&[("add.field", "name"), ("add.op", "; drop")]).filter, "");
    }

    #[test]
    fn a_view_goes_into_an_address_and_back() {
        let asked =
            [("q", "a b"), ("where", "x = \"ю\""), ("is.stage", "won"), ("columns", "name,amount"), ("after", "z")];
        let saved = view(&asked).query_text();
        assert_eq!(View::parse(&saved).query_text(), saved);
        assert!(!saved.contains("after"), "{saved}");
        let picked = view(&[("pick", "1"), ("order", "name,amount"), ("column.amount", "on"), ("column.name", "on")]);
        assert_eq!(picked.columns, "name,amount");
    }
}
