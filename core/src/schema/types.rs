//! Field types and winner rules as text: `reference:account`, `set:choice`, `state:done`.

use super::{Choice, Field, FieldType, Name, SetOf, Winner, check_name};
use crate::error::{Error, Result};

/// Every simple type with its name; the others carry something and are spelled in [`FieldType::spec`].
const SIMPLE: [(&str, FieldType); 12] = [
    ("text", FieldType::Text),
    ("long_text", FieldType::LongText),
    ("integer", FieldType::Integer),
    ("decimal", FieldType::Decimal),
    ("money", FieldType::Money),
    ("boolean", FieldType::Boolean),
    ("date", FieldType::Date),
    ("instant", FieldType::Instant),
    ("counter", FieldType::Counter),
    ("attachment", FieldType::Attachment),
    ("location", FieldType::Location),
    ("set:text", FieldType::Set(SetOf::Text)),
];

impl FieldType {
    /// The type as text: `text`, `reference:account`, `set:choice`, `lines`. Choices and columns are not in it.
    pub fn spec(&self) -> String {
        match self {
            FieldType::Choice(_) => "choice".to_owned(),
            FieldType::Reference(target) => format!("reference:{target}"),
            FieldType::Set(SetOf::Choice(_)) => "set:choice".to_owned(),
            FieldType::Set(SetOf::Reference(target)) => format!("set:reference:{target}"),
            FieldType::Lines(_) => "lines".to_owned(),
            simple => {
                SIMPLE.iter().find(|(_, ty)| ty == simple).map_or_else(String::new, |(name, _)| (*name).to_owned())
            }
        }
    }

    /// The type that [`spec`](Self::spec) writes, with its choices or columns.
    ///
    /// # Errors
    /// `unknown_type`, or `bad_name` for the target of a reference.
    pub fn from_spec(spec: &str, choices: Vec<Choice>, columns: Vec<Field>) -> Result<Self> {
        if let Some((_, ty)) = SIMPLE.iter().find(|(name, _)| *name == spec) {
            return Ok(ty.clone());
        }
        match spec {
            "choice" => Ok(FieldType::Choice(choices)),
            "set:choice" => Ok(FieldType::Set(SetOf::Choice(choices))),
            "lines" => Ok(FieldType::Lines(columns)),
            _ => {
                if let Some(target) = spec.strip_prefix("reference:") {
                    Ok(FieldType::Reference(check_name(target)?))
                } else if let Some(target) = spec.strip_prefix("set:reference:") {
                    Ok(FieldType::Set(SetOf::Reference(check_name(target)?)))
                } else {
                    Err(Error::invalid("unknown-type").with("type", spec))
                }
            }
        }
    }

    /// The choice list of a choice field or a set of choices, else nothing.
    pub fn choices(&self) -> &[Choice] {
        match self {
            FieldType::Choice(choices) | FieldType::Set(SetOf::Choice(choices)) => choices,
            _ => &[],
        }
    }

    /// The collection that a reference or a set of references points to.
    pub fn target(&self) -> Option<&Name> {
        match self {
            FieldType::Reference(target) | FieldType::Set(SetOf::Reference(target)) => Some(target),
            _ => None,
        }
    }

    /// Whether a column of lines may have this type.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, FieldType::LongText | FieldType::Set(_) | FieldType::Lines(_) | FieldType::Counter)
    }
}

impl Winner {
    /// The rule, if a field of this type can have it: states are texts or choices.
    ///
    /// # Errors
    /// `bad_winner`.
    pub(super) fn on(self, ty: &FieldType) -> Result<Self> {
        match (&self, ty) {
            (Winner::State(_), FieldType::Text | FieldType::Choice(_)) => Ok(self),
            (Winner::State(_), _) => {
                Err(Error::invalid("bad-winner").with("winner", self.spec()).with("type", ty.spec()))
            }
            _ => Ok(self),
        }
    }

    /// The rule as text: `latest`, `earliest`, `highest`, `lowest`, `ask`, `state:won`.
    pub fn spec(&self) -> String {
        match self {
            Winner::Latest => "latest".to_owned(),
            Winner::Earliest => "earliest".to_owned(),
            Winner::Highest => "highest".to_owned(),
            Winner::Lowest => "lowest".to_owned(),
            Winner::Ask => "ask".to_owned(),
            Winner::State(state) => format!("state:{state}"),
        }
    }

    /// The rule that [`spec`](Self::spec) writes; empty text is [`Winner::Latest`].
    ///
    /// # Errors
    /// `unknown_winner`.
    pub fn from_spec(spec: &str) -> Result<Self> {
        match spec {
            "" | "latest" => Ok(Winner::Latest),
            "earliest" => Ok(Winner::Earliest),
            "highest" => Ok(Winner::Highest),
            "lowest" => Ok(Winner::Lowest),
            "ask" => Ok(Winner::Ask),
            _ => match spec.strip_prefix("state:") {
                Some(state) if !state.is_empty() => Ok(Winner::State(state.to_owned())),
                _ => Err(Error::invalid("unknown-winner").with("winner", spec)),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn types_and_rules_read_what_they_write() {
        let simple = SIMPLE.iter().map(|(name, _)| *name);
        for spec in simple.chain(["choice", "reference:account", "set:choice", "set:reference:product", "lines"]) {
            assert_eq!(FieldType::from_spec(spec, Vec::new(), Vec::new()).unwrap().spec(), spec);
        }
        for spec in ["latest", "earliest", "highest", "lowest", "ask", "state:won"] {
            assert_eq!(Winner::from_spec(spec).unwrap().spec(), spec);
        }
        let code = |spec| FieldType::from_spec(spec, Vec::new(), Vec::new()).unwrap_err().code();
        assert_eq!(code("blob"), "unknown_type");
        assert_eq!(code("reference:Account"), "bad_name");
        assert_eq!(Winner::from_spec("state:").unwrap_err().code(), "unknown_winner");
        let state = || Winner::from_spec("state:true").unwrap();
        assert_eq!(state().on(&FieldType::Boolean).unwrap_err().code(), "bad_winner");
        assert_eq!(state().on(&FieldType::Text), Ok(state()));
    }
}
