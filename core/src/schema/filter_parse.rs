//! Reads the condition language of `--where`.
//!
//! ```text
//! or    = and { "or" and }
//! and   = not { "and" not }
//! not   = "not" not | "(" or ")" | test
//! test  = FIELD ( OP value | [ "not" ] "in" "(" value { "," value } ")" | "is" [ "not" ] "empty" )
//! value = "text in double quotes" | bare word
//! ```
//! Words of the language are read in any case; `\"` and `\\` stand for themselves inside quotes. Every error says at
//! which character it was found.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::number::{self, Comma};
use super::text::split_money;
use super::{Collection, FieldType, Filter, Literal, Name, Op, SetOf, nearest, system_field};
use crate::error::{Error, Result};
use crate::limits::{FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
use crate::time::{DAY_MS, Day, Millis};

/// The condition in `text` on records of `collection`; `today` is what relative days count from.
///
/// # Errors
/// `filter_syntax`, `filter_value`, `filter_operator`, `filter_field` or `filter_too_large`, each at a position
/// (characters, the first is 1).
pub fn parse_filter(text: &str, collection: &Collection, today: Day) -> Result<Filter> {
    let tokens = tokens(text)?;
    let end = text.chars().count() + 1;
    let mut parser = Parser { tokens, at: 0, end, collection, today, terms: 0 };
    let filter = parser.or(0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.syntax("and, or")),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Op(Op),
    Open,
    Close,
    Comma,
}

type Placed = (usize, Token);

fn tokens(text: &str) -> Result<Vec<Placed>> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at + 1;
        let next = chars.get(at + 1);
        let (token, length) = match (c, next) {
            (c, _) if c.is_whitespace() => {
                at += 1;
                continue;
            }
            ('(', _) => (Token::Open, 1),
            (')', _) => (Token::Close, 1),
            (',', _) => (Token::Comma, 1),
            ('!', Some('=')) => (Token::Op(Op::Ne), 2),
            ('<', Some('=')) => (Token::Op(Op::Le), 2),
            ('>', Some('=')) => (Token::Op(Op::Ge), 2),
            ('=', Some('=')) => (Token::Op(Op::Eq), 2),
            ('=', _) => (Token::Op(Op::Eq), 1),
            ('<', _) => (Token::Op(Op::Lt), 1),
            ('>', _) => (Token::Op(Op::Gt), 1),
            ('~', _) => (Token::Op(Op::Contains), 1),
            ('"', _) => quoted(&chars, at)?,
            _ => {
                let word: String = chars.get(at..).unwrap_or_default().iter().take_while(|c| is_word(**c)).collect();
                let length = word.chars().count();
                if length == 0 {
                    return Err(syntax(start, &c.to_string(), "="));
                }
                (Token::Word(word), length)
            }
        };
        tokens.push((start, token));
        at += length;
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | ',' | '=' | '!' | '<' | '>' | '~' | '"')
}

fn quoted(chars: &[char], open: usize) -> Result<(Token, usize)> {
    let mut text = String::new();
    let mut at = open + 1;
    loop {
        match (chars.get(at), chars.get(at + 1)) {
            (Some('"'), _) => return Ok((Token::Quoted(text), at + 1 - open)),
            (Some('\\'), Some(c @ ('"' | '\\'))) => {
                text.push(*c);
                at += 2;
            }
            (Some(c), _) => {
                text.push(*c);
                at += 1;
            }
            (None, _) => return Err(syntax(open + 1, "\"", "\"…\"")),
        }
    }
}

fn syntax(position: usize, found: &str, expected: &str) -> Error {
    let error = Error::invalid("filter-syntax").with("position", position);
    error.with("found", found).with("expected", expected)
}

struct Parser<'a> {
    tokens: Vec<Placed>,
    at: usize,
    end: usize,
    collection: &'a Collection,
    today: Day,
    terms: usize,
}

impl Parser<'_> {
    fn or(&mut self, depth: usize) -> Result<Filter> {
        if depth > FILTER_DEPTH_MAX {
            return Err(self.too_large());
        }
        let mut parts = vec![self.and(depth)?];
        while self.take_word("or") {
            parts.push(self.and(depth)?);
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Filter> {
        let mut parts = vec![self.not(depth)?];
        while self.take_word("and") {
            parts.push(self.not(depth)?);
        }
        Ok(one_or(parts, Filter::And))
    }

    fn not(&mut self, depth: usize) -> Result<Filter> {
        if depth > FILTER_DEPTH_MAX {
            return Err(self.too_large());
        }
        if self.take_word("not") {
            return Ok(Filter::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let inner = self.or(depth + 1)?;
            self.expect(&Token::Close, ")")?;
            return Ok(inner);
        }
        self.test()
    }

    fn test(&mut self) -> Result<Filter> {
        self.term()?;
        let position = self.position();
        let Some(Token::Word(name)) = self.peek().cloned() else { return Err(self.syntax("FIELD")) };
        self.at += 1;
        let (field, ty) = self.field(&name, position)?;
        if self.take_word("is") {
            let negated = self.take_word("not");
            if !self.take_word("empty") {
                return Err(self.syntax("empty"));
            }
            return Ok(Filter::Empty { field, negated });
        }
        if self.take_word("in") {
            return self.list(field, &ty);
        }
        if self.take_word("not") {
            if !self.take_word("in") {
                return Err(self.syntax("in"));
            }
            return Ok(Filter::Not(Box::new(self.list(field, &ty)?)));
        }
        let at = self.position();
        let Some(Token::Op(op)) = self.peek().cloned() else { return Err(self.syntax("= != < <= > >= ~ in is")) };
        self.at += 1;
        if !allows(&ty, op) {
            let error = Error::invalid("filter-operator").with("position", at).with("field", &*field);
            return Err(error.with("type", ty.spec()));
        }
        self.comparison(field, &ty, op)
    }

    fn comparison(&mut self, field: Name, ty: &FieldType, op: Op) -> Result<Filter> {
        let (position, text) = self.value()?;
        if op == Op::Contains {
            return Ok(Filter::Compare { field, op, value: Literal::Text(text) });
        }
        if *ty == FieldType::Instant
            && let Some(day) = Day::parse_relative(&text, self.today)
        {
            return Ok(whole_day(field, op, day));
        }
        let value = self.literal(&field, ty, &text, position)?;
        Ok(Filter::Compare { field, op, value })
    }

    fn list(&mut self, field: Name, ty: &FieldType) -> Result<Filter> {
        if !allows(ty, Op::Eq) {
            let error = Error::invalid("filter-operator").with("position", self.position());
            return Err(error.with("field", &*field).with("type", ty.spec()));
        }
        self.expect(&Token::Open, "(")?;
        let mut values = Vec::new();
        loop {
            self.term()?;
            let (position, text) = self.value()?;
            values.push(self.literal(&field, ty, &text, position)?);
            if !self.take(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::Close, ")")?;
        Ok(Filter::In { field, values })
    }

    // Bare words that follow each other are one value: `amount > 1000 USD`, `name = Acme Corp`.
    fn value(&mut self) -> Result<(usize, String)> {
        let position = self.position();
        let mut text = match self.peek() {
            Some(Token::Quoted(text) | Token::Word(text)) => text.clone(),
            _ => return Err(self.syntax("\"…\"")),
        };
        let quoted = matches!(self.peek(), Some(Token::Quoted(_)));
        self.at += 1;
        while let (false, Some(Token::Word(word))) = (quoted, self.peek()) {
            if ["and", "or"].iter().any(|w| word.eq_ignore_ascii_case(w)) {
                break;
            }
            text.push(' ');
            text.push_str(word);
            self.at += 1;
        }
        Ok((position, text))
    }

    fn literal(&self, field: &Name, ty: &FieldType, text: &str, position: usize) -> Result<Literal> {
        let literal = match ty {
            FieldType::Integer | FieldType::Counter => number::parse(text, Comma::Decimal).map(whole),
            FieldType::Decimal => number::parse(text, Comma::Decimal).map(Literal::Decimal),
            FieldType::Money => split_money(text).map(|(amount, currency)| Literal::Money(amount, currency)),
            FieldType::Boolean => match text.to_lowercase().as_str() {
                "true" | "yes" | "1" | "да" | "так" => Some(Literal::Boolean(true)),
                "false" | "no" | "0" | "нет" | "ні" => Some(Literal::Boolean(false)),
                _ => None,
            },
            FieldType::Date => Day::parse_relative(text, self.today).map(Literal::Date),
            FieldType::Instant => Millis::parse(text).map(Literal::Instant),
            FieldType::Reference(target) | FieldType::Set(SetOf::Reference(target)) => {
                Some(Literal::Key { collection: target.clone(), text: text.to_owned() })
            }
            _ => Some(Literal::Text(text.to_owned())),
        };
        literal.ok_or_else(|| {
            let error = Error::invalid("filter-value").with("position", position).with("field", &**field);
            error.with("value", text).with("type", ty.spec())
        })
    }

    fn field(&self, name: &str, position: usize) -> Result<(Name, FieldType)> {
        if let Some(field) = self.collection.field(name) {
            return Ok((field.name.clone(), field.ty.clone()));
        }
        if let Some(ty) = system_field(name) {
            return Ok((name.into(), ty));
        }
        let known = self.collection.fields.iter().map(|f| &*f.name).chain(super::SYSTEM_FIELDS);
        let near = nearest(name, known);
        let error = Error::invalid("filter-field").with("position", position).with("field", name);
        let error = error.with("collection", &*self.collection.name).with("near", usize::from(near.is_some()));
        Err(error.with("nearest", near.unwrap_or_default()))
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(position, _)| *position)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &Token, shown: &str) -> Result<()> {
        if self.take(token) { Ok(()) } else { Err(self.syntax(shown)) }
    }

    fn term(&mut self) -> Result<()> {
        self.terms += 1;
        if self.terms > FILTER_TERMS_MAX { Err(self.too_large()) } else { Ok(()) }
    }

    fn too_large(&self) -> Error {
        let error = Error::limit("filter-too-large").with("position", self.position());
        error.with("terms", FILTER_TERMS_MAX).with("depth", FILTER_DEPTH_MAX)
    }

    fn syntax(&self, expected: &str) -> Error {
        let found = match self.peek() {
            None => String::new(),
            Some(Token::Word(text) | Token::Quoted(text)) => text.clone(),
            Some(Token::Op(_)) => "=".to_owned(),
            Some(Token::Open) => "(".to_owned(),
            Some(Token::Close) => ")".to_owned(),
            Some(Token::Comma) => ",".to_owned(),
        };
        syntax(self.position(), &found, expected)
    }
}

fn one_or(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

fn whole(number: Decimal) -> Literal {
    match number.to_i64().filter(|_| number.is_integer()) {
        Some(integer) => Literal::Integer(integer),
        None => Literal::Decimal(number),
    }
}

// A day is all its moments.
fn whole_day(field: Name, op: Op, day: Day) -> Filter {
    let first = day.start();
    let compare = |op, at| Filter::Compare { field: field.clone(), op, value: Literal::Instant(at) };
    let next = first.plus(DAY_MS);
    match op {
        Op::Lt | Op::Ge => compare(op, first),
        Op::Le => compare(Op::Lt, next),
        Op::Gt => compare(Op::Ge, next),
        Op::Ne => Filter::Not(Box::new(whole_day(field, Op::Eq, day))),
        Op::Eq | Op::Contains => Filter::And(vec![compare(Op::Ge, first), compare(Op::Lt, next)]),
    }
}

fn allows(ty: &FieldType, op: Op) -> bool {
    let texts = matches!(ty, FieldType::Text | FieldType::LongText | FieldType::Choice(_));
    match ty {
        FieldType::Lines(_) | FieldType::Attachment | FieldType::Location => false,
        FieldType::Set(SetOf::Reference(_)) | FieldType::Reference(_) | FieldType::Boolean => {
            matches!(op, Op::Eq | Op::Ne)
        }
        FieldType::Set(_) => matches!(op, Op::Eq | Op::Ne | Op::Contains),
        _ => texts || op != Op::Contains,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::{Choice, Currency, Kind, Labels, Winner};

    fn deals() -> Collection {
        let field = |(name, spec): (&str, &str)| crate::schema::Field {
            name: name.into(),
            ty: FieldType::from_spec(spec, vec![Choice { value: "won".into(), labels: Labels::default() }], vec![])
                .unwrap(),
            labels: Labels::default(),
            required: false,
            indexed: false,
            searchable: false,
            winner: Winner::Latest,
            placing: false,
        };
        let fields = [
            ("name", "text"),
            ("stage", "choice"),
            ("amount", "money"),
            ("account", "reference:account"),
            ("closed_on", "date"),
            ("share", "decimal"),
            ("count", "integer"),
            ("hot", "boolean"),
            ("tags", "set:text"),
            ("lines", "lines"),
        ];
        Collection {
            name: "deal".into(),
            kind: Kind::Branch,
            labels: Labels::default(),
            fields: fields.into_iter().map(field).collect(),
            natural_keys: vec![],
            title: vec![],
            priority: 4,
            custom: false,
        }
    }

    fn shown(filter: &Filter) -> String {
        let all = |parts: &[Filter], word: &str| parts.iter().map(shown).collect::<Vec<_>>().join(word);
        match filter {
            Filter::And(parts) => format!("({})", all(parts, " & ")),
            Filter::Or(parts) => format!("({})", all(parts, " | ")),
            Filter::Not(inner) => format!("!{}", shown(inner)),
            Filter::Compare { field, op, value } => format!("{field} {op:?} {}", literal(value)),
            Filter::In { field, values } => {
                format!("{field} in [{}]", values.iter().map(literal).collect::<Vec<_>>().join(" "))
            }
            Filter::Empty { field, negated } => format!("{field} {}", if *negated { "full" } else { "empty" }),
            Filter::Words(text) => format!("words '{text}'"),
        }
    }

    fn literal(value: &Literal) -> String {
        match value {
            Literal::Text(text) => format!("'{text}'"),
            Literal::Integer(number) => format!("{number}i"),
            Literal::Decimal(number) => format!("{number}d"),
            Literal::Money(amount, currency) => format!("{amount}{}", currency.as_ref().map_or("", Currency::code)),
            Literal::Boolean(yes) => yes.to_string(),
            Literal::Date(day) => day.iso(),
            Literal::Instant(at) => at.rfc3339(),
            Literal::Key { collection, text } => format!("{collection}:{text}"),
        }
    }

    fn parsed(text: &str) -> Result<Filter> {
        parse_filter(text, &deals(), Day::parse("2026-03-31").unwrap())
    }

    #[test]
    fn conditions_read_as_the_command_line_describes_them() {
        let check = |text: &str, expect: &str| assert_eq!(shown(&parsed(text).unwrap()), expect, "{text}");
        check(
            r#"stage = "won" and amount > 1000 and account = "Acme""#,
            "(stage Eq 'won' & amount Gt 1000 & account Eq account:Acme)",
        );
        check(
            "stage = won or not (hot = yes and amount<=5.50 EUR)",
            "(stage Eq 'won' | !(hot Eq true & amount Le 5.5EUR))",
        );
        check("stage in (won, \"very lost\")", "stage in ['won' 'very lost']");
        check("account not in (Acme Corp, Zoom)", "!account in [account:Acme Corp account:Zoom]");
        check("closed_on is empty and name is not empty", "(closed_on empty & name full)");
        check("closed_on >= today-30d", "closed_on Ge 2026-03-01");
        check("name ~ \"say \\\"hi\\\" \\\\ bye\"", "name Contains 'say \"hi\" \\ bye'");
        check("share > 2 and count > 2 and count < 2.5", "(share Gt 2d & count Gt 2i & count Lt 2.5d)");
        check("tags = \"a, b\" AND NOT tags ~ vip", "(tags Eq 'a, b' & !tags Contains 'vip')");
        check(
            "created_by != \"anna@example.org\" and id = 0197",
            "(created_by Ne user:anna@example.org & id Eq '0197')",
        );
        check("name=Кабель or name = \"и\"", "(name Eq 'Кабель' | name Eq 'и')");
    }

    #[test]
    fn a_moment_compared_with_a_day_means_the_whole_day() {
        let check = |text: &str, expect: &str| assert_eq!(shown(&parsed(text).unwrap()), expect, "{text}");
        let (first, next) = ("2026-03-31T00:00:00.000Z", "2026-04-01T00:00:00.000Z");
        check("updated_at = today", &format!("(updated_at Ge {first} & updated_at Lt {next})"));
        check("updated_at <= today", &format!("updated_at Lt {next}"));
        check("updated_at > today", &format!("updated_at Ge {next}"));
        check("updated_at < today", &format!("updated_at Lt {first}"));
        check("updated_at > \"2026-03-31T10:00:00Z\"", "updated_at Gt 2026-03-31T10:00:00.000Z");
    }

    #[test]
    fn errors_say_what_is_wrong_and_where() {
        let check = |text: &str, code: &str, words: &str| {
            let error = parsed(text).unwrap_err();
            assert_eq!(error.code(), code, "{text}: {error}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        };
        check("", "filter_syntax", "Character 1");
        check("stage", "filter_syntax", "Character 6");
        check("stage = won and", "filter_syntax", "Character 16");
        check("(stage = won", "filter_syntax", "Character 13");
        check("stage = won )", "filter_syntax", "Character 13");
        check("name = \"open", "filter_syntax", "Character 8");
        check("имя = 1 & 2", "filter_field", "Character 1");
        check("stagee = won", "filter_field", "stage");
        check("amount > lots", "filter_value", "Character 10");
        check("closed_on = 2017-02-30", "filter_value", "2017-02-30");
        check("hot = maybe", "filter_value", "maybe");
        check("account > x", "filter_operator", "Character 9");
        check("lines = x", "filter_operator", "lines");
        check("stage = ! won", "filter_syntax", "Character 9");
    }

    #[test]
    fn expressions_are_bounded() {
        let nested = format!("{}stage = won{}", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(parsed(&nested).unwrap_err().code(), "filter_too_large");
        assert_eq!(parsed(&format!("{} stage = won", "not ".repeat(5_000))).unwrap_err().code(), "filter_too_large");
        let wide = vec!["won"; FILTER_TERMS_MAX + 1].join(",");
        assert_eq!(parsed(&format!("stage in ({wide})")).unwrap_err().code(), "filter_too_large");
    }
}
