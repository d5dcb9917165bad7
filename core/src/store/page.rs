//! Which rows a page of a list has, and the index along which they are looked for.
//!
//! There are two ways to the first fifty rows in some order: along the index of the order, leaving out what does not fit
//! (good while much fits), or along the index of a condition, sorting what it gives (good while little fits). SQLite
//! cannot tell them apart: it keeps no statistics here, and those it could keep know nothing of conditions that exclude
//! each other or of values that stand together in the order. So this module looks: a condition that few rows meet is
//! taken at once; else the order is walked, for as many steps as a look at those few would have cost; a walk that has
//! not found its page by then is given up for the condition that the fewest rows meet. Where there is more than one way,
//! what was found is remembered.

use std::sync::Arc;

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};

use super::condition::{Conditions, Indexable, Path, Sql};
use super::memo::Memo;
use super::order::Order;
use super::projection::layout::{Table, quoted};
use super::query::Query;
use super::{Model, budget};
use crate::error::Result;
use crate::schema::Filter;

/// Rows of a condition that are simply read and sorted.
const FEW: i64 = 500;
/// Rows of a condition beyond which it is not worth counting on.
const MANY: i64 = 50_000;
/// Rows of a page that is remembered.
const REMEMBERED_ROWS_MAX: usize = 1_000;
/// Steps after which a walk is given up, in thousands: some 5,000 rows that do not fit.
const WALK_THOUSAND_STEPS_MAX: u32 = 150;

/// The numbers of the first `limit` rows that a query asks for, in its order.
pub(super) fn numbers(
    conn: &Connection,
    model: &Model,
    table: &Table,
    memo: Option<&Memo>,
    query: &Query,
    limit: usize,
) -> Result<Arc<Vec<i64>>> {
    let conditions = Conditions::new(conn, model, table);
    let page = Page { conn, conditions, table, query, order: Order::of(table, query)?, limit };
    let candidates = page.candidates()?;
    let walk = page.walk(&candidates);
    let is_only_way = !page.has_words() && candidates.iter().all(|condition| Some(condition.path()) == walk);
    if let Some(walk) = walk.filter(|_| is_only_way)
        && let Some(found) = page.along(walk, None)?
    {
        return Ok(Arc::new(found));
    }
    let memo = memo.filter(|_| limit <= REMEMBERED_ROWS_MAX);
    let statements = page.statements(Path::Free)?;
    let question = || format!("{limit} of {statements:?}");
    Memo::ask(memo, conn, &query.collection, question, || page.chosen(&candidates, walk))
}

/// Writes what a query asks for into a WHERE.
pub(super) fn restrict(conditions: &Conditions<'_>, query: &Query, sql: &mut Sql) -> Result<()> {
    if query.archived || query.filter.as_ref().is_some_and(names_archived) {
        sql.push("1");
    } else {
        conditions.shown(sql);
    }
    if let Some(filter) = &query.filter {
        sql.push(" AND ");
        conditions.filter(filter, sql)?;
    }
    Ok(())
}

struct Page<'a> {
    conn: &'a Connection,
    conditions: Conditions<'a>,
    table: &'a Table,
    query: &'a Query,
    order: Order,
    limit: usize,
}

impl Page<'_> {
    /// The conditions that must all hold and that an index can answer.
    fn candidates(&self) -> Result<Vec<Indexable>> {
        let mut parts: Vec<&Filter> = self.query.filter.iter().collect();
        let mut found = Vec::new();
        while let Some(part) = parts.pop() {
            match part {
                Filter::And(inner) => parts.extend(inner),
                other => found.extend(self.conditions.indexable(other)?),
            }
        }
        Ok(found)
    }

    /// Whether only rows with certain words are wanted.
    fn has_words(&self) -> bool {
        fn holds(filter: &Filter) -> bool {
            match filter {
                Filter::And(parts) => parts.iter().any(holds),
                other => matches!(other, Filter::Words(_)),
            }
        }
        self.query.filter.as_ref().is_some_and(holds)
    }

    /// The condition that the fewest rows meet, fewer than `most`; counted in its index without touching the rows.
    fn fewest<'c>(&self, candidates: &'c [Indexable], most: i64) -> Result<Option<&'c Indexable>> {
        let mut fewest = None;
        let mut bound = most;
        for candidate in candidates {
            let count = format!(
                "SELECT count(*) FROM (SELECT 1 FROM {} t WHERE {} LIMIT {bound})",
                quoted(&self.table.name),
                candidate.sql.text
            );
            let mut statement = self.conn.prepare_cached(&count)?;
            let rows: i64 = statement.query_row(params_from_iter(&candidate.sql.params), |row| row.get(0))?;
            if rows < bound {
                (fewest, bound) = (Some(candidate), rows);
            }
        }
        Ok(fewest)
    }

    /// The way along which the rows come in order by themselves. Where they are wanted in the order of their numbers, so
    /// does the index of a condition that has one value there.
    fn walk(&self, candidates: &[Indexable]) -> Option<Path> {
        let path = self.order.path()?;
        let single = candidates.iter().find(|candidate| candidate.one_value);
        match (path, single) {
            (Path::Along(None), Some(single)) => Some(single.path()),
            _ => Some(path),
        }
    }

    /// The page, looked for along a path; none where that took more steps than allowed.
    fn along(&self, path: Path, thousand_steps: Option<u32>) -> Result<Option<Vec<i64>>> {
        self.found(&self.statements(path)?, thousand_steps)
    }

    fn found(&self, statements: &[Sql], thousand_steps: Option<u32>) -> Result<Option<Vec<i64>>> {
        budget::within(thousand_steps, || {
            let mut found = Vec::new();
            statements.iter().try_for_each(|sql| self.collect(sql, &mut found))?;
            Ok(found)
        })
    }

    /// The page, along the way that seems shortest.
    fn chosen(&self, candidates: &[Indexable], walk: Option<Path>) -> Result<Vec<i64>> {
        let few = self.fewest(candidates, FEW)?.map(Indexable::path);
        if let (None, Some(walk)) = (few, walk)
            && let Some(found) = self.along(walk, Some(WALK_THOUSAND_STEPS_MAX))?
        {
            return Ok(found);
        }
        // The index of words gives the rows themselves, one by one.
        let other = if self.has_words() { Some(Path::Along(None)) } else { walk };
        let path = match few {
            Some(few) => few,
            None => self.fewest(candidates, MANY)?.map(Indexable::path).or(other).unwrap_or(Path::Free),
        };
        Ok(self.along(path, None)?.unwrap_or_default())
    }

    /// The statements that give the page one after another.
    fn statements(&self, path: Path) -> Result<Vec<Sql>> {
        let place = match &self.query.after {
            Some(after) => Some(self.order.place_of(self.conn, self.table, after)?),
            None => None,
        };
        let stretches = match &place {
            Some(place) if self.order.path() == Some(path) => self.order.stretches(place),
            _ => vec![Sql::default()],
        };
        let mut statements = Vec::with_capacity(stretches.len());
        for stretch in stretches {
            let mut sql = Sql::default();
            sql.push(&format!("SELECT t.n FROM {} t WHERE ", quoted(&self.table.name)));
            restrict(&self.conditions.along(path), self.query, &mut sql)?;
            if let Some(place) = &place {
                sql.push(&stretch.text);
                sql.params.extend(stretch.params);
                sql.push(" AND ");
                self.order.push_behind(place, &mut sql);
            }
            self.order.push(path, &mut sql);
            statements.push(sql);
        }
        Ok(statements)
    }

    fn collect(&self, sql: &Sql, found: &mut Vec<i64>) -> rusqlite::Result<()> {
        let wanted = self.limit - found.len();
        if wanted == 0 {
            return Ok(());
        }
        let limit = Cell::Integer(i64::try_from(wanted).unwrap_or(i64::MAX));
        let mut statement = self.conn.prepare_cached(&format!("{} LIMIT ?", sql.text))?;
        let mut rows = statement.query(params_from_iter(sql.params.iter().chain([&limit])))?;
        while let Some(row) = rows.next()? {
            found.push(row.get(0)?);
        }
        Ok(())
    }
}

fn names_archived(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(names_archived),
        Filter::Not(part) => names_archived(part),
        Filter::Compare { field, .. } | Filter::In { field, .. } | Filter::Empty { field, .. } => {
            &**field == "archived"
        }
        Filter::Words(_) => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::super::projection::ddl;
    use super::super::query::Direction;
    use super::super::{function, lookup};
    use super::*;
    use crate::id::RecordId;
    use crate::schema::{Schema, parse_declarations, parse_filter};
    use crate::time::Day;

    const DEAL: &str = r#"
        [[collection]]
        name = "deal"
        kind = "shared"
        label = ["Deals", "Сделки", "Угоди"]
        title = ["name"]
        fields = [
            { name = "name", type = "text", label = ["N", "N", "N"], index = true },
            { name = "city", type = "text", label = ["N", "N", "N"], index = true },
            { name = "size", type = "integer", label = ["N", "N", "N"], index = true },
            { name = "done_on", type = "date", label = ["N", "N", "N"], index = true },
            { name = "amount", type = "money", label = ["N", "N", "N"], index = true },
            { name = "street", type = "text", label = ["N", "N", "N"] },
            { name = "before", type = "reference:deal", label = ["N", "N", "N"], index = true },
        ]
    "#;

    // Names in another order than rows, with ties; one city has few rows and one of the first half alone; a fifth has no
    // size and is not done.
    const ROWS: &str = "
        WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i LIMIT 12000)
        INSERT INTO deal (n, id, name, city, size, done_on, amount_minor, amount_currency, street, before,
            archived)
        SELECT n, printf('%08x-0000-7000-8000-000000000000', n), printf('%05d', n * 7919 % 6007),
            CASE WHEN n % 1000 = 3 THEN 'few' WHEN n % 3 = 0 THEN 'third' WHEN n * 7919 % 6007 > 5500 THEN 'late' END,
            CASE WHEN n % 5 <> 0 THEN n * 31 % 4001 END, CASE WHEN n % 5 <> 0 THEN '2020-01-01' END,
            n * 100, CASE n % 2 WHEN 0 THEN 'USD' ELSE 'EUR' END, printf('street %d', n % 50),
            CASE WHEN n % 4 = 0 THEN printf('%08x-0000-7000-8000-000000000000', n % 8 + 1) END, n % 11 = 0
        FROM i";

    fn deals() -> (Connection, Model) {
        let mut conn = Connection::open_in_memory().unwrap();
        function::register(&conn).unwrap();
        budget::register(&mut conn).unwrap();
        conn.execute_batch("CREATE TABLE projection (n INTEGER PRIMARY KEY, name TEXT UNIQUE, projected_with TEXT)")
            .unwrap();
        let schema = Schema::new(parse_declarations(DEAL).unwrap().collections);
        let model = Model::of(Arc::new(schema), 0);
        ddl::ensure(&conn, &model.schema, &model.layout).unwrap();
        conn.execute_batch(ROWS).unwrap();
        (conn, model)
    }

    // Everything that a query asks for, on whatever way SQLite likes.
    fn whole(conn: &Connection, model: &Model, query: &Query) -> Vec<i64> {
        let table = lookup::table(model, "deal").unwrap();
        let mut sql = Sql::default();
        sql.push("SELECT t.n FROM deal t WHERE ");
        restrict(&Conditions::new(conn, model, table), query, &mut sql).unwrap();
        Order::of(table, query).unwrap().push(Path::Free, &mut sql);
        let mut statement = conn.prepare(&sql.text).unwrap();
        let rows = statement.query_map(params_from_iter(&sql.params), |row| row.get(0)).unwrap();
        rows.map(|n| n.unwrap()).collect()
    }

    fn queries(model: &Model) -> Vec<Query> {
        let deal = model.schema.collection("deal").unwrap();
        let filters = [
            "",
            "city = third",
            "city = few and size > 100",
            "city = late",
            "city in (few, late) and street ~ \"street 4\"",
            "city = third and street = \"nowhere\"",
            "size >= 3900 or city = few",
            "not size > 50",
            "done_on is empty and city = third",
            "done_on is not empty",
            "amount > 11000 USD",
            "amount > 11000",
            "name >= \"05000\" and city = third",
            "archived = true",
            "before = \"00000001-0000-7000-8000-000000000000\" and size > 3000",
            "before is empty and city = third",
        ];
        let mut queries = Vec::new();
        for filter in filters {
            for sort in ["", "name", "-name", "size", "-size", "-amount", "street", "before", "city,-size"] {
                let mut query = Query::of("deal");
                if !filter.is_empty() {
                    query = query.filtered(parse_filter(filter, deal, Day(20_000)).unwrap());
                }
                for key in sort.split(',').filter(|key| !key.is_empty()) {
                    query = match key.strip_prefix('-') {
                        Some(key) => query.sorted(key, Direction::Descending),
                        None => query.sorted(key, Direction::Ascending),
                    };
                }
                queries.push(query);
            }
        }
        queries
    }

    #[test]
    fn pages_are_what_the_whole_list_holds_there_whichever_way_they_are_looked_for() {
        let (conn, model) = deals();
        let table = lookup::table(&model, "deal").unwrap();
        let id = |n: &i64| RecordId::parse(&format!("{n:08x}-0000-7000-8000-000000000000"));
        for query in queries(&model) {
            let whole = whole(&conn, &model, &query);
            for (skip, limit) in
                [(0, 20), (1, 3), (40, 20), (whole.len() / 2, 50), (whole.len() - whole.len() / 9, 5_000)]
            {
                let after = skip.checked_sub(1).and_then(|last| whole.get(last)).and_then(id);
                let page = numbers(&conn, &model, table, None, &query.clone().after(after), limit).unwrap();
                let begin = if after.is_some() { skip } else { 0 };
                let expected = &whole[begin..whole.len().min(begin + limit)];
                assert_eq!(*page, expected, "{limit} after {begin} of {query:?}");
            }
        }
    }

    #[test]
    fn a_walk_that_finds_too_little_is_given_up_for_a_condition() {
        let (conn, model) = deals();
        let table = lookup::table(&model, "deal").unwrap();
        let deal = model.schema.collection("deal").unwrap();
        let filter = parse_filter("city = late", deal, Day(20_000)).unwrap();
        let query = Query::of("deal").filtered(filter).sorted("name", Direction::Ascending);
        let conditions = Conditions::new(&conn, &model, table);
        let order = Order::of(table, &query).unwrap();
        let page = Page { conn: &conn, conditions, table, query: &query, order, limit: 20 };
        let walk = page.walk(&page.candidates().unwrap()).unwrap();
        assert_eq!(page.along(walk, Some(20)).unwrap(), None);
        let found = page.along(walk, None).unwrap().unwrap();
        assert_eq!(found.len(), 20);
        assert_eq!(*numbers(&conn, &model, table, None, &query, 20).unwrap(), found);
    }
}
