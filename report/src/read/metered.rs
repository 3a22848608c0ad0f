//! A deserialiser that counts the memory of its values, and stops if that is too much: a few bytes
//! of JSON can take hundreds of bytes of memory, so the size of a report does not say how much memory it takes.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

/// What an allocation takes beside what is in it.
const OVERHEAD: u64 = 32;
/// What a structure may take that is not in its place but in a box.
const BOX: u64 = 128;

/// How much may still be taken.
#[derive(Debug)]
pub struct Meter {
    left: Cell<u64>,
    is_exceeded: Cell<bool>,
}

impl Meter {
    /// So many bytes.
    pub fn new(bytes: u64) -> Meter {
        Meter {
            left: Cell::new(bytes),
            is_exceeded: Cell::new(false),
        }
    }

    /// Whether more was asked for.
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded.get()
    }

    fn charge<E: Error>(&self, bytes: u64) -> Result<(), E> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.is_exceeded.set(true);
                Err(E::custom("too much memory"))
            }
        }
    }

    fn charge_text<E: Error>(&self, text: &str) -> Result<(), E> {
        self.charge(OVERHEAD + text.len() as u64)
    }
}

/// Where a value is: what is in a structure is paid for with the structure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Structure,
    Collection,
}

/// A deserialiser, or a part of one, with its count of memory.
pub struct Metered<'m, T> {
    inner: T,
    meter: &'m Meter,
    part: Part,
}

impl<'m, T> Metered<'m, T> {
    /// A deserialiser.
    pub fn new(inner: T, meter: &'m Meter) -> Metered<'m, T> {
        Metered {
            inner,
            meter,
            part: Part::Collection,
        }
    }

    fn of<U>(&self, inner: U) -> Metered<'m, U> {
        Metered {
            inner,
            meter: self.meter,
            part: self.part,
        }
    }
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.of(visitor);
            self.inner.$method($($argument,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Metered<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32()
        deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_option() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.meter.charge(BOX)?;
        let visitor = Metered {
            inner: visitor,
            meter: self.meter,
            part: Part::Structure,
        };
        self.inner.deserialize_struct(name, fields, visitor)
    }

    // Of these nothing is kept that takes memory elsewhere: names, and what is passed over.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_identifier(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! pass {
    ($($method:ident($type:ty))*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Metered<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    pass! {
        visit_bool(bool) visit_i64(i64) visit_i128(i128) visit_u64(u64) visit_u128(u128) visit_f64(f64)
        visit_char(char) visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.meter.charge_text(text)?;
        self.inner.visit_str(text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.meter.charge_text(text)?;
        self.inner.visit_borrowed_str(text)
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        self.meter.charge_text(&text)?;
        self.inner.visit_string(text)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.of(value);
        self.inner.visit_some(value)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        let value = self.of(value);
        self.inner.visit_newtype_struct(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        let elements = self.of(elements);
        self.inner.visit_seq(elements)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let entries = self.of(entries);
        self.inner.visit_map(entries)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(variant)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Metered<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = Metered::new(deserializer, self.meter);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Metered<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.meter.charge(size_of::<T::Value>() as u64)?;
        let seed = self.of(seed);
        self.inner.next_element_seed(seed)
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Metered<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.pay_for::<K::Value, A::Error>()?;
        let seed = self.of(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.pay_for::<T::Value, A::Error>()?;
        let seed = self.of(seed);
        self.inner.next_value_seed(seed)
    }
}

impl<T> Metered<'_, T> {
    /// A key or a value of a map. A node of a map may be half empty.
    fn pay_for<V, E: Error>(&self) -> Result<(), E> {
        match self.part {
            Part::Structure => Ok(()),
            Part::Collection => self.meter.charge(2 * size_of::<V>() as u64),
        }
    }
}
