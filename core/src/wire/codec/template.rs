//! Texts as templates: what stands around their numbers, and the numbers.
//!
//! `+7495` and seven digits, `info17@example3.com`, `105400 USD`: in a column of a CRM the words around the numbers
//! repeat and the numbers count. A template is the text with each run of digits replaced by one byte: zero for a number
//! without leading zeros, else the number of digits.

/// Most numbers of one text; a text with more is not taken apart.
pub(crate) const NUMBERS_MAX: usize = 16;
/// Longest run of digits that is one number.
const DIGITS_MAX: usize = 18;
/// Bytes below this cannot stand in a templated text: they are the holes.
const HOLES: u8 = DIGITS_MAX as u8 + 1;
/// Longer texts are prose, in bytes.
const AVERAGE_BYTES_MAX: usize = 128;

/// What a look at the whole column says about its numbers.
pub(crate) struct Scan {
    // Bit n: some number of n digits begins with a zero, so all of n digits keep their length.
    padded: u32,
}

impl Scan {
    /// `None` where the column has no numbers or cannot be taken apart.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let (mut padded, mut any, mut bytes, mut count) = (0, false, 0, 0);
        for value in values {
            bytes += value.len();
            count += 1;
            let mut rest = value;
            while let Some(start) = rest.iter().position(|byte| byte.is_ascii_digit() || *byte < HOLES) {
                rest = rest.get(start..)?;
                let digits = digits(rest);
                if digits == 0 {
                    return None;
                }
                any = true;
                if digits > 1 && rest.first() == Some(&b'0') {
                    padded |= 1 << digits;
                }
                rest = rest.get(digits..)?;
            }
        }
        (any && bytes <= count * AVERAGE_BYTES_MAX).then_some(Self { padded })
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Writes the template of a text and appends its numbers, each to the column of its place in the text.
pub(crate) fn template_of(
    value: &[u8],
    scan: &Scan,
    template: &mut Vec<u8>,
    numbers: &mut Vec<Vec<i64>>,
) -> Option<()> {
    template.clear();
    let mut rest = value;
    let mut place = 0;
    while let Some(start) = rest.iter().position(u8::is_ascii_digit) {
        template.extend_from_slice(rest.get(..start)?);
        rest = rest.get(start..)?;
        let (run, behind) = rest.split_at_checked(digits(rest))?;
        let number = run.iter().fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
        template.push(if scan.padded >> run.len() & 1 == 1 { run.len() as u8 } else { 0 });
        if place == NUMBERS_MAX {
            return None;
        }
        if place == numbers.len() {
            numbers.push(Vec::new());
        }
        numbers.get_mut(place)?.push(number);
        place += 1;
        rest = behind;
    }
    template.extend_from_slice(rest);
    Some(())
}

/// How many numbers a template takes.
pub(crate) fn numbers_of(template: &[u8]) -> usize {
    template.iter().filter(|byte| **byte < HOLES).count()
}

/// Appends the text of a template, taking the next number of each column that it needs.
pub(crate) fn expand(template: &[u8], numbers: &mut [impl Iterator<Item = i64>], out: &mut Vec<u8>) -> Option<()> {
    let mut columns = numbers.iter_mut();
    for byte in template {
        if *byte >= HOLES {
            out.push(*byte);
            continue;
        }
        let mut number = columns.next()?.next().filter(|number| *number >= 0)?;
        let mut buffer = [b'0'; 20];
        let mut at = buffer.len();
        while number > 0 || at == buffer.len() {
            at -= 1;
            *buffer.get_mut(at)? = b'0' + (number % 10) as u8;
            number /= 10;
        }
        let len = buffer.len() - at;
        let len = match usize::from(*byte) {
            0 => len,
            fixed if fixed >= len => fixed,
            _ => return None,
        };
        out.extend_from_slice(buffer.get(buffer.len() - len..)?);
    }
    Some(())
}
