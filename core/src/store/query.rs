//! What a list is asked with.

use crate::id::RecordId;
use crate::schema::{Filter, Name};

/// The direction of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first; empty values before all others.
    Ascending,
    /// Greatest first; empty values after all others.
    Descending,
}

/// A list of records of one collection.
///
/// ```
/// use branchline_core::replica::{Direction, Query};
///
/// let query = Query::of("opportunity").sorted("amount", Direction::Descending).limited(50);
/// assert_eq!(query.limit, Some(50));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The collection.
    pub collection: Name,
    /// Only records that meet this.
    pub filter: Option<Filter>,
    /// By which fields, the most important first; records that tie stand by their ids, so that every replica shows them
    /// alike. Without any, records stand in the order in which they came here.
    pub sort: Vec<(Name, Direction)>,
    /// Only these fields; without it, all.
    pub fields: Option<Vec<Name>>,
    /// At most so many.
    pub limit: Option<usize>,
    /// Only what follows this record in the order asked for.
    pub after: Option<RecordId>,
    /// Also archived records, and those merged into others. A filter that names `archived` implies it.
    pub archived: bool,
    /// Also says what each record is called.
    pub titled: bool,
    /// Also says of each record whether it has arrived above; two look-ups for each.
    pub delivery: bool,
}

impl Query {
    /// Every record of a collection that is not archived.
    pub fn of(collection: &str) -> Self {
        Self {
            collection: collection.into(),
            filter: None,
            sort: Vec::new(),
            fields: None,
            limit: None,
            after: None,
            archived: false,
            titled: false,
            delivery: false,
        }
    }

    /// Only records that meet this condition.
    #[must_use]
    pub fn filtered(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Sorted by one more field.
    #[must_use]
    pub fn sorted(mut self, field: &str, direction: Direction) -> Self {
        self.sort.push((field.into(), direction));
        self
    }

    /// At most `limit` records.
    #[must_use]
    pub fn limited(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Only what follows the record `after`.
    #[must_use]
    pub fn after(mut self, after: Option<RecordId>) -> Self {
        self.after = after;
        self
    }

    /// Only these fields.
    #[must_use]
    pub fn fields<'a>(mut self, fields: impl IntoIterator<Item = &'a str>) -> Self {
        self.fields = Some(fields.into_iter().map(Name::from).collect());
        self
    }

    /// With what each record is called, whatever fields are asked for.
    ///
    /// ```
    /// # use branchline_core::{crm, replica::{Init, SystemEnvironment}, schema::Value};
    /// use branchline_core::replica::Query;
    /// # let dir = tempfile::tempdir()?;
    /// # let replica = crm::init(dir.path(), &Init::named("Acme"), std::sync::Arc::new(SystemEnvironment))?;
    /// # replica.transact(|tx| tx.create("account", vec![("name".into(), Value::Text("Orbit".into()))]))?;
    /// let page = replica.list(&Query::of("account").fields(["city"]).titled().limited(10))?;
    /// assert_eq!(page.rows[0].title.as_deref(), Some("Orbit"));
    /// assert_eq!(page.rows[0].text("name"), "");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn titled(mut self) -> Self {
        self.titled = true;
        self
    }

    /// With what is known of each record's way to the upstream.
    #[must_use]
    pub fn with_delivery(mut self) -> Self {
        self.delivery = true;
        self
    }

    /// Archived records too.
    #[must_use]
    pub fn with_archived(mut self) -> Self {
        self.archived = true;
        self
    }
}
