//! A serde deserializer that skips what a type ignores.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer, de,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};

use super::step;

/// The text needs serde_json, which also reports the error.
#[derive(Debug)]
pub(super) struct Unreadable;

type Result<T> = std::result::Result<T, Unreadable>;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not readable here")
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads from its position in the text.
///
/// Its recursion follows the type, not the text: deeper levels of the text are skipped, which
/// needs no stack.
pub(super) struct Reader<'de> {
    text: &'de str,
    at: usize,
}

impl<'de> Reader<'de> {
    pub(super) const fn new(text: &'de str) -> Self {
        Self { text, at: 0 }
    }

    /// Whether only white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    /// The next byte that is not white space.
    #[inline]
    fn peek(&mut self) -> Result<u8> {
        while let Some(&byte) = self.text.as_bytes().get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Unreadable)
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek()? != byte {
            return Err(Unreadable);
        }
        self.at += 1;
        Ok(())
    }

    /// The text from the position to `end`, which becomes the position.
    #[inline]
    fn take_until(&mut self, end: usize) -> Result<&'de str> {
        let taken = self.text.get(self.at..end).ok_or(Unreadable)?;
        self.at = end;
        Ok(taken)
    }

    fn string(&mut self) -> Result<Cow<'de, str>> {
        let end = step::string(self.text.as_bytes(), self.at).ok_or(Unreadable)?;
        let quoted = self.take_until(end.at)?;
        if end.has_escapes {
            return serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| Unreadable);
        }
        quoted.get(1..quoted.len() - 1).map(Cow::Borrowed).ok_or(Unreadable)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<&'de str> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let length = rest.iter().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        self.take_until(self.at + length)
    }

    fn step_over(&mut self) -> Result<()> {
        let text = self.text.as_bytes();
        self.at = match self.peek()? {
            b'"' => step::string(text, self.at).ok_or(Unreadable)?.at,
            b'{' | b'[' => step::container(text, self.at).ok_or(Unreadable)?,
            _ if self.word()?.is_empty() => return Err(Unreadable),
            _ => self.at,
        };
        Ok(())
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()? {
            b'"' => match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            b'{' => {
                self.at += 1;
                visitor.visit_map(Members { reader: self, first: true })
            }
            b'[' => {
                self.at += 1;
                visitor.visit_seq(Members { reader: self, first: true })
            }
            _ => match self.word()? {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                "null" => visitor.visit_unit(),
                number => visitor.visit_i64(integer(number)?),
            },
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        // Only `null` begins with an n.
        if self.peek()? == b'n' {
            return self.deserialize_any(visitor);
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    /// Of an object from which one field is read, most have no such field: to look for its name takes less
    /// time than to look at each member.
    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if let [field] = fields
            && self.peek()? == b'{'
        {
            let start = self.at;
            self.step_over()?;
            let object = &self.text.as_bytes()[start..self.at];
            if !step::may_have_member(object, field) {
                let nothing = std::iter::empty::<(&str, &str)>();
                return visitor.visit_map(MapDeserializer::new(nothing));
            }
            self.at = start;
        }
        self.deserialize_any(visitor)
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.step_over()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier
    }
}

/// Nearly every number is a positive integer, and plain.
#[inline]
fn integer(number: &str) -> Result<i64> {
    match (number.as_bytes().first(), number.parse()) {
        (Some(b'1'..=b'9'), Ok(integer)) => Ok(integer),
        _ => serde_json::from_str(number).map_err(|_| Unreadable),
    }
}

/// The members of an object, or the elements of an array.
struct Members<'r, 'de> {
    reader: &'r mut Reader<'de>,
    first: bool,
}

impl Members<'_, '_> {
    /// Moves to the next member. `false` at the end, which it moves past.
    #[inline]
    fn next(&mut self, end: u8) -> Result<bool> {
        match self.reader.peek()? {
            byte if byte == end => {
                self.reader.at += 1;
                return Ok(false);
            }
            b',' if !self.first => self.reader.at += 1,
            _ if self.first => {}
            _ => return Err(Unreadable),
        }
        self.first = false;
        Ok(true)
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Unreadable;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !self.next(b'}')? {
            return Ok(None);
        }
        if self.reader.peek()? != b'"' {
            return Err(Unreadable);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> SeqAccess<'de> for Members<'_, 'de> {
    type Error = Unreadable;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if !self.next(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}
