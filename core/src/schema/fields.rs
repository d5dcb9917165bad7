//! The fields of a collection, in display order and by name.
//!
//! Receiving asks for a field by name many times for each record, so the names have an index of their own. Every field
//! has a *place*, its position in display order; values of a record stand by place where speed counts.

use std::collections::HashMap;
use std::ops::Deref;

use super::{Field, Name};

/// The fields of a collection; each name stands once.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    list: Vec<Field>,
    by_name: HashMap<Name, usize, foldhash::fast::RandomState>,
}

impl Fields {
    /// The place of the field of this name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The field of this name.
    pub fn named(&self, name: &str) -> Option<&Field> {
        self.place(name).and_then(|place| self.list.get(place))
    }

    /// Adds a field behind the others; one whose name is taken stays out.
    pub fn push(&mut self, field: Field) {
        if !self.by_name.contains_key(&field.name) {
            self.by_name.insert(field.name.clone(), self.list.len());
            self.list.push(field);
        }
    }

    /// Changes what is known of a field; its name stays.
    pub fn update(&mut self, name: &str, change: impl FnOnce(&mut Field)) {
        let Some(field) = self.place(name).and_then(|place| self.list.get_mut(place)) else { return };
        let name = field.name.clone();
        change(field);
        field.name = name;
    }
}

impl FromIterator<Field> for Fields {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut all = Self::default();
        fields.into_iter().for_each(|field| all.push(field));
        all
    }
}

impl From<Vec<Field>> for Fields {
    fn from(fields: Vec<Field>) -> Self {
        fields.into_iter().collect()
    }
}

impl Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        &self.list
    }
}

impl<'f> IntoIterator for &'f Fields {
    type Item = &'f Field;
    type IntoIter = std::slice::Iter<'f, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Fields {}
